//! Entries of `track_script`, `track_interface` and their like.

use super::{InterfaceUse, Lowering};
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword::{Unit, did_you_mean};
use crate::config::lex::Token;
use crate::config::model::{TrackedInterface, TrackedScript};
use crate::config::parse::{Body, Entry, Statement};
use crate::config::source::Span;
use crate::vrrp::election::Weight;

impl Lowering {
    /// The scripts that `by`, an instance or a sync group, tracks.
    pub(super) fn tracked_scripts(
        &mut self,
        by: &str,
        list: &mut Vec<(TrackedScript, Span)>,
        statement: &Statement,
    ) {
        let Body::Entries(entries) = &statement.body else {
            return;
        };
        for entry in entries {
            let Some(first) = entry.words.first() else {
                continue;
            };
            self.out
                .provenance
                .insert(by, first.text.clone(), entry.span);
            let Some(default) = self.script_weight(&first.text) else {
                self.script_not_found(by, entry);
                continue;
            };
            let Some(weight) = self.weight(entry, default) else {
                continue;
            };
            if list.iter().any(|t| t.0.script == first.text) {
                let message = format!("the script `{}` is tracked twice", first.text);
                self.warn(404, Class::General, message, entry.span);
                continue;
            }
            let tracked = TrackedScript {
                script: first.text.clone(),
                weight,
            };
            list.push((tracked, entry.span));
        }
    }

    fn script_weight(&self, name: &str) -> Option<Weight> {
        self.script_weights.get(name).copied()
    }

    fn script_not_found(&mut self, by: &str, entry: &Entry) {
        let Some(first) = entry.words.first() else {
            return;
        };
        let names = self.out.config.scripts.iter().map(|s| s.name.as_str());
        let help = match did_you_mean(&first.text, names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "a `vrrp_script` must stand before what tracks it".to_owned(),
        };
        self.push(
            Diagnostic::new(
                Severity::Warning,
                Code(403),
                Class::General,
                format!(
                    "`{by}` tracks the script `{}`, which is not defined",
                    first.text
                ),
            )
            .label(first.span, "ignored")
            .help(help),
        );
    }

    /// The interfaces that `by`, an instance or a sync group, tracks.
    pub(super) fn tracked_interfaces(
        &mut self,
        by: &str,
        list: &mut Vec<(TrackedInterface, Span)>,
        statement: &Statement,
    ) {
        let Body::Entries(entries) = &statement.body else {
            return;
        };
        for entry in entries {
            let Some(interface) = self.interface_name(entry.words.first()) else {
                continue;
            };
            let Some(weight) = self.weight(entry, Weight::default()) else {
                continue;
            };
            self.out
                .provenance
                .insert(by, interface.as_str().to_owned(), entry.span);
            if list.iter().any(|t| t.0.interface == interface) {
                let message = format!("the interface {interface} is tracked twice");
                self.warn(404, Class::General, message, entry.span);
                continue;
            }
            self.out.interfaces.push(InterfaceUse {
                name: interface.clone(),
                instance: by.to_owned(),
                span: entry.span,
            });
            list.push((TrackedInterface { interface, weight }, entry.span));
        }
    }

    /// Entries of trackers that are not active yet: only whether what they name exists.
    pub(super) fn other_trackers(&mut self, by: &str, statement: &Statement) {
        self.support(statement);
        let Body::Entries(entries) = &statement.body else {
            return;
        };
        let kind = statement.keyword.name;
        for entry in entries {
            let Some(first) = entry.words.first() else {
                continue;
            };
            if self.declared.contains(&(kind, first.text.clone())) {
                continue;
            }
            let message = format!("`{by}` tracks `{}`, which is not defined", first.text);
            self.warn(403, Class::General, message, first.span);
        }
    }

    /// `weight N [reverse]` after the first word; nothing if the entry is to be ignored.
    fn weight(&mut self, entry: &Entry, default: Weight) -> Option<Weight> {
        let mut weight = default;
        let mut words = entry.words.iter().skip(1);
        while let Some(word) = words.next() {
            if word.text != "weight" {
                self.push(
                    Diagnostic::new(
                        Severity::Warning,
                        Code(204),
                        Class::General,
                        format!("`{}` is unknown here: the line is ignored", word.text),
                    )
                    .label(word.span, "")
                    .help("write `NAME weight NUMBER [reverse]`"),
                );
                return None;
            }
            let Some(number) = words.next() else {
                let message = "`weight` needs a number: the line is ignored";
                self.warn(202, Class::General, message, word.span);
                return None;
            };
            weight.points = self.points(number)?;
            if let Some(next) = words.next() {
                weight.reverse = self.reverse(Some(next), default.reverse);
            }
        }
        Some(weight)
    }

    fn points(&mut self, token: &Token) -> Option<i16> {
        let points = self.integer_in(token, "weight", Unit::Count, -254, 254)?;
        let kept = points.clamp(-253, 253);
        if kept != points {
            let message = format!("weight {points} counts as {kept}");
            self.warn(203, Class::General, message, token.span);
        }
        i16::try_from(kept).ok()
    }
}
