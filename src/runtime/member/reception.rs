//! How the adverts of others are judged.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::Member;
use crate::config::model::{Authentication, Transport};
use crate::runtime::authenticator::Proven;
use crate::types::Priority;
use crate::wire::auth::ah;
use crate::wire::ip::Packet;
use crate::wire::vrrp::{self, Demands, Received, Rejected};

impl Member {
    /// Judges an advert that came at `since_epoch` by the wall clock.
    pub(in crate::runtime) fn receive(
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
    pub(in crate::runtime) fn skew_limit(&self) -> Option<Duration> {
        match &self.config.authentication {
            Authentication::Hmac(hmac) => Some(hmac.window / 2),
            Authentication::None | Authentication::Password(_) | Authentication::Header(_) => None,
        }
    }

    /// Whether an advert lists the addresses that we list.
    ///
    /// RFC 3768 §7.1 would drop it otherwise, unless an owner sent it. keepalived takes it since
    /// 2.3.3, in both versions, and counts it; so do we.
    pub(in crate::runtime) fn lists_same_addresses(&self, received: &Received) -> bool {
        let ours: BTreeSet<IpAddr> = self.advertised.iter().copied().collect();
        let theirs: BTreeSet<IpAddr> = received.addresses.iter().copied().collect();
        ours == theirs
    }
}
