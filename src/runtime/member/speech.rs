//! What an instance says: adverts, and router advertisements for hosts.

use std::net::IpAddr;
use std::time::Duration;

use super::{Member, Router};
use crate::config::model::{Authentication, Transport};
use crate::runtime::executor::Placement;
use crate::types::{Family, Priority, Version};
use crate::wire::auth::ah;
use crate::wire::ethernet;
use crate::wire::ip;
use crate::wire::vrrp::{self, ChecksumForm, Outgoing};

impl Member {
    /// A frame that makes this virtual router a default router of the link, or one no longer if it is
    /// the `last`; with the interface that it leaves by.
    pub(in crate::runtime) fn router_advert(&self, last: bool) -> Option<(u32, Vec<u8>)> {
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
    pub(in crate::runtime) fn router(&self) -> Option<Router> {
        self.config.protocol.router_advertisement.as_ref()?;
        self.first_address()
    }

    pub(super) fn first_address(&self) -> Option<Router> {
        let first = self.config.addresses.first()?;
        let is_first = |p: &&Placement| p.address.address == first.address;
        let placement = self.placements.iter().find(is_first)?;
        match first.address {
            IpAddr::V6(source) => Some((placement.ifindex, placement.mac?, source)),
            IpAddr::V4(_) => None,
        }
    }

    /// Whether hosts are told to send here what this host does not forward.
    pub(in crate::runtime) fn routes_in_vain(&self) -> bool {
        !self.placements.iter().any(|placement| placement.router)
    }

    /// The form of the checksums that we send to `destination` in `version`.
    pub(in crate::runtime) fn checksum_form(
        &self,
        version: Version,
        destination: IpAddr,
    ) -> ChecksumForm {
        let usual = self.usual_checksum_form(version);
        match &self.config.transport {
            Transport::Unicast { old_checksum, .. } if self.is_v3_over_v4(version) => {
                self.peers.form(destination, usual, *old_checksum)
            }
            Transport::Multicast { .. } | Transport::Unicast { .. } => usual,
        }
    }

    pub(super) fn is_v3_over_v4(&self, version: Version) -> bool {
        (version, self.config.protocol.family) == (Version::V3, Family::V4)
    }

    pub(super) fn usual_checksum_form(&self, version: Version) -> ChecksumForm {
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
    pub(in crate::runtime) fn numbers_used_up(&self) -> bool {
        self.authenticator.is_used_up()
    }

    /// A term as Active has ended.
    pub(in crate::runtime) fn end_term(&mut self) {
        self.authenticator.end_term();
    }

    /// Counts an advert that is about to leave, in each version.
    pub(in crate::runtime) fn count_sent(&mut self, priority: Priority) {
        let adverts = self.versions().map(|_| 1).sum::<u64>();
        self.statistics.adverts_sent += adverts;
        if priority == Priority::RELEASE {
            self.statistics.releases_sent += adverts;
        }
    }

    /// Packets to be sent for one advert, each with its destination.
    ///
    /// All carry the same signature and number. None are made when numbers have run out.
    pub(in crate::runtime) fn adverts(
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
    pub(in crate::runtime) fn advert_frames(
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

    pub(super) fn destinations(&self) -> (Vec<IpAddr>, u8) {
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
