//! From what was seen to what is said: ids become names, and counters words.

use std::collections::BTreeMap;
use std::time::Duration;

use super::executor::Placement;
use super::look::{InstanceLook, Look};
use super::witness::{Known, Run, Scene};
use crate::config::model;
use crate::control::status::{
    self, ActiveRouter, Address, Group, Instance, Part, Peer, Priority, Status, Tracker,
};
use crate::control::{reasons, vocabulary};
use crate::types::{Family, Instant, VirtualAddress};
use crate::vrrp::instance::State;
use crate::vrrp::router::{self, Tracked};
use crate::vrrp::track::TrackerId;
use crate::wire::vrrp::Rejected;

/// Says how everything stands.
pub(super) fn paint(scene: &Scene<'_>) -> Status {
    let (look, process) = (scene.look, &scene.known.config.globals.process);
    // In the order of the file; those that a reload took away come last.
    let position = |i: &&InstanceLook| {
        let mut all = scene.known.config.instances.iter();
        all.position(|known| known.name == i.config.name)
            .unwrap_or(usize::MAX)
    };
    let mut instances: Vec<_> = look.instances.iter().collect();
    instances.sort_by_key(position);
    Status {
        vipd: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        namespace: process.namespace.clone(),
        instance: process.instance.clone(),
        file: scene.file.to_owned(),
        started: scene.started.as_secs_f64(),
        at: look.since_epoch.as_secs_f64(),
        instances: instances.iter().map(|i| instance(i, scene)).collect(),
        groups: scene
            .known
            .config
            .groups
            .iter()
            .map(|g| group(g, look))
            .collect(),
        trackers: trackers(scene),
        strangers: words(&look.strangers),
    }
}

fn group(of: &model::SyncGroup, look: &Look) -> Group {
    let mut seen = look.groups.values();
    let told = seen
        .find(|seen| *seen.name == of.name)
        .and_then(|seen| seen.told);
    Group {
        name: of.name.clone(),
        state: told.map(|told| vocabulary::transition(told).to_owned()),
        members: of.members.clone(),
    }
}

fn words(counts: &BTreeMap<Rejected, u64>) -> BTreeMap<String, u64> {
    let each = counts.iter();
    each.map(|(reason, count)| (reason.describe().to_owned(), *count))
        .collect()
}

fn instance(of: &InstanceLook, scene: &Scene<'_>) -> Instance {
    let (config, protocol) = (&of.config, &of.config.protocol);
    let name = |id: TrackerId| {
        let (kind, name) = scene.known.trackers.get(&id)?;
        Some(format!("{kind} {name}"))
    };
    let (waits, faults): (Vec<_>, Vec<_>) = of.faults.iter().partition(|f| f.is_pending());
    let describe = |all: Vec<_>| {
        let each = all.into_iter();
        each.map(|fault| reasons::describe(fault, config, name))
            .collect()
    };
    let mut groups = scene.known.config.groups.iter();
    let (timer, active_interval) = timers(of, scene.look.at);
    Instance {
        name: config.name.clone(),
        state: state(of).to_owned(),
        since: of.since.as_secs_f64(),
        faults: describe(faults),
        waits: describe(waits),
        held_back: of.wants_active,
        vrid: protocol.vrid.get(),
        family: match protocol.family {
            Family::V4 => "IPv4".to_owned(),
            Family::V6 => "IPv6".to_owned(),
        },
        version: protocol.version.number(),
        interface: config.interface.as_ref().map(ToString::to_string),
        device: of.device.as_ref().map(ToString::to_string),
        source: of.source.map(|source| source.to_string()),
        group: groups
            .find(|g| g.members.contains(&config.name))
            .map(|g| g.name.clone()),
        priority: priority(of, scene.known),
        advert_interval: protocol.advertisement_interval.duration().as_secs_f64(),
        active_advert_interval: active_interval.as_secs_f64(),
        active_down_interval: of.active_down_interval.as_secs_f64(),
        timer: timer.map(|timer| timer.as_secs_f64()),
        active_router: of.active_router.map(|(address, priority)| ActiveRouter {
            address: address.to_string(),
            priority: priority.get(),
        }),
        peers: peers(of, scene.look.at),
        addresses: addresses(of, scene),
        statistics: (&of.statistics).into(),
        rejected: words(&of.statistics.rejected),
    }
}

/// One that only waits for a first result has not failed.
fn state(of: &InstanceLook) -> &'static str {
    match of.state {
        State::Initialize if of.faults.iter().all(|f| f.is_pending()) => "INIT",
        State::Initialize => "FAULT",
        State::Backup { .. } => "BACKUP",
        State::Active { .. } => "MASTER",
    }
}

/// Time to go on the timer, and the interval of the Active Router.
fn timers(of: &InstanceLook, now: Instant) -> (Option<Duration>, Duration) {
    let own = of.config.protocol.advertisement_interval.duration();
    match of.state {
        State::Initialize => (None, own),
        State::Backup {
            active_down_at,
            active_adver_interval,
        } => (
            Some(active_down_at.saturating_since(now)),
            active_adver_interval.duration(),
        ),
        State::Active { adver_at } => (Some(adver_at.saturating_since(now)), own),
    }
}

fn priority(of: &InstanceLook, known: &Known) -> Priority {
    let base = of.config.protocol.priority;
    let points: i32 = of.parts.iter().map(router::Part::points).sum();
    Priority {
        base: base.get(),
        effective: of.priority.get(),
        total: i32::from(base.get()) + points,
        parts: of.parts.iter().map(|p| part(p, known)).collect(),
    }
}

fn part(of: &router::Part, known: &Known) -> Part {
    let (kind, name) = match &of.of {
        Tracked::Tracker(id) => known.trackers.get(id).cloned().unwrap_or_default(),
        Tracked::Interface(name) => ("interface", name.to_string()),
    };
    Part {
        kind: kind.to_owned(),
        name,
        weight: of.weight.points,
        reverse: of.weight.reverse,
        up: of.up,
        value: of.value,
        points: of.points(),
    }
}

fn peers(of: &InstanceLook, now: Instant) -> Vec<Peer> {
    let each = of.heard.iter();
    each.map(|(address, heard)| Peer {
        address: address.to_string(),
        version: heard.version.number(),
        priority: heard.priority.get(),
        checksum: heard.checksum.describe().to_owned(),
        last_advert: now.saturating_since(heard.at).as_secs_f64(),
        adverts: heard.adverts,
        lost: heard.lost,
    })
    .collect()
}

fn addresses(of: &InstanceLook, scene: &Scene<'_>) -> Vec<Address> {
    let advertised = of.config.addresses.iter().map(|a| (a, true));
    let excluded = of.config.excluded.iter().map(|a| (a, false));
    // Placements are in the order of the addresses; those without an interface are left out.
    let mut placements = of.placements.iter().peekable();
    let each = advertised.chain(excluded);
    each.map(|(address, advertised)| {
        let placement = placements.next_if(|p| p.address == *address);
        let number = placement.map(|p| p.ifindex);
        let mut links = scene.links.iter();
        let interface = links.find(|(_, link)| Some(link.index) == number);
        let interface = interface.map(|(name, _)| name.to_string());
        Address {
            address: address.to_string(),
            interface: interface.or_else(|| named(of, address)),
            advertised,
            wanted: of.holds_addresses,
            present: scene
                .addresses
                .map(|all| placement.is_some_and(|p| is_there(all, p))),
        }
    })
    .collect()
}

/// The interface that the file names for an address.
fn named(of: &InstanceLook, address: &VirtualAddress) -> Option<String> {
    of.config.interface_of(address).map(ToString::to_string)
}

fn is_there(all: &[crate::sys::netlink::Address], placement: &Placement) -> bool {
    all.iter()
        .any(|a| a.is(placement.ifindex, &placement.address))
}

/// Everything that an instance tracks, each once.
fn trackers(scene: &Scene<'_>) -> Vec<Tracker> {
    let mut named = BTreeMap::new();
    let mut interfaces = BTreeMap::new();
    for part in scene.look.instances.iter().flat_map(|i| &i.parts) {
        match &part.of {
            Tracked::Tracker(id) => {
                named.insert(*id, (part.up, part.value));
            }
            Tracked::Interface(name) => {
                interfaces.insert(name, part.up);
            }
        }
    }
    let named = named.into_iter().filter_map(|(id, (up, value))| {
        let (kind, name) = scene.known.trackers.get(&id)?;
        Some(Tracker {
            kind: (*kind).to_owned(),
            name: name.clone(),
            up,
            value,
            last: scene.runs.get(&id).map(run),
        })
    });
    let interfaces = interfaces.into_iter().map(|(name, up)| Tracker {
        kind: "interface".to_owned(),
        name: name.to_string(),
        up,
        value: None,
        last: None,
    });
    named.chain(interfaces).collect()
}

fn run(of: &Run) -> status::Run {
    status::Run {
        at: of.at.as_secs_f64(),
        took: of.took.as_secs_f64(),
        success: of.outcome.is_success(),
        ran: of.outcome.ran(),
        outcome: of.outcome.to_string(),
    }
}
