//! Test hosts on this machine: a [`Lab`] is a switch, a [`Host`] a network namespace plugged into
//! it, and everything vanishes with the values that stand for it.
//!
//! Made over netlink, without the `ip` program. It takes root, or a user namespace that the
//! process entered first ([`Sandbox`]).

mod capture;
mod clock;
mod host;
mod namespace;
mod probe;
mod process;
mod sandbox;

use std::io;
use std::sync::Arc;

use crate::sys::netlink::{self, Netlink};
use crate::types::InterfaceName;

pub use capture::{Capture, Captured, SeenAdvert, SeenArp, SeenNeighbour, SeenRouter};
pub use clock::{now, realtime_nanos};
pub use host::Host;
pub use namespace::Namespace;
pub use probe::{EchoServer, Lost, ProbeReport, Prober};
pub use process::Process;
pub use sandbox::{Inside, Sandbox};

/// A lab that could not be built or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process may not make a network namespace.
    #[error("cannot create a network namespace: it takes root or a user namespace")]
    CreateNamespace(#[source] io::Error),
    /// A network namespace could not be entered.
    #[error("cannot enter a network namespace")]
    EnterNamespace(#[source] io::Error),
    /// A link or address could not be had.
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
    /// The name of a host does not fit an interface.
    #[error("{name:?} names no host: 1 to 15 bytes without white space or '/'")]
    HostName {
        /// The name.
        name: String,
    },
    /// Something that is no address with a prefix length.
    #[error("{text:?} is no address with a prefix length")]
    Address {
        /// What was given.
        text: String,
    },
    /// An interface that is not there.
    #[error("host {host} has no interface {interface}")]
    NoInterface {
        /// The host.
        host: String,
        /// The interface.
        interface: InterfaceName,
    },
    /// A kernel parameter could not be set.
    #[error("cannot set the kernel parameter {key}")]
    Sysctl {
        /// Path below `/proc/sys`.
        key: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start {program}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// A socket of a capture, prober or server could not be had.
    #[error("cannot open a socket for the {purpose}")]
    Socket {
        /// What it was for.
        purpose: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The private namespaces could not be made.
    #[error("cannot {step}")]
    Sandbox {
        /// What was tried.
        step: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

/// A switch with hosts on it.
#[derive(Debug)]
pub struct Lab {
    switch: Arc<Switch>,
}

impl Lab {
    /// Makes a switch without hosts.
    ///
    /// # Errors
    ///
    /// [`Error::CreateNamespace`] if the process may not, or [`Error::Netlink`].
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            switch: Arc::new(Switch::new(Netlink::create_bridge)?),
        })
    }

    /// Makes a switch that speaks the spanning tree protocol: a host's port forwards 4 s after it
    /// has come up, and until then nothing but the protocol itself passes.
    ///
    /// # Errors
    ///
    /// Those of [`Lab::new`].
    pub fn with_spanning_tree() -> Result<Self, Error> {
        let switch = Switch::new(Netlink::create_spanning_bridge)?;
        // Ports of a Linux bridge are hosts too, and speak IPv6 whatever the bridge does.
        for which in ["all", "default"] {
            let key = format!("net/ipv6/conf/{which}/disable_ipv6");
            match switch.namespace.set_sysctl(&key, "1") {
                Err(Error::Sysctl { .. }) => {} // a kernel without IPv6 has nothing to say
                other => other?,
            }
        }
        Ok(Self {
            switch: Arc::new(switch),
        })
    }

    /// Plugs in a new host with a loopback and an interface `eth0`, both up, without addresses.
    ///
    /// # Errors
    ///
    /// [`Error::HostName`] if `name` does not fit an interface, [`Error::Netlink`] if it is taken.
    pub fn host(&self, name: &str) -> Result<Host, Error> {
        Host::new(Arc::clone(&self.switch), name)
    }

    /// Name of the host that the switch has learned `mac` at; `None` if it floods.
    ///
    /// # Errors
    ///
    /// [`Error::Netlink`] or [`Error::EnterNamespace`].
    pub fn learned(&self, mac: [u8; 6]) -> Result<Option<String>, Error> {
        let mut netlink = self.switch.namespace.netlink()?;
        let entries = netlink.forwarding()?;
        let Some(entry) = entries.iter().find(|entry| entry.mac == mac) else {
            return Ok(None);
        };
        let port = netlink.link_by_index(entry.port)?;
        Ok(port.map(|port| port.name.as_str().to_owned()))
    }

    /// Listens to every frame that enters the switch and that `keep` wants.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] or [`Error::Thread`].
    pub fn capture(
        &self,
        keep: impl Fn(&Captured) -> bool + Send + 'static,
    ) -> Result<Capture, Error> {
        Capture::start(&self.switch.namespace, keep)
    }
}

/// A network namespace with nothing but a bridge.
#[derive(Debug)]
struct Switch {
    namespace: Namespace,
    bridge: u32,
}

impl Switch {
    fn new(
        create: fn(&mut Netlink, &InterfaceName) -> Result<(), netlink::Error>,
    ) -> Result<Self, Error> {
        let namespace = Namespace::new()?;
        let name = interface_name("switch")?;
        let mut netlink = namespace.netlink()?;
        create(&mut netlink, &name)?;
        let bridge = index_of(&mut netlink, "switch", &name)?;
        netlink.set_up(bridge, true)?;
        Ok(Self { namespace, bridge })
    }
}

fn interface_name(name: &str) -> Result<InterfaceName, Error> {
    InterfaceName::new(name).ok_or_else(|| Error::HostName {
        name: name.to_owned(),
    })
}

fn index_of(netlink: &mut Netlink, host: &str, interface: &InterfaceName) -> Result<u32, Error> {
    let link = netlink.link_by_name(interface)?;
    link.map(|link| link.index)
        .ok_or_else(|| Error::NoInterface {
            host: host.to_owned(),
            interface: interface.clone(),
        })
}
