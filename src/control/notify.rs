//! Which programs to run on a change of state, and with which arguments.

use super::vocabulary;
use crate::config::model::{Command, Notify};
use crate::types::Priority;
use crate::vrrp::instance::Transition;

/// Whom a change of state is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About<'a> {
    /// An instance: its name and effective priority.
    Instance(&'a str, Priority),
    /// A sync group: its name.
    Group(&'a str),
}

/// The programs for `transition`, the specific one first.
///
/// `notify` gets `INSTANCE NAME STATE PRIORITY` or `GROUP NAME STATE 0` appended, the others
/// nothing. keepalived-cli.md §5.
#[must_use]
pub fn commands(notify: &Notify, about: About<'_>, transition: Transition) -> Vec<Command> {
    let specific = match transition {
        Transition::Active => &notify.active,
        Transition::Backup => &notify.backup,
        Transition::Fault => &notify.fault,
        Transition::Stopped => &notify.stop,
        Transition::Deleted => &notify.deleted,
    };
    let (kind, name, priority) = match about {
        About::Instance(name, priority) => ("INSTANCE", name, priority.get()),
        About::Group(name) => ("GROUP", name, 0),
    };
    let generic = notify.any.as_ref().map(|command| {
        let mut command = command.clone();
        let words = [kind, name, vocabulary::transition(transition)];
        command.argv.extend(words.map(str::to_owned));
        command.argv.push(priority.to_string());
        command
    });
    specific.iter().cloned().chain(generic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(program: &str) -> Option<Command> {
        Some(Command {
            argv: vec![program.to_owned()],
            user: None,
        })
    }

    #[test]
    fn the_specific_program_comes_first_and_gets_no_arguments() {
        let notify = Notify {
            any: command("/any"),
            active: command("/active"),
            ..Notify::default()
        };
        let about = About::Instance("VI_1", Priority::new(102));
        let got = commands(&notify, about, Transition::Active);
        let argv: Vec<_> = got.into_iter().map(|c| c.argv.join(" ")).collect();
        assert_eq!(argv, ["/active", "/any INSTANCE VI_1 MASTER 102"]);
        assert!(commands(&Notify::default(), about, Transition::Stopped).is_empty());
    }

    #[test]
    fn a_group_is_called_group_and_has_priority_0() {
        let notify = Notify {
            any: command("/any"),
            ..Notify::default()
        };
        let got = commands(&notify, About::Group("VG_1"), Transition::Fault);
        let argv: Vec<_> = got.into_iter().map(|c| c.argv.join(" ")).collect();
        assert_eq!(argv, ["/any GROUP VG_1 FAULT 0"]);
    }
}
