//! From two configurations to what the engine must change: who stays who.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::command::{Assignment, Changes, SyncedGroup};
use super::files::Watched;
use super::launch::Launch;
use super::scripts::Scripts;
use crate::config::diff::{self, Update};
use crate::config::model::{Config, Globals, Instance, Notify, TrackScript};
use crate::link::device::Key;
use crate::types::{InstanceId, InterfaceName};
use crate::vrrp::group::GroupId;
use crate::vrrp::router::Tracking;
use crate::vrrp::track::{RiseFall, TrackerId};

/// Hands out ids and remembers to whom.
#[derive(Debug, Default)]
pub(super) struct Registry {
    config: Config,
    /// By position in `config.instances`.
    instances: Vec<InstanceId>,
    scripts: BTreeMap<String, (TrackerId, TrackScript)>,
    files: BTreeMap<String, (TrackerId, PathBuf)>,
    groups: BTreeMap<String, GroupId>,
    next_instance: u32,
    next_tracker: u32,
    next_group: u32,
}

/// Everything that follows from a new configuration.
#[derive(Debug)]
pub(super) struct Adoption {
    /// For the engine.
    pub changes: Changes,
    /// Scripts to run.
    pub scripts: BTreeMap<TrackerId, (TrackScript, Launch)>,
    /// Files to watch.
    pub files: BTreeMap<TrackerId, Watched>,
    /// Notify scripts.
    pub notifies: BTreeMap<InstanceId, Notify>,
    /// Notify scripts of sync groups.
    pub group_notifies: BTreeMap<GroupId, Notify>,
    /// Addresses that move.
    pub virtual_addresses: BTreeSet<IpAddr>,
    /// Interfaces whose links must prove that they receive.
    pub listening: BTreeSet<InterfaceName>,
    /// For scripts.
    pub globals: Globals,
}

impl Registry {
    /// The configuration that runs.
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// What trackers are called.
    pub(super) fn tracker_names(&self) -> BTreeMap<TrackerId, (&'static str, String)> {
        let scripts = self.scripts.iter();
        let scripts = scripts.map(|(name, (id, _))| (*id, ("script", name.clone())));
        let files = self.files.iter();
        let files = files.map(|(name, (id, _))| (*id, ("file", name.clone())));
        scripts.chain(files).collect()
    }

    /// Goes over to `new` and says what that means.
    ///
    /// `devices` are those with virtual MAC addresses, `table` is the firewall's, `numbers` are
    /// what the tracked files hold.
    pub(super) fn adopt(
        &mut self,
        new: Config,
        devices: &BTreeMap<Key, InterfaceName>,
        table: &Arc<str>,
        numbers: &BTreeMap<PathBuf, i32>,
    ) -> Adoption {
        let mut changes = Changes {
            pacing: new.pacing.clone(),
            log_strangers: new.globals.process.log_strangers,
            ..Changes::default()
        };
        let scripts = self.adopt_scripts(&new, &mut changes);
        let files = self.adopt_files(&new, numbers, &mut changes);
        let plan = diff::diff(&self.config, &new);
        let mut ids = vec![None; new.instances.len()];
        for (old, now) in plan.keep {
            // Kept instances are updated too: a script they track may be another one now.
            self.stay(old, now, &mut ids);
        }
        let mut restarted = Vec::new();
        for (old, now, update) in plan.update {
            match update {
                Update::InPlace => self.stay(old, now, &mut ids),
                Update::Restart => restarted.push(old),
            }
        }
        for old in plan.remove.into_iter().chain(restarted) {
            changes.removed.extend(self.instances.get(old));
        }
        self.instances.clear();
        let mut notifies = BTreeMap::new();
        for (config, id) in new.instances.iter().zip(ids) {
            let tracking = self.tracking(config);
            let config = config.clone();
            let (id, list) = match id {
                Some(id) => (id, &mut changes.updated),
                None => {
                    self.next_instance += 1;
                    (InstanceId(self.next_instance), &mut changes.added)
                }
            };
            notifies.insert(id, config.notify.clone());
            let keys = Key::all(&config).into_iter().map(|(key, _)| key);
            let name = |key: Key| Some((key.clone(), devices.get(&key)?.clone()));
            list.push(Assignment {
                id,
                devices: keys.filter_map(name).collect(),
                table: Arc::clone(table),
                config,
                tracking,
            });
            self.instances.push(id);
        }
        let group_notifies = self.adopt_groups(&new, &mut changes);
        let all = new.instances.iter().flat_map(Instance::all_addresses);
        let virtual_addresses = all.map(|a| a.address).collect();
        let listeners = new.instances.iter();
        let listeners = listeners.filter(|i| i.protocol.listen_before_lead);
        let listening = listeners.filter_map(|i| i.interface.clone()).collect();
        let globals = new.globals.clone();
        self.config = new;
        Adoption {
            changes,
            scripts,
            files,
            notifies,
            group_notifies,
            virtual_addresses,
            listening,
            globals,
        }
    }

    /// A group of the same name is the same group.
    fn adopt_groups(&mut self, new: &Config, changes: &mut Changes) -> BTreeMap<GroupId, Notify> {
        let ids = || new.instances.iter().zip(&self.instances);
        let find = |name: &String| ids().find(|(i, _)| i.name == *name).map(|(_, id)| *id);
        let mut notifies = BTreeMap::new();
        let before = std::mem::take(&mut self.groups);
        for group in &new.groups {
            let id = before.get(&group.name).copied().unwrap_or_else(|| {
                self.next_group += 1;
                GroupId(self.next_group)
            });
            changes.groups.push(SyncedGroup {
                id,
                name: group.name.as_str().into(),
                members: group.members.iter().filter_map(find).collect(),
            });
            notifies.insert(id, group.notify.clone());
            self.groups.insert(group.name.clone(), id);
        }
        notifies
    }

    fn stay(&self, old: usize, new: usize, ids: &mut [Option<InstanceId>]) {
        if let Some(slot) = ids.get_mut(new) {
            *slot = self.instances.get(old).copied();
        }
    }

    /// Results survive where name, command and user are the same.
    fn adopt_scripts(
        &mut self,
        new: &Config,
        changes: &mut Changes,
    ) -> BTreeMap<TrackerId, (TrackScript, Launch)> {
        let mut before = std::mem::take(&mut self.scripts);
        let mut wanted = BTreeMap::new();
        for script in new.scripts.iter().filter(|s| is_tracked(new, s)) {
            let Some(launch) = Scripts::usable(script, &new.globals) else {
                continue;
            };
            let known = before.remove(&script.name);
            let id = match known {
                Some((id, old)) if old.command == script.command => {
                    changes.counts.push((id, script.rise, script.fall));
                    id
                }
                known => {
                    changes.forgotten.extend(known.map(|(id, _)| id));
                    self.next_tracker += 1;
                    let id = TrackerId(self.next_tracker);
                    let counter = RiseFall::new(script.rise, script.fall, script.init_fail);
                    changes.trackers.push((id, counter));
                    id
                }
            };
            self.scripts
                .insert(script.name.clone(), (id, script.clone()));
            wanted.insert(id, (script.clone(), launch));
        }
        changes
            .forgotten
            .extend(before.into_values().map(|(id, _)| id));
        wanted
    }

    /// A file of the same name and path is the same tracker.
    fn adopt_files(
        &mut self,
        new: &Config,
        numbers: &BTreeMap<PathBuf, i32>,
        changes: &mut Changes,
    ) -> BTreeMap<TrackerId, Watched> {
        let mut before = std::mem::take(&mut self.files);
        let mut wanted = BTreeMap::new();
        let used = new.instances.iter().flat_map(|i| &i.track_files);
        let used: BTreeSet<_> = used.map(|tracked| &tracked.name).collect();
        for file in new.files.iter().filter(|f| used.contains(&f.name)) {
            let value = numbers.get(&file.path).copied().unwrap_or(0);
            let known = before.remove(&file.name);
            let id = match known {
                Some((id, path)) if path == file.path => id,
                known => {
                    changes.forgotten.extend(known.map(|(id, _)| id));
                    self.next_tracker += 1;
                    let id = TrackerId(self.next_tracker);
                    changes.values.push((id, value));
                    id
                }
            };
            let (name, path) = (file.name.clone(), file.path.clone());
            self.files.insert(name.clone(), (id, path.clone()));
            wanted.insert(id, Watched { name, path, value });
        }
        let gone = before.into_values().map(|(id, _)| id);
        changes.forgotten.extend(gone);
        wanted
    }

    fn tracking(&self, config: &Instance) -> Tracking {
        let script = |name: &String| self.scripts.get(name).map(|(id, _)| *id);
        let trackers = config.track_scripts.iter();
        let interfaces = config.track_interfaces.iter();
        let file = |name: &String| self.files.get(name).map(|(id, _)| *id);
        let files = config.track_files.iter();
        Tracking {
            values: files
                .filter_map(|t| Some((file(&t.name)?, t.weight)))
                .collect(),
            trackers: trackers
                .filter_map(|t| Some((script(&t.script)?, t.weight)))
                .collect(),
            interfaces: interfaces
                .map(|t| (t.interface.clone(), t.weight))
                .collect(),
        }
    }
}

fn is_tracked(config: &Config, script: &TrackScript) -> bool {
    config
        .instances
        .iter()
        .flat_map(|i| &i.track_scripts)
        .any(|t| t.script == script.name)
}
