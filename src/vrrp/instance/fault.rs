//! Reasons why a virtual router does not run.

use crate::types::InterfaceName;
use crate::vrrp::track::TrackerId;

/// A reason why a virtual router does not run. It runs when there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The own interface is down, or does not exist.
    Interface,
    /// The own interface has no address of the family to send from.
    NoPrimaryAddress,
    /// Adverts go to peers, and there are none. keepalived: `unicast_fault_no_peer`.
    NoPeers,
    /// Adverts go to peers that are named, and none has an address yet. Keeps from starting, and
    /// not from going on.
    PeersUnknown,
    /// None of the addresses could be installed.
    Addresses,
    /// No socket could be opened.
    Socket,
    /// An interface that carries one of the addresses is down.
    AddressInterface(InterfaceName),
    /// An interface that is tracked with weight 0 is down.
    TrackedInterface(InterfaceName),
    /// A tracker with weight 0 is down.
    Tracker(TrackerId),
    /// A tracker with weight 0 has no result yet. Not reported as a fault.
    TrackerPending(TrackerId),
    /// Another member of its sync group has a fault.
    Group,
    /// Another member of its sync group waits for a tracker. Not reported as a fault.
    GroupPending,
}

impl Fault {
    /// Whether it comes from the instance's trackers rather than from itself.
    #[must_use]
    pub const fn is_tracked(&self) -> bool {
        match self {
            Self::Interface
            | Self::NoPrimaryAddress
            | Self::Addresses
            | Self::NoPeers
            | Self::PeersUnknown
            | Self::Socket
            | Self::AddressInterface(_)
            | Self::Group
            | Self::GroupPending => false,
            Self::TrackedInterface(_) | Self::Tracker(_) | Self::TrackerPending(_) => true,
        }
    }

    /// Whether it only waits for a first result: held back, not failed.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self, Self::TrackerPending(_) | Self::GroupPending)
    }

    /// Whether it keeps an instance from starting, but not one that runs from going on.
    #[must_use]
    pub const fn only_bars_start(&self) -> bool {
        self.is_pending() || matches!(self, Self::PeersUnknown)
    }

    /// Whether it comes from another member of the sync group.
    #[must_use]
    pub const fn is_of_group(&self) -> bool {
        matches!(self, Self::Group | Self::GroupPending)
    }
}
