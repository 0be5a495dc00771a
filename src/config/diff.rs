//! What changes between two configurations, by [`Instance::identity`].

use std::collections::BTreeMap;

use super::model::{Config, Identity, Instance};

/// How an instance is brought to its new configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Without leaving its state.
    InPlace,
    /// By stopping and starting it.
    Restart,
}

/// What a reload does with the instances. Indices are those of `Config::instances`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Old and new index of what stays as it is.
    pub keep: Vec<(usize, usize)>,
    /// New index of what is new.
    pub add: Vec<usize>,
    /// Old index of what is gone.
    pub remove: Vec<usize>,
    /// Old and new index of what changes, and how.
    pub update: Vec<(usize, usize, Update)>,
}

/// What has to be done to get from `old` to `new`.
///
/// An instance is the same if interface, family, VRID, virtual MAC and peer addressing are; its name does not
/// count. If several are, the one of the same name, else the first. keepalived-behaviour.md §10.
#[must_use]
pub fn diff(old: &Config, new: &Config) -> Plan {
    let mut candidates: BTreeMap<Identity, Vec<usize>> = BTreeMap::new();
    for (index, instance) in old.instances.iter().enumerate() {
        candidates
            .entry(instance.identity())
            .or_default()
            .push(index);
    }
    let mut plan = Plan::default();
    for (index, instance) in new.instances.iter().enumerate() {
        let same = candidates
            .get_mut(&instance.identity())
            .and_then(|indices| {
                let named = |i: &usize| {
                    old.instances
                        .get(*i)
                        .is_some_and(|o| o.name == instance.name)
                };
                let position = indices.iter().position(named).unwrap_or(0);
                (position < indices.len()).then(|| indices.remove(position))
            });
        let Some((from, before)) = same.and_then(|i| Some((i, old.instances.get(i)?))) else {
            plan.add.push(index);
            continue;
        };
        match change(old, before, new, instance) {
            None => plan.keep.push((from, index)),
            Some(update) => plan.update.push((from, index, update)),
        }
    }
    plan.remove = candidates.into_values().flatten().collect();
    plan.remove.sort_unstable();
    plan
}

/// How `before` becomes `after`; nothing if they are alike, down to the scripts they track.
fn change(old: &Config, before: &Instance, new: &Config, after: &Instance) -> Option<Update> {
    if before.protocol.version != after.protocol.version {
        return Some(Update::Restart);
    }
    let scripts = |config: &Config, instance: &Instance| {
        let tracked = |name: &str| config.scripts.iter().find(|s| s.name == name).cloned();
        instance
            .track_scripts
            .iter()
            .map(|t| tracked(&t.script))
            .collect::<Vec<_>>()
    };
    let files = |config: &Config, instance: &Instance| {
        let tracked = |name: &str| config.files.iter().find(|f| f.name == name).cloned();
        let names = instance.track_files.iter();
        names.map(|t| tracked(&t.name)).collect::<Vec<_>>()
    };
    let alike = before == after
        && scripts(old, before) == scripts(new, after)
        && files(old, before) == files(new, after);
    (!alike).then_some(Update::InPlace)
}

#[cfg(test)]
mod tests {
    use super::super::source::Memory;
    use super::super::{Options, load};
    use super::*;

    fn config(text: &str) -> Config {
        load(
            "main",
            &Options::default(),
            &Memory::default().with("main", text),
        )
        .config
    }

    fn instance(name: &str, vrid: u8, more: &str) -> String {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{more}\n\
             virtual_ipaddress {{\n10.0.0.{vrid}\n}}\n}}\n"
        )
    }

    fn plan(old: &str, new: &str) -> Plan {
        diff(&config(old), &config(new))
    }

    #[test]
    fn what_is_alike_is_kept() {
        let text = instance("A", 1, "") + &instance("B", 2, "");
        let plan = plan(&text, &text);
        assert_eq!(
            plan,
            Plan {
                keep: vec![(0, 0), (1, 1)],
                ..Plan::default()
            }
        );
    }

    #[test]
    fn order_moves_nothing() {
        let (a, b) = (instance("A", 1, ""), instance("B", 2, ""));
        let plan = plan(&(a.clone() + &b), &(b + &a));
        assert_eq!(plan.keep, [(1, 0), (0, 1)]);
    }

    #[test]
    fn a_new_name_or_priority_is_an_update_in_place() {
        for new in [instance("Z", 1, ""), instance("A", 1, "priority 50")] {
            let plan = plan(&instance("A", 1, ""), &new);
            assert_eq!(plan.update, [(0, 0, Update::InPlace)]);
        }
    }

    #[test]
    fn another_version_is_a_restart() {
        let plan = plan(&instance("A", 1, ""), &instance("A", 1, "version 3"));
        assert_eq!(plan.update, [(0, 0, Update::Restart)]);
    }

    #[test]
    fn another_vrid_is_another_instance() {
        let plan = plan(&instance("A", 1, ""), &instance("A", 2, ""));
        assert_eq!(
            plan,
            Plan {
                add: vec![0],
                remove: vec![0],
                ..Plan::default()
            }
        );
    }

    #[test]
    fn a_tracked_script_that_changes_is_an_update() {
        let with = |interval: u8| {
            format!("vrrp_script s {{\nscript \"/bin/x\"\ninterval {interval}\n}}\n")
                + &instance("A", 1, "track_script {\ns\n}")
        };
        assert_eq!(plan(&with(1), &with(2)).update, [(0, 0, Update::InPlace)]);
        assert_eq!(plan(&with(1), &with(1)).keep, [(0, 0)]);
    }
}
