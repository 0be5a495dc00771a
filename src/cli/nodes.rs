//! The files of `vipd check`, each with the identity of its node: `-i node1 FILE -i node2 FILE`.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, ValueHint};

/// One node's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) file: String,
    /// What `@ID` means in it; the host name up to its first dot when `None`.
    pub(crate) id: Option<String>,
}

impl Node {
    /// Its name in reports: two nodes may share a file.
    pub(crate) fn name(&self) -> String {
        match &self.id {
            Some(id) => format!("{} (@{id})", self.file),
            None => self.file.clone(),
        }
    }
}

/// All of them, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Nodes(pub(crate) Vec<Node>);

const FILES: &str = "files";
const IDS: &str = "config_id";

impl Args for Nodes {
    fn augment_args(command: Command) -> Command {
        let files = Arg::new(FILES)
            .help("The configuration, then those of the other nodes")
            .value_name("FILE")
            .value_hint(ValueHint::FilePath)
            .action(ArgAction::Append)
            .num_args(0..)
            .required_unless_present("explain");
        let ids = Arg::new(IDS)
            .short('i')
            .long("config-id")
            .help(
                "Identity of the node whose file follows, for lines that begin with `@ID`; \
                 default: host name up to the first dot",
            )
            .value_name("ID")
            .action(ArgAction::Append);
        command.arg(files).arg(ids)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Nodes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let values = |name| {
            let values = matches.get_many::<String>(name).into_iter().flatten();
            let indices = matches.indices_of(name).into_iter().flatten();
            indices.zip(values.cloned()).collect::<Vec<_>>()
        };
        pair(values(FILES), values(IDS)).map_err(|id| {
            let message = format!("`-i {id}` must stand before the file of its node\n");
            Error::raw(ErrorKind::ValueValidation, message)
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Gives each file the identity that stands right before it. With one file, the identity may
/// stand anywhere. The error is an identity without a file.
fn pair(files: Vec<(usize, String)>, ids: Vec<(usize, String)>) -> Result<Nodes, String> {
    if let ([(_, file)], [(_, id)]) = (files.as_slice(), ids.as_slice()) {
        return Ok(Nodes(vec![Node {
            file: file.clone(),
            id: Some(id.clone()),
        }]));
    }
    let mut ids = ids.into_iter().peekable();
    let mut nodes = Vec::new();
    for (at, file) in files {
        let id = ids.next_if(|(place, _)| *place < at).map(|(_, id)| id);
        if let Some((_, second)) = ids.next_if(|(place, _)| *place < at) {
            return Err(second);
        }
        nodes.push(Node { file, id });
    }
    match ids.next() {
        Some((_, id)) => Err(id),
        None => Ok(Nodes(nodes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Vec<(String, Option<String>)>, String> {
        let explain = Arg::new("explain").long("explain");
        let command = Nodes::augment_args(Command::new("check").arg(explain));
        let words = ["check"].into_iter().chain(line.split_whitespace());
        let matches = command.try_get_matches_from(words).unwrap();
        let nodes = Nodes::from_arg_matches(&matches).map_err(|e| e.to_string())?;
        Ok(nodes.0.into_iter().map(|n| (n.file, n.id)).collect())
    }

    #[test]
    fn an_identity_belongs_to_the_file_after_it() {
        let some = |id: &str| Some(id.to_owned());
        let found = read("-i a one -i b two three").unwrap();
        let ids: Vec<_> = found.into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, [some("a"), some("b"), None]);
        assert_eq!(read("one -i a").unwrap()[0].1, some("a"));
        assert_eq!(read("one two").unwrap()[1].1, None);
        for wrong in ["one two -i a", "-i a -i b one two"] {
            assert!(
                read(wrong).unwrap_err().contains("before the file"),
                "{wrong}"
            );
        }
    }
}
