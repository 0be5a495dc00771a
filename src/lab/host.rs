//! A host: a network namespace with a cable into the switch.

use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;

use super::{Error, Namespace, Process, Switch, index_of, interface_name};
use crate::sys::netlink::Netlink;
use crate::types::{InterfaceName, VirtualAddress};

/// Without these an IPv6 address is of no use for its first second, and every host asks for
/// routers that are not there.
const QUIET_IPV6: [(&str, &str); 2] = [
    ("net/ipv6/conf/default/accept_dad", "0"),
    ("net/ipv6/conf/default/router_solicitations", "0"),
];

/// A host of a lab.
#[derive(Debug)]
pub struct Host {
    name: String,
    namespace: Namespace,
    switch: Arc<Switch>,
    port: u32,
    eth0: InterfaceName,
}

impl Host {
    pub(super) fn new(switch: Arc<Switch>, name: &str) -> Result<Self, Error> {
        let port_name = interface_name(name)?;
        let eth0 = interface_name("eth0")?;
        let namespace = Namespace::new()?;
        for (key, value) in QUIET_IPV6 {
            match namespace.set_sysctl(key, value) {
                Err(Error::Sysctl { .. }) => {} // a kernel without IPv6 has nothing to be quiet
                other => other?,
            }
        }
        let mut ports = switch.namespace.netlink()?;
        ports.create_veth(&port_name, &eth0, &namespace)?;
        let port = index_of(&mut ports, name, &port_name)?;
        ports.set_master(port, Some(switch.bridge))?;
        let host = Self {
            name: name.to_owned(),
            namespace,
            switch,
            port,
            eth0,
        };
        let mut netlink = host.netlink()?;
        for interface in [interface_name("lo")?, host.eth0.clone()] {
            let index = index_of(&mut netlink, name, &interface)?;
            netlink.set_up(index, true)?;
        }
        host.plug()?;
        Ok(host)
    }

    /// Its name, and that of its port on the switch.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network namespace.
    #[must_use]
    pub const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// A connection to its links, addresses and routes.
    ///
    /// # Errors
    ///
    /// [`Error::EnterNamespace`] or [`Error::Netlink`].
    pub fn netlink(&self) -> Result<Netlink, Error> {
        self.namespace.netlink()
    }

    /// Runs `work` on this host, on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`Error::EnterNamespace`] or [`Error::Thread`]; `work` has not run then.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        self.namespace.enter(work)
    }

    /// Number of `eth0`.
    ///
    /// # Errors
    ///
    /// [`Error::NoInterface`] or [`Error::Netlink`].
    pub fn eth0(&self) -> Result<u32, Error> {
        index_of(&mut self.netlink()?, &self.name, &self.eth0)
    }

    /// Gives `eth0` an address, such as `192.168.1.10/24`.
    ///
    /// # Errors
    ///
    /// [`Error::Address`] if it is none, or [`Error::Netlink`].
    pub fn add_address(&self, address: &str) -> Result<(), Error> {
        let address = parse_address(address)?;
        let mut netlink = self.netlink()?;
        let index = index_of(&mut netlink, &self.name, &self.eth0)?;
        netlink
            .add_addresses(&[(index, address)])?
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }

    /// Starts a program on this host; it is killed when the [`Process`] is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Spawn`] or [`Error::EnterNamespace`].
    pub fn spawn(&self, command: &mut Command) -> Result<Process, Error> {
        self.enter(|| Process::start(command))?
    }

    /// Pulls the cable: `eth0` loses its carrier, and nothing passes.
    ///
    /// A power loss is this and the death of every process.
    ///
    /// # Errors
    ///
    /// [`Error::Netlink`].
    pub fn unplug(&self) -> Result<(), Error> {
        Ok(self.switch.namespace.netlink()?.set_up(self.port, false)?)
    }

    /// Puts the cable back.
    ///
    /// # Errors
    ///
    /// [`Error::Netlink`].
    pub fn plug(&self) -> Result<(), Error> {
        Ok(self.switch.namespace.netlink()?.set_up(self.port, true)?)
    }

    /// Cuts it off without its noticing: the carrier stays, but nothing passes.
    ///
    /// # Errors
    ///
    /// [`Error::Netlink`].
    pub fn isolate(&self) -> Result<(), Error> {
        Ok(self
            .switch
            .namespace
            .netlink()?
            .set_master(self.port, None)?)
    }

    /// Ends an isolation.
    ///
    /// # Errors
    ///
    /// [`Error::Netlink`].
    pub fn rejoin(&self) -> Result<(), Error> {
        let master = Some(self.switch.bridge);
        Ok(self
            .switch
            .namespace
            .netlink()?
            .set_master(self.port, master)?)
    }
}

/// Its port goes at once; the kernel takes the rest of a namespace down in its own time, and a new
/// host may want the name.
impl Drop for Host {
    fn drop(&mut self) {
        if let Ok(mut netlink) = self.switch.namespace.netlink() {
            let _ = netlink.delete_link(self.port); // the whole switch may be going
        }
    }
}

fn parse_address(text: &str) -> Result<VirtualAddress, Error> {
    let parse = || {
        let (address, prefix_len) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_len = prefix_len
            .parse()
            .ok()
            .filter(|&prefix_len: &u8| prefix_len <= most)?;
        Some(VirtualAddress::new(address, prefix_len))
    };
    parse().ok_or_else(|| Error::Address {
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_with_its_prefix_length() {
        let address = parse_address("192.168.1.10/24").unwrap();
        assert_eq!(address.to_string(), "192.168.1.10/24");
        for bad in [
            "192.168.1.10",
            "192.168.1.10/33",
            "fd00::1/129",
            "eth0/24",
            "",
        ] {
            assert!(parse_address(bad).is_err(), "{bad:?}");
        }
    }
}
