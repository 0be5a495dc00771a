//! What a running daemon says of itself, as `GET /v1/status` has it.
//!
//! Field names are for programs and stay. Times are seconds, points in time seconds since 1970.
//! No secret is in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::statistics::Counters;

/// One daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of vipd.
    pub vipd: String,
    /// Process number.
    pub pid: u32,
    /// Network namespace that the file names. keepalived: `net_namespace`.
    pub namespace: Option<String>,
    /// Name of the daemon among several. keepalived: `instance`.
    pub instance: Option<String>,
    /// The file that it runs.
    pub file: String,
    /// When it started.
    pub started: f64,
    /// When this was so.
    pub at: f64,
    /// Virtual routers, in the order of the file.
    pub instances: Vec<Instance>,
    /// Sync groups, in the order of the file.
    pub groups: Vec<Group>,
    /// What is tracked, each once.
    pub trackers: Vec<Tracker>,
    /// Packets that were for no instance, by reason.
    pub strangers: BTreeMap<String, u64>,
}

/// How one virtual router stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// `INIT`, `BACKUP`, `MASTER` or `FAULT`.
    pub state: String,
    /// Since when.
    pub since: f64,
    /// Why it does not run.
    pub faults: Vec<String>,
    /// What it waits for before it runs.
    pub waits: Vec<String>,
    /// It is `BACKUP` and would be `MASTER` if its sync group let it.
    pub held_back: bool,
    /// 1–255.
    pub vrid: u8,
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// Version spoken, 2 or 3.
    pub version: u8,
    /// Interface of the adverts; none if the routes say which.
    pub interface: Option<String>,
    /// Device with the virtual MAC address.
    pub device: Option<String>,
    /// Address that adverts are sent from.
    pub source: Option<String>,
    /// Its sync group.
    pub group: Option<String>,
    /// What it goes into elections with.
    pub priority: Priority,
    /// Time between own adverts.
    pub advert_interval: f64,
    /// Time between the adverts of the Active Router, as a Backup knows it.
    pub active_advert_interval: f64,
    /// Time without adverts after which a Backup takes over.
    pub active_down_interval: f64,
    /// Time to the takeover of a Backup, or to the next advert of an Active Router.
    pub timer: Option<f64>,
    /// The router that a Backup obeys.
    pub active_router: Option<ActiveRouter>,
    /// Routers heard.
    pub peers: Vec<Peer>,
    /// Every address that moves.
    pub addresses: Vec<Address>,
    /// Counters, under keepalived's names.
    pub statistics: Counters,
    /// Adverts that were not taken, by reason.
    pub rejected: BTreeMap<String, u64>,
}

/// A priority with its sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priority {
    /// What the file says.
    pub base: u8,
    /// What adverts say.
    pub effective: u8,
    /// Base and parts before they are cut to 1–254.
    pub total: i32,
    /// What is added, also where that is 0 at the moment.
    pub parts: Vec<Part>,
}

/// What a tracker does to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// `script`, `file` or `interface`.
    pub kind: String,
    /// Name of the tracker or the interface.
    pub name: String,
    /// Points in the file; 0 makes it a fault to be down.
    pub weight: i16,
    /// Down counts as up, and up as down.
    pub reverse: bool,
    /// Whether it is up; absent before the first result, and of a file.
    pub up: Option<bool>,
    /// The number in a file.
    pub value: Option<i32>,
    /// What it adds at the moment.
    pub points: i32,
}

/// The router that a Backup obeys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveRouter {
    /// Its address.
    pub address: String,
    /// The priority in its last advert.
    pub priority: u8,
}

/// A router that was heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Its address.
    pub address: String,
    /// Version of its last advert.
    pub version: u8,
    /// The priority in it; 0 if it let go.
    pub priority: u8,
    /// What its checksum covers.
    pub checksum: String,
    /// Time since it came.
    pub last_advert: f64,
    /// Adverts taken.
    pub adverts: u64,
    /// Adverts missing between two that came.
    pub lost: u64,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// With its prefix length.
    pub address: String,
    /// Interface or device that it goes to; absent while there is none.
    pub interface: Option<String>,
    /// Adverts carry it.
    pub advertised: bool,
    /// It should be there now.
    pub wanted: bool,
    /// The kernel has it; absent if the kernel could not be asked.
    pub present: Option<bool>,
}

/// One sync group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What others were told last; absent before that.
    pub state: Option<String>,
    /// Names of its members.
    pub members: Vec<String>,
}

/// Something that is tracked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tracker {
    /// `script`, `file` or `interface`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether it is up, after rise and fall; absent before the first result, and of a file.
    pub up: Option<bool>,
    /// The number in a file.
    pub value: Option<i32>,
    /// How it went last time.
    pub last: Option<Run>,
}

/// One run of a script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When it ended.
    pub at: f64,
    /// How long it took.
    pub took: f64,
    /// It succeeded.
    pub success: bool,
    /// It could be started at all.
    pub ran: bool,
    /// How it ended, in words.
    pub outcome: String,
}

/// How serious a state of affairs is, as monitoring counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Everything is as it should be.
    Well,
    /// It works, and something wants a look.
    Warning,
    /// An instance does not run, or an address is not where it should be.
    Critical,
}

impl Instance {
    /// How serious it is.
    #[must_use]
    pub fn grade(&self) -> Grade {
        let missing = |a: &Address| a.wanted && a.present == Some(false);
        let bad = |part: &Part| part.up.is_some_and(|up| up == part.reverse);
        if !self.faults.is_empty() || self.addresses.iter().any(missing) {
            Grade::Critical
        } else if !self.waits.is_empty() || self.priority.parts.iter().any(bad) {
            Grade::Warning
        } else {
            Grade::Well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> Instance {
        Instance {
            name: "VI_1".to_owned(),
            state: "MASTER".to_owned(),
            since: 0.0,
            faults: Vec::new(),
            waits: Vec::new(),
            held_back: false,
            vrid: 1,
            family: "IPv4".to_owned(),
            version: 2,
            interface: None,
            device: None,
            source: None,
            group: None,
            priority: Priority {
                base: 100,
                effective: 100,
                total: 100,
                parts: Vec::new(),
            },
            advert_interval: 1.0,
            active_advert_interval: 1.0,
            active_down_interval: 3.6,
            timer: None,
            active_router: None,
            peers: Vec::new(),
            addresses: Vec::new(),
            statistics: Counters::default(),
            rejected: BTreeMap::new(),
        }
    }

    #[test]
    fn what_does_not_run_is_critical_and_what_is_down_a_warning() {
        assert_eq!(instance().grade(), Grade::Well);
        let mut part = Part {
            kind: "script".to_owned(),
            name: "chk".to_owned(),
            weight: 5,
            reverse: false,
            up: Some(true),
            value: None,
            points: 5,
        };
        let with = |part: &Part| {
            let mut tracking = instance();
            tracking.priority.parts.push(part.clone());
            tracking.grade()
        };
        assert_eq!(with(&part), Grade::Well);
        part.reverse = true;
        assert_eq!(with(&part), Grade::Warning);
        let address = |present| Address {
            address: "192.0.2.1/32".to_owned(),
            interface: None,
            advertised: true,
            wanted: true,
            present,
        };
        let has = |present| {
            let mut holding = instance();
            holding.addresses.push(address(present));
            holding.grade()
        };
        assert_eq!(has(Some(true)), Grade::Well);
        assert_eq!(has(None), Grade::Well);
        assert_eq!(has(Some(false)), Grade::Critical);
        let mut faulty = instance();
        faulty.faults.push("eth0 is down".to_owned());
        assert_eq!(faulty.grade(), Grade::Critical);
    }
}
