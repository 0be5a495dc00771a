//! The side of an instance that touches the outside: how its adverts are made and judged, and
//! where its addresses go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use super::authenticator::{Authenticator, Proven};
use super::clock;
use super::executor::{Placement, Placements};
use super::hearing::Hearing;
use super::links::{LinkState, Links};
use super::peers::{Names, News, Peers};
use super::pool;
use crate::config::model::{Authentication, Instance, Transport};
use crate::control::statistics::Statistics;
use crate::link::device::Key;
use crate::sys::socket::Listen;
use crate::types::{Family, InterfaceName, Priority, Version};
use crate::vrrp::instance::Fault;
use crate::wire::arp::Mac;
use crate::wire::auth::ah;
use crate::wire::ethernet;
use crate::wire::ip::{self, Packet, Protocol};
use crate::wire::ndisc::ALL_ROUTERS;
use crate::wire::vrrp::{self, ChecksumForm, Demands, Outgoing, Received, Rejected};

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

    /// The address that adverts are to be sent from.
    fn source_on(&self, links: &Links) -> Option<IpAddr> {
        let family = self.config.protocol.family;
        let primary = || match &self.config.ipvlan {
            Some(ipvlan) => {
                let own = ipvlan.address.map(|(address, _)| address);
                own.or_else(|| self.carrier(links)?.primary_address(family))
            }
            None => self.own(links)?.primary_address(family),
        };
        self.config.transport.source().or_else(primary)
    }

    fn own<'a>(&self, links: &'a Links) -> Option<&'a LinkState> {
        links.get(self.config.interface.as_ref()?)
    }

    /// The interfaces that its source address may be on.
    fn sources<'a>(&self, links: &'a Links) -> impl Iterator<Item = &'a LinkState> {
        let anywhere = self.config.interface.is_none();
        let vrf = self.vrf(links).map(|vrf| vrf.index);
        let inside =
            move |link: &&LinkState| vrf.is_none() || vrf == Some(link.index) || vrf == link.master;
        let all = links.values().filter(move |_| anywhere).filter(inside);
        let ipvlan = self.config.ipvlan.as_ref();
        let device = ipvlan.and_then(|_| self.carrier(links));
        self.own(links).into_iter().chain(device).chain(all)
    }

    /// The VRF of an instance without interface.
    fn vrf<'a>(&self, links: &'a Links) -> Option<&'a LinkState> {
        links.get(self.config.vrf.as_ref()?)
    }

    /// Looks at the host's interfaces anew.
    pub(super) fn settle(&mut self, links: &Links) {
        let same = |index| {
            let mut candidates = self.sources(links);
            candidates.any(|link| link.up && link.index == index)
        };
        // Another interface, or the same one anew, may take what this one did not.
        self.refused_on = self.refused_on.filter(|index| same(*index));
        self.footing = self.footing_on(links);
        let source = self.footing.source;
        let carries = |l: &&LinkState| source.is_some_and(|s| l.has(&s));
        let mtu = self
            .own(links)
            .or_else(|| self.sources(links).find(carries))
            .map(|link| link.mtu);
        if mtu.is_some() && self.mtu != mtu {
            self.mtu = mtu;
            self.derive();
        }
        self.own_carrier = match &self.config.ipvlan {
            Some(_) => self.own(links),
            None => self.carrier(links),
        }
        .map(|link| link.index);
        let mut carriers = BTreeMap::new();
        let placements = self.config.all_addresses().filter_map(|address| {
            let key = Key::of_address(&self.config, address);
            let link = match &key {
                Some(key) => self.device_on(key, links)?,
                None => links.get(self.config.interface_of(address)?)?,
            };
            carriers.insert(link.index, key.is_some());
            let dropped = !self.config.accept_mode;
            Some(Placement {
                ifindex: link.index,
                mac: link.mac,
                router: link.forwards_v6,
                address: address.clone(),
                dropped_in: dropped.then(|| Arc::clone(&self.table)),
            })
        });
        let placements: Vec<_> = placements.collect();
        self.carriers = carriers;
        if *placements != *self.placements {
            self.placements = placements.into();
        }
    }

    /// Addresses on interfaces other than the instance's own, those that are to be announced from
    /// time to time. keepalived: `garp_extra_if`.
    pub(super) fn elsewhere(&self) -> Placements {
        let devices_only = self.config.protocol.announcement.elsewhere_devices_only;
        let counts = |p: &&Placement| {
            let is_device = self.carriers.get(&p.ifindex).copied().unwrap_or(false);
            Some(p.ifindex) != self.own_carrier && (is_device || !devices_only)
        };
        self.placements.iter().filter(counts).cloned().collect()
    }

    /// The interface of the instance: the device of its own, if it has one.
    fn carrier<'a>(&self, links: &'a Links) -> Option<&'a LinkState> {
        match &self.own_key {
            Some(key) => self.device_on(key, links),
            None => self.own(links),
        }
    }

    /// The device with the virtual MAC address of the instance itself.
    pub(super) fn own_device(&self) -> Option<&InterfaceName> {
        self.devices.get(self.own_key.as_ref()?)
    }

    /// The device for `key`, if it is what it should be.
    fn device_on<'a>(&self, key: &Key, links: &'a Links) -> Option<&'a LinkState> {
        let base = links.get(&key.base)?;
        let device = links.get(self.devices.get(key)?)?;
        // An ipvlan has the address of the interface below.
        let mac = key.mac().or(base.mac);
        let fits = device.mac == mac && device.parent == Some(base.index);
        fits.then_some(device)
    }

    /// Devices that are gone, down or no longer what they should be, while all is well below.
    pub(super) fn missing_devices(&self, links: &Links) -> impl Iterator<Item = &InterfaceName> {
        let missing = |(key, device): (&'_ Key, _)| {
            let well = links.get(&key.base).is_some_and(|base| base.up);
            let works = self.device_on(key, links).is_some_and(|link| link.up);
            (well && !works).then_some(device)
        };
        self.devices.iter().filter_map(missing)
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

    fn footing_on(&self, links: &Links) -> Footing {
        let own = self.own(links);
        let carrier = self.carrier(links);
        let anywhere = self.config.interface.is_none();
        let mut faults: BTreeSet<Fault> = self
            .other_interfaces()
            .filter(|name| links.get(name).is_none_or(|link| !link.up))
            .chain(self.broken_devices(links))
            .map(|name| Fault::AddressInterface(name.clone()))
            .collect();
        let down = |link: &LinkState| !link.up && !self.config.ignore_own_interface;
        if !anywhere && (own.is_none_or(down) || carrier.is_none_or(down)) {
            faults.insert(Fault::Interface);
        }
        if self.config.vrf.is_some() && self.vrf(links).is_none_or(|vrf| !vrf.up) {
            faults.insert(Fault::Interface);
        }
        if self.refused_on.is_some() {
            faults.insert(Fault::Addresses);
        }
        let configured = self.config.transport.source();
        // Without an interface, nothing else says whether packets can come.
        let matters = anywhere || (self.config.track_source && own.is_some());
        let gone = |source: &IpAddr| !self.sources(links).any(|link| link.has(source));
        if matters && configured.as_ref().is_some_and(gone) {
            faults.insert(Fault::NoPrimaryAddress);
        }
        let unready = |address: &IpAddr| self.sources(links).any(|l| l.is_unready(address));
        let source = self.source_on(links).filter(|a| !unready(a));
        if source.is_none() || self.lacks_own_address() {
            faults.insert(Fault::NoPrimaryAddress);
        }
        if let Transport::Unicast { peers, .. } = &self.config.transport {
            if peers.is_empty() {
                faults.insert(Fault::NoPeers);
            } else if self.peers.addresses(source).next().is_none() {
                faults.insert(Fault::PeersUnknown);
            }
        }
        Footing {
            ifindex: match self.speaks_on_device() {
                true => carrier,
                false => own.or_else(|| self.vrf(links)),
            }
            .map(|link| link.index),
            below: own.filter(|_| self.moves_mac()).map(|link| link.index),
            source,
            faults,
        }
    }

    /// keepalived runs no IPv4 instance on an ipvlan without an address, wherever adverts come from.
    fn lacks_own_address(&self) -> bool {
        let v4 = self.config.protocol.family == Family::V4;
        let ipvlan = self.config.ipvlan.as_ref();
        v4 && ipvlan.is_some_and(|ipvlan| ipvlan.address.is_none())
    }

    /// Interfaces of addresses that lie elsewhere: they are tracked like the own one.
    fn other_interfaces(&self) -> impl Iterator<Item = &InterfaceName> {
        let tracked = |name: &&InterfaceName| Some(*name) != self.config.interface.as_ref();
        self.config
            .all_addresses()
            .filter_map(|a| a.interface.as_ref())
            .filter(tracked)
    }

    /// Devices of single addresses that cannot be used, by name, or by the interface below where
    /// there is no name for one. An interface below that is down has a fault of its own.
    fn broken_devices<'a>(&'a self, links: &'a Links) -> impl Iterator<Item = &'a InterfaceName> {
        let broken = |key: &&Key| {
            let base_is_up = links.get(&key.base).is_some_and(|base| base.up);
            let unusable = |link: &LinkState| !link.up && base_is_up;
            let own = Some(*key) == self.own_key.as_ref();
            !own && self.device_on(key, links).is_none_or(unusable)
        };
        let found = self.keys.iter().filter(broken);
        found.map(|key| self.devices.get(key).unwrap_or(&key.base))
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

    /// A frame that makes this virtual router a default router of the link, or one no longer if it is
    /// the `last`; with the interface that it leaves by.
    pub(super) fn router_advert(&self, last: bool) -> Option<(u32, Vec<u8>)> {
        let (ifindex, mac, source) = self.first_address()?;
        let wanted = self.config.protocol.router_advertisement.as_ref();
        let content = wanted.map(|wanted| wanted.content.clone());
        let mut advert = content.unwrap_or_default();
        advert.link_address = Some(mac);
        if last {
            advert = advert.farewell();
        }
        Some((ifindex, advert.frame(mac, source)))
    }

    /// What hosts know this virtual router by, if it is one to them.
    pub(super) fn router(&self) -> Option<Router> {
        self.config.protocol.router_advertisement.as_ref()?;
        self.first_address()
    }

    fn first_address(&self) -> Option<Router> {
        let first = self.config.addresses.first()?;
        let is_first = |p: &&Placement| p.address.address == first.address;
        let placement = self.placements.iter().find(is_first)?;
        match first.address {
            IpAddr::V6(source) => Some((placement.ifindex, placement.mac?, source)),
            IpAddr::V4(_) => None,
        }
    }

    /// Whether hosts are told to send here what this host does not forward.
    pub(super) fn routes_in_vain(&self) -> bool {
        !self.placements.iter().any(|placement| placement.router)
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

    /// Judges an advert that came at `since_epoch` by the wall clock.
    pub(super) fn receive(
        &mut self,
        packet: &Packet<'_>,
        header: Option<&ah::Header<'_>>,
        since_epoch: Duration,
    ) -> Result<(Received, Proven), Rejected> {
        self.statistics.adverts_received += 1;
        let result = self.judge(packet, header, since_epoch);
        match &result {
            Ok((received, _)) if received.advert.priority == Priority::RELEASE => {
                self.statistics.releases_received += 1;
            }
            Ok(_) => {}
            Err(reason) => *self.statistics.rejected.entry(*reason).or_default() += 1,
        }
        result
    }

    fn judge(
        &mut self,
        packet: &Packet<'_>,
        header: Option<&ah::Header<'_>>,
        since_epoch: Duration,
    ) -> Result<(Received, Proven), Rejected> {
        if self.footing.source == Some(packet.source) {
            return Err(Rejected::OwnPacket);
        }
        let multicast = matches!(self.config.transport, Transport::Multicast { .. });
        if multicast != packet.destination.is_multicast() {
            return Err(Rejected::Destination);
        }
        self.admit(packet)?;
        let known = self.peers.contains(packet.source);
        let protocol = &self.config.protocol;
        let version = match protocol.with_version_2 {
            true => vrrp::version(packet),
            false => protocol.version,
        };
        let demands = Demands {
            version,
            authentication: &self.authentication,
            // A router of both versions cannot have the interval of each of its peers.
            interval: (!protocol.with_version_2).then_some(protocol.advertisement_interval),
            link_local_first: self.config.require_link_local,
            check_hop_limit: multicast,
        };
        let authenticator = &mut self.authenticator;
        let mut proven = Proven::default();
        let received = vrrp::receive_proven(packet, &demands, |unproven| {
            match (&self.config.authentication, header) {
                (Authentication::Header(key), Some(header)) => {
                    authenticator.check_header(key, unproven.source, header)?;
                }
                (Authentication::Header(_), None) | (_, Some(_)) => {
                    return Err(Rejected::AuthTypeMismatch);
                }
                (Authentication::Hmac(hmac), None) => {
                    proven = authenticator.check_trailer(hmac, since_epoch, unproven, known)?;
                }
                (Authentication::None | Authentication::Password(_), None) => {}
            }
            Ok(())
        })?;
        self.peers.heard(packet.source, received.checksum);
        Ok((received, proven))
    }

    /// Whether adverts from there, that came this way, are taken at all.
    fn admit(&self, packet: &Packet<'_>) -> Result<(), Rejected> {
        let Transport::Unicast { check_source, .. } = &self.config.transport else {
            return Ok(());
        };
        match self.peers.allows(packet.source, packet.hop_limit) {
            None if *check_source => Err(Rejected::Source),
            Some(false) => Err(Rejected::PeerHopLimit),
            None | Some(true) => Ok(()),
        }
    }

    /// How far a peer's clock may be from ours before that is worth a word.
    pub(super) fn skew_limit(&self) -> Option<Duration> {
        match &self.config.authentication {
            Authentication::Hmac(hmac) => Some(hmac.window / 2),
            Authentication::None | Authentication::Password(_) | Authentication::Header(_) => None,
        }
    }

    /// The form of the checksums that we send to `destination` in `version`.
    pub(super) fn checksum_form(&self, version: Version, destination: IpAddr) -> ChecksumForm {
        let usual = self.usual_checksum_form(version);
        match &self.config.transport {
            Transport::Unicast { old_checksum, .. } if self.is_v3_over_v4(version) => {
                self.peers.form(destination, usual, *old_checksum)
            }
            Transport::Multicast { .. } | Transport::Unicast { .. } => usual,
        }
    }

    fn is_v3_over_v4(&self, version: Version) -> bool {
        (version, self.config.protocol.family) == (Version::V3, Family::V4)
    }

    /// The versions that it speaks. The newer comes first: who hears both then ignores the older.
    pub(super) fn versions(&self) -> impl Iterator<Item = Version> + use<> {
        let protocol = &self.config.protocol;
        let spoken = [Version::V3, Version::V2].map(|v| protocol.speaks(v).then_some(v));
        spoken.into_iter().flatten()
    }

    fn usual_checksum_form(&self, version: Version) -> ChecksumForm {
        let protocol = &self.config.protocol;
        let bare = match (version, protocol.family) {
            (Version::V2 | Version::V3, Family::V6) => false,
            (Version::V2, Family::V4) => true,
            (Version::V3, Family::V4) => self.config.checksum_without_pseudo_header,
        };
        if bare {
            ChecksumForm::Message
        } else {
            ChecksumForm::PseudoHeader
        }
    }

    /// There is no number left for an authentication header: adverts have stopped.
    pub(super) fn numbers_used_up(&self) -> bool {
        self.authenticator.is_used_up()
    }

    /// A term as Active has ended.
    pub(super) fn end_term(&mut self) {
        self.authenticator.end_term();
    }

    /// Whether an advert lists the addresses that we list.
    ///
    /// RFC 3768 §7.1 would drop it otherwise, unless an owner sent it. keepalived takes it since
    /// 2.3.3, in both versions, and counts it; so do we.
    pub(super) fn lists_same_addresses(&self, received: &Received) -> bool {
        let ours: BTreeSet<IpAddr> = self.advertised.iter().copied().collect();
        let theirs: BTreeSet<IpAddr> = received.addresses.iter().copied().collect();
        ours == theirs
    }

    /// Counts an advert that is about to leave, in each version.
    pub(super) fn count_sent(&mut self, priority: Priority) {
        let adverts = self.versions().map(|_| 1).sum::<u64>();
        self.statistics.adverts_sent += adverts;
        if priority == Priority::RELEASE {
            self.statistics.releases_sent += adverts;
        }
    }

    /// Packets to be sent for one advert, each with its destination.
    ///
    /// All carry the same signature and number. None are made when numbers have run out.
    pub(super) fn adverts(
        &mut self,
        priority: Priority,
        since_epoch: Duration,
    ) -> Vec<(IpAddr, Vec<u8>)> {
        let Some(source) = self.footing.source else {
            return Vec::new();
        };
        let (destinations, hop_limit) = self.destinations();
        let mut packets = Vec::with_capacity(destinations.len());
        for version in self.versions() {
            let outgoing = |destination| (version, priority, source, destination);
            let each = destinations.iter().copied().map(outgoing);
            self.add_adverts(each, hop_limit, since_epoch, &mut packets);
        }
        packets
    }

    /// Adds the packets of one version.
    fn add_adverts(
        &mut self,
        adverts: impl Iterator<Item = (Version, Priority, IpAddr, IpAddr)>,
        hop_limit: u8,
        since_epoch: Duration,
        packets: &mut Vec<(IpAddr, Vec<u8>)>,
    ) {
        let mut number = None;
        let mut trailer = None;
        for (version, priority, source, destination) in adverts {
            self.packet_id = self.packet_id.wrapping_add(1).max(1);
            let id = self.packet_id;
            let mut message = vrrp::emit(&self.outgoing(version, priority, source, destination));
            if let Authentication::Hmac(hmac) = &self.config.authentication {
                trailer = trailer
                    .or_else(|| self.authenticator.sign(hmac, since_epoch, source, &message));
                message.extend(trailer.into_iter().flatten());
                vrrp::seal(&mut message, source, destination);
            }
            let packet = match (source, destination) {
                (IpAddr::V4(source), IpAddr::V4(destination)) => {
                    match &self.config.authentication {
                        Authentication::Header(key) => {
                            number = number.or_else(|| self.authenticator.next_header());
                            let Some(number) = number else {
                                return;
                            };
                            ah::emit(key, source, destination, hop_limit, id, number, &message)
                        }
                        Authentication::None
                        | Authentication::Password(_)
                        | Authentication::Hmac(_) => {
                            ip::emit_v4(source, destination, hop_limit, id, &message)
                        }
                    }
                }
                (IpAddr::V6(source), IpAddr::V6(destination)) => {
                    ip::emit_v6(source, destination, hop_limit, &message)
                }
                // A configuration has one family; the lowering sees to it.
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => continue,
            };
            packets.push((destination, packet));
        }
    }

    /// The same as whole frames from the virtual MAC address.
    pub(super) fn advert_frames(
        &mut self,
        priority: Priority,
        since_epoch: Duration,
    ) -> Vec<Vec<u8>> {
        let Some(mac) = self.config.virtual_mac.as_ref().map(|v| v.mac) else {
            return Vec::new();
        };
        let adverts = self.adverts(priority, since_epoch).into_iter();
        adverts
            .map(|(group, packet)| ethernet::multicast(mac, group, &packet))
            .collect()
    }

    fn destinations(&self) -> (Vec<IpAddr>, u8) {
        match &self.config.transport {
            Transport::Multicast { group, .. } => (vec![*group], ip::HOP_LIMIT),
            Transport::Unicast { ttl, .. } => {
                (self.peers.addresses(self.footing.source).collect(), *ttl)
            }
        }
    }

    fn outgoing(
        &self,
        version: Version,
        priority: Priority,
        source: IpAddr,
        destination: IpAddr,
    ) -> Outgoing<'_> {
        let protocol = &self.config.protocol;
        Outgoing {
            version,
            vrid: protocol.vrid,
            priority,
            interval: protocol.interval_in(version),
            addresses: &self.advertised,
            authentication: &self.authentication,
            checksum: self.checksum_form(version, destination),
            source,
            destination,
        }
    }
}
