//! Programs that a configuration names but the machine does not have, or should not run.
//!
//! keepalived-behaviour.md §13. Loading asks nothing of the system; who may look does it here.

use super::Loaded;
use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::lower::CommandUse;
use super::model::{Command, Notify};

/// What became of looking for a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// It is there and may be run.
    Usable,
    /// It is not there, cannot be run, or its user does not exist; and which of these.
    Missing(String),
    /// Somebody other than root could change it; which part of its path, and by which bit.
    Insecure(String),
}

impl Loaded {
    /// Takes out the programs that `look` does not find usable, as keepalived does at its start.
    ///
    /// A script that is gone is not tracked, a notification that is gone is not run. When no
    /// program is left, neither is the report that programs run as root.
    pub fn look_for_programs(&mut self, look: impl Fn(&CommandUse) -> Program) {
        let uses = std::mem::take(&mut self.commands);
        let mut violated = false;
        for used in uses {
            match look(&used) {
                Program::Usable => self.commands.push(used),
                Program::Missing(why) => self.disable(&used, "cannot be found or run", &why),
                Program::Insecure(why) => {
                    violated = true;
                    let what = "could be changed by somebody other than root";
                    self.disable(&used, what, &why);
                }
            }
        }
        if self.commands.is_empty() && !violated {
            self.diagnostics.retain(|d| d.class != Class::Security);
        }
    }

    fn disable(&mut self, used: &CommandUse, what: &str, why: &str) {
        let program = used
            .command
            .argv
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        let is_script = self.config.scripts.iter().any(|s| s.name == used.block);
        // keepalived only logs what becomes of a notification.
        let class = if is_script {
            Class::General
        } else {
            Class::Silent
        };
        let mut diagnostic = Diagnostic::new(
            Severity::Warning,
            Code(430),
            class,
            format!("the program `{program}` of `{}` {what}", used.block),
        )
        .label(used.span, "disabled");
        if !why.is_empty() {
            diagnostic = diagnostic.help(why);
        }
        self.diagnostics.push(diagnostic);
        if is_script {
            self.config.scripts.retain(|s| s.name != used.block);
            for instance in &mut self.config.instances {
                instance.track_scripts.retain(|t| t.script != used.block);
            }
        }
        let instances = self
            .config
            .instances
            .iter_mut()
            .filter(|i| i.name == used.block);
        for instance in instances {
            forget(&mut instance.notify, &used.command);
        }
        let groups = self.config.groups.iter_mut();
        for group in groups.filter(|g| g.name == used.block) {
            forget(&mut group.notify, &used.command);
        }
    }
}

fn forget(notify: &mut Notify, command: &Command) {
    let Notify {
        any,
        active,
        backup,
        fault,
        stop,
        says_deleted: _,
        deleted,
        heard_lower_priority: lower,
    } = notify;
    for place in [any, active, backup, fault, stop, deleted, lower] {
        place.take_if(|c| c == command);
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Memory;
    use super::super::{Options, load};
    use super::*;

    const TEXT: &str = "vrrp_script s {\nscript \"/bin/s x\"\n}\nvrrp_instance V {\ninterface eth0\n\
        virtual_router_id 1\ntrack_script {\ns\n}\nnotify /bin/n\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n";

    fn loaded() -> Loaded {
        load(
            "main",
            &Options::default(),
            &Memory::default().with("main", TEXT),
        )
    }

    #[test]
    fn a_program_that_is_there_runs() {
        let mut loaded = loaded();
        assert_eq!(loaded.exit_status(), 6);
        loaded.look_for_programs(|_| Program::Usable);
        assert_eq!(loaded.exit_status(), 6);
        assert_eq!(loaded.config.scripts.len(), 1);
    }

    #[test]
    fn a_script_that_is_gone_is_not_tracked() {
        let mut loaded = loaded();
        loaded.look_for_programs(|_| Program::Missing("program /bin/s is not found".to_owned()));
        let mut said = loaded.diagnostics.iter().filter_map(|d| d.help.as_deref());
        assert_eq!(said.next_back(), Some("program /bin/s is not found"));
        assert_eq!(loaded.exit_status(), 5);
        assert!(loaded.config.scripts.is_empty());
        assert!(loaded.config.instances[0].track_scripts.is_empty());
        assert_eq!(loaded.config.instances[0].notify, Notify::default());
    }

    #[test]
    fn a_program_that_others_could_change_is_a_violation() {
        let mut loaded = loaded();
        loaded.look_for_programs(|_| Program::Insecure(String::new()));
        assert_eq!(loaded.exit_status(), 6);
        assert!(loaded.config.scripts.is_empty());
    }
}
