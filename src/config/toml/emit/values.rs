//! Values as TOML has them.

use std::time::Duration;

use super::super::value::Time;
use crate::config::model::{Command, Ipvlan, IpvlanMode, Peer, ScriptUser};
use crate::types::{Broadcast, InterfaceName, Scope, Secret, VirtualAddress};
use crate::vrrp::election::Weight;

/// A text in quotes.
pub(in crate::config::toml) fn quote(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A key, in quotes if it needs them.
pub(super) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quote(name)
    }
}

pub(in crate::config::toml) fn time(time: Duration) -> String {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    quote(&Time(micros).text())
}

pub(super) fn list<T>(items: &[T], one: impl Fn(&T) -> String) -> String {
    let items: Vec<_> = items.iter().map(one).collect();
    if items.iter().map(String::len).sum::<usize>() > 80 {
        one_a_line(&items)
    } else {
        format!("[{}]", items.join(", "))
    }
}

/// A list of things that people comment on and change one by one.
pub(super) fn roll<T>(items: &[T], one: impl Fn(&T) -> String) -> String {
    match items {
        [] => "[]".to_owned(),
        [only] => format!("[{}]", one(only)),
        several => one_a_line(&several.iter().map(one).collect::<Vec<_>>()),
    }
}

fn one_a_line(items: &[String]) -> String {
    format!("[\n    {},\n]", items.join(",\n    "))
}

/// A table in braces; `members` are `key = value`.
pub(super) fn table(members: &[String]) -> String {
    format!("{{ {} }}", members.join(", "))
}

pub(super) fn user(user: &ScriptUser) -> String {
    let name = &user.user;
    match (&user.group, user.all_groups) {
        (Some(group), false) => quote(&format!("{name}:{group}")),
        (Some(group), true) => quote(&format!("{name}::{group}")),
        (None, true) => quote(&format!("{name}::")),
        (None, false) => quote(name),
    }
}

/// A line if it splits into the same words again, else the words.
pub(super) fn argv(argv: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    let is_plain = |word: &String| !word.is_empty() && word.chars().all(plain);
    if argv.iter().all(is_plain) {
        quote(&argv.join(" "))
    } else {
        list(argv, |word| quote(word))
    }
}

pub(in crate::config::toml) fn command(command: &Command) -> String {
    let words = argv(&command.argv);
    match &command.user {
        Some(name) => table(&[
            format!("command = {words}"),
            format!("user = {}", user(name)),
        ]),
        None => words,
    }
}

pub(super) fn secret(secret: &Secret) -> String {
    quote(&String::from_utf8_lossy(secret.expose()))
}

/// `KEY = NAME`, or a table if the weight is not the one it has anyway.
pub(super) fn tracked(kind: &str, name: &str, weight: Weight, usual: Weight) -> String {
    if weight == usual {
        return quote(name);
    }
    let mut members = vec![
        format!("{kind} = {}", quote(name)),
        format!("weight = {}", weight.points),
    ];
    if weight.reverse || weight.reverse != usual.reverse {
        members.push(format!("reverse = {}", weight.reverse));
    }
    table(&members)
}

pub(super) fn peer(peer: &Peer) -> String {
    let address = quote(&peer.host.to_string());
    if *peer == Peer::new(peer.host.clone()) {
        return address;
    }
    table(&[
        format!("address = {address}"),
        format!("min_ttl = {}", peer.min_hop_limit),
        format!("max_ttl = {}", peer.max_hop_limit),
    ])
}

pub(super) fn ipvlan(ipvlan: &Ipvlan) -> String {
    let Ipvlan {
        device,
        address,
        mode,
        group,
    } = ipvlan;
    let mode = match mode {
        IpvlanMode::Bridge => None,
        IpvlanMode::Private => Some("private"),
        IpvlanMode::Vepa => Some("vepa"),
    };
    let address = address.map(|(ip, length)| format!("{ip}/{length}"));
    let members = [
        ("address", address.as_deref()),
        ("device", device.as_ref().map(InterfaceName::as_str)),
        ("mode", mode),
        ("group", group.as_deref()),
    ];
    let given = members.into_iter();
    let given = given.filter_map(|(key, value)| Some(format!("{key} = {}", quote(value?))));
    table(&given.collect::<Vec<_>>())
}

pub(super) fn address(address: &VirtualAddress) -> String {
    let VirtualAddress {
        address: ip,
        prefix_len,
        interface,
        scope,
        label,
        broadcast,
        peer,
        home,
        duplicate_detection,
        manage_temporary,
        no_prefix_route,
        autojoin,
        untracked,
        virtual_mac,
        preferred_lifetime,
    } = address;
    let text = quote(&format!("{ip}/{prefix_len}"));
    if *address == VirtualAddress::new(*ip, *prefix_len) {
        return text;
    }
    let mut members = vec![format!("address = {text}")];
    let mut text = |key: &str, value: Option<String>| {
        members.extend(value.map(|value| format!("{key} = {}", quote(&value))));
    };
    text("interface", interface.as_ref().map(ToString::to_string));
    text("label", label.clone());
    text("scope", scope_word(*scope));
    text(
        "broadcast",
        broadcast.map(|b| match b {
            Broadcast::HostBitsSet => "+".to_owned(),
            Broadcast::HostBitsClear => "-".to_owned(),
            Broadcast::Address(address) => address.to_string(),
        }),
    );
    text("peer", peer.map(|(ip, length)| format!("{ip}/{length}")));
    text(
        "preferred_lifetime",
        preferred_lifetime.map(|seconds| match seconds {
            u32::MAX => "forever".to_owned(),
            seconds => format!("{seconds}s"),
        }),
    );
    let switches = [
        ("home", *home, true),
        ("duplicate_detection", *duplicate_detection, true),
        ("manage_temporary", *manage_temporary, true),
        ("prefix_route", *no_prefix_route, false),
        ("autojoin", *autojoin, true),
        ("track", *untracked, false),
        ("virtual_mac", *virtual_mac, true),
    ];
    let set = switches.iter().filter(|(_, set, _)| *set);
    members.extend(set.map(|(key, _, word)| format!("{key} = {word}")));
    table(&members)
}

/// Nothing for the default.
fn scope_word(scope: Scope) -> Option<String> {
    Some(match scope {
        Scope::Global => return None,
        Scope::Site => "site".to_owned(),
        Scope::Link => "link".to_owned(),
        Scope::Host => "host".to_owned(),
        Scope::Nowhere => "nowhere".to_owned(),
        Scope::Other(number) => number.to_string(),
    })
}
