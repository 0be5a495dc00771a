//! The side of an instance that touches the outside: how its adverts are made and judged, and
//! where its addresses go.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::authenticator::{Authenticator, Proven};
use super::executor::{Placement, Placements};
use super::links::{LinkState, Links};
use super::pool;
use crate::config::model::{Authentication, Instance, Peer, Transport};
use crate::control::statistics::Statistics;
use crate::sys::socket::Listen;
use crate::types::{Family, InterfaceName, Priority, Version, VirtualAddress};
use crate::vrrp::instance::Fault;
use crate::wire::auth::ah;
use crate::wire::ethernet;
use crate::wire::ip::{self, Packet, Protocol};
use crate::wire::vrrp::{self, ChecksumForm, Demands, Outgoing, Received, Rejected};

/// Complaints until the next change of state: forged senders must fill neither memory nor log.
const COMPLAINTS: usize = 64;

/// What the host offers an instance at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Footing {
    /// Number of its own interface.
    pub ifindex: Option<u32>,
    /// Address that adverts are sent from.
    pub source: Option<IpAddr>,
    /// Reasons not to run.
    pub faults: BTreeSet<Fault>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub name: Arc<str>,
    pub config: Instance,
    /// The device that carries its virtual MAC address, if it has one.
    pub device: Option<InterfaceName>,
    /// The firewall's table for addresses without accept mode.
    table: Arc<str>,
    pub footing: Footing,
    /// The interface whose kernel has taken none of the addresses.
    pub refused_on: Option<u32>,
    pub placements: Placements,
    pub statistics: Statistics,
    /// Complaints already made since the last change of state, so that each is made once.
    complaints: BTreeSet<Complaint>,
    authentication: vrrp::Authentication,
    authenticator: Authenticator,
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
    Skew(IpAddr),
    NumbersUsedUp,
    SendFailed(IpAddr),
    Late,
}

impl Member {
    pub(super) fn new(config: Instance, device: Option<InterfaceName>, table: Arc<str>) -> Self {
        let mut member = Self {
            name: Arc::from(config.name.as_str()),
            device,
            table,
            authentication: vrrp::Authentication::None,
            authenticator: Authenticator::default(),
            advertised: Vec::new(),
            mtu: None,
            config,
            footing: Footing::default(),
            refused_on: None,
            placements: Arc::from([]),
            statistics: Statistics::default(),
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
        device: Option<InterfaceName>,
        table: Arc<str>,
    ) {
        self.name = Arc::from(config.name.as_str());
        self.config = config;
        self.device = device;
        self.table = table;
        self.complaints.clear();
        self.refused_on = None;
        self.derive();
    }

    pub(super) fn forget_complaints(&mut self) {
        self.complaints.clear();
    }

    fn derive(&mut self) {
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

    /// Looks at the host's interfaces anew.
    pub(super) fn settle(&mut self, links: &Links) {
        let same = |index| {
            let own = links.get(&self.config.interface);
            own.is_some_and(|link| link.up && link.index == index)
        };
        // Another interface, or the same one anew, may take what this one did not.
        self.refused_on = self.refused_on.filter(|index| same(*index));
        self.footing = self.footing_on(links);
        let mtu = links.get(&self.config.interface).map(|link| link.mtu);
        if mtu.is_some() && self.mtu != mtu {
            self.mtu = mtu;
            self.derive();
        }
        let place = |address: &VirtualAddress| {
            let other = address.interface.as_ref();
            let link = match other.filter(|name| **name != self.config.interface) {
                Some(name) => links.get(name)?,
                None => self.carrier(links)?,
            };
            let dropped = !self.config.accept_mode;
            Some(Placement {
                ifindex: link.index,
                mac: link.mac,
                router: link.forwards_v6,
                address: address.clone(),
                dropped_in: dropped.then(|| Arc::clone(&self.table)),
            })
        };
        let placements: Vec<_> = self.config.all_addresses().filter_map(place).collect();
        if *placements != *self.placements {
            self.placements = placements.into();
        }
    }

    /// The interface that the addresses are on: the device with the virtual MAC address, if it is
    /// what it should be, else the instance's own.
    fn carrier<'a>(&self, links: &'a Links) -> Option<&'a LinkState> {
        let own = links.get(&self.config.interface)?;
        let Some(virtual_mac) = &self.config.virtual_mac else {
            return Some(own);
        };
        let device = links.get(self.device.as_ref()?)?;
        let fits = device.mac == Some(virtual_mac.mac) && device.parent == Some(own.index);
        fits.then_some(device)
    }

    /// Its device, if that is gone, down or no longer what it should be, while all is well below.
    pub(super) fn missing_device(&self, links: &Links) -> Option<&InterfaceName> {
        let device = self.device.as_ref()?;
        let well = links.get(&self.config.interface).is_some_and(|own| own.up);
        let works = self.carrier(links).is_some_and(|link| link.up);
        (well && !works).then_some(device)
    }

    /// Name of the interface that adverts are sent and received on.
    fn advert_interface(&self) -> &InterfaceName {
        let own_device = self.device.as_ref().filter(|_| {
            let virtual_mac = self.config.virtual_mac.as_ref();
            virtual_mac.is_some_and(|v| !v.advertise_from_base)
        });
        own_device.unwrap_or(&self.config.interface)
    }

    /// Whether its adverts leave from the virtual MAC address.
    pub(super) fn moves_mac(&self) -> bool {
        *self.advert_interface() != self.config.interface
    }

    fn footing_on(&self, links: &Links) -> Footing {
        let own = links.get(&self.config.interface);
        let carrier = self.carrier(links);
        let mut faults: BTreeSet<Fault> = self
            .other_interfaces()
            .filter(|name| links.get(name).is_none_or(|link| !link.up))
            .map(|name| Fault::AddressInterface(name.clone()))
            .collect();
        let down = |link: &LinkState| !link.up && !self.config.ignore_own_interface;
        if own.is_none_or(down) || carrier.is_none_or(down) {
            faults.insert(Fault::Interface);
        }
        if self.refused_on.is_some() {
            faults.insert(Fault::Addresses);
        }
        let configured = self.config.transport.source();
        let gone = |source: &IpAddr| own.is_some_and(|link| !link.has(source));
        if self.config.track_source && configured.as_ref().is_some_and(gone) {
            faults.insert(Fault::NoPrimaryAddress);
        }
        let primary = || own.and_then(|link| link.primary_address(self.config.protocol.family));
        let unready = |address: &IpAddr| own.is_some_and(|link| link.is_unready(address));
        let source = configured.or_else(primary).filter(|a| !unready(a));
        if source.is_none() {
            faults.insert(Fault::NoPrimaryAddress);
        }
        if self.peers().is_some_and(<[Peer]>::is_empty) {
            faults.insert(Fault::NoPeers);
        }
        Footing {
            ifindex: if self.moves_mac() { carrier } else { own }.map(|link| link.index),
            source,
            faults,
        }
    }

    /// Interfaces of addresses that lie elsewhere: they are tracked like the own one.
    fn other_interfaces(&self) -> impl Iterator<Item = &InterfaceName> {
        let tracked = |name: &&InterfaceName| **name != self.config.interface;
        self.config
            .all_addresses()
            .filter_map(|a| a.interface.as_ref())
            .filter(tracked)
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
        Some((self.advert_interface().clone(), self.listen()?, protocol))
    }

    /// The keys of all sockets that it listens on. In version 2 these are both kinds, so that a
    /// peer with another authentication is noticed.
    pub(super) fn listening_keys(&self) -> impl Iterator<Item = pool::Key> {
        let protocol = &self.config.protocol;
        let kinds: &[Protocol] = match (protocol.speaks(Version::V2), protocol.family) {
            (true, Family::V4) => &[Protocol::Vrrp, Protocol::AuthenticationHeader],
            (true, Family::V6) | (false, _) => &[Protocol::Vrrp],
        };
        let listen = self.listen();
        let key =
            move |protocol: &Protocol| Some((self.advert_interface().clone(), listen?, *protocol));
        kinds.iter().filter_map(key)
    }

    /// Its configured peers, if adverts go to peers.
    fn peers(&self) -> Option<&[Peer]> {
        match &self.config.transport {
            Transport::Multicast { .. } => None,
            Transport::Unicast { peers, .. } => Some(peers),
        }
    }

    fn peer(&self, source: IpAddr) -> Option<&Peer> {
        self.peers()?.iter().find(|peer| peer.address == source)
    }

    /// Whether a packet from `source` to a shared unicast socket is for this instance.
    pub(super) fn hears(&self, source: IpAddr) -> bool {
        self.peers().is_none() || self.peer(source).is_some()
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
        let known = self.peer(packet.source).is_some();
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
        Ok((received, proven))
    }

    /// Whether adverts from there, that came this way, are taken at all.
    fn admit(&self, packet: &Packet<'_>) -> Result<(), Rejected> {
        let Transport::Unicast { check_source, .. } = &self.config.transport else {
            return Ok(());
        };
        match self.peer(packet.source) {
            None if *check_source => Err(Rejected::Source),
            Some(peer)
                if !(peer.min_hop_limit..=peer.max_hop_limit).contains(&packet.hop_limit) =>
            {
                Err(Rejected::PeerHopLimit)
            }
            None | Some(_) => Ok(()),
        }
    }

    /// How far a peer's clock may be from ours before that is worth a word.
    pub(super) fn skew_limit(&self) -> Option<Duration> {
        match &self.config.authentication {
            Authentication::Hmac(hmac) => Some(hmac.window / 2),
            Authentication::None | Authentication::Password(_) | Authentication::Header(_) => None,
        }
    }

    /// The versions that it speaks. The newer comes first: who hears both then ignores the older.
    pub(super) fn versions(&self) -> impl Iterator<Item = Version> + use<> {
        let protocol = &self.config.protocol;
        let spoken = [Version::V3, Version::V2].map(|v| protocol.speaks(v).then_some(v));
        spoken.into_iter().flatten()
    }

    /// The form of the checksums that we send in `version`.
    pub(super) fn checksum_form(&self, version: Version) -> ChecksumForm {
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
            Transport::Unicast { peers, ttl, .. } => {
                (peers.iter().map(|peer| peer.address).collect(), *ttl)
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
            checksum: self.checksum_form(version),
            source,
            destination,
        }
    }
}
