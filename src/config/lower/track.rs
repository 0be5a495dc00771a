//! Entries of `track_script`, `track_interface` and their like.

use std::collections::BTreeMap;

use super::{InterfaceUse, Lowering};
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword::{Unit, did_you_mean};
use crate::config::lex::Token;
use crate::config::model::{Tracked, TrackedInterface, TrackedScript};
use crate::config::parse::{Body, Entry, Statement};
use crate::config::source::Span;
use crate::vrrp::election::Weight;

/// A kind of tracker that is defined in a block of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Script,
    File,
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::File => "file",
        }
    }

    const fn block(self) -> &'static str {
        match self {
            Self::Script => "vrrp_script",
            Self::File => "track_file",
        }
    }
}

impl Lowering {
    /// The scripts that `by`, an instance or a sync group, tracks.
    pub(super) fn tracked_scripts(
        &mut self,
        by: &str,
        list: &mut Vec<(TrackedScript, Span)>,
        statement: &Statement,
    ) {
        let known: Vec<_> = list.iter().map(|t| t.0.script.clone()).collect();
        let tracked = self.tracked(Kind::Script, by, known, statement);
        list.extend(tracked.into_iter().map(|(tracked, span)| {
            let Tracked { name, weight } = tracked;
            (
                TrackedScript {
                    script: name,
                    weight,
                },
                span,
            )
        }));
    }

    /// The files that `by`, an instance or a sync group, tracks.
    pub(super) fn tracked_files(
        &mut self,
        by: &str,
        list: &mut Vec<(Tracked, Span)>,
        statement: &Statement,
    ) {
        let known = list.iter().map(|t| t.0.name.clone()).collect();
        list.extend(self.tracked(Kind::File, by, known, statement));
    }

    /// Entries that name a tracker, without those that are `known`.
    fn tracked(
        &mut self,
        kind: Kind,
        by: &str,
        mut known: Vec<String>,
        statement: &Statement,
    ) -> Vec<(Tracked, Span)> {
        let Body::Entries(entries) = &statement.body else {
            return Vec::new();
        };
        let mut list = Vec::new();
        for entry in entries {
            let Some(first) = entry.words.first() else {
                continue;
            };
            self.out
                .provenance
                .insert(by, first.text.clone(), entry.span);
            let Some(default) = self.weights(kind).get(&first.text).copied() else {
                self.tracker_not_found(kind, by, entry);
                continue;
            };
            let Some(weight) = self.weight(entry, default, kind == Kind::File) else {
                continue;
            };
            let name = first.text.clone();
            if known.contains(&name) {
                let message = format!("the {} `{name}` is tracked twice", kind.noun());
                self.warn(404, Class::General, message, entry.span);
                continue;
            }
            known.push(name.clone());
            list.push((Tracked { name, weight }, entry.span));
        }
        list
    }

    const fn weights(&self, kind: Kind) -> &BTreeMap<String, Weight> {
        match kind {
            Kind::Script => &self.script_weights,
            Kind::File => &self.file_weights,
        }
    }

    fn tracker_not_found(&mut self, kind: Kind, by: &str, entry: &Entry) {
        let Some(first) = entry.words.first() else {
            return;
        };
        let names = self.weights(kind).keys().map(String::as_str);
        let help = match did_you_mean(&first.text, names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("a `{}` must stand before what tracks it", kind.block()),
        };
        let (noun, name) = (kind.noun(), &first.text);
        self.push(
            Diagnostic::new(
                Severity::Warning,
                Code(403),
                Class::General,
                format!("`{by}` tracks the {noun} `{name}`, which is not defined"),
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
            let Some(weight) = self.weight(entry, Weight::default(), false) else {
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
    ///
    /// The weight of a file is a factor, and 254 not the same as 253.
    fn weight(&mut self, entry: &Entry, default: Weight, factor: bool) -> Option<Weight> {
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
            weight.points = self.points(number, factor)?;
            if let Some(next) = words.next() {
                weight.reverse = self.reverse(Some(next), default.reverse);
            }
        }
        Some(weight)
    }

    fn points(&mut self, token: &Token, factor: bool) -> Option<i16> {
        let points = self.integer_in(token, "weight", Unit::Count, -254, 254)?;
        if factor {
            return i16::try_from(points).ok();
        }
        let kept = points.clamp(-253, 253);
        if kept != points {
            let message = format!("weight {points} counts as {kept}");
            self.warn(203, Class::General, message, token.span);
        }
        i16::try_from(kept).ok()
    }
}
