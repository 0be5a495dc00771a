//! Which programs to run on a change of state, and with which arguments.

use super::vocabulary;
use crate::config::model::{Command, Notify};
use crate::types::Priority;
use crate::vrrp::instance::Transition;

/// The programs for `transition`, the specific one first.
///
/// `notify` gets `INSTANCE NAME STATE PRIORITY` appended, the others nothing.
/// keepalived-cli.md §5.
#[must_use]
pub fn commands(
    notify: &Notify,
    name: &str,
    transition: Transition,
    priority: Priority,
) -> Vec<Command> {
    let specific = match transition {
        Transition::Active => &notify.active,
        Transition::Backup => &notify.backup,
        Transition::Fault => &notify.fault,
        Transition::Stopped => &notify.stop,
    };
    let generic = notify.any.as_ref().map(|command| {
        let mut command = command.clone();
        let words = ["INSTANCE", name, vocabulary::transition(transition)];
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
        let got = commands(&notify, "VI_1", Transition::Active, Priority::new(102));
        let argv: Vec<_> = got.into_iter().map(|c| c.argv.join(" ")).collect();
        assert_eq!(argv, ["/active", "/any INSTANCE VI_1 MASTER 102"]);
        assert!(
            commands(
                &Notify::default(),
                "V",
                Transition::Stopped,
                Priority::DEFAULT
            )
            .is_empty()
        );
    }
}
