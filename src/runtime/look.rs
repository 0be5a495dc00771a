//! What the engine shows of itself. It is copied at one moment and put into words elsewhere, so
//! that a look costs the engine as little as can be.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::executor::Placements;
use super::hearing::Heard;
use crate::config::model;
use crate::control::statistics::Statistics;
use crate::types::{InstanceId, Instant, InterfaceName, Priority};
use crate::vrrp::group::GroupId;
use crate::vrrp::instance::{Fault, State, Transition};
use crate::vrrp::router::Part;
use crate::wire::vrrp::Rejected;

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct Look {
    /// The moment.
    pub at: Instant,
    /// The same by the wall clock.
    pub since_epoch: Duration,
    /// All instances in order, also those that are about to go.
    pub instances: Vec<InstanceLook>,
    /// Sync groups: name, members and what was told last.
    pub groups: BTreeMap<GroupId, GroupLook>,
    /// Packets that were for no instance.
    pub strangers: BTreeMap<Rejected, u64>,
}

/// One sync group.
#[derive(Debug, Clone)]
pub struct GroupLook {
    /// Its name.
    pub name: Arc<str>,
    /// What others were told last.
    pub told: Option<Transition>,
}

/// One instance.
#[derive(Debug, Clone)]
pub struct InstanceLook {
    /// Which one.
    pub id: InstanceId,
    /// What it is.
    pub config: Arc<model::Instance>,
    /// The name of its own device with a virtual MAC address.
    pub device: Option<InterfaceName>,
    /// Its state with the timer.
    pub state: State,
    /// Since when, by the wall clock.
    pub since: Duration,
    /// The effective priority.
    pub priority: Priority,
    /// What makes the priority differ from the base, or keeps it from running.
    pub parts: Vec<Part>,
    /// Why it does not run.
    pub faults: BTreeSet<Fault>,
    /// It would be Active if its sync group let it.
    pub wants_active: bool,
    /// Time without adverts after which it takes over.
    pub active_down_interval: Duration,
    /// Its addresses are to be installed.
    pub holds_addresses: bool,
    /// Where they go.
    pub placements: Placements,
    /// Where adverts are sent from.
    pub source: Option<IpAddr>,
    /// The Active Router heard last while Backup.
    pub active_router: Option<(IpAddr, Priority)>,
    /// Who advertises.
    pub heard: BTreeMap<IpAddr, Heard>,
    /// Counters.
    pub statistics: Statistics,
}
