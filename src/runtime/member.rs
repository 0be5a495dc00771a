//! The side of an instance that touches the outside.

mod footing;
mod reception;
mod speech;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use super::authenticator::Authenticator;
use super::clock;
use super::executor::Placements;
use super::hearing::Hearing;
use super::links::Links;
use super::peers::{Names, News, Peers};
use super::pool;
use crate::config::model::{Authentication, Instance, Transport};
use crate::control::statistics::Statistics;
use crate::link::device::Key;
use crate::sys::socket::Listen;
use crate::types::{Family, InterfaceName, Version};
use crate::vrrp::instance::Fault;
use crate::wire::arp::Mac;
use crate::wire::ip::{self, Protocol};
use crate::wire::ndisc::ALL_ROUTERS;
use crate::wire::vrrp::{self, ChecksumForm, Rejected};

/// Complaints until the next change of state: forged senders must fill neither memory nor log.
const COMPLAINTS: usize = 64;

/// What the host offers an instance at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Footing {
    /// Number of the interface or device that adverts are sent and received on.
    pub ifindex: Option<u32>,
    /// Number of the interface below, if that is a device with a virtual MAC address.
    pub below: Option<u32>,
    /// Address that adverts are sent from.
    pub source: Option<IpAddr>,
    /// Reasons not to run.
    pub faults: BTreeSet<Fault>,
}

/// A router as hosts know it: by interface, MAC address and address.
pub(super) type Router = (u32, Mac, Ipv6Addr);

#[derive(Debug)]
pub(super) struct Member {
    pub name: Arc<str>,
    pub config: Arc<Instance>,
    /// The devices with its virtual MAC addresses.
    pub devices: BTreeMap<Key, InterfaceName>,
    /// All that there should be of them.
    keys: BTreeSet<Key>,
    /// The one that the instance itself runs on, if there is one.
    own_key: Option<Key>,
    /// Numbers of the interfaces that addresses are on, and whether it is such a device.
    carriers: BTreeMap<u32, bool>,
    /// Number of the interface or device that is the instance's own.
    own_carrier: Option<u32>,
    /// The firewall's table for addresses without accept mode.
    table: Arc<str>,
    pub footing: Footing,
    /// The interface whose kernel has taken none of the addresses.
    pub refused_on: Option<u32>,
    pub placements: Placements,
    pub statistics: Statistics,
    /// Who advertises.
    pub hearing: Hearing,
    /// When it became what it is, by the wall clock.
    pub since: Duration,
    /// Complaints already made since the last change of state, so that each is made once.
    complaints: BTreeSet<Complaint>,
    authentication: vrrp::Authentication,
    authenticator: Authenticator,
    peers: Peers,
    /// Addresses that adverts carry: those that fit into a packet.
    advertised: Vec<IpAddr>,
    mtu: Option<u32>,
    packet_id: u16,
}

/// Something about a peer that is said once, not with every packet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Complaint {
    Rejected(IpAddr, Rejected),
    AddressList(IpAddr),
    FirstAddress(IpAddr),
    Interval(IpAddr),
    Checksum(IpAddr, ChecksumForm),
    Stranger(IpAddr),
    Skew(IpAddr),
    NumbersUsedUp,
    NoForwarding,
    SendFailed(IpAddr),
    Late,
}

impl Member {
    pub(super) fn new(
        config: Instance,
        devices: BTreeMap<Key, InterfaceName>,
        table: Arc<str>,
    ) -> Self {
        let mut member = Self {
            name: Arc::from(config.name.as_str()),
            devices,
            keys: BTreeSet::new(),
            own_key: None,
            carriers: BTreeMap::new(),
            own_carrier: None,
            table,
            authentication: vrrp::Authentication::None,
            authenticator: Authenticator::default(),
            peers: Peers::default(),
            advertised: Vec::new(),
            mtu: None,
            config: Arc::new(config),
            footing: Footing::default(),
            refused_on: None,
            placements: Arc::from([]),
            statistics: Statistics::default(),
            hearing: Hearing::default(),
            since: clock::since_epoch(),
            complaints: BTreeSet::new(),
            packet_id: 0,
        };
        member.derive();
        member
    }

    /// Takes a new configuration and keeps everything that was counted.
    pub(super) fn reconfigure(
        &mut self,
        config: Instance,
        devices: BTreeMap<Key, InterfaceName>,
        table: Arc<str>,
    ) {
        self.name = Arc::from(config.name.as_str());
        self.config = Arc::new(config);
        self.devices = devices;
        self.table = table;
        self.complaints.clear();
        self.refused_on = None;
        self.derive();
    }

    pub(super) fn forget_complaints(&mut self) {
        self.complaints.clear();
    }

    fn derive(&mut self) {
        self.own_key = Key::of(&self.config);
        let keys = Key::all(&self.config).into_iter();
        self.keys = keys.map(|(key, _)| key).collect();
        self.authentication = match &self.config.authentication {
            Authentication::None => vrrp::Authentication::None,
            Authentication::Password(secret) => vrrp::Authentication::Password(secret.clone()),
            Authentication::Header(_) => vrrp::Authentication::Header,
            Authentication::Hmac(_) => vrrp::Authentication::Trailer,
        };
        let family = self.config.protocol.family;
        let fits = |mtu| {
            let versions = self.versions();
            let room = |v| vrrp::most_addresses(mtu, v, family, &self.authentication);
            versions.map(room).min()
        };
        let most = self.mtu.and_then(fits).unwrap_or(usize::MAX);
        let all = self.config.addresses.iter().map(|a| a.address);
        self.advertised = all.take(most).collect();
        let more = self.config.addresses.len() - self.advertised.len();
        if more > 0 {
            let name = &*self.name;
            tracing::warn!(
                instance = name,
                "({name}) an advert has room for {most} addresses: {more} are moved but not advertised"
            );
        }
    }

    /// Takes over what the names of its peers stand for.
    pub(super) fn find_peers(&mut self, names: &Names, links: &Links) {
        let own = self.source_on(links);
        let family = self.config.protocol.family;
        let news = self.peers.find(&self.config.transport, family, own, names);
        let instance = &*self.name;
        for News { name, addresses } in news {
            if addresses.is_empty() {
                let family = match family {
                    Family::V4 => "IPv4",
                    Family::V6 => "IPv6",
                };
                tracing::warn!(
                    instance,
                    "({instance}) the peer {name} has no {family} address but our own"
                );
                continue;
            }
            let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            tracing::info!(
                instance,
                "({instance}) the peer {name} is {}",
                all.join(", ")
            );
        }
    }

    /// Name of the interface that adverts are sent and received on; none if it is any.
    fn advert_interface(&self) -> Option<&InterfaceName> {
        let own_key = self.own_key.as_ref().filter(|_| self.speaks_on_device());
        let own_device = own_key.and_then(|key| self.devices.get(key));
        let interface = own_device.or(self.config.interface.as_ref());
        interface.or(self.config.vrf.as_ref())
    }

    /// Whether its adverts leave from a device of its own.
    fn speaks_on_device(&self) -> bool {
        self.config.ipvlan.is_some() || self.moves_mac()
    }

    /// Whether its adverts leave from the virtual MAC address.
    pub(super) fn moves_mac(&self) -> bool {
        let virtual_mac = self.config.virtual_mac.as_ref();
        virtual_mac.is_some_and(|v| !v.advertise_from_base)
    }

    /// Which socket it hears its peers on, once it has a source address.
    pub(super) fn listen(&self) -> Option<Listen> {
        match &self.config.transport {
            Transport::Multicast { group, .. } => Some(Listen::Group(*group)),
            Transport::Unicast { .. } => self.footing.source.map(Listen::Address),
        }
    }

    /// The key of the socket that it sends on.
    pub(super) fn socket_key(&self) -> Option<pool::Key> {
        let protocol = match self.authentication {
            vrrp::Authentication::Header => Protocol::AuthenticationHeader,
            vrrp::Authentication::None
            | vrrp::Authentication::Password(_)
            | vrrp::Authentication::Trailer => Protocol::Vrrp,
        };
        Some((self.advert_interface().cloned(), self.listen()?, protocol))
    }

    /// The keys of all sockets that it listens on. In version 2 these are both kinds, so that a
    /// peer with another authentication is noticed.
    pub(super) fn listening_keys(&self) -> impl Iterator<Item = pool::Key> {
        let kinds = self.kinds();
        let listen = self.listen();
        let key =
            move |protocol: &Protocol| Some((self.advert_interface().cloned(), listen?, *protocol));
        kinds.iter().filter_map(key).chain(self.solicitation_key())
    }

    fn kinds(&self) -> &'static [Protocol] {
        let protocol = &self.config.protocol;
        match (protocol.speaks(Version::V2), protocol.family) {
            (true, Family::V4) => &[Protocol::Vrrp, Protocol::AuthenticationHeader],
            (true, Family::V6) | (false, _) => &[Protocol::Vrrp],
        }
    }

    /// The keys of the sockets on which it would hear a peer that speaks to a group while we have
    /// peers, or to our address while we have a group. Nothing that comes there counts.
    pub(super) fn watching_keys(&self) -> impl Iterator<Item = pool::Key> {
        // A device with an address of its own is known to nobody else.
        let interface = self.config.interface.clone();
        let interface = interface.filter(|_| self.config.ipvlan.is_none());
        let listen = match &self.config.transport {
            Transport::Unicast { .. } => Some(Listen::Group(match self.config.protocol.family {
                Family::V4 => ip::GROUP_V4.into(),
                Family::V6 => ip::GROUP_V6.into(),
            })),
            Transport::Multicast { .. } => self.footing.source.map(Listen::Address),
        };
        let key = interface.zip(listen);
        let key = move |kind: &Protocol| {
            let (interface, listen) = key.clone()?;
            Some((Some(interface), listen, *kind))
        };
        self.kinds().iter().filter_map(key)
    }

    /// Number of the interface that a socket of ours is on.
    pub(super) fn ifindex_of(&self, key: &pool::Key) -> Option<u32> {
        match key.0.as_ref() == self.advert_interface() {
            true => self.footing.ifindex,
            false => self.footing.below,
        }
    }

    /// The key of the socket on which hosts ask for a router.
    fn solicitation_key(&self) -> Option<pool::Key> {
        self.config.protocol.router_advertisement.as_ref()?;
        let interface = self.advert_interface().cloned();
        let routers = Listen::Group(ALL_ROUTERS.into());
        Some((Some(interface?), routers, Protocol::Icmpv6))
    }

    /// Whether `source` may speak to this instance: one of its peers, if it has any.
    pub(super) fn hears(&self, source: IpAddr) -> bool {
        let multicast = matches!(self.config.transport, Transport::Multicast { .. });
        multicast || self.peers.contains(source)
    }

    /// Whether a complaint is to be made now: each once, and no more than a flood deserves.
    pub(super) fn complain(&mut self, complaint: Complaint) -> bool {
        self.complaints.len() < COMPLAINTS && self.complaints.insert(complaint)
    }

    /// The versions that it speaks. The newer comes first: who hears both then ignores the older.
    pub(super) fn versions(&self) -> impl Iterator<Item = Version> + use<> {
        let protocol = &self.config.protocol;
        let spoken = [Version::V3, Version::V2].map(|v| protocol.speaks(v).then_some(v));
        spoken.into_iter().flatten()
    }
}
