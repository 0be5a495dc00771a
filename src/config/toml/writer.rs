//! The statements of one block, made from values and their places.

use std::collections::BTreeMap;

use super::format::{
    Address, GroupNotify, Notify, NotifyOr, OldChecksum, Peer, Tracked, TrackedInterface,
    TrackedScript, Unicast,
};
use super::read::span;
use super::value::{At, Number, OneOrMore, Program, TextOr, Time};
use crate::config::keyword::Block;
use crate::config::lex::{Line, Token, TokenKind};
use crate::config::lower;
use crate::config::parse::{Body, Entry, Statement};
use crate::config::source::{FileId, Span};

/// Where a word of a statement is written, and the word.
pub(super) type Word = (String, Span);

/// Weights of trackers by their names, where they are not 0.
#[derive(Default)]
pub(super) struct Weights {
    pub(super) scripts: BTreeMap<String, i64>,
    pub(super) files: BTreeMap<String, i64>,
}

/// The statements of one block.
pub(super) struct Writer {
    block: Block,
    pub(super) file: FileId,
    pub(super) statements: Vec<Statement>,
}

impl Writer {
    pub(super) const fn new(block: Block, file: FileId) -> Self {
        Self {
            block,
            file,
            statements: Vec::new(),
        }
    }

    pub(super) fn at<T>(&self, value: &At<T>) -> Span {
        span(self.file, &value.place)
    }

    pub(super) fn word<T: ToString>(&self, value: &At<T>) -> Word {
        (value.value.to_string(), self.at(value))
    }

    pub(super) fn push(&mut self, name: &str, at: Span, words: Vec<Word>, body: Body) {
        let keyword = self.block.keyword(name);
        debug_assert!(keyword.is_some(), "{name} is in the keyword table");
        if let Some(keyword) = keyword {
            self.statements.push(Statement {
                keyword,
                arguments: words.into_iter().map(token).collect(),
                body,
                span: at,
                script: Line::empty(),
            });
        }
    }

    /// A keyword with one word.
    pub(super) fn value<T: ToString>(&mut self, name: &str, value: Option<&At<T>>) {
        if let Some(value) = value {
            let word = self.word(value);
            self.push(name, word.1, vec![word], Body::None);
        }
    }

    pub(super) fn time(&mut self, name: &str, value: Option<&At<Time>>) {
        if let Some(value) = value {
            let at = self.at(value);
            self.push(name, at, vec![(value.seconds(), at)], Body::None);
        }
    }

    /// A keyword that stands alone, if `value` is `on`.
    pub(super) fn alone(&mut self, name: &str, value: Option<&At<bool>>, on: bool) {
        if let Some(value) = value.filter(|v| v.value == on) {
            let at = self.at(value);
            self.push(name, at, Vec::new(), Body::None);
        }
    }

    /// A keyword with `on` or `off`, turned around where `on` is false.
    pub(super) fn switch(&mut self, name: &str, value: Option<&At<bool>>, on: bool) {
        if let Some(value) = value {
            let at = self.at(value);
            let word = if value.value == on { "on" } else { "off" };
            self.push(name, at, vec![(word.to_owned(), at)], Body::None);
        }
    }

    pub(super) fn entries(&mut self, name: &str, entries: Vec<Vec<Word>>) {
        let Some((_, at)) = entries.first().and_then(|words| words.first()) else {
            return;
        };
        let (at, entries) = (*at, entries.into_iter().filter_map(entry).collect());
        self.push(name, at, Vec::new(), Body::Entries(entries));
    }

    pub(super) fn user(&mut self, name: &str, value: Option<&At<String>>) {
        if let Some(value) = value {
            let at = self.at(value);
            let (user, group) = user_and_group(value);
            let words = [Some(user), group].into_iter().flatten();
            let words = words.map(|word| (word.to_owned(), at)).collect();
            self.push(name, at, words, Body::None);
        }
    }

    pub(super) fn command(&mut self, name: &str, words: &OneOrMore, user: Option<&str>, at: Span) {
        let argv = match words {
            OneOrMore::One(line) => lower::inner_words(line),
            OneOrMore::More(words) => words.clone(),
        };
        let mut text = quoted(&argv);
        if let Some((user, group)) = user.map(user_and_group) {
            for word in [Some(user), group].into_iter().flatten() {
                text += &format!(" \"{word}\"");
            }
        }
        let word = argv.join(" ");
        self.push(name, at, vec![(word, at)], Body::None);
        if let Some(statement) = self.statements.last_mut() {
            statement.script.push_derived(&text, at);
        }
    }

    pub(super) fn program(&mut self, name: &str, program: Option<&At<Program>>) {
        let Some(program) = program else { return };
        let at = self.at(program);
        match &program.value {
            Program::Words(words) => self.command(name, words, None, at),
            Program::As(both) => self.command(name, &both.command, both.user.as_deref(), at),
        }
    }

    /// The program for all changes, or those of a table.
    pub(super) fn notify<T>(&mut self, notify: Option<&At<NotifyOr<T>>>, table: fn(&mut Self, &T)) {
        let Some(notify) = notify else { return };
        match &notify.value {
            NotifyOr::Any(words) => self.command("notify", words, None, self.at(notify)),
            NotifyOr::Table(programs) => table(self, programs),
        }
    }

    pub(super) fn instance_notify(&mut self, notify: &Notify) {
        let Notify {
            any,
            active,
            backup,
            fault,
            stop,
            deleted,
            say_deleted,
            heard_lower_priority,
        } = notify;
        self.programs([any, active, backup, fault, stop]);
        self.alone("notify_deleted", say_deleted.as_ref(), true);
        self.program("notify_deleted", deleted.as_ref());
        self.program("notify_master_rx_lower_pri", heard_lower_priority.as_ref());
    }

    pub(super) fn group_notify(&mut self, notify: &GroupNotify) {
        let GroupNotify {
            any,
            active,
            backup,
            fault,
            stop,
        } = notify;
        self.programs([any, active, backup, fault, stop]);
    }

    /// What instances and groups have.
    fn programs(&mut self, programs: [&Option<At<Program>>; 5]) {
        let keywords = ["", "_master", "_backup", "_fault", "_stop"];
        for (end, program) in keywords.into_iter().zip(programs) {
            self.program(&format!("notify{end}"), program.as_ref());
        }
    }

    /// `weight N [reverse]` of a tracker whose weight is `usual` when none is given.
    pub(super) fn weight(
        &mut self,
        weight: Option<&At<Number>>,
        reverse: Option<&At<bool>>,
        usual: i64,
    ) {
        let place = weight.map(|w| self.at(w));
        if let Some(at) = place.or_else(|| reverse.map(|r| self.at(r))) {
            let mut words = vec![(weight.map_or(usual, |w| w.0).to_string(), at)];
            words.extend(self.reverse(reverse));
            self.push("weight", at, words, Body::None);
        }
    }

    pub(super) fn track_scripts(
        &mut self,
        tracked: &[At<TextOr<TrackedScript>>],
        usual: &BTreeMap<String, i64>,
    ) {
        let entries = tracked.iter().map(|script| match &script.value {
            TextOr::Text(name) => vec![(name.clone(), self.at(script))],
            TextOr::Table(table) => {
                let options = (table.weight.as_ref(), table.reverse.as_ref());
                self.with_weight(&table.script, options, usual)
            }
        });
        let entries = entries.collect();
        self.entries("track_script", entries);
    }

    /// Entries of `keyword`; `usual` has the weight of each tracker by its name.
    pub(super) fn tracked(
        &mut self,
        keyword: &str,
        tracked: &[At<TextOr<Tracked>>],
        usual: &BTreeMap<String, i64>,
    ) {
        let entries = tracked.iter().map(|tracker| match &tracker.value {
            TextOr::Text(name) => vec![(name.clone(), self.at(tracker))],
            TextOr::Table(table) => {
                let options = (table.weight.as_ref(), table.reverse.as_ref());
                self.with_weight(&table.name, options, usual)
            }
        });
        let entries = entries.collect();
        self.entries(keyword, entries);
    }

    fn with_weight(
        &self,
        name: &At<String>,
        (weight, reverse): (Option<&At<Number>>, Option<&At<bool>>),
        usual: &BTreeMap<String, i64>,
    ) -> Vec<Word> {
        let mut words = vec![self.word(name)];
        if weight.is_some() || reverse.is_some() {
            let at = weight.map_or_else(|| self.at(name), |w| self.at(w));
            let usual = usual.get(&name.value).copied().unwrap_or(0);
            words.push(("weight".to_owned(), at));
            words.push((weight.map_or(usual, |w| w.0).to_string(), at));
        }
        words.extend(self.reverse(reverse));
        words
    }

    pub(super) fn track_interfaces(&mut self, tracked: &[At<TextOr<TrackedInterface>>]) {
        let tracked = tracked.iter().map(|interface| match &interface.value {
            TextOr::Text(name) => vec![(name.clone(), self.at(interface))],
            TextOr::Table(table) => {
                let mut words = vec![self.word(&table.interface)];
                let weight = table.weight.as_ref().map_or(0, |w| w.0);
                let at = table.weight.as_ref().map(|w| self.at(w));
                let at = at.unwrap_or_else(|| self.at(interface));
                words.push(("weight".to_owned(), at));
                words.push((weight.to_string(), at));
                words.extend(self.reverse(table.reverse.as_ref()));
                words
            }
        });
        let tracked = tracked.collect();
        self.entries("track_interface", tracked);
    }

    pub(super) fn reverse(&self, reverse: Option<&At<bool>>) -> Option<Word> {
        let reverse = reverse?;
        let word = if reverse.value {
            "reverse"
        } else {
            "noreverse"
        };
        Some((word.to_owned(), self.at(reverse)))
    }

    pub(super) fn addresses(&self, addresses: &[At<TextOr<Address>>]) -> Vec<Vec<Word>> {
        let words = |address: &At<TextOr<Address>>| match &address.value {
            TextOr::Text(text) => vec![(text.clone(), self.at(address))],
            TextOr::Table(table) => self.address(table),
        };
        addresses.iter().map(words).collect()
    }

    fn address(&self, address: &Address) -> Vec<Word> {
        let mut words = vec![self.word(&address.address)];
        let options = [
            ("dev", &address.interface),
            ("label", &address.label),
            ("scope", &address.scope),
            ("peer", &address.peer),
            ("broadcast", &address.broadcast),
        ];
        for (option, value) in options {
            if let Some(value) = value {
                words.push((option.to_owned(), self.at(value)));
                words.push(self.word(value));
            }
        }
        if let Some(life) = &address.preferred_lifetime {
            let at = self.at(life);
            let seconds = life.strip_suffix('s').unwrap_or(life);
            words.push(("preferred_lft".to_owned(), at));
            words.push((seconds.to_owned(), at));
        }
        let switches = [
            ("home", &address.home, true),
            ("-nodad", &address.duplicate_detection, true),
            ("mngtmpaddr", &address.manage_temporary, true),
            ("noprefixroute", &address.prefix_route, false),
            ("autojoin", &address.autojoin, true),
            ("no_track", &address.track, false),
            ("use_vmac", &address.virtual_mac, true),
        ];
        for (option, value, on) in switches {
            if let Some(value) = value
                && value.value == on
            {
                words.push((option.to_owned(), self.at(value)));
            }
        }
        words
    }

    fn peer(&self, peer: &At<TextOr<Peer>>) -> Vec<Word> {
        match &peer.value {
            TextOr::Text(address) => vec![(address.clone(), self.at(peer))],
            TextOr::Table(table) => {
                let mut words = vec![self.word(&table.address)];
                for (option, value) in [("min_ttl", &table.min_ttl), ("max_ttl", &table.max_ttl)] {
                    if let Some(value) = value {
                        words.push((option.to_owned(), self.at(value)));
                        words.push(self.word(value));
                    }
                }
                words
            }
        }
    }

    pub(super) fn unicast(&mut self, unicast: Option<&At<Unicast>>) {
        let Some(unicast) = unicast else { return };
        self.value("unicast_src_ip", unicast.source.as_ref());
        self.value("unicast_ttl", unicast.ttl.as_ref());
        self.alone("check_unicast_src", unicast.check_source.as_ref(), true);
        if let Some(who) = &unicast.old_checksum {
            let at = self.at(who);
            let words = match who.value {
                OldChecksum::Answer => None,
                OldChecksum::Always => Some(Vec::new()),
                OldChecksum::Never => Some(vec![("never".to_owned(), at)]),
            };
            if let Some(words) = words {
                self.push("old_unicast_checksum", at, words, Body::None);
            }
        }
        let peers: Vec<_> = unicast.peers.iter().map(|peer| self.peer(peer)).collect();
        if peers.is_empty() {
            let at = self.at(unicast);
            self.push("unicast_fault_no_peer", at, Vec::new(), Body::None);
        }
        self.entries("unicast_peer", peers);
    }
}

fn token((text, span): Word) -> Token {
    Token {
        kind: TokenKind::Quoted,
        text,
        span,
        at: 0,
        end: 0,
    }
}

fn entry(words: Vec<Word>) -> Option<Entry> {
    let span = words.first()?.1.to(words.last()?.1);
    let words = words.into_iter().map(token).collect();
    Some(Entry { words, span })
}

fn user_and_group(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    }
}

/// A command in keepalived's quoting, which splits it into `argv` again.
fn quoted(argv: &[String]) -> String {
    let mut text = String::from("\"");
    for (i, word) in argv.iter().enumerate() {
        if i > 0 {
            text.push(' ');
        }
        if word.is_empty() {
            text += "''";
        }
        for c in word.chars() {
            match c {
                ' ' | '\t' | '"' | '\'' | '\\' => text += &format!("\\x{:02x}", u32::from(c)),
                c => text.push(c),
            }
        }
    }
    text.push('"');
    text
}
