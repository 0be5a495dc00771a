//! Adverts that are sent. RFC 9568 §7.2.

use std::net::IpAddr;

use super::{Authentication, ChecksumForm, TYPE_ADVERTISEMENT, checksum};
use crate::types::{Family, Interval, Priority, Version, Vrid};

/// An advert to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    /// Version spoken.
    pub version: Version,
    /// Virtual router.
    pub vrid: Vrid,
    /// Our priority, or [`Priority::RELEASE`].
    pub priority: Priority,
    /// Our interval.
    pub interval: Interval,
    /// Addresses of the source's family in configured order; the first 255 count.
    pub addresses: &'a [IpAddr],
    /// VRRPv2 authentication.
    pub authentication: &'a Authentication,
    /// Form of a VRRPv3 checksum over IPv4.
    pub checksum: ChecksumForm,
    /// Source of the IP packet.
    pub source: IpAddr,
    /// Destination of the IP packet, of the same family.
    pub destination: IpAddr,
}

/// The VRRP message of an advert, without the IP header.
#[must_use]
pub fn emit(advert: &Outgoing<'_>) -> Vec<u8> {
    let family = Family::of(&advert.source);
    let listed = || {
        let ours = |address: &&IpAddr| Family::of(address) == family;
        advert.addresses.iter().filter(ours).take(u8::MAX.into())
    };
    let count = u8::try_from(listed().count()).unwrap_or(u8::MAX);
    let (byte4, byte5) = match (advert.version, family) {
        (Version::V2, Family::V4) => (advert.authentication.kind(), advert.interval.whole_secs()),
        (Version::V2, Family::V6) => (0, advert.interval.whole_secs()),
        (Version::V3, Family::V4 | Family::V6) => {
            let [high, low] = advert.interval.centis().min(0x0fff).to_be_bytes();
            (high, low)
        }
    };
    let first = advert.version.number() << 4 | TYPE_ADVERTISEMENT;
    let mut message = vec![
        first,
        advert.vrid.get(),
        advert.priority.get(),
        count,
        byte4,
        byte5,
        0,
        0,
    ];
    for address in listed() {
        match address {
            IpAddr::V4(v4) => message.extend_from_slice(&v4.octets()),
            IpAddr::V6(v6) => message.extend_from_slice(&v6.octets()),
        }
    }
    let form = match (advert.version, family) {
        (Version::V2, Family::V4) => {
            message.extend_from_slice(&advert.authentication.data());
            ChecksumForm::Message
        }
        (Version::V3, Family::V4) => advert.checksum,
        (Version::V2 | Version::V3, Family::V6) => ChecksumForm::PseudoHeader,
    };
    let checksum = checksum(&message, form, advert.source, advert.destination);
    if let Some(field) = message.get_mut(6..8) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    message
}

/// Works out the checksum anew for a message that has got a trailer.
///
/// Over IPv4 the trailer does not count; over IPv6 the checksum is that of any transport.
pub fn seal(payload: &mut [u8], source: IpAddr, destination: IpAddr) {
    if Family::of(&source) == Family::V4 {
        return;
    }
    let checksum = checksum(payload, ChecksumForm::PseudoHeader, source, destination);
    if let Some(field) = payload.get_mut(6..8) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}
