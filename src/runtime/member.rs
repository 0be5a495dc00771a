//! The side of an instance that touches the outside: how its adverts are made and judged, and
//! where its addresses go.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::executor::{Placement, Placements};
use super::links::Links;
use super::pool;
use crate::config::model::{Authentication, Instance, Transport};
use crate::control::statistics::Statistics;
use crate::sys::socket::Listen;
use crate::types::{Family, InterfaceName, Priority, VirtualAddress};
use crate::vrrp::instance::Fault;
use crate::wire::ip::{self, Packet};
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
    /// Largest packet of the own interface.
    pub mtu: Option<u32>,
    /// Reasons not to run.
    pub faults: BTreeSet<Fault>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub name: Arc<str>,
    pub config: Instance,
    pub footing: Footing,
    pub placements: Placements,
    pub statistics: Statistics,
    /// Complaints already made since the last change of state, so that each is made once.
    complaints: BTreeSet<Complaint>,
    authentication: vrrp::Authentication,
    /// Addresses of the own family, in configured order.
    advertised: Vec<IpAddr>,
    packet_id: u16,
}

/// Something about a peer that is said once, not with every packet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Complaint {
    Rejected(IpAddr, Rejected),
    AddressList(IpAddr),
    FirstAddress(IpAddr),
    Interval(IpAddr),
    SendFailed(IpAddr),
    Late,
}

impl Member {
    pub(super) fn new(config: Instance) -> Self {
        let mut member = Self {
            name: Arc::from(config.name.as_str()),
            authentication: vrrp::Authentication::None,
            advertised: Vec::new(),
            config,
            footing: Footing::default(),
            placements: Arc::from([]),
            statistics: Statistics::default(),
            complaints: BTreeSet::new(),
            packet_id: 0,
        };
        member.derive();
        member
    }

    /// Takes a new configuration and keeps everything that was counted.
    pub(super) fn reconfigure(&mut self, config: Instance) {
        self.name = Arc::from(config.name.as_str());
        self.config = config;
        self.complaints.clear();
        self.derive();
    }

    pub(super) fn forget_complaints(&mut self) {
        self.complaints.clear();
    }

    fn derive(&mut self) {
        self.authentication = match &self.config.authentication {
            Authentication::None => vrrp::Authentication::None,
            Authentication::Password(secret) => vrrp::Authentication::Password(secret.clone()),
        };
        let family = self.config.protocol.family;
        let addresses = self.config.addresses.iter().map(|a| a.address);
        self.advertised = addresses.filter(|a| Family::of(a) == family).collect();
    }

    /// Looks at the host's interfaces anew.
    pub(super) fn settle(&mut self, links: &Links) {
        let before = self.advertised().len();
        self.footing = self.footing_on(links);
        let (now, all) = (self.advertised().len(), self.advertised.len());
        if now < before {
            tracing::warn!(
                instance = &*self.name,
                "({}) an advert has room for {now} of {all} addresses: the others are moved but not advertised",
                self.name
            );
        }
        let place = |address: &VirtualAddress| {
            let interface = address.interface.as_ref().unwrap_or(&self.config.interface);
            let link = links.get(interface)?;
            Some(Placement {
                ifindex: link.index,
                mac: link.mac,
                router: link.forwards_v6,
                address: address.clone(),
            })
        };
        let placements: Vec<_> = self.config.all_addresses().filter_map(place).collect();
        if *placements != *self.placements {
            self.placements = placements.into();
        }
    }

    fn footing_on(&self, links: &Links) -> Footing {
        let own = links.get(&self.config.interface);
        let mut faults: BTreeSet<Fault> = self
            .other_interfaces()
            .filter(|name| links.get(name).is_none_or(|link| !link.up))
            .map(|name| Fault::AddressInterface(name.clone()))
            .collect();
        if own.is_none_or(|link| !link.up && !self.config.ignore_own_interface) {
            faults.insert(Fault::Interface);
        }
        let configured = self.config.transport.source();
        let primary = || own.and_then(|link| link.primary_address(self.config.protocol.family));
        let unready = |address: &IpAddr| own.is_some_and(|link| link.is_unready(address));
        let source = configured.or_else(primary).filter(|a| !unready(a));
        if source.is_none() {
            faults.insert(Fault::NoPrimaryAddress);
        }
        Footing {
            ifindex: own.map(|link| link.index),
            source,
            mtu: own.map(|link| link.mtu),
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

    /// The key of that socket.
    pub(super) fn socket_key(&self) -> Option<pool::Key> {
        Some((self.config.interface.clone(), self.listen()?))
    }

    /// Whether a packet from `source` to a shared unicast socket is for this instance.
    pub(super) fn hears(&self, source: IpAddr) -> bool {
        match &self.config.transport {
            Transport::Multicast { .. } => true,
            Transport::Unicast { peers, .. } => peers.contains(&source),
        }
    }

    /// Whether a complaint is to be made now: each once, and no more than a flood deserves.
    pub(super) fn complain(&mut self, complaint: Complaint) -> bool {
        self.complaints.len() < COMPLAINTS && self.complaints.insert(complaint)
    }

    pub(super) fn receive(&mut self, packet: &Packet<'_>) -> Result<Received, Rejected> {
        self.statistics.adverts_received += 1;
        let result = self.judge(packet);
        match &result {
            Ok(received) if received.advert.priority == Priority::RELEASE => {
                self.statistics.releases_received += 1;
            }
            Ok(_) => {}
            Err(reason) => *self.statistics.rejected.entry(*reason).or_default() += 1,
        }
        result
    }

    fn judge(&self, packet: &Packet<'_>) -> Result<Received, Rejected> {
        if self.footing.source == Some(packet.source) {
            return Err(Rejected::OwnPacket);
        }
        let multicast = matches!(self.config.transport, Transport::Multicast { .. });
        if multicast != packet.destination.is_multicast() {
            return Err(Rejected::Destination);
        }
        let demands = Demands {
            version: self.config.protocol.version,
            authentication: &self.authentication,
            interval: self.config.protocol.advertisement_interval,
            check_hop_limit: multicast,
        };
        vrrp::receive(packet, &demands)
    }

    /// Whether an advert lists the addresses that we list.
    pub(super) fn lists_same_addresses(&self, received: &Received) -> bool {
        let ours: BTreeSet<IpAddr> = self.advertised().iter().copied().collect();
        let theirs: BTreeSet<IpAddr> = received.addresses.iter().copied().collect();
        ours == theirs
    }

    /// The addresses that its adverts list. Over IPv6 a packet with an own header is not cut, so
    /// those that the MTU has no room for are left out; keepalived: the same.
    fn advertised(&self) -> &[IpAddr] {
        let room = match self.config.protocol.family {
            Family::V4 => usize::MAX,
            Family::V6 => self.footing.mtu.map_or(usize::MAX, vrrp::most_v6_addresses),
        };
        let count = self.advertised.len().min(room);
        self.advertised.get(..count).unwrap_or_default()
    }

    /// Packets to be sent for one advert, each with its destination.
    pub(super) fn adverts(&mut self, priority: Priority) -> Vec<(IpAddr, Vec<u8>)> {
        let Some(source) = self.footing.source else {
            return Vec::new();
        };
        let (destinations, hop_limit) = self.destinations();
        let mut packets = Vec::with_capacity(destinations.len());
        for destination in destinations {
            self.packet_id = self.packet_id.wrapping_add(1).max(1);
            let message = vrrp::emit(&self.outgoing(priority, source, destination));
            let packet = match (source, destination) {
                (IpAddr::V4(source), IpAddr::V4(destination)) => {
                    ip::emit_v4(source, destination, hop_limit, self.packet_id, &message)
                }
                (IpAddr::V6(source), IpAddr::V6(destination)) => {
                    ip::emit_v6(source, destination, hop_limit, &message)
                }
                // A configuration has one family; the lowering sees to it.
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => continue,
            };
            packets.push((destination, packet));
        }
        packets
    }

    fn destinations(&self) -> (Vec<IpAddr>, u8) {
        match &self.config.transport {
            Transport::Multicast { group, .. } => (vec![*group], ip::HOP_LIMIT),
            Transport::Unicast { peers, ttl, .. } => (peers.clone(), *ttl),
        }
    }

    fn outgoing(&self, priority: Priority, source: IpAddr, destination: IpAddr) -> Outgoing<'_> {
        let protocol = &self.config.protocol;
        Outgoing {
            version: protocol.version,
            vrid: protocol.vrid,
            priority,
            interval: protocol.advertisement_interval,
            addresses: self.advertised(),
            authentication: &self.authentication,
            checksum: if self.config.checksum_without_pseudo_header {
                ChecksumForm::Message
            } else {
                ChecksumForm::PseudoHeader
            },
            source,
            destination,
        }
    }
}
