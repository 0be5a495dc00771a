//! Interfaces and addresses over rtnetlink, synchronously.
//!
//! [`Netlink`] asks and waits for the answer, [`Monitor`] listens. Both belong to the network
//! namespace of the thread that opened them. Every change is idempotent: adding what exists and
//! deleting what is gone succeed and say so ([`Change::AlreadySo`]).

mod address;
mod forwarding;
mod link;
mod message;
mod monitor;
mod request;
mod route;
mod topology;

use std::fmt;
use std::io;
use std::net::IpAddr;

use crate::types::{InterfaceName, VirtualAddress};

pub use address::{Address, VRRP_PROTOCOL};
pub use forwarding::Forwarding;
pub use link::{Link, Siblings};
pub use monitor::{KernelEvent, Monitor};
pub use request::Netlink;

/// What a request that succeeded did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The kernel's state was changed.
    Done,
    /// It was so already, perhaps by somebody else's doing.
    AlreadySo,
}

/// A request that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No netlink socket can be had.
    #[error("cannot open a netlink socket")]
    Open(#[source] io::Error),
    /// The socket no longer carries requests or answers.
    #[error("cannot talk to the kernel over netlink")]
    Transport(#[source] io::Error),
    /// The kernel refused to list something.
    #[error("cannot list {what}")]
    List {
        /// What was to be listed.
        what: Listing,
        /// The kernel's answer.
        #[source]
        refusal: Refusal,
    },
    /// The kernel's tables changed under every attempt to list them.
    #[error("the {what} kept changing while they were listed")]
    Unsettled {
        /// What was to be listed.
        what: Listing,
    },
    /// An address was not added.
    #[error("cannot add {address} to interface {ifindex}")]
    AddAddress {
        /// Interface that was to carry it.
        ifindex: u32,
        /// The address.
        address: Box<VirtualAddress>,
        /// The kernel's answer.
        #[source]
        refusal: Refusal,
    },
    /// An address was not removed.
    #[error("cannot remove {address} from interface {ifindex}")]
    RemoveAddress {
        /// Interface that carries it.
        ifindex: u32,
        /// The address.
        address: Box<VirtualAddress>,
        /// The kernel's answer.
        #[source]
        refusal: Refusal,
    },
    /// A link was not made.
    #[error("cannot create interface {name}")]
    CreateLink {
        /// Its name.
        name: InterfaceName,
        /// The kernel's answer.
        #[source]
        refusal: Refusal,
    },
    /// A link was not changed or deleted.
    #[error("cannot change interface {ifindex}")]
    ChangeLink {
        /// The link.
        ifindex: u32,
        /// The kernel's answer.
        #[source]
        refusal: Refusal,
    },
    /// A route was not added.
    #[error("cannot add a route by {gateway} on interface {ifindex}")]
    AddRoute {
        /// Interface it leaves by.
        ifindex: u32,
        /// Next hop.
        gateway: IpAddr,
        /// The kernel's answer.
        #[source]
        refusal: Refusal,
    },
    /// The route to the addresses of a link could not be added.
    #[error("cannot add the link-local route of interface {ifindex}")]
    AddLinkLocalRoute {
        /// The link's interface.
        ifindex: u32,
        /// The kernel's answer.
        #[source]
        refusal: Refusal,
    },
}

impl Error {
    /// The kernel's error number, if it answered.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Open(source) | Self::Transport(source) => source.raw_os_error(),
            Self::Unsettled { .. } => None,
            Self::List { refusal, .. }
            | Self::AddAddress { refusal, .. }
            | Self::RemoveAddress { refusal, .. }
            | Self::CreateLink { refusal, .. }
            | Self::ChangeLink { refusal, .. }
            | Self::AddRoute { refusal, .. }
            | Self::AddLinkLocalRoute { refusal, .. } => Some(refusal.errno),
        }
    }
}

/// A table of the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Interfaces.
    Links,
    /// Addresses of interfaces.
    Addresses,
    /// Forwarding tables of bridges.
    Forwarding,
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Links => "interfaces",
            Self::Addresses => "addresses",
            Self::Forwarding => "forwarding entries",
        })
    }
}

/// The kernel's no to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Error number, positive as in errno(3).
    pub errno: i32,
    /// The reason in the kernel's own words, where it gives one.
    pub reason: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = io::Error::from_raw_os_error(self.errno);
        match &self.reason {
            Some(reason) => write!(f, "{error}: {reason}"),
            None => error.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}
