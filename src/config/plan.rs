//! What a reload does, in words for who has to decide about it.
//!
//! [`diff`](super::diff) says what the engine does with each instance; here is what that means.
//! Settings are compared as the statements they are written with, so that nothing is forgotten.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::diff::{Update, diff};
use super::model::{Config, Instance};
use super::parse::{Body, Statement};
use super::{Options, source, toml, write};

/// What becomes of every part of a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// Instances in the order of the new file, then those that go.
    pub instances: Vec<Outcome>,
    /// Other blocks that change, such as `global_defs` or `vrrp_script NAME`.
    pub blocks: Vec<BlockOutcome>,
}

/// What becomes of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name; the old one if it goes.
    pub instance: String,
    /// What is done with it.
    pub fate: Fate,
    /// Whether a master says that it leaves (an advert of priority 0).
    pub sends_priority_zero: bool,
    /// The name it had, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub renamed_from: Option<String>,
    /// Addresses that it has no longer.
    pub loses: Vec<String>,
    /// Addresses that are new.
    pub gains: Vec<String>,
    /// Settings that change.
    pub changes: Vec<Change>,
}

/// What is done with an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Nothing at all.
    Untouched,
    /// It goes over to what is new and keeps its state.
    Changed,
    /// It stops, and starts anew as a backup.
    Restarted,
    /// It starts.
    New,
    /// It stops.
    Removed,
}

/// What becomes of a block that is no instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockOutcome {
    /// Its keyword and name.
    pub block: String,
    /// What is done with it; never [`Fate::Restarted`].
    pub fate: Fate,
    /// Settings that change.
    pub changes: Vec<Change>,
}

/// A setting that changes. A secret is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// keepalived's keyword for it.
    pub keyword: String,
    /// What it was; nothing if it was not written.
    pub from: Option<String>,
    /// What it is.
    pub to: Option<String>,
}

/// What going over from `old` to `new` does.
#[must_use]
pub fn outlook(old: &Config, new: &Config) -> Outlook {
    let (mut before, mut after) = (Written::of(old), Written::of(new));
    let plan = diff(old, new);
    let mut from = vec![None; new.instances.len()];
    let kept = plan.keep.iter().map(|(o, n)| (*o, *n, Fate::Untouched));
    let updated = plan.update.iter().map(|(o, n, update)| {
        let fate = match update {
            Update::InPlace => Fate::Changed,
            Update::Restart => Fate::Restarted,
        };
        (*o, *n, fate)
    });
    for (o, n, fate) in kept.chain(updated) {
        if let Some(slot) = from.get_mut(n) {
            *slot = old.instances.get(o).map(|was| (was, fate));
        }
    }
    let mut outlook = Outlook::default();
    for (instance, from) in new.instances.iter().zip(from) {
        let settings = after.take(&instance.name);
        outlook.instances.push(match from {
            Some((was, fate)) => {
                let changes = changes(&before.take(&was.name), &settings);
                stays(was, instance, fate, changes)
            }
            None => Outcome {
                gains: addresses(instance),
                ..Outcome::new(&instance.name, Fate::New)
            },
        });
    }
    let gone = plan.remove.iter().filter_map(|i| old.instances.get(*i));
    outlook.instances.extend(gone.map(|instance| Outcome {
        sends_priority_zero: true,
        loses: addresses(instance),
        ..Outcome::new(&instance.name, Fate::Removed)
    }));
    outlook.blocks = blocks(&before.others, &after.others);
    outlook
}

/// An instance that is there before and after.
fn stays(was: &Instance, now: &Instance, fate: Fate, changes: Vec<Change>) -> Outcome {
    let (before, after) = (addresses(was), addresses(now));
    let without = |these: &[String], those: &[String]| -> Vec<String> {
        let new = these.iter().filter(|a| !those.contains(a));
        new.cloned().collect()
    };
    Outcome {
        sends_priority_zero: fate == Fate::Restarted,
        renamed_from: Some(was.name.clone()).filter(|name| *name != now.name),
        loses: without(&before, &after),
        gains: without(&after, &before),
        changes,
        ..Outcome::new(&now.name, fate)
    }
}

impl Outcome {
    fn new(instance: &str, fate: Fate) -> Self {
        Self {
            instance: instance.to_owned(),
            fate,
            sends_priority_zero: false,
            renamed_from: None,
            loses: Vec::new(),
            gains: Vec::new(),
            changes: Vec::new(),
        }
    }
}

fn addresses(instance: &Instance) -> Vec<String> {
    let shown = instance.all_addresses().map(ToString::to_string);
    shown.collect()
}

/// Settings of a block by keyword.
type Settings = BTreeMap<String, String>;

/// A configuration as it is written.
struct Written {
    instances: BTreeMap<String, Settings>,
    others: BTreeMap<String, Settings>,
}

impl Written {
    fn of(config: &Config) -> Self {
        let mut written = Self {
            instances: BTreeMap::new(),
            others: BTreeMap::new(),
        };
        let text = toml::emit(config);
        let reader = source::Memory::default().with("it.toml", text.as_str());
        let parsed = toml::parse("it.toml", &Options::default(), &reader);
        for statement in &parsed.statements {
            let mut settings = Settings::new();
            collect(statement, &mut settings);
            let name = statement.argument(0).unwrap_or_default();
            let (place, name) = match statement.keyword.name {
                "vrrp_instance" => (&mut written.instances, name.to_owned()),
                keyword => (&mut written.others, format!("{keyword} {name}")),
            };
            let name = name.trim_end().to_owned();
            place.entry(name).or_default().extend(settings);
        }
        for instance in &config.instances {
            let settings = written.instances.entry(instance.name.clone());
            settings.or_default().extend(beyond(instance));
        }
        written
    }

    fn take(&mut self, instance: &str) -> Settings {
        self.instances.remove(instance).unwrap_or_default()
    }
}

/// What no statement of keepalived's can say.
fn beyond(instance: &Instance) -> Settings {
    let protocol = &instance.protocol;
    let switches = [
        ("listen_before_lead", protocol.listen_before_lead),
        ("require_link_local", instance.require_link_local),
    ];
    let switches = switches.into_iter().filter(|(_, on)| *on);
    let switches = switches.map(|(key, _)| (key, String::new()));
    let both = protocol.with_version_2.then(|| "both".to_owned());
    let routes = protocol.router_advertisement.as_ref();
    let routes = routes.map(|wanted| ("router_advertisement", toml::router_text(wanted)));
    switches
        .chain(both.map(|both| ("version", both)))
        .chain(routes)
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// The settings in a block; those of the blocks in it too.
fn collect(statement: &Statement, settings: &mut Settings) {
    match &statement.body {
        Body::Block(inner) => inner.iter().for_each(|s| collect_one(s, settings)),
        Body::Entries(_) | Body::None => {}
    }
}

fn collect_one(statement: &Statement, settings: &mut Settings) {
    let name = statement.keyword.name;
    match &statement.body {
        Body::Block(_) => collect(statement, settings),
        // Addresses are told one by one.
        Body::Entries(_) if name.starts_with("virtual_ipaddress") => {}
        Body::Entries(entries) => {
            let entries: Vec<_> = entries.iter().map(write::entry).collect();
            settings.insert(name.to_owned(), entries.join(", "));
        }
        Body::None if name == "key" => {
            let id = statement.argument(0).unwrap_or_default();
            settings.insert(format!("key {id}"), secret(statement.argument(1)));
        }
        Body::None if name == "auth_pass" => {
            settings.insert(name.to_owned(), secret(statement.argument(0)));
        }
        Body::None => {
            settings.insert(name.to_owned(), write::words(statement));
        }
    }
}

/// Marks a text that may be compared and not shown.
const SECRET: char = '\0';

fn secret(text: Option<&str>) -> String {
    format!("{SECRET}{}", text.unwrap_or_default())
}

fn changes(before: &Settings, after: &Settings) -> Vec<Change> {
    let shown = |text: Option<&String>| match text {
        Some(text) if text.starts_with(SECRET) => Some("(secret)".to_owned()),
        text => text.cloned(),
    };
    let mut keywords: Vec<_> = after.keys().collect();
    keywords.extend(
        before
            .keys()
            .filter(|keyword| !after.contains_key(*keyword)),
    );
    keywords
        .into_iter()
        .filter(|keyword| before.get(*keyword) != after.get(*keyword))
        .map(|keyword| Change {
            keyword: keyword.clone(),
            from: shown(before.get(keyword)),
            to: shown(after.get(keyword)),
        })
        .collect()
}

fn blocks(
    before: &BTreeMap<String, Settings>,
    after: &BTreeMap<String, Settings>,
) -> Vec<BlockOutcome> {
    let mut names: Vec<_> = after.keys().collect();
    names.extend(before.keys().filter(|name| !after.contains_key(*name)));
    let outcome = |name: &String| {
        let (fate, changes) = match (before.get(name), after.get(name)) {
            (Some(was), Some(now)) if was == now => return None,
            (Some(was), Some(now)) => (Fate::Changed, changes(was, now)),
            (None, _) => (Fate::New, Vec::new()),
            (_, None) => (Fate::Removed, Vec::new()),
        };
        Some(BlockOutcome {
            block: name.clone(),
            fate,
            changes,
        })
    };
    names.into_iter().filter_map(outcome).collect()
}

impl fmt::Display for Outlook {
    /// A line for each instance, then for each other block that changes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for outcome in &self.instances {
            writeln!(f, "{outcome}")?;
        }
        for outcome in &self.blocks {
            writeln!(f, "{outcome}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(old) = &self.renamed_from {
            parts.push(format!("was named {old}"));
        }
        for (verb, addresses) in [("loses", &self.loses), ("gains", &self.gains)] {
            if !addresses.is_empty() {
                parts.push(format!("{verb} {}", addresses.join(", ")));
            }
        }
        parts.extend(self.changes.iter().map(ToString::to_string));
        let told = parts.join(", ");
        let name = &self.instance;
        match self.fate {
            Fate::Untouched => write!(f, "{name} untouched"),
            Fate::Changed if told.is_empty() => {
                write!(
                    f,
                    "{name} goes on with changed scripts; keeps its state, sends no priority 0"
                )
            }
            Fate::Changed => write!(f, "{name} {told}; keeps its state, sends no priority 0"),
            Fate::Restarted => write!(
                f,
                "{name} restarts ({told}): sends priority 0 if it is master, then begins as backup"
            ),
            Fate::New if told.is_empty() => write!(f, "{name} new; begins as backup"),
            Fate::New => write!(f, "{name} new, {told}; begins as backup"),
            Fate::Removed if told.is_empty() => {
                write!(f, "{name} removed; sends priority 0 if it is master")
            }
            Fate::Removed => write!(
                f,
                "{name} removed, {told}; sends priority 0 if it is master"
            ),
        }
    }
}

impl fmt::Display for BlockOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.block;
        match self.fate {
            Fate::New => write!(f, "{name} new"),
            Fate::Removed => write!(f, "{name} removed"),
            Fate::Untouched | Fate::Changed | Fate::Restarted => {
                let changes: Vec<_> = self.changes.iter().map(ToString::to_string).collect();
                write!(f, "{name}: {}", changes.join(", "))
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keyword, from, to } = self;
        let is_blank = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
        match (from, to) {
            _ if is_blank(to) => write!(f, "{keyword} is set"),
            _ if is_blank(from) => write!(f, "{keyword} is taken out"),
            (Some(from), Some(to)) if from == to => write!(f, "{keyword} is another"),
            (Some(from), Some(to)) => write!(f, "{keyword} {from} -> {to}"),
            (None, Some(to)) => write!(f, "{keyword} is now {to}"),
            (Some(from), None) => write!(f, "{keyword} is no longer {from}"),
            (None, None) => write!(f, "{keyword}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;

    fn config(text: &str) -> Config {
        let reader = source::Memory::default().with("main", text);
        load("main", &Options::default(), &reader).config
    }

    fn instance(name: &str, vrid: u8, more: &str, vips: &[&str]) -> String {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{more}\n\
             virtual_ipaddress {{\n{}\n}}\n}}\n",
            vips.join("\n")
        )
    }

    fn told(old: &str, new: &str) -> String {
        outlook(&config(old), &config(new)).to_string()
    }

    #[test]
    fn every_fate_is_told_in_a_line() {
        let script =
            |interval| format!("vrrp_script s {{\nscript \"/bin/x\"\ninterval {interval}\n}}\n");
        let old = script(1)
            + &instance("VI_1", 1, "", &["10.0.0.1"])
            + &instance("VI_2", 2, "", &["10.0.0.2", "10.0.0.7"])
            + &instance("VI_3", 3, "", &["10.0.0.3"])
            + &instance("VI_4", 4, "", &["10.0.0.4"])
            + &instance("VI_5", 5, "priority 90", &["10.0.0.5"])
            + &instance("VI_6", 6, "track_script {\ns\n}", &["10.0.0.6"])
            + &instance(
                "VI_7",
                7,
                "authentication {\nauth_type PASS\nauth_pass one\n}",
                &["10.0.0.8"],
            );
        let new = script(2)
            + &instance("VI_1", 1, "", &["10.0.0.1"])
            + &instance("VI_2", 2, "", &["10.0.0.2"])
            + &instance("VI_4", 4, "version 3", &["10.0.0.4"])
            + &instance("OTHER", 5, "priority 91\nnopreempt", &["10.0.0.5"])
            + &instance("VI_6", 6, "track_script {\ns\n}", &["10.0.0.6"])
            + &instance(
                "VI_7",
                7,
                "authentication {\nauth_type PASS\nauth_pass two\n}",
                &["10.0.0.8"],
            )
            + &instance("VI_9", 9, "", &["10.0.0.9"]);
        insta::assert_snapshot!(told(&old, &new), @r"
        VI_1 untouched
        VI_2 loses 10.0.0.7/32; keeps its state, sends no priority 0
        VI_4 restarts (version is now 3): sends priority 0 if it is master, then begins as backup
        OTHER was named VI_5, nopreempt is set, priority 90 -> 91; keeps its state, sends no priority 0
        VI_6 goes on with changed scripts; keeps its state, sends no priority 0
        VI_7 auth_pass is another; keeps its state, sends no priority 0
        VI_9 new, gains 10.0.0.9/32; begins as backup
        VI_3 removed, loses 10.0.0.3/32; sends priority 0 if it is master
        vrrp_script s: interval is now 2
        ");
    }

    #[test]
    fn a_secret_is_never_told() {
        let with = |password| {
            let more = format!("authentication {{\nauth_type PASS\nauth_pass {password}\n}}");
            config(&instance("A", 1, &more, &["10.0.0.1"]))
        };
        let outlook = outlook(&with("first"), &with("second"));
        let json = serde_json::to_string(&outlook).unwrap();
        for text in [outlook.to_string(), json] {
            assert!(text.contains("auth_pass"), "{text}");
            assert!(
                !text.contains("first") && !text.contains("second"),
                "{text}"
            );
        }
    }
}
