//! Scripts that nobody asks, that want a shell, or that take long to notice.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Linter;
use crate::config::diagnostic::Code;
use crate::config::model::{Command, Notify, TrackScript};

/// A script that nothing tracks.
const UNTRACKED: Code = Code(432);
/// Words of a shell in a command that runs without one.
const SHELL: Code = Code(433);
/// A dead service is noticed late.
const SLOW: Code = Code(434);
/// The user of a notification is no user.
const USER: Code = Code(436);

/// A failure that takes longer to notice is worth a word.
const PATIENCE: Duration = Duration::from_secs(60);

impl Linter<'_> {
    pub(super) fn scripts(&mut self) {
        let config = &self.loaded.config;
        let tracked: BTreeSet<&str> = config
            .instances
            .iter()
            .flat_map(|i| &i.track_scripts)
            .map(|t| t.script.as_str())
            .collect();
        let listed: BTreeSet<&str> = self.loaded.provenance.keys_beside("track_script").collect();
        for script in &config.scripts {
            let name = script.name.as_str();
            // What is listed and not tracked has a warning of its own, or its instance has.
            if !tracked.contains(name) && !listed.contains(name) {
                self.untracked(script);
            }
            self.slow(script);
            self.shell(&script.command, &script.name, &["script"], "vrrp_script");
        }
        for instance in &config.instances {
            self.notifications(&instance.name, &instance.notify, "vrrp_instance");
        }
        for group in &config.groups {
            self.notifications(&group.name, &group.notify, "vrrp_sync_group");
        }
    }

    fn untracked(&mut self, script: &TrackScript) {
        let name = &script.name;
        let place = self.in_block(name, &[], "vrrp_script");
        let only = match self.loaded.config.instances.as_slice() {
            [only] => format!(" of `{}`", only.name),
            _ => String::new(),
        };
        self.warn(UNTRACKED, format!("nothing tracks the script `{name}`"))
            .at(place, "it never runs")
            .mend(format!(
                "list `{name}` in `track_script`{only}, or take it out"
            ));
    }

    /// From the failure of the service to the failure of the script.
    fn slow(&mut self, script: &TrackScript) {
        let runs = script.fall.saturating_sub(1);
        let longest = script.interval * runs + script.interval + script.timeout;
        if longest <= PATIENCE {
            return;
        }
        let name = &script.name;
        let (place, of_fall) = (
            self.in_block(name, &["interval"], "vrrp_script"),
            self.loaded.provenance.span(name, "fall"),
        );
        let diagnostic = self.warn(
            SLOW,
            format!(
                "`{name}` may take {} s to notice a failure",
                longest.as_secs()
            ),
        );
        diagnostic.at(place, "between two runs");
        if of_fall.is_some() {
            diagnostic.at(of_fall, "failures in a row that it takes");
        }
        diagnostic.mend("write a smaller `interval`, `timeout` or `fall`");
    }

    fn shell(&mut self, command: &Command, block: &str, keywords: &[&str], opener: &str) {
        let mut words = command.argv.iter();
        let by_shell = words.next().is_some_and(|program| {
            let name = program.rsplit('/').next().unwrap_or_default();
            program.starts_with('<') || matches!(name, "sh" | "bash" | "dash" | "ash" | "env")
        });
        let Some(word) = words.find(|word| is_of_shell(word)) else {
            return;
        };
        if by_shell {
            return;
        }
        let place = self.in_block(block, keywords, opener);
        self.warn(
            SHELL,
            format!("`{word}` is for a shell, and `{block}` runs its command without one"),
        )
        .at(place, format!("`{word}` is an argument of the program"))
        .mend("put the commands into a file of their own, or write `/bin/sh -c '...'`");
    }

    fn notifications(&mut self, block: &str, notify: &Notify, opener: &str) {
        let Notify {
            any,
            active,
            backup,
            fault,
            stop,
            says_deleted: _,
            deleted,
            heard_lower_priority,
        } = notify;
        let all = [
            ("notify", any),
            ("notify_master", active),
            ("notify_backup", backup),
            ("notify_fault", fault),
            ("notify_stop", stop),
            ("notify_deleted", deleted),
            ("notify_master_rx_lower_pri", heard_lower_priority),
        ];
        for (keyword, command) in all {
            let Some(command) = command else { continue };
            self.shell(command, block, &[keyword], opener);
            self.user(command, block, keyword, opener);
        }
    }

    /// `notify_master /x/y.sh master` asks for a user called `master`.
    fn user(&mut self, command: &Command, block: &str, keyword: &str, opener: &str) {
        let Some(user) = command.user.as_ref().map(|u| u.user.as_str()) else {
            return;
        };
        let state = ["master", "backup", "fault", "stop", "instance", "group"];
        let looks = state.contains(&user.to_ascii_lowercase().as_str())
            || user.starts_with(['/', '-', '$'])
            || user.contains(['=', '@']);
        if !looks {
            return;
        }
        let program = command.argv.join(" ");
        let place = self.in_block(block, &[keyword], opener);
        self.warn(
            USER,
            format!("`{user}` is the user that `{keyword}` of `{block}` runs as, not an argument"),
        )
        .at(place, "PROGRAM USER GROUP")
        .mend(format!(
            "put the arguments into the quotes: `{keyword} \"{program} {user}\"`"
        ));
    }
}

fn is_of_shell(word: &str) -> bool {
    matches!(
        word,
        "|" | "||" | "&&" | ";" | "&" | ">" | ">>" | "<" | "2>&1" | "&>" | "1>&2"
    ) || word.starts_with("2>")
        || word.starts_with(">/")
        || word.starts_with("$(")
        || word.starts_with('`')
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NONE, codes};

    const VIP: &str = "virtual_ipaddress {\n192.0.2.10/24\n}\n";

    fn script(lines: &str) -> Vec<u16> {
        let script = format!("vrrp_script s {{\n{lines}\n}}\n");
        codes(&script, &format!("{VIP}track_script {{\ns\n}}\n"))
    }

    #[test]
    fn a_script_that_nothing_tracks_is_found() {
        let before = "vrrp_script s {\nscript /bin/true\n}\n";
        assert_eq!(codes(before, VIP), [432]);
        assert_eq!(script("script /bin/true"), NONE);
    }

    #[test]
    fn a_script_that_lost_its_place_in_another_way_is_not_reported_twice() {
        let before = "vrrp_script s {\nscript /bin/true\n}\nvrrp_sync_group G {\ngroup {\nnone\n}\n\
             track_script {\ns\n}\n}\n";
        assert_eq!(codes(before, VIP), NONE);
    }

    #[test]
    fn a_command_that_wants_a_shell_is_found() {
        for command in [
            "\"pidof nginx || exit 1\"",
            "\"/usr/bin/curl -f http://localhost 2>/dev/null\"",
            "\"/bin/ps ax | grep nginx\"",
            "\"/usr/bin/test -n $(pidof nginx)\"",
        ] {
            assert_eq!(script(&format!("script {command}")), [433], "{command}");
        }
        for command in [
            "\"/bin/sh -c 'pidof nginx || exit 1'\"",
            "\"/usr/bin/killall -0 nginx\"",
            "\"/usr/bin/curl -fs http://localhost/?a=1&b=2\"",
        ] {
            assert_eq!(script(&format!("script {command}")), NONE, "{command}");
        }
    }

    #[test]
    fn a_check_that_notices_late_is_found() {
        assert_eq!(script("script /bin/true\ninterval 30\nfall 3"), [434]);
        assert_eq!(script("script /bin/true\ninterval 10\nfall 3"), NONE);
        assert_eq!(script("script /bin/true\ninterval 1\ntimeout 100"), [434]);
    }

    #[test]
    fn an_argument_where_the_user_belongs_is_found() {
        let notify = |line| codes("", &format!("{VIP}{line}\n"));
        assert_eq!(notify("notify_master /x/n.sh master"), [436]);
        assert_eq!(notify("notify_backup /x/n.sh --quiet"), [436]);
        assert_eq!(notify("notify_master \"/x/n.sh master\""), NONE);
        assert_eq!(notify("notify_master /x/n.sh nobody"), NONE);
    }
}
