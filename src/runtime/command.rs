//! What is said to the engine, and what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use tokio::sync::oneshot;

use super::links::Links;
use super::look::Look;
use crate::config::model;
use crate::link::device::Key;
use crate::sys::socket::Waker;
use crate::types::{InstanceId, Instant, InterfaceName, Priority};
use crate::vrrp::group::GroupId;
use crate::vrrp::instance::Transition;
use crate::vrrp::router::Tracking;
use crate::vrrp::track::{RiseFall, TrackerId};

/// What others ask of the engine.
#[derive(Debug)]
pub enum Command {
    /// The host's interfaces have changed.
    Links(Links),
    /// The kernel has removed these virtual addresses from an interface.
    AddressesGone(BTreeSet<IpAddr>),
    /// The kernel takes none of an instance's addresses, after several attempts.
    InstallFailed(InstanceId),
    /// A tracker has a result.
    TrackResult {
        /// Which one.
        tracker: TrackerId,
        /// Whether it succeeded.
        success: bool,
    },
    /// A tracker has a number.
    TrackValue {
        /// Which one.
        tracker: TrackerId,
        /// The number.
        value: i32,
    },
    /// A name of peers stands for these addresses now.
    PeerFound {
        /// The name.
        name: String,
        /// All its addresses, of both families.
        addresses: BTreeSet<IpAddr>,
    },
    /// The link of an interface has received something.
    LinkProved(InterfaceName),
    /// A new configuration.
    Reload(Box<Changes>),
    /// Answer once every command before this one has been obeyed.
    Confirm(oneshot::Sender<()>),
    /// Hand over and end.
    Shutdown,
    /// Give up everything and end at once.
    Abort,
    /// End at once, and leave everything as it is.
    Leave,
    /// What everything is like now.
    Look(oneshot::Sender<Look>),
    /// Count from zero again.
    ClearStatistics,
}

/// An instance that a reload adds or changes.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Who it is.
    pub id: InstanceId,
    /// What it is.
    pub config: model::Instance,
    /// What it tracks.
    pub tracking: Tracking,
    /// The devices with its virtual MAC addresses.
    pub devices: BTreeMap<Key, InterfaceName>,
    /// The firewall's table for addresses without accept mode.
    pub table: Arc<str>,
}

/// A sync group as a reload leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncedGroup {
    /// Which one; the same for as long as its name is.
    pub id: GroupId,
    /// Its name.
    pub name: Arc<str>,
    /// Its members in configured order.
    pub members: Vec<InstanceId>,
}

/// What a reload does.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Trackers that are new, or begin anew.
    pub trackers: Vec<(TrackerId, RiseFall)>,
    /// Trackers that keep their results with other counts: rise and fall.
    pub counts: Vec<(TrackerId, u32, u32)>,
    /// Trackers with numbers that are new, and what they hold.
    pub values: Vec<(TrackerId, i32)>,
    /// How fast addresses are announced.
    pub pacing: model::Pacing,
    /// Instances that come neither hear nor send before then.
    pub held_until: Option<Instant>,
    /// Adverts for no instance of this host are logged.
    pub log_strangers: bool,
    /// All sync groups.
    pub groups: Vec<SyncedGroup>,
    /// Instances that go.
    pub removed: Vec<InstanceId>,
    /// Instances that come.
    pub added: Vec<Assignment>,
    /// Instances that stay, changed in place.
    pub updated: Vec<Assignment>,
    /// Trackers that nobody tracks any more.
    pub forgotten: Vec<TrackerId>,
}

/// What the engine tells others.
#[derive(Debug, Clone)]
pub enum Report {
    /// An instance has changed its state.
    Transition {
        /// Which one.
        id: InstanceId,
        /// Its name.
        name: Arc<str>,
        /// What it is now.
        transition: Transition,
        /// Its effective priority.
        priority: Priority,
    },
    /// An instance that a reload took away has let go of everything.
    Departed(InstanceId),
    /// An Active Router has heard a lower priority.
    HeardLowerPriority {
        /// Which one.
        id: InstanceId,
        /// Its name.
        name: Arc<str>,
    },
    /// A sync group has changed its state.
    GroupTransition {
        /// Which one.
        id: GroupId,
        /// Its name.
        name: Arc<str>,
        /// What all its members are now.
        transition: Transition,
    },
}

/// Hands commands to the engine and wakes it.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: Sender<Command>,
    waker: Arc<Waker>,
}

impl Handle {
    /// A handle, with the engine's end of it.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(super) fn new() -> io::Result<(Self, Receiver<Command>, Arc<Waker>)> {
        let (commands, receiver) = mpsc::channel();
        let waker = Arc::new(Waker::new()?);
        Ok((
            Self {
                commands,
                waker: Arc::clone(&waker),
            },
            receiver,
            waker,
        ))
    }

    /// Passes `command` on. An engine that has ended ignores it.
    pub fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.waker.wake();
        }
    }
}

/// Called with every report; must not block.
pub type Reporter = Box<dyn Fn(Report) + Send>;
