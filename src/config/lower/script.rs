//! Commands, their users, and `vrrp_script`.
//!
//! keepalived-syntax.md §2 (script level) and §11.

use std::time::Duration;

use super::{CommandUse, Lowering};
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::lex::Token;
use crate::config::model::{Command, ScriptUser, TrackScript};
use crate::config::parse::{Body, Statement};
use crate::types::Secret;
use crate::vrrp::election::Weight;

/// A `vrrp_script` while its block is read.
struct Draft {
    command: Option<Command>,
    interval: Duration,
    timeout: Option<Duration>,
    weight: Weight,
    rise: u32,
    fall: u32,
    user: Option<ScriptUser>,
    init_fail: bool,
}

impl Lowering {
    /// A command with its USER and GROUP words.
    pub(super) fn command(&mut self, statement: &Statement, with_user: bool) -> Option<Command> {
        let words = outer_words(&statement.script.text);
        let argv = words.first().map(|w| inner_words(w)).unwrap_or_default();
        if argv.first().is_none_or(String::is_empty) {
            let message = format!("`{}` names no program", statement.keyword.name);
            self.warn(208, Class::General, message, statement.whole());
            return None;
        }
        let user = if with_user {
            user_of(
                words.get(1).map(String::as_str),
                words.get(2).map(String::as_str),
            )
        } else {
            None
        };
        Some(Command { argv, user })
    }

    /// Lists a command for who may look whether it exists.
    pub(super) fn uses(&mut self, command: &Command, block: &str, statement: &Statement) {
        self.out.commands.push(CommandUse {
            command: command.clone(),
            block: block.to_owned(),
            span: statement.whole(),
        });
    }

    pub(super) fn track_script(&mut self, statement: &Statement) {
        let Some(name) = statement.argument(0).map(str::to_owned) else {
            return;
        };
        let Body::Block(inner) = &statement.body else {
            return;
        };
        if self.script_weights.contains_key(&name) {
            // keepalived says nothing, and tracks the first as well.
            let message = format!("the script `{name}` is defined twice: the second is ignored");
            self.warn(404, Class::Silent, message, statement.whole());
            return;
        }
        self.out
            .provenance
            .insert(&name, "vrrp_script", statement.whole());
        let mut draft = Draft {
            command: None,
            interval: Duration::from_secs(1),
            timeout: None,
            weight: Weight::default(),
            rise: 1,
            fall: 1,
            user: None,
            init_fail: false,
        };
        for inner in inner {
            self.out
                .provenance
                .insert(&name, inner.keyword.name, inner.whole());
            if self.has_argument(inner) {
                self.script_keyword(&mut draft, inner);
            }
        }
        let Some(mut command) = draft.command else {
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(407),
                    Class::General,
                    format!("the script `{name}` has no `script` and is dropped"),
                )
                .label(statement.whole(), "")
                .help("write `script \"COMMAND ARGUMENTS\"` in it"),
            );
            return;
        };
        command.user = draft.user;
        if let Some(line) = inner.iter().rev().find(|s| s.keyword.name == "script") {
            self.uses(&command, &name, line);
        }
        self.script_weights.insert(name.clone(), draft.weight);
        self.out.config.scripts.push(TrackScript {
            name,
            command,
            interval: draft.interval,
            timeout: draft.timeout.unwrap_or(draft.interval),
            weight: draft.weight,
            rise: draft.rise,
            fall: draft.fall,
            init_fail: draft.init_fail,
        });
    }

    fn script_keyword(&mut self, draft: &mut Draft, statement: &Statement) {
        let positive = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
        match statement.keyword.name {
            "script" => draft.command = self.command(statement, false).or(draft.command.take()),
            "interval" => {
                if let Some(interval) = self.script_time(statement) {
                    draft.interval = interval;
                }
            }
            "timeout" => draft.timeout = self.script_time(statement).or(draft.timeout),
            "weight" => {
                if let Some(points) = self.integer(statement) {
                    let points = i16::try_from(points).unwrap_or(0);
                    let reverse = self.reverse(statement.arguments.get(1), false);
                    draft.weight = Weight { points, reverse };
                }
            }
            "rise" => draft.rise = positive(self.integer(statement)).unwrap_or(draft.rise),
            "fall" => draft.fall = positive(self.integer(statement)).unwrap_or(draft.fall),
            "user" => draft.user = user(&statement.arguments),
            "init_fail" => draft.init_fail = true,
            _ => {}
        }
    }

    /// A time in whole milliseconds; 0 becomes one second.
    fn script_time(&mut self, statement: &Statement) -> Option<Duration> {
        let micros = self.micros(statement)?;
        let millis = (micros + 500) / 1000;
        if millis == 0 {
            let message = format!("{} must not be 0: 1 second is used", statement.keyword.name);
            self.warn(203, Class::General, message, statement.whole());
            return Some(Duration::from_secs(1));
        }
        Some(Duration::from_millis(millis))
    }

    /// The `reverse` after a weight.
    pub(super) fn reverse(&mut self, token: Option<&Token>, default: bool) -> bool {
        match token.map(|t| (t, t.text.as_str())) {
            None => default,
            Some((_, "reverse")) => true,
            Some((_, "noreverse")) => false,
            Some((token, word)) => {
                let message = format!("`{word}` is unknown after a weight");
                self.warn(204, Class::General, message, token.span);
                default
            }
        }
    }

    /// keepalived's report if scripts run as root that somebody else could change.
    pub(super) fn script_security(&mut self) {
        let globals = &self.out.config.globals;
        if globals.script_security {
            return;
        }
        let root = |user: &ScriptUser| matches!(user.user.as_str(), "root" | "0");
        let by_root = |c: &&CommandUse| {
            c.command
                .user
                .as_ref()
                .or(globals.script_user.as_ref())
                .is_none_or(root)
        };
        let Some(first) = self.out.commands.iter().find(by_root) else {
            return;
        };
        let span = first.span;
        self.push(
            Diagnostic::new(
                Severity::Warning,
                Code(408),
                Class::Security,
                "scripts run as root, and `enable_script_security` is not set",
            )
            .label(span, "whoever can change this program becomes root")
            .help("write `enable_script_security` and `script_user USER` in `global_defs`"),
        );
    }
}

/// USER and GROUP of a keyword that takes nothing else.
pub(super) fn user(words: &[Token]) -> Option<ScriptUser> {
    let word = |i: usize| words.get(i).map(|t| t.text.as_str());
    user_of(word(0), word(1))
}

/// A leading `:` of GROUP asks for all groups of the user.
fn user_of(user: Option<&str>, group: Option<&str>) -> Option<ScriptUser> {
    let bare = group.map(|g| g.strip_prefix(':').unwrap_or(g));
    Some(ScriptUser {
        user: user?.to_owned(),
        group: bare.filter(|g| !g.is_empty()).map(str::to_owned),
        all_groups: group.is_some_and(|g| g.starts_with(':')),
    })
}

/// A password of at most 8 bytes, and whether it was longer.
pub(super) fn password(text: &str) -> (Secret, bool) {
    let bytes = text.as_bytes();
    let kept = bytes.get(..8).unwrap_or(bytes);
    (Secret::new(kept), bytes.len() > 8)
}

/// The first splitting: quotes of both kinds hold words together, `\` takes away what the next
/// quote, blank or `\` means.
fn outer_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => {
                let word = word.get_or_insert_default();
                match chars.next_if(|c| matches!(c, '"' | '\'' | ' ' | '\t')) {
                    Some(next) => word.push(next),
                    None => {
                        word.push('\\');
                        word.extend(chars.next());
                    }
                }
            }
            ('"' | '\'', None) => {
                words.extend(word.take().filter(|w| !w.is_empty()));
                word = Some(String::new());
                quote = Some(c);
            }
            (c, Some(q)) if c == q => {
                words.extend(word.take());
                quote = None;
            }
            (' ' | '\t', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The second splitting, of a command into program and arguments, with quotes and escapes.
pub(in crate::config) fn inner_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => {
                if let Some(c) = escape(&mut chars) {
                    word.get_or_insert_default().push(c);
                }
            }
            ('"' | '\'', None) => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (c, Some(q)) if c == q => quote = None,
            (' ' | '\t', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The character an escape stands for; the `\` is taken already.
fn escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>, first, radix, most| {
        let mut value: u32 = first;
        for _ in 0..most {
            let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)) else {
                break;
            };
            value = value * radix + digit;
            chars.next();
        }
        u8::try_from(value & 0xff).ok().map(char::from)
    };
    Some(match chars.next()? {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'E' => '\u{1b}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        'x' => number(chars, 0, 16, 2)?,
        'c' => char::from(u8::try_from(u32::from(chars.next()?) & 0x1f).ok()?),
        c @ '0'..='7' => number(chars, c.to_digit(8)?, 8, 2)?,
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(text: &str) -> Vec<String> {
        outer_words(text)
            .first()
            .map(|w| inner_words(w))
            .unwrap_or_default()
    }

    #[test]
    fn a_command_is_split_twice() {
        assert_eq!(argv("\"killall -0 nginx\""), ["killall", "-0", "nginx"]);
        assert_eq!(argv("/x/y nobody"), ["/x/y"]);
        assert_eq!(argv("'/x/y \"a b\" c'"), ["/x/y", "a b", "c"]);
        assert_eq!(argv("\"/x/y \\\"a b\\\" c\""), ["/x/y", "a b", "c"]);
        assert_eq!(argv("\"/x/y 'a b' ''\""), ["/x/y", "a b", ""]);
    }

    #[test]
    fn escapes_stand_for_characters() {
        assert_eq!(
            argv("\"p \\x41\\x4\\102 \\t \\q \\cA\""),
            ["p", "A\u{4}B", "\t", "q", "\u{1}"]
        );
    }

    #[test]
    fn the_words_after_a_command_are_user_and_group() {
        let words = outer_words("\"/x a\" nobody :nogroup");
        assert_eq!(words, ["/x a", "nobody", ":nogroup"]);
        let user = user_of(Some("nobody"), Some(":nogroup")).unwrap();
        assert_eq!(user.group.as_deref(), Some("nogroup"));
        assert_eq!(user_of(Some("nobody"), Some(":")).unwrap().group, None);
    }

    #[test]
    fn a_password_is_cut_after_eight_bytes() {
        assert_eq!(password("12345678"), (Secret::new(b"12345678"), false));
        assert_eq!(password("123456789"), (Secret::new(b"12345678"), true));
    }
}
