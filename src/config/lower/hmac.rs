//! The block `auth_hmac` of an instance.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Lowering;
use super::instance::Draft;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::key_files;
use crate::config::keyword::Unit;
use crate::config::lex::Token;
use crate::config::model::{AntiReplay, Hmac, HmacMode};
use crate::config::parse::{Body, Statement};
use crate::config::source::Span;
use crate::types::{Interval, Secret};
use crate::wire::auth::hmac::{Key, KeyId};

/// The shortest and the longest window, in seconds.
const WINDOW: std::ops::RangeInclusive<u64> = 5..=300;

/// The block as it is written.
#[derive(Debug, Default)]
pub(super) struct HmacDraft {
    keys: BTreeMap<KeyId, Key>,
    active: Option<(KeyId, Span)>,
    window: Option<Duration>,
    anti_replay: AntiReplay,
    mode: HmacMode,
}

impl Lowering {
    pub(super) fn hmac(&mut self, draft: &mut Draft, statement: &Statement) {
        let Body::Block(inner) = &statement.body else {
            return;
        };
        let mut hmac = draft.hmac.take().unwrap_or_default();
        for statement in inner {
            let name = statement.keyword.name;
            self.out
                .provenance
                .insert(&draft.name, name, statement.whole());
            if self.has_argument(statement) {
                self.hmac_keyword(&mut hmac, statement);
            }
        }
        draft.hmac = Some(hmac);
    }

    fn hmac_keyword(&mut self, hmac: &mut HmacDraft, statement: &Statement) {
        match statement.keyword.name {
            "key" => self.hmac_key(hmac, statement),
            "active_key" => {
                let id = self.integer(statement).and_then(|id| u8::try_from(id).ok());
                let active = id.and_then(KeyId::new).map(|id| (id, statement.whole()));
                hmac.active = active.or(hmac.active);
            }
            "time_window" => {
                let seconds = self.integer(statement).and_then(|s| u64::try_from(s).ok());
                hmac.window = seconds.map(Duration::from_secs).or(hmac.window);
            }
            "anti_replay" => {
                if let Some(word) = self.choice(statement) {
                    hmac.anti_replay = match word {
                        "monotonic" => AntiReplay::Monotonic,
                        _ => AntiReplay::Time,
                    };
                }
            }
            "mode" => {
                if let Some(word) = self.choice(statement) {
                    hmac.mode = match word {
                        "permissive" => HmacMode::Permissive,
                        "receive-only" => HmacMode::ReceiveOnly,
                        _ => HmacMode::Enforce,
                    };
                }
            }
            _ => {}
        }
    }

    fn hmac_key(&mut self, hmac: &mut HmacDraft, statement: &Statement) {
        let (Some(number), Some(value)) = (statement.arguments.first(), statement.arguments.get(1))
        else {
            let message = "a key needs an id and a value";
            self.warn(201, Class::General, message, statement.whole());
            return;
        };
        let id = self.integer_in(number, "the id of a key", Unit::Count, 1, 255);
        let Some(id) = id.and_then(|id| u8::try_from(id).ok()).and_then(KeyId::new) else {
            return;
        };
        if hmac.keys.contains_key(&id) {
            let message = format!("key {id} is given twice: the second is ignored");
            self.warn(404, Class::General, message, number.span);
            return;
        }
        if let Some(key) = self.key(value) {
            hmac.keys.insert(id, key);
        }
    }

    /// A key as text, in hex, or in a file that holds either.
    fn key(&mut self, value: &Token) -> Option<Key> {
        let written = match value.text.strip_prefix(key_files::PREFIX) {
            Some(path) => self.key_file(path, value.span)?,
            None => Secret::new(value.text.as_bytes()),
        };
        let key = match written.expose().strip_prefix(b"hex:") {
            Some(digits) => unhex(digits).and_then(|bytes| Key::new(bytes.expose())),
            None => Key::new(written.expose()),
        };
        if key.is_none() {
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(211),
                    Class::General,
                    "a key has 32 to 64 bytes, as text or as `hex:` and two digits for each",
                )
                .label(value.span, "this one is ignored")
                .help("`openssl rand -hex 32` makes one: write it after `hex:`"),
            );
        }
        key
    }

    fn key_file(&mut self, path: &str, at: Span) -> Option<Secret> {
        match self.key_files.get(path) {
            Ok(file) => {
                let text = file.text.clone();
                if file.readable_by_others {
                    self.push(
                        Diagnostic::new(
                            Severity::Warning,
                            Code(427),
                            Class::Security,
                            format!("the key file {path} can be read by others"),
                        )
                        .label(at, "whoever can read it can take over the addresses")
                        .help(format!("`chmod 600 {path}`")),
                    );
                }
                Some(text)
            }
            Err(error) => {
                let message = format!("the key file {path} cannot be used: {error}");
                self.warn(212, Class::General, message, at);
                None
            }
        }
    }

    /// What the block asks for; nothing, with an error, if there is no key to sign with.
    pub(super) fn settle_hmac(
        &mut self,
        draft: &Draft,
        hmac: &HmacDraft,
        interval: Interval,
    ) -> Option<Hmac> {
        let mode = if draft.strict && hmac.mode != HmacMode::Enforce {
            self.correct(draft, "mode", "strict mode enforces auth_hmac");
            HmacMode::Enforce
        } else {
            hmac.mode
        };
        let active = hmac.active.filter(|(id, _)| hmac.keys.contains_key(id));
        let Some((active, _)) = active else {
            let (at, what) = match hmac.active {
                Some((id, span)) => (span, format!("there is no usable key {id}")),
                None => (self.at(draft, "auth_hmac"), "there is no active_key".into()),
            };
            self.push(
                Diagnostic::new(
                    Severity::Error,
                    Code(417),
                    Class::General,
                    format!("`{}` cannot sign its adverts: {what}", draft.name),
                )
                .label(at, "")
                .help(
                    "write `key ID hex:DIGITS` and `active_key ID`; keepalived would run without \
                     signatures, and its peers would drop its adverts",
                ),
            );
            return None;
        };
        let three = (u64::from(interval.centis()) * 3).div_ceil(100);
        let default = Duration::from_secs(three.clamp(*WINDOW.start(), *WINDOW.end()));
        Some(Hmac {
            keys: hmac.keys.clone(),
            active,
            window: hmac.window.unwrap_or(default),
            anti_replay: hmac.anti_replay,
            mode,
        })
    }
}

fn unhex(digits: &[u8]) -> Option<Secret> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let digit = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    Some(Secret::new(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{Authentication, Config};
    use crate::config::source::Memory;
    use crate::config::{Loaded, Options, load};

    const TEXT: &str = "0123456789abcdef0123456789abcdef";

    fn loaded(block: &str, reader: &Memory) -> Loaded {
        let text = format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nadvert_int 2\n\
             auth_hmac {{\n{block}\n}}\nvirtual_ipaddress {{\n10.0.0.1\n}}\n}}\n"
        );
        load(
            "main",
            &Options::default(),
            &reader.clone().with("main", text),
        )
    }

    fn hmac(config: &Config) -> Option<Hmac> {
        let authentication = &config.instances.first()?.authentication;
        let Authentication::Hmac(hmac) = authentication else {
            panic!("{authentication:?}");
        };
        Some(hmac.clone())
    }

    fn codes(loaded: &Loaded) -> Vec<u16> {
        loaded.diagnostics.iter().map(|d| d.code.0).collect()
    }

    #[test]
    fn keys_are_text_hex_or_in_a_file() {
        let hex: String = TEXT.bytes().map(|b| format!("{b:02x}")).collect();
        let files = Memory::default()
            .with("/key", format!("hex:{hex}\n"))
            .with("/text", format!("{TEXT}\r\n"));
        let block = format!(
            "key 1 {TEXT}\nkey 2 hex:{}\nkey 3 file:/key\nkey 255 file:/text\nactive_key 3",
            hex.to_uppercase()
        );
        let loaded = loaded(&block, &files);
        assert_eq!(codes(&loaded), []);
        let hmac = hmac(&loaded.config).unwrap();
        let key = Key::new(TEXT.as_bytes()).unwrap();
        assert!(hmac.keys.values().all(|k| *k == key));
        assert_eq!(hmac.keys.len(), 4);
        assert_eq!(hmac.active.get(), 3);
        assert_eq!(hmac.window, Duration::from_secs(6));
        assert_eq!(hmac.mode, HmacMode::Enforce);
        assert!(!format!("{:?}", loaded.config).contains(TEXT));
    }

    #[test]
    fn options_are_taken() {
        let block = format!(
            "key 1 {TEXT}\nactive_key 1\ntime_window 300\nanti_replay monotonic\nmode receive-only"
        );
        let hmac = hmac(&loaded(&block, &Memory::default()).config).unwrap();
        assert_eq!(hmac.window, Duration::from_secs(300));
        assert_eq!(hmac.anti_replay, AntiReplay::Monotonic);
        assert_eq!(hmac.mode, HmacMode::ReceiveOnly);
    }

    #[test]
    fn without_a_key_to_sign_with_the_file_is_refused() {
        for (block, expected) in [
            ("key 1 short\nactive_key 1", vec![211, 417]),
            ("key 1 hex:0g\nactive_key 1", vec![211, 417]),
            ("key 1 file:/none\nactive_key 1", vec![212, 417]),
            (&format!("key 1 {TEXT}"), vec![417]),
            (&format!("key 1 {TEXT}\nactive_key 2"), vec![417]),
            (&format!("key 256 {TEXT}\nactive_key 1"), vec![203, 417]),
        ] {
            let loaded = loaded(block, &Memory::default());
            assert_eq!(codes(&loaded), expected, "{block}");
            assert!(loaded.is_refused());
            assert!(loaded.config.instances.is_empty());
            assert!(!format!("{:?}", loaded.diagnostics).contains(TEXT));
        }
    }
}
