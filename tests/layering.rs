//! Dependencies point one way: `types` ← `wire` ← `vrrp` ← `config` ← `control`; `wire` ← `sys`;
//! `lab` stands on `sys`; only `runtime`, and the binary, know everyone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms it may look into.
const ROOMS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("wire", &["types"]),
    ("vrrp", &["types", "wire"]),
    ("config", &["types", "wire", "vrrp"]),
    // The programs to notify are part of the model.
    ("control", &["types", "wire", "vrrp", "config"]),
    // What the configuration wants of the host's devices; `sys` does it.
    ("link", &["types", "wire", "config"]),
    ("sys", &["types", "wire"]),
    ("lab", &["types", "wire", "sys"]),
    (
        "runtime",
        &[
            "types", "wire", "vrrp", "config", "link", "control", "sys", "lab",
        ],
    ),
];

/// Crates whose types appear in no signature outside `sys` and `wire`.
const KERNEL_CRATES: &[&str] = &[
    "rtnetlink",
    "netlink_packet_core",
    "netlink_packet_route",
    "netlink_sys",
    "pnet",
    "socket2",
    "nix",
];

#[test]
fn no_module_looks_into_a_room_above_its_own() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(room) = file.room() else { continue };
        let allowed = ROOMS
            .iter()
            .find(|(name, _)| *name == room)
            .map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            wrong.push(format!(
                "{}: `{room}` has no place in ROOMS",
                file.path.display()
            ));
            continue;
        };
        for other in rooms_used(&file.code, file.depth()) {
            if other != room && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{}: {room} uses {other}", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_signature_outside_sys_and_wire_has_a_kernel_type() {
    let mut wrong = Vec::new();
    for file in sources() {
        if matches!(file.room(), Some("sys" | "wire")) {
            continue;
        }
        for name in kernel_types(&file.code) {
            wrong.push(format!("{}: {name} in a signature", file.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One file of the library or the binary, without its comments.
struct Source {
    path: PathBuf,
    code: String,
}

impl Source {
    /// The top-level module; `None` for the crate's root and for the binary.
    fn room(&self) -> Option<&str> {
        let first = self.path.components().next()?.as_os_str().to_str()?;
        let room = first.strip_suffix(".rs").unwrap_or(first);
        (!matches!(room, "lib" | "main" | "cli")).then_some(room)
    }

    /// How many `super` lead out of this file to the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.components().count();
        if self.path.ends_with("mod.rs") {
            parts - 1
        } else {
            parts
        }
    }
}

/// Every file under `src`, by its path there.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source is UTF-8");
                let path = path
                    .strip_prefix(&root)
                    .expect("it is below src")
                    .to_owned();
                found.push(Source {
                    path,
                    code: without_comments(&text),
                });
            }
        }
    }
    assert!(found.len() > 10, "src was not found");
    found
}

/// Doc links may name any room.
fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(code).collect()
}

/// The rooms that paths from the crate's root lead to.
fn rooms_used(code: &str, depth: usize) -> BTreeSet<String> {
    let mut used: BTreeSet<String> = code
        .split("crate::")
        .skip(1)
        .flat_map(first_segments)
        .collect();
    let inline_tests = code.find("mod tests {").unwrap_or(code.len());
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") {
            continue;
        }
        let chain = &code[at..];
        let supers = chain
            .split("super::")
            .take_while(|piece| piece.is_empty())
            .count();
        if supers >= depth + usize::from(at > inline_tests) {
            used.extend(first_segments(&chain["super::".len() * supers..]));
        }
    }
    used.retain(|name| ROOMS.iter().any(|(room, _)| room == name));
    used
}

/// The first name of a path, or of each path in a `{…}` group.
fn first_segments(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut names = vec![name(group)];
    let mut depth = 1;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// Kernel crates, and names imported from them, in the signatures of `code`.
fn kernel_types(code: &str) -> BTreeSet<String> {
    let imports = code
        .split(';')
        .filter_map(|statement| statement.split_once("use "));
    let mut kernel: BTreeSet<String> = imports
        .map(|(_, path)| words(path))
        .filter(|path| {
            path.first()
                .is_some_and(|first| KERNEL_CRATES.contains(first))
        })
        .flat_map(|path| path.into_iter().map(str::to_owned))
        .filter(|name| name.starts_with(char::is_uppercase))
        .collect();
    kernel.extend(KERNEL_CRATES.iter().map(|name| (*name).to_owned()));
    let signatures: BTreeSet<&str> = signatures(code).into_iter().flat_map(words).collect();
    kernel.retain(|name| signatures.contains(name.as_str()));
    kernel
}

/// Everything that other modules see: from each `pub` to the body, value or end of the item.
fn signatures(code: &str) -> Vec<&str> {
    let starts = code.match_indices("pub").map(|(at, _)| &code[at..]);
    let items = starts.filter(|item| item.starts_with("pub ") || item.starts_with("pub("));
    items.map(until_body).collect()
}

fn until_body(item: &str) -> &str {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' | '}' | ';' | '=' => return &item[..at],
            ',' if depth == 0 => return &item[..at],
            _ => {}
        }
    }
    item
}

fn words(text: &str) -> Vec<&str> {
    let split = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    split.filter(|word| !word.is_empty()).collect()
}

#[test]
fn every_way_to_write_an_import_is_seen() {
    let used = |code: &str, depth| rooms_used(code, depth).into_iter().collect::<Vec<_>>();
    assert_eq!(used("use crate::types::Vrid;", 1), ["types"]);
    assert_eq!(used("use crate::{sys::{a, b}, wire};", 1), ["sys", "wire"]);
    assert_eq!(
        used("fn f(x: &crate::config::model::Config) {}", 1),
        ["config"]
    );
    assert_eq!(used("use super::super::sys::socket;", 2), ["sys"]);
    assert_eq!(used("use super::wire::arp;", 1), ["wire"]);
    assert_eq!(used("use super::vrrp::Advert;", 2), [] as [&str; 0]);
    assert_eq!(used("mod tests {\n use super::super::lab; }", 1), ["lab"]);
    assert_eq!(used("mod tests {\n use super::vrrp; }", 1), [] as [&str; 0]);
    assert!(without_comments("/// [`crate::sys`]\n").trim().is_empty());
}

#[test]
fn every_way_to_show_a_kernel_type_is_seen() {
    let seen = |code: &str| kernel_types(code).into_iter().collect::<Vec<_>>();
    assert_eq!(seen("pub fn f(fd: nix::Fd) {}"), ["nix"]);
    assert_eq!(
        seen("use nix::sys::{a::Signal, b};\npub(crate) fn f() -> Signal {}"),
        ["Signal"]
    );
    assert_eq!(
        seen("use pnet::Packet;\npub struct A {\n  pub b: Vec<Packet>,\n}"),
        ["Packet"]
    );
    assert_eq!(
        seen("use nix::sys::Signal;\npub fn f() { kill(Signal::TERM) }"),
        [] as [&str; 0]
    );
    assert_eq!(
        seen("use std::os::unix::A;\npub fn f(a: A, unix: B) {}"),
        [] as [&str; 0]
    );
}
