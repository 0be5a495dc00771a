//! Entries of `virtual_ipaddress` and its like.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Lowering;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword::did_you_mean;
use crate::config::lex::Token;
use crate::config::parse::Entry;
use crate::config::source::Span;
use crate::types::{Broadcast, InterfaceName, Scope, VirtualAddress};

const OPTIONS: [&str; 16] = [
    "dev",
    "scope",
    "broadcast",
    "brd",
    "label",
    "peer",
    "home",
    "-nodad",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "no_track",
    "preferred_lft",
    "track_group",
    "use_vmac",
    "metric",
];

impl Lowering {
    /// One address with its options.
    pub(super) fn virtual_address(&mut self, entry: &Entry) -> Option<VirtualAddress> {
        let mut words = entry.words.iter();
        let first = words.next()?;
        let (address, prefix_len) = self.prefix(first)?;
        let mut result = VirtualAddress::new(address, prefix_len);
        while let Some(option) = words.next() {
            self.option(&mut result, option, &mut words);
        }
        if address.is_ipv6() {
            result.scope = Scope::Global;
            result.label = None;
            result.broadcast = None;
        } else {
            result.preferred_lifetime = None;
        }
        Some(result)
    }

    /// `ADDRESS[/LENGTH]` or one of the names of "everything".
    pub(super) fn prefix(&mut self, token: &Token) -> Option<(IpAddr, u8)> {
        match token.text.as_str() {
            "default" | "any" | "all" => return Some((Ipv4Addr::UNSPECIFIED.into(), 0)),
            "default6" => return Some((Ipv6Addr::UNSPECIFIED.into(), 0)),
            _ => {}
        }
        let (text, length) = match token.text.split_once('/') {
            Some((text, length)) => (text, Some(length)),
            None => (token.text.as_str(), None),
        };
        let Ok(address) = text.parse::<IpAddr>() else {
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(206),
                    Class::General,
                    format!("`{}` is not an address", token.text),
                )
                .label(token.span, "the line is ignored"),
            );
            return None;
        };
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let Some(length) = length else {
            return Some((address, longest));
        };
        match length.parse::<u8>() {
            Ok(length) if length <= longest => Some((address, length)),
            _ => {
                let message =
                    format!("`/{length}` is no prefix length of {address}: /{longest} is used");
                self.warn(206, Class::General, message, token.span);
                Some((address, longest))
            }
        }
    }

    fn option<'a>(
        &mut self,
        address: &mut VirtualAddress,
        option: &Token,
        words: &mut impl Iterator<Item = &'a Token>,
    ) {
        match option.text.as_str() {
            "dev" => {
                if let Some(token) = self.operand(option, words)
                    && let Some(name) = self.interface_name(Some(token))
                {
                    address.interface = Some(name);
                }
            }
            "scope" => {
                if let Some(token) = self.operand(option, words) {
                    self.ipv4_only(address, option);
                    match scope(&token.text) {
                        Some(scope) => address.scope = scope,
                        None => self.bad(token, "scope"),
                    }
                }
            }
            "broadcast" | "brd" => {
                if let Some(token) = self.operand(option, words) {
                    self.broadcast(address, token);
                }
            }
            "label" => {
                if let Some(token) = self.operand(option, words) {
                    self.ipv4_only(address, option);
                    self.label(address, token);
                }
            }
            "peer" => {
                if let Some(token) = self.operand(option, words)
                    && let Some((peer, length)) = self.prefix(token)
                {
                    address.peer = Some((peer, length));
                    address.prefix_len = length;
                }
            }
            "preferred_lft" => {
                if let Some(token) = self.operand(option, words) {
                    match (token.text.as_str(), token.text.parse()) {
                        ("forever", _) => address.preferred_lifetime = Some(u32::MAX),
                        (_, Ok(seconds)) => address.preferred_lifetime = Some(seconds),
                        _ => self.bad(token, "preferred_lft"),
                    }
                }
            }
            "home" => address.home = true,
            "-nodad" => address.duplicate_detection = true,
            "mngtmpaddr" => address.manage_temporary = true,
            "noprefixroute" => address.no_prefix_route = true,
            "autojoin" => address.autojoin = true,
            "no_track" => address.untracked = true,
            "use_vmac" => address.virtual_mac = true,
            "track_group" => {
                self.operand(option, words);
                self.inactive_word(option);
            }
            other => {
                let mut diagnostic = Diagnostic::new(
                    Severity::Warning,
                    Code(209),
                    Class::General,
                    format!("`{other}` is no option of an address"),
                )
                .label(option.span, "ignored");
                diagnostic.help = did_you_mean(other, OPTIONS.into_iter())
                    .map(|word| format!("did you mean `{word}`?"));
                self.push(diagnostic);
            }
        }
    }

    fn ipv4_only(&mut self, address: &VirtualAddress, option: &Token) {
        if address.address.is_ipv6() {
            let message = format!("an IPv6 address has no {}: it is ignored", option.text);
            self.warn(209, Class::General, message, option.span);
        }
    }

    /// The word an option needs.
    fn operand<'a>(
        &mut self,
        option: &Token,
        words: &mut impl Iterator<Item = &'a Token>,
    ) -> Option<&'a Token> {
        let next = words.next();
        if next.is_none() {
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(201),
                    Class::General,
                    format!("`{}` needs a value", option.text),
                )
                .label(option.span, "nothing follows it on this line"),
            );
        }
        next
    }

    fn broadcast(&mut self, address: &mut VirtualAddress, token: &Token) {
        let broadcast = match token.text.as_str() {
            "+" => Some(Broadcast::HostBitsSet),
            "-" => Some(Broadcast::HostBitsClear),
            text => text.parse().ok().map(Broadcast::Address),
        };
        match broadcast {
            Some(Broadcast::HostBitsSet | Broadcast::HostBitsClear) if address.prefix_len > 30 => {
                let message = format!("/{} has no broadcast address", address.prefix_len);
                self.warn(206, Class::General, message, token.span);
            }
            Some(broadcast) => address.broadcast = Some(broadcast),
            None => self.bad(token, "broadcast"),
        }
    }

    fn label(&mut self, address: &mut VirtualAddress, token: &Token) {
        if token.text.len() > 15 {
            let message = format!("the label `{}` is longer than 15 bytes", token.text);
            self.warn(206, Class::General, message, token.span);
        } else {
            address.label = Some(token.text.clone());
        }
    }

    fn bad(&mut self, token: &Token, option: &str) {
        let message = format!("`{}` is no {option}", token.text);
        self.warn(206, Class::General, message, token.span);
    }

    pub(super) fn inactive_word(&mut self, word: &Token) {
        self.push(
            Diagnostic::new(
                Severity::Warning,
                Code(401),
                Class::Silent,
                format!("`{}` is not active yet", word.text),
            )
            .label(word.span, "accepted without effect"),
        );
    }

    /// Takes an address into a list, unless the instance has it already.
    pub(super) fn add_unless_known(
        &mut self,
        known: &std::collections::BTreeSet<(IpAddr, Option<InterfaceName>)>,
        address: &VirtualAddress,
        at: Span,
    ) -> bool {
        if known.contains(&(address.address, address.interface.clone())) {
            let message = format!("{} is listed twice: the second is ignored", address.address);
            self.warn(404, Class::General, message, at);
            return false;
        }
        true
    }
}

fn scope(text: &str) -> Option<Scope> {
    Some(match text {
        "global" => Scope::Global,
        "site" => Scope::Site,
        "link" => Scope::Link,
        "host" => Scope::Host,
        "nowhere" => Scope::Nowhere,
        number => match number.parse::<u8>().ok()? {
            0 => Scope::Global,
            200 => Scope::Site,
            253 => Scope::Link,
            254 => Scope::Host,
            255 => Scope::Nowhere,
            other => Scope::Other(other),
        },
    })
}
