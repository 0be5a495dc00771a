//! Files of other people, where they are at hand: how far vipd and keepalived agree on them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a manifest that is not as it should be may end the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use vipd::config::diagnostic::{Class, Code, Diagnostic, Label, Severity};
use vipd::config::programs::Program;
use vipd::config::source::{Disk, Memory};
use vipd::config::{Loaded, Options, load};

/// One file with keepalived 2.4.3's verdict.
struct Case {
    name: String,
    path: PathBuf,
    kind: String,
    status: String,
    messages: Vec<String>,
}

fn cases() -> Option<Vec<Case>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(manifest) = std::fs::read_to_string(root.join("MANIFEST.tsv")) else {
        println!("skipped: {} is not here", root.display());
        return None;
    };
    let mut verdicts = BTreeMap::new();
    for line in std::fs::read_to_string(root.join("verdicts.jsonl"))
        .unwrap()
        .lines()
    {
        let verdict: serde_json::Value = serde_json::from_str(line).unwrap();
        let messages: Vec<String> = verdict["2.4.3"]["msgs"]
            .as_array()
            .map(|all| {
                all.iter()
                    .filter_map(|m| m.as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default();
        verdicts.insert(verdict["file"].as_str().unwrap().to_owned(), messages);
    }
    let mut lines = manifest.lines();
    let header: Vec<_> = lines.next().unwrap().split('\t').collect();
    let column = |name| header.iter().position(|h| *h == name).unwrap();
    let (kind, status) = (column("kind"), column("rc_2.4.3"));
    Some(
        lines
            .map(|line| line.split('\t').collect::<Vec<_>>())
            .filter(|c| matches!(c[kind], "VRRP" | "VRRP+LVS" | "LVS"))
            .map(|c| Case {
                name: c[0].to_owned(),
                path: root.join(c[0]),
                kind: c[kind].to_owned(),
                status: c[status].to_owned(),
                messages: verdicts.remove(c[0]).unwrap_or_default(),
            })
            .collect(),
    )
}

/// Whether keepalived did not read the file to its end: it hangs or crashes on it, a value is
/// missing, or its machine had not the network namespace that the file names.
fn stopped_early(case: &Case) -> bool {
    let text = std::fs::read_to_string(&case.path).unwrap_or_default();
    match case.status.as_str() {
        "0" => text.lines().any(|line| line.contains("net_namespace ")),
        "4" | "5" | "6" => false,
        _ => true,
    }
}

fn loaded(case: &Case) -> Loaded {
    load(case.path.to_str().unwrap(), &Options::default(), &Disk)
}

/// What keepalived found out by looking at the machine it ran on, which a file cannot tell.
fn seen_on_the_machine(case: &Case, loaded: &mut Loaded) {
    let mut scripts = BTreeMap::new();
    for message in &case.messages {
        let disabled = message.strip_prefix("Disabling track script ");
        if let Some((name, why)) = disabled.and_then(|rest| rest.split_once(' ')) {
            let insecure = why.contains("insecure");
            scripts.insert(
                name,
                if insecure {
                    Program::Insecure(String::new())
                } else {
                    Program::Missing(String::new())
                },
            );
        }
        let class = match message.as_str() {
            m if m.contains("Non-existent interface") => Class::BadInterface,
            m if m.contains("doesn't exist")
                || m.contains("Unable to set default user")
                || m.contains("Unable to set uid/gid")
                || m.contains("Error setting global script uid/gid")
                || m.contains("already exists and is not a private macvlan")
                || m.contains("realpath() error") =>
            {
                Class::General
            }
            _ => continue,
        };
        loaded
            .diagnostics
            .push(Diagnostic::new(Severity::Warning, Code(0), class, message));
    }
    let names: BTreeSet<_> = loaded
        .config
        .scripts
        .iter()
        .map(|s| s.name.clone())
        .collect();
    loaded.look_for_programs(|used| {
        // The machine had no notify programs, and the shell reads a script that begins with `<`.
        let shell = used
            .command
            .argv
            .first()
            .is_some_and(|p| p.starts_with('<'));
        match scripts.get(used.block.as_str()) {
            _ if shell || !names.contains(&used.block) => Program::Missing(String::new()),
            Some(program) => program.clone(),
            None => Program::Usable,
        }
    });
    loaded.diagnostics.retain(|d| d.code != Code(430));
    for _ in &scripts {
        let message = "disabled";
        loaded.diagnostics.push(Diagnostic::new(
            Severity::Warning,
            Code(0),
            Class::General,
            message,
        ));
    }
}

/// Differences that are meant, or that the machine made: file, what differs, and the reason.
const DOCUMENTED: &str = include_str!("corpus/differences.tsv");

/// What may differ between keepalived's answer and ours.
const STATUS: &str = "status";
const LINES: &str = "lines";

/// The files with a documented difference of `kind`, with the reasons.
fn documented(kind: &str) -> BTreeMap<&'static str, &'static str> {
    let rows = DOCUMENTED.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| {
        let mut columns = line.split('\t');
        let (file, of, why) = (columns.next()?, columns.next()?, columns.next()?);
        (of == kind).then_some((file, why))
    })
    .collect()
}

/// Compares what differs with what is documented: nothing may be missing, nothing stale.
fn settle(kind: &str, all: usize, differences: &BTreeMap<&str, String>) {
    let documented = documented(kind);
    println!(
        "{kind}: {} of {all} agree, {} differ and are documented",
        all - differences.len(),
        documented.len()
    );
    let new = differences
        .iter()
        .filter(|(f, _)| !documented.contains_key(*f));
    let new: Vec<_> = new.map(|(file, what)| format!("{file}: {what}")).collect();
    let stale = documented.keys().filter(|f| !differences.contains_key(*f));
    let stale: Vec<_> = stale.collect();
    assert!(new.is_empty(), "not documented:\n{}", new.join("\n"));
    assert!(stale.is_empty(), "no difference any more: {stale:#?}");
}

#[test]
fn exit_statuses_agree_with_keepalived_or_the_difference_is_documented() {
    let Some(cases) = cases() else { return };
    let mut differences = BTreeMap::new();
    let mut tally: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for case in &cases {
        let mut loaded = loaded(case);
        seen_on_the_machine(case, &mut loaded);
        let status = loaded.exit_status().to_string();
        let (agreed, all) = tally.entry(&case.kind).or_default();
        *all += 1;
        if status == case.status {
            *agreed += 1;
            continue;
        }
        let why = loaded
            .diagnostics
            .iter()
            .filter(|d| d.class != Class::Silent);
        let why: Vec<_> = why
            .map(|d| format!("{:?}: {}", d.class, d.message))
            .collect();
        let theirs = &case.messages[..case.messages.len().min(4)];
        differences.insert(
            case.name.as_str(),
            format!("{status} {why:?}, keepalived {} {theirs:?}", case.status),
        );
    }
    for (kind, (agreed, all)) in &tally {
        println!("exit status, {kind}: {agreed} of {all}");
    }
    settle(STATUS, cases.len(), &differences);
}

#[test]
fn no_keyword_is_unknown_that_keepalived_knows() {
    let Some(cases) = cases() else { return };
    let mut unknown = Vec::new();
    for case in cases
        .iter()
        .filter(|c| c.kind == "VRRP" && !stopped_early(c))
    {
        let known = case
            .messages
            .iter()
            .filter_map(|m| m.split_once("Unknown keyword '"));
        let known: BTreeSet<_> = known
            .filter_map(|(_, rest)| rest.strip_suffix('\''))
            .collect();
        let loaded = loaded(case);
        for diagnostic in loaded
            .diagnostics
            .iter()
            .filter(|d| d.class == Class::UnknownKeyword)
        {
            let word = diagnostic.message.trim_start_matches("unknown keyword `");
            let word = word.rsplit_once('`').map_or(word, |(word, _)| word);
            let word = word.split_once("` in `").map_or(word, |(word, _)| word);
            if !known.contains(word) {
                unknown.push(format!("{}: {}", case.name, diagnostic.message));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// Said after reading, so keepalived names no line.
const AFTERWARDS: [u16; 19] = [
    214, 314, 405, 408, 411, 412, 413, 414, 415, 416, 418, 421, 422, 423, 424, 425, 427, 428, 429,
];

/// keepalived looked at its machine for these.
const OF_THE_MACHINE: [&str; 9] = [
    "realpath()",
    "doesn't exist",
    "Unable to set",
    "Error setting global script uid/gid",
    "Failed to set uid/gid",
    "already exists and is not",
    "is already using",
    "Disabling track script",
    "Invalid smtp server",
];

/// keepalived says these where a block ends, vipd where it begins.
const AT_THE_END: [&str; 8] = [
    "No script set",
    "No file set",
    "has no neighbor address",
    "has no real servers",
    "empty notification_email",
    "has no members",
    "No script path",
    "requires vmac_xmit_base",
];

/// Codes of what vipd says where such a block begins.
const AT_THE_BEGINNING: [u16; 4] = [405, 406, 407, 421];

/// Whether a message follows from what keepalived found on its machine.
fn follows_from_the_machine(message: &str, all: &[String]) -> bool {
    let Some((_, rest)) = message.split_once(") track ") else {
        return false;
    };
    let Some(name) = rest.strip_suffix(" not found, ignoring...") else {
        return false;
    };
    let name = name.rsplit(' ').next().unwrap_or_default();
    let empty = format!("No script set for vrrp_script {name} ");
    if all.iter().any(|m| m.contains(&empty)) {
        return false;
    }
    let gone = |m: &String| {
        // It disables scripts once all is read, which takes none away while it reads.
        let of_machine = OF_THE_MACHINE.iter().any(|of| m.contains(of))
            && !m.starts_with("Disabling track script");
        of_machine && (m.contains(name) || m.contains("uid/gid") || m.contains("default user"))
    };
    all.iter().any(gone)
}

/// The line that a message of keepalived names, with what it says.
fn line_of(message: &str) -> Option<(usize, &str)> {
    let (place, said) = message.strip_prefix('(')?.split_once(") ")?;
    let (_, number) = place.rsplit_once("Line ")?;
    Some((number.parse().ok()?, said))
}

#[test]
fn complaints_are_about_the_same_lines_or_the_difference_is_documented() {
    let Some(cases) = cases() else { return };
    let mut differences = BTreeMap::new();
    for case in &cases {
        let loaded = loaded(case);
        let theirs: BTreeMap<usize, &str> = case
            .messages
            .iter()
            .filter(|m| !OF_THE_MACHINE.iter().any(|of| m.contains(of)))
            .filter(|m| !follows_from_the_machine(m, &case.messages))
            .filter_map(|m| line_of(m))
            .collect();
        let mut theirs = theirs;
        // keepalived's reading ends where a value is missing.
        let end = match case.status.as_str() {
            "2" => theirs.keys().copied().max().unwrap_or(0),
            _ => usize::MAX,
        };
        let mut ours = BTreeMap::new();
        let mut perhaps = BTreeSet::new();
        for diagnostic in loaded
            .diagnostics
            .iter()
            .filter(|d| d.class != Class::Silent)
        {
            // keepalived names the line that uses a parameter.
            let of_use = |l: &&Label| l.text.starts_with("in the expansion of");
            let label = diagnostic.labels.iter().find(of_use);
            let Some(label) = label.or(diagnostic.labels.first()) else {
                continue;
            };
            let (line, _) = loaded.sources.position(label.span);
            if line > end {
                continue;
            }
            if AT_THE_BEGINNING.contains(&diagnostic.code.0) {
                let said_later = theirs
                    .range(line..)
                    .find(|(_, said)| AT_THE_END.iter().any(|of| said.contains(of)))
                    .map(|(line, _)| *line);
                if let Some(later) = said_later {
                    theirs.remove(&later);
                    continue;
                }
            }
            if AFTERWARDS.contains(&diagnostic.code.0) {
                perhaps.insert(line);
            } else {
                ours.insert(line, format!("{} {}", diagnostic.code, diagnostic.message));
            }
        }
        let missing = theirs
            .iter()
            .filter(|(line, _)| !ours.contains_key(line) && !perhaps.contains(line))
            .map(|(line, said)| format!("{line} keepalived: {said}"));
        let more = ours
            .iter()
            .filter(|(line, _)| !theirs.contains_key(line))
            .map(|(line, said)| format!("{line} vipd: {said}"));
        let all: Vec<_> = missing.chain(more).collect();
        if !all.is_empty() {
            let first = &all[..all.len().min(6)];
            differences.insert(case.name.as_str(), first.join("\n    "));
        }
    }
    settle(LINES, cases.len(), &differences);
}

#[test]
fn a_file_cut_anywhere_never_panics() {
    let Some(cases) = cases() else { return };
    let options = Options::default();
    for case in &cases {
        let text = std::fs::read(&case.path).unwrap();
        let step = if text.len() > 20_000 {
            text.len() / 64
        } else {
            64
        };
        for cut in (0..text.len()).step_by(step) {
            let reader = Memory::default().with("main", &text[..cut]);
            let loaded = load("main", &options, &reader);
            assert!(loaded.sources.files().count() == 1);
        }
    }
}
