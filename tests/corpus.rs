//! Files of other people, where they are at hand: how far vipd and keepalived agree on them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a manifest that is not as it should be may end the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use vipd::config::diagnostic::{Class, Code, Diagnostic, Severity};
use vipd::config::programs::Program;
use vipd::config::source::{Disk, Memory};
use vipd::config::{Loaded, Options, load};

/// One file with keepalived 2.4.3's verdict.
struct Case {
    name: String,
    path: PathBuf,
    kind: String,
    status: String,
    messages: Vec<String>,
}

fn cases() -> Option<Vec<Case>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(manifest) = std::fs::read_to_string(root.join("MANIFEST.tsv")) else {
        println!("skipped: {} is not here", root.display());
        return None;
    };
    let mut verdicts = BTreeMap::new();
    for line in std::fs::read_to_string(root.join("verdicts.jsonl"))
        .unwrap()
        .lines()
    {
        let verdict: serde_json::Value = serde_json::from_str(line).unwrap();
        let messages: Vec<String> = verdict["2.4.3"]["msgs"]
            .as_array()
            .map(|all| {
                all.iter()
                    .filter_map(|m| m.as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default();
        verdicts.insert(verdict["file"].as_str().unwrap().to_owned(), messages);
    }
    let mut lines = manifest.lines();
    let header: Vec<_> = lines.next().unwrap().split('\t').collect();
    let column = |name| header.iter().position(|h| *h == name).unwrap();
    let (kind, status) = (column("kind"), column("rc_2.4.3"));
    Some(
        lines
            .map(|line| line.split('\t').collect::<Vec<_>>())
            .filter(|c| matches!(c[kind], "VRRP" | "VRRP+LVS" | "LVS"))
            .map(|c| Case {
                name: c[0].to_owned(),
                path: root.join(c[0]),
                kind: c[kind].to_owned(),
                status: c[status].to_owned(),
                messages: verdicts.remove(c[0]).unwrap_or_default(),
            })
            .collect(),
    )
}

/// Whether keepalived did not read the file to its end: it hangs or crashes on it, a value is
/// missing, or its machine had not the network namespace that the file names.
fn stopped_early(case: &Case) -> bool {
    let text = std::fs::read_to_string(&case.path).unwrap_or_default();
    match case.status.as_str() {
        "0" => text.lines().any(|line| line.contains("net_namespace ")),
        "4" | "5" | "6" => false,
        _ => true,
    }
}

fn loaded(case: &Case) -> Loaded {
    load(case.path.to_str().unwrap(), &Options::default(), &Disk)
}

/// What keepalived found out by looking at the machine it ran on, which a file cannot tell.
fn seen_on_the_machine(case: &Case, loaded: &mut Loaded) {
    let mut scripts = BTreeMap::new();
    for message in &case.messages {
        let disabled = message.strip_prefix("Disabling track script ");
        if let Some((name, why)) = disabled.and_then(|rest| rest.split_once(' ')) {
            let insecure = why.contains("insecure");
            scripts.insert(
                name,
                if insecure {
                    Program::Insecure
                } else {
                    Program::Missing
                },
            );
        }
        let class = match message.as_str() {
            m if m.contains("Non-existent interface") => Class::BadInterface,
            m if m.contains("doesn't exist")
                || m.contains("Unable to set default user")
                || m.contains("Unable to set uid/gid")
                || m.contains("Error setting global script uid/gid")
                || m.contains("already exists and is not a private macvlan")
                || m.contains("realpath() error") =>
            {
                Class::General
            }
            _ => continue,
        };
        loaded
            .diagnostics
            .push(Diagnostic::new(Severity::Warning, Code(0), class, message));
    }
    let names: BTreeSet<_> = loaded
        .config
        .scripts
        .iter()
        .map(|s| s.name.clone())
        .collect();
    loaded.look_for_programs(|used| {
        // The machine had no notify programs, and the shell reads a script that begins with `<`.
        let shell = used
            .command
            .argv
            .first()
            .is_some_and(|p| p.starts_with('<'));
        match scripts.get(used.block.as_str()) {
            _ if shell || !names.contains(&used.block) => Program::Missing,
            Some(program) => *program,
            None => Program::Usable,
        }
    });
    loaded.diagnostics.retain(|d| d.code != Code(430));
    for _ in &scripts {
        let message = "disabled";
        loaded.diagnostics.push(Diagnostic::new(
            Severity::Warning,
            Code(0),
            Class::General,
            message,
        ));
    }
}

#[test]
fn exit_statuses_agree_with_keepalived() {
    let Some(cases) = cases() else { return };
    let mut tally: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for case in &cases {
        let mut loaded = loaded(case);
        seen_on_the_machine(case, &mut loaded);
        let status = loaded.exit_status().to_string();
        // Where keepalived hangs or crashes there is nothing to agree with.
        if !["0", "2", "4", "5", "6"].contains(&case.status.as_str()) {
            continue;
        }
        let (agreed, all) = tally.entry(&case.kind).or_default();
        *all += 1;
        if status == case.status {
            *agreed += 1;
        } else if case.kind == "VRRP" || std::env::var_os("ALL").is_some() {
            let why: Vec<_> = loaded
                .diagnostics
                .iter()
                .filter(|d| d.class != Class::Silent)
                .map(|d| format!("{:?}: {}", d.class, d.message))
                .take(4)
                .collect();
            println!(
                "{} {}: {status} {why:?}, keepalived {} {:?}",
                case.kind,
                case.name,
                case.status,
                &case.messages[..case.messages.len().min(4)]
            );
        }
    }
    for (kind, (agreed, all)) in &tally {
        println!("exit status, {kind}: {agreed} of {all}");
    }
    let (agreed, all) = tally["VRRP"];
    assert!(agreed * 10 >= all * 9, "{agreed} of {all}");
}

#[test]
fn no_keyword_is_unknown_that_keepalived_knows() {
    let Some(cases) = cases() else { return };
    let mut unknown = Vec::new();
    for case in cases
        .iter()
        .filter(|c| c.kind == "VRRP" && !stopped_early(c))
    {
        let known = case
            .messages
            .iter()
            .filter_map(|m| m.split_once("Unknown keyword '"));
        let known: BTreeSet<_> = known
            .filter_map(|(_, rest)| rest.strip_suffix('\''))
            .collect();
        let loaded = loaded(case);
        for diagnostic in loaded
            .diagnostics
            .iter()
            .filter(|d| d.class == Class::UnknownKeyword)
        {
            let word = diagnostic.message.trim_start_matches("unknown keyword `");
            let word = word.rsplit_once('`').map_or(word, |(word, _)| word);
            let word = word.split_once("` in `").map_or(word, |(word, _)| word);
            if !known.contains(word) {
                unknown.push(format!("{}: {}", case.name, diagnostic.message));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn a_file_cut_anywhere_never_panics() {
    let Some(cases) = cases() else { return };
    let options = Options::default();
    for case in &cases {
        let text = std::fs::read(&case.path).unwrap();
        let step = if text.len() > 20_000 {
            text.len() / 64
        } else {
            64
        };
        for cut in (0..text.len()).step_by(step) {
            let reader = Memory::default().with("main", &text[..cut]);
            let loaded = load("main", &options, &reader);
            assert!(loaded.sources.files().count() == 1);
        }
    }
}
