//! Packets come in: whose they are, and what is said of them.

use std::net::IpAddr;

use super::{BATCH, Driver};
use crate::runtime::authenticator::Proven;
use crate::runtime::clock;
use crate::runtime::executor::Chain;
use crate::runtime::member::{Complaint, Member};
use crate::runtime::pool::Key;
use crate::sys::socket::Datagram;
use crate::types::{InstanceId, Instant, InterfaceName, Vrid};
use crate::vrrp::instance::{Input, Instance};
use crate::vrrp::router::Event;
use crate::wire::auth::ah;
use crate::wire::ip::{Packet, Protocol};
use crate::wire::ndisc;
use crate::wire::vrrp::{self, ChecksumForm, Received, Rejected};

/// A flood of senders that are made up must not fill the memory.
const MOST_STRANGERS: usize = 1_000;

impl Driver {
    /// Waiting packets come before expired timers: a host that stalled must not take over from
    /// a live peer.
    pub(super) fn read_packets(&mut self, ready: &[bool], buffer: &mut [u8]) {
        let readable = self
            .pool
            .keys()
            .zip(ready.iter().skip(1))
            .filter(|(_, ready)| **ready);
        let keys: Vec<Key> = readable.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.read_socket(&key, buffer);
        }
    }

    fn read_socket(&mut self, key: &Key, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            match self.pool.receive(key, buffer) {
                Ok(Some(datagram)) => {
                    let at = clock::received_at(datagram.received);
                    self.take_packet(key, at, &datagram);
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(interface = place(key), "{}, reopening", Chain(&error));
                    self.pool.close(key);
                    self.settle_all();
                    return;
                }
            }
        }
    }

    fn take_packet(&mut self, key: &Key, at: Instant, datagram: &Datagram<'_>) {
        let length = datagram.bytes().len();
        tracing::trace!(interface = place(key), length, "packet received");
        let parsed = match key.2 {
            Protocol::Vrrp => datagram.packet().map(|packet| (packet, None)),
            Protocol::AuthenticationHeader => {
                ah::parse(datagram.bytes()).map(|(packet, header)| (packet, Some(header)))
            }
            Protocol::Icmpv6 => return self.take_solicitation(key, at, datagram),
        };
        let found = parsed.and_then(|(packet, header)| Ok((packet, header, vrrp::vrid(&packet)?)));
        let (packet, header, vrid) = match found {
            Ok(found) => found,
            Err(reason) => return self.count_stranger(reason),
        };
        let Some(id) = self.pool.addressee(key, vrid, packet.source, &self.members) else {
            self.name_stranger(key, vrid, packet.source);
            return self.count_stranger(Rejected::UnknownVrid);
        };
        self.take_advert(id, at, &packet, header.as_ref());
    }

    /// A host asks for a router: every instance there that is one answers. Others are not for us.
    fn take_solicitation(&mut self, key: &Key, at: Instant, datagram: &Datagram<'_>) {
        let asks = |packet: &Packet<'_>| match packet.source {
            IpAddr::V6(source) => {
                ndisc::is_router_solicitation(source, packet.hop_limit, packet.payload)
            }
            IpAddr::V4(_) => false,
        };
        if datagram.packet().is_ok_and(|packet| asks(&packet)) {
            for id in self.pool.listeners(key) {
                self.handle(at, Event::Instance(id, Input::RouterSolicited));
            }
        }
    }

    fn count_stranger(&mut self, reason: Rejected) {
        *self.strangers.entry(reason).or_default() += 1;
    }

    /// Logs an advert for nobody here, each sender once until the next reload. keepalived:
    /// `log_unknown_vrids`, which logs every one.
    fn name_stranger(&mut self, key: &Key, vrid: Vrid, source: IpAddr) {
        if !self.log_strangers || self.named_strangers.len() >= MOST_STRANGERS {
            return;
        }
        let interface = &key.0;
        if self
            .named_strangers
            .insert((interface.clone(), vrid, source))
        {
            let interface = interface.as_ref().map(tracing::field::display);
            tracing::info!(interface, %vrid, %source, "advert of {source} for VRID {vrid}, which is not ours");
        }
    }

    fn take_advert(
        &mut self,
        id: InstanceId,
        at: Instant,
        packet: &Packet<'_>,
        header: Option<&ah::Header<'_>>,
    ) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        match member.receive(packet, header, clock::since_epoch()) {
            Ok((received, proven)) => {
                member.hearing.note(at, &received);
                self.compare(id, &received);
                self.compare_clocks(id, packet.source, proven);
                self.handle(at, Event::Instance(id, Input::Advert(received.advert)));
            }
            Err(Rejected::Destination) if !member.hears(packet.source) => {
                // Another virtual router may have the same number, if it is no peer's.
                if member.complain(Complaint::Rejected(packet.source, Rejected::Destination)) {
                    tracing::info!(
                        instance = &*member.name,
                        source = %packet.source,
                        "({}) {} uses our VRID with multicast; it is none of our peers",
                        member.name,
                        packet.source
                    );
                }
            }
            Err(reason) => {
                if member.complain(Complaint::Rejected(packet.source, reason)) {
                    tracing::warn!(
                        instance = &*member.name,
                        source = %packet.source,
                        "({}) advert from {} discarded: {}",
                        member.name,
                        packet.source,
                        reason.describe()
                    );
                }
            }
        }
    }

    /// Complains of what peers should agree on and need not. RFC 9568 §7.1.
    fn compare(&mut self, id: InstanceId, received: &Received) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let source = received.advert.source;
        let known = self.router.instance(id).and_then(Instance::active_router);
        let skipped = member.config.skip_address_check && known.is_some_and(|k| k.0 == source);
        if !skipped && !member.lists_same_addresses(received) {
            member.statistics.address_list_differs += 1;
            if member.complain(Complaint::AddressList(source)) {
                tracing::warn!(
                    instance = &*member.name,
                    %source,
                    theirs = ?received.addresses,
                    "({}) {source} advertises other addresses than ours",
                    member.name
                );
            }
        }
        if !received.lists_link_local_first() && member.complain(Complaint::FirstAddress(source)) {
            // Whoever wrote the list heard it from the check of the file: no warning each time.
            tracing::info!(
                instance = &*member.name,
                %source,
                "({}) the first address that {source} advertises is not link-local (RFC 9568 §5.2.9)",
                member.name
            );
        }
        if !member.hears(source) && member.complain(Complaint::Stranger(source)) {
            tracing::warn!(
                instance = &*member.name,
                %source,
                "({}) {source} is none of our peers, but its adverts count: check_unicast_src would \
                 drop them",
                member.name
            );
        }
        compare_checksums(member, received);
        let version = received.advert.version;
        let interval = member.config.protocol.interval_in(version);
        let differs = received.advert.interval != interval;
        if differs && member.complain(Complaint::Interval(source)) {
            tracing::warn!(
                instance = &*member.name,
                %source,
                "({}) {source} advertises every {} s, we every {interval} s",
                member.name,
                received.advert.interval
            );
        }
    }

    /// Complains of a clock that is on its way out of the window of `auth_hmac`.
    fn compare_clocks(&mut self, id: InstanceId, source: IpAddr, proven: Proven) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let far = member.skew_limit().is_some_and(|limit| proven.skew > limit);
        if far && member.complain(Complaint::Skew(source)) {
            let seconds = proven.skew.as_secs();
            tracing::warn!(
                instance = &*member.name,
                %source,
                "({}) the clock of {source} is {seconds} s from ours, over half of time_window",
                member.name
            );
        }
    }
}

/// The interface of a socket, for the log.
fn place(key: &Key) -> Option<&str> {
    key.0.as_ref().map(InterfaceName::as_str)
}

/// Complains of a peer that covers something else with its checksums.
fn compare_checksums(member: &mut Member, received: &Received) {
    let (source, theirs) = (received.advert.source, received.checksum);
    let ours = member.checksum_form(received.advert.version, source);
    let old = theirs == ChecksumForm::GroupPseudoHeader;
    if (ours == theirs && !old) || !member.complain(Complaint::Checksum(source, theirs)) {
        return;
    }
    let instance = &*member.name;
    if ours == theirs {
        tracing::info!(
            instance,
            %source,
            "({instance}) {source} sends the checksum of keepalived before 1.3.6, and gets it too"
        );
        return;
    }
    tracing::warn!(
        instance,
        %source,
        "({instance}) {source} sends checksums {}, we {}; keepalived takes its own form only",
        theirs.describe(),
        ours.describe()
    );
}
