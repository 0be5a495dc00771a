//! `vrrp_sync_group`: members, and what all of them track.
//!
//! keepalived-behaviour.md §7.9 and §8.

use std::collections::{BTreeMap, BTreeSet};

use super::Lowering;
use super::instance::Draft;
use crate::config::diagnostic::Class;
use crate::config::model::{
    Notify, SyncGroup, TrackFile, Tracked, TrackedInterface, TrackedScript,
};
use crate::config::parse::{Body, Entry, Statement};
use crate::config::source::Span;
use crate::types::Priority;
use crate::vrrp::election::Weight;

/// A `vrrp_sync_group` as it is written.
#[derive(Debug)]
pub(super) struct GroupDraft {
    name: String,
    span: Span,
    members: Vec<(String, Span)>,
    track_scripts: Vec<(TrackedScript, Span)>,
    track_interfaces: Vec<(TrackedInterface, Span)>,
    track_files: Vec<(Tracked, Span)>,
    /// `sync_group_tracking_weight`: members may track with weights.
    weights: bool,
    notify: Notify,
}

impl Lowering {
    pub(super) fn sync_group(&mut self, statement: &Statement) {
        let (Some(name), Body::Block(inner)) = (statement.argument(0), &statement.body) else {
            return;
        };
        if self.groups.iter().any(|g| g.name == name) {
            let message =
                format!("the sync group `{name}` is defined twice: the second is ignored");
            self.warn(404, Class::General, message, statement.whole());
            return;
        }
        self.out
            .provenance
            .insert(name, "vrrp_sync_group", statement.whole());
        let mut group = GroupDraft {
            name: name.to_owned(),
            span: statement.whole(),
            members: Vec::new(),
            track_scripts: Vec::new(),
            track_interfaces: Vec::new(),
            track_files: Vec::new(),
            weights: false,
            notify: Notify::default(),
        };
        for inner in inner {
            self.group_keyword(&mut group, inner);
        }
        self.groups.push(group);
    }

    fn group_keyword(&mut self, group: &mut GroupDraft, statement: &Statement) {
        let keyword = statement.keyword.name;
        self.out
            .provenance
            .insert(&group.name, keyword, statement.whole());
        match keyword {
            "group" => {
                if let Body::Entries(entries) = &statement.body {
                    group.members.extend(entries.iter().flat_map(words));
                }
            }
            "track_script" => {
                self.tracked_scripts(&group.name, &mut group.track_scripts, statement);
            }
            "track_interface" => {
                self.tracked_interfaces(&group.name, &mut group.track_interfaces, statement);
            }
            "track_file" => self.tracked_files(&group.name, &mut group.track_files, statement),
            "track_process" | "track_bfd" => {
                self.other_trackers(&group.name, statement);
            }
            "sync_group_tracking_weight" => group.weights = true,
            "global_tracking" => {
                self.deprecated(statement);
                group.weights = true;
            }
            "notify" | "notify_master" | "notify_backup" | "notify_fault" | "notify_stop" => {
                if self.has_argument(statement) {
                    self.notify(&group.name, &mut group.notify, statement);
                }
            }
            _ => {
                self.support(statement);
                self.validate(statement);
            }
        }
    }

    /// Finds the members of all groups, and gives them what their group tracks.
    pub(super) fn settle_groups(&mut self, drafts: &mut [Draft]) {
        let mut taken = BTreeMap::new();
        let mut indices: BTreeMap<String, usize> = BTreeMap::new();
        for (index, draft) in drafts.iter().enumerate() {
            indices.entry(draft.name.clone()).or_insert(index);
        }
        for mut group in std::mem::take(&mut self.groups) {
            let names = std::mem::take(&mut group.members);
            let mut members = Vec::new();
            for (name, span) in names {
                let Some(&index) = indices.get(&name) else {
                    let message = format!("`{name}` of `{}` is no instance", group.name);
                    self.warn(403, Class::General, message, span);
                    continue;
                };
                if let Some(first) = taken.get(&index) {
                    let message =
                        format!("`{name}` is in the sync group `{first}` already: ignored here");
                    self.warn(404, Class::General, message, span);
                    continue;
                }
                taken.insert(index, group.name.clone());
                members.push(index);
            }
            self.track_together(&group, &members, drafts);
            let names = members.iter().filter_map(|i| drafts.get(*i));
            let names: Vec<_> = names.map(|d| d.name.clone()).collect();
            let message = match names.len() {
                0 => format!(
                    "the sync group `{}` has no members and is dropped",
                    group.name
                ),
                1 => format!(
                    "the sync group `{}` has one member, which serves no purpose",
                    group.name
                ),
                _ => String::new(),
            };
            if !message.is_empty() {
                self.warn(405, Class::General, message, group.span);
            }
            if !names.is_empty() {
                self.out.config.groups.push(SyncGroup {
                    name: group.name,
                    members: names,
                    notify: group.notify,
                });
            }
        }
    }

    /// What members may track by themselves, and what they track because the group does.
    fn track_together(&mut self, group: &GroupDraft, members: &[usize], drafts: &mut [Draft]) {
        let owners = members.iter().filter_map(|i| drafts.get(*i));
        let owners = owners.filter(|d| is_owner(d)).count();
        if owners > 0 && owners < members.len() {
            let message = format!(
                "the sync group `{}` mixes owners of their addresses (255) with others, \
                 which does not work",
                group.name
            );
            self.warn(427, Class::General, message, group.span);
        }
        for member in members {
            let Some(draft) = drafts.get_mut(*member) else {
                continue;
            };
            if !group.weights {
                self.without_weights(draft);
            }
            let weight = |weight: Weight| Weight {
                points: if owners > 0 { 0 } else { weight.points },
                ..weight
            };
            for (tracked, span) in &group.track_scripts {
                let known = draft.track_scripts.iter();
                if !known.map(|t| &t.0.script).any(|s| *s == tracked.script) {
                    let mut tracked = tracked.clone();
                    tracked.weight = weight(tracked.weight);
                    draft.track_scripts.push((tracked, *span));
                }
            }
            for (tracked, span) in &group.track_files {
                let known = draft.track_files.iter();
                if !known.map(|t| &t.0.name).any(|f| *f == tracked.name) {
                    let mut tracked = tracked.clone();
                    tracked.weight = weight(tracked.weight);
                    draft.track_files.push((tracked, *span));
                }
            }
            for (tracked, span) in &group.track_interfaces {
                let known = draft.track_interfaces.iter().map(|t| &t.0.interface);
                let own = draft
                    .interface
                    .iter()
                    .filter(|_| !draft.ignore_own_interface);
                if !known.chain(own).any(|i| *i == tracked.interface) {
                    let mut tracked = tracked.clone();
                    tracked.weight = weight(tracked.weight);
                    draft.track_interfaces.push((tracked, *span));
                }
            }
        }
    }

    /// A priority of its own would tear a member from its group: keepalived takes the weights
    /// away, of interfaces by making them a fault.
    fn without_weights(&mut self, draft: &mut Draft) {
        let needs = "needs `sync_group_tracking_weight` in its sync group";
        let scripts = std::mem::take(&mut draft.track_scripts);
        for (tracked, span) in scripts {
            if tracked.weight.is_fault() {
                draft.track_scripts.push((tracked, span));
                continue;
            }
            let script = &tracked.script;
            let message = format!("the weight of `{script}` {needs}: the script is not tracked");
            self.warn(428, Class::General, message, span);
        }
        let files = std::mem::take(&mut draft.track_files);
        for (mut tracked, span) in files {
            let usual = tracked.weight == TrackFile::WEIGHT;
            if !tracked.weight.is_fault() {
                let what = match usual {
                    true => "every number but 0 counts as a fault",
                    false => "the file is not tracked",
                };
                let message = format!("the weight of `{}` {needs}: {what}", tracked.name);
                self.warn(428, Class::General, message, span);
                tracked.weight.points = 0;
                if !usual {
                    continue;
                }
            }
            draft.track_files.push((tracked, span));
        }
        let owner = is_owner(draft);
        let interfaces = std::mem::take(&mut draft.track_interfaces);
        for (mut tracked, span) in interfaces {
            if !tracked.weight.is_fault() {
                let interface = &tracked.interface;
                let what = match owner {
                    true => "it is not tracked",
                    false => "it counts as a fault",
                };
                let message = format!("the weight of {interface} {needs}: {what}");
                self.warn(428, Class::General, message, span);
                if owner {
                    continue;
                }
                tracked.weight.points = 0;
            }
            draft.track_interfaces.push((tracked, span));
        }
    }

    /// Leaves instances that cannot run out of their groups.
    pub(super) fn prune_groups(&mut self) {
        let config = &mut self.out.config;
        let run: BTreeSet<&str> = config.instances.iter().map(|i| i.name.as_str()).collect();
        for group in &mut config.groups {
            group.members.retain(|name| run.contains(name.as_str()));
        }
        config.groups.retain(|g| !g.members.is_empty());
    }
}

fn words(entry: &Entry) -> impl Iterator<Item = (String, Span)> {
    entry
        .words
        .iter()
        .map(|word| (word.text.clone(), word.span))
}

/// As `complete` will see it.
fn is_owner(draft: &Draft) -> bool {
    match draft.priority {
        Some(priority) => priority == Priority::OWNER,
        None => draft.master == Some(true),
    }
}
