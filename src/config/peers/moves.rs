//! Failures that should move an address and do not, and what would make them.

use super::between::Between;
use super::failover::{Cause, Choice, Member, Reason, Row, Stuck, Weights, truth_table};
use super::{named, node_name, report};
use crate::config::diagnostic::{Code, Diagnostic, Severity};
use crate::config::model::TrackScript;
use crate::vrrp::election::Weight;

/// A weighted failure that moves nothing.
const STUCK: Code = Code(620);
/// A service that only some of the nodes watch.
const UNWATCHED: Code = Code(621);
/// Two nodes that both hold the address.
const UNHEARD: Code = Code(622);

impl<'a> Between<'a> {
    /// Every failure after which the address is not where it should be.
    pub(super) fn failures(self) -> Vec<Diagnostic> {
        let rows = truth_table(&self.router.members);
        let mut found: Vec<Diagnostic> = rows.iter().filter_map(|row| self.failure(row)).collect();
        found.extend(self.unwatched());
        found
    }

    fn failure(self, row: &Row) -> Option<Diagnostic> {
        let (cause, [node], []) = (row.cause.as_ref()?, &*row.nodes, &*row.dead) else {
            return None;
        };
        let member = self.members().find(|m| m.node == *node)?;
        match &row.stuck {
            Some(stuck) => Some(self.stuck(member, cause, stuck)),
            None => (!row.unheard.is_empty()).then(|| self.unheard(member, cause)),
        }
    }

    fn stuck(self, member: &Member<'_>, cause: &Cause, stuck: &Stuck) -> Diagnostic {
        let (holder, rival) = (stuck.holder, stuck.rival);
        let rival_node = node_name(stuck.rival_node);
        let watchers = self
            .members()
            .filter(|m| weight(m, cause).is_some())
            .count();
        let why = match stuck.reason {
            Reason::Outranks => format!("{holder} against {rival}"),
            Reason::Ties => format!("{holder} against {rival}, and a tie moves nothing"),
            Reason::NoPreempt => {
                format!("{holder} against {rival}, but {rival_node} has nopreempt")
            }
            Reason::Owner => "its priority is 255 whatever its trackers say".to_owned(),
        };
        let message = format!(
            "{}: when {} fails on {}, the address does not move: {why}",
            self.name(),
            cause,
            node_name(member.node),
        );
        let mut diagnostic =
            report(Severity::Warning, STUCK, message).help(remedy(cause, stuck, watchers));
        diagnostic = self.label_tracker(diagnostic, member, cause);
        diagnostic = self.label(
            diagnostic,
            member,
            &["priority"],
            &format!("{holder} while {cause} is down"),
        );
        match self.members().find(|m| m.node == stuck.rival_node) {
            Some(rival_member) => {
                self.label(diagnostic, rival_member, &["priority"], &rival.to_string())
            }
            None => diagnostic,
        }
    }

    /// Points at the weight that a script has by itself, or else at the list that tracks it.
    fn label_tracker(
        self,
        diagnostic: Diagnostic,
        member: &Member<'_>,
        cause: &Cause,
    ) -> Diagnostic {
        let here = member.instance.name.as_str();
        let weight = weight(member, cause);
        let text = weight.map_or_else(String::new, in_words);
        let places = match cause {
            Cause::Script(name) if self.script(member, name).map(|s| s.weight) == weight => {
                vec![(name.as_str(), "weight"), (here, "track_script")]
            }
            Cause::Script(name) => vec![(here, name.as_str()), (here, "track_script")],
            Cause::Interface(name) => vec![(here, name.as_str()), (here, "track_interface")],
            Cause::Host => Vec::new(),
        };
        self.label_first(diagnostic, member, places.into_iter(), &text)
    }

    fn script(self, member: &Member<'_>, name: &str) -> Option<&'a TrackScript> {
        self.nodes
            .get(member.node)?
            .config
            .scripts
            .iter()
            .find(|s| s.name == name)
    }

    fn unheard(self, member: &Member<'_>, cause: &Cause) -> Diagnostic {
        let node = node_name(member.node);
        let message = format!(
            "{}: when {cause} is down, {node} keeps the address too",
            self.name()
        );
        let diagnostic = report(Severity::Warning, UNHEARD, message)
            .help("without dont_track_primary it would let go of the address");
        self.label(diagnostic, member, &["dont_track_primary"], "")
    }

    /// A service that one node watches and another takes over without looking.
    fn unwatched(self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for watcher in self.members() {
            for tracked in &watcher.instance.track_scripts {
                let name = tracked.script.as_str();
                let blind: Vec<&Member<'_>> = self
                    .members()
                    .filter(|m| !self.watches(m, watcher, name))
                    .collect();
                if !blind.is_empty() && !seen.contains(&name) {
                    found.push(self.blind(watcher, &blind, name));
                }
                seen.push(name);
            }
        }
        found
    }

    /// Whether `member` tracks a script of that name, or one that runs the same command.
    fn watches(self, member: &Member<'_>, watcher: &Member<'_>, name: &str) -> bool {
        let command = |m: &Member<'_>, name: &str| self.script(m, name).map(|s| &s.command.argv);
        let wanted = command(watcher, name);
        let mut tracked = member.instance.track_scripts.iter();
        tracked
            .any(|t| t.script == name || (wanted.is_some() && command(member, &t.script) == wanted))
    }

    fn blind(self, watcher: &Member<'_>, blind: &[&Member<'_>], name: &str) -> Diagnostic {
        let nodes = named(blind.iter().copied());
        let does = if blind.len() == 1 { "does" } else { "do" };
        let message = format!(
            "{}: {} tracks {name}, but {nodes} {does} not",
            self.name(),
            node_name(watcher.node),
        );
        let diagnostic = report(Severity::Warning, UNWATCHED, message).help(format!(
            "track it on {nodes} too: the address could go where it is down"
        ));
        let diagnostic = self.label(diagnostic, watcher, &[name, "track_script"], "");
        blind.iter().fold(diagnostic, |diagnostic, member| {
            self.label(diagnostic, member, &["track_script"], "not tracked")
        })
    }
}

fn weight(member: &Member<'_>, cause: &Cause) -> Option<Weight> {
    let instance = member.instance;
    match cause {
        Cause::Host => None,
        Cause::Interface(name) => instance
            .track_interfaces
            .iter()
            .find(|t| t.interface == *name)
            .map(|t| t.weight),
        Cause::Script(name) => instance
            .track_scripts
            .iter()
            .find(|t| t.script == *name)
            .map(|t| t.weight),
    }
}

fn in_words(weight: Weight) -> String {
    let when = if (weight.points > 0) == weight.reverse {
        "down"
    } else {
        "up"
    };
    format!("{:+} while it is {when}", weight.points)
}

/// Which weights would move the address.
fn remedy(cause: &Cause, stuck: &Stuck, watchers: usize) -> String {
    let Weights {
        negative,
        fault,
        positive,
    } = &stuck.here;
    let mut ways = Vec::new();
    ways.extend(
        negative
            .as_ref()
            .map(|c| format!("weight {}", below_zero(c))),
    );
    ways.extend(
        positive
            .as_ref()
            .map(|c| format!("weight {}", above_zero(c))),
    );
    if *fault {
        ways.push("weight 0 (a fault)".to_owned());
    }
    if ways.is_empty() {
        return format!("no weight of {cause} moves it");
    }
    let where_to = if watchers > 1 {
        ", the same on every node that tracks it,"
    } else {
        ""
    };
    let mut text = format!("{}{where_to} would move it", ways.join(", or "));
    if positive.is_none() && stuck.reason != Reason::Owner {
        let everywhere = stuck.everywhere.as_ref().and_then(|w| w.positive.as_ref());
        text += &everywhere.map_or_else(
            || "; no positive weight does".to_owned(),
            |c| {
                format!(
                    "; a positive weight only if every node tracks it: {}",
                    above_zero(c)
                )
            },
        );
    }
    text
}

fn below_zero(choice: &Choice) -> String {
    let Choice {
        points,
        holder,
        rival,
    } = choice;
    let weights = match (points.start(), points.end()) {
        (-253, near) => format!("{near} or lower"),
        (far, near) => format!("{near} to {far}"),
    };
    format!("{weights} ({holder} against {rival})")
}

fn above_zero(choice: &Choice) -> String {
    let Choice {
        points,
        holder,
        rival,
    } = choice;
    let weights = match (points.start(), points.end()) {
        (near, 253) => format!("{near} or higher"),
        (near, far) => format!("{near} to {far}"),
    };
    format!("{weights} ({holder} against {rival})")
}
