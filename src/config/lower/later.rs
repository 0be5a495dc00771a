//! What keepalived says of blocks that are not active yet, so that `-t` answers as it does.

use super::Lowering;
use crate::config::diagnostic::Class;
use crate::config::keyword::Block;
use crate::config::lex::TokenKind;
use crate::config::parse::{Body, Entry, Statement};

impl Lowering {
    /// Trackers and sessions that lack what they are about.
    pub(super) fn incomplete(&mut self, statement: &Statement) {
        let needs: &[&str] = match statement.keyword.arguments.block() {
            Some(Block::TrackProcess) => &["process"],
            Some(Block::Bfd) => &["neighbor_ip", "neighbour_ip"],
            _ => return,
        };
        let Body::Block(inner) = &statement.body else {
            return;
        };
        let given = inner
            .iter()
            .any(|s| needs.contains(&s.keyword.name) && !s.arguments.is_empty());
        let (Some(first), Some(name), false) = (needs.first(), statement.argument(0), given) else {
            return;
        };
        let kind = statement.keyword.name;
        let message = format!("the {kind} `{name}` has no `{first}` and is dropped");
        self.warn(407, Class::General, message, statement.whole());
        // Another process of keepalived's drops the session, so that its trackers do not know.
        if kind != "bfd_instance" {
            self.declared.retain(|(_, declared)| declared != name);
        }
    }

    /// Words of routes and rules that keepalived complains of.
    pub(super) fn routes_and_rules(&mut self, statement: &Statement) {
        let Body::Entries(entries) = &statement.body else {
            return;
        };
        match statement.keyword.name {
            "virtual_routes" | "static_routes" => {
                for entry in entries {
                    self.route(entry);
                }
            }
            "virtual_rules" | "static_rules" => {
                for entry in entries {
                    self.rule(entry);
                }
            }
            "static_ipaddress" => {
                for entry in entries {
                    let address = self.virtual_address(entry);
                    if let Some(word) = entry.words.iter().find(|w| w.text == "use_vmac")
                        && address.is_some()
                    {
                        let message = "a static address has no virtual MAC: `use_vmac` is ignored";
                        self.warn(209, Class::General, message, word.span);
                    }
                }
            }
            _ => {}
        }
    }

    fn route(&mut self, entry: &Entry) {
        for (old, new) in [("gw", "via"), ("or", "nexthop")] {
            if let Some(word) = entry.words.iter().find(|w| w.text == old) {
                let message = format!("`{old}` of a route is deprecated: write `{new}`");
                self.warn(402, Class::Deprecated, message, word.span);
            }
        }
    }

    fn rule(&mut self, entry: &Entry) {
        if entry.words.iter().any(|w| w.kind == TokenKind::Open) {
            return;
        }
        let known = ["preference", "order", "priority"];
        if !entry.words.iter().any(|w| known.contains(&w.text.as_str())) {
            let message = "the rule has no preference: keepalived counts down from 16384";
            self.warn(426, Class::Warning, message, entry.span);
        }
    }
}
