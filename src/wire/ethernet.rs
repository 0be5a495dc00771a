//! Ethernet frames.

use std::net::Ipv4Addr;

use pnet::packet::ethernet::{EtherTypes, MutableEthernetPacket};
use pnet::util::MacAddr;

use super::arp::Mac;

const HEADER_LEN: usize = 14;

/// A whole frame with an IPv4 packet for a multicast group.
///
/// RFC 1112 §6.4: the lower 23 bits of the group.
#[must_use]
pub fn multicast_v4(source: Mac, group: Ipv4Addr, packet: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = group.octets();
    let mut frame = vec![0; HEADER_LEN];
    if let Some(mut ethernet) = MutableEthernetPacket::new(&mut frame) {
        ethernet.set_destination(MacAddr::new(0x01, 0x00, 0x5e, a & 0x7f, b, c));
        ethernet.set_source(source.into());
        ethernet.set_ethertype(EtherTypes::Ipv4);
    }
    frame.extend_from_slice(packet);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_an_address_of_its_own_on_the_link() {
        let frame = multicast_v4([2, 0, 0, 0, 0, 1], Ipv4Addr::new(224, 0, 0, 18), &[0x45]);
        assert_eq!(frame.get(..6), Some(&[1, 0, 0x5e, 0, 0, 18][..]));
        assert_eq!(frame.get(12..), Some(&[8, 0, 0x45][..]));
    }
}
