//! Ethernet frames around IP packets.

use std::net::IpAddr;

use pnet::packet::ethernet::{EtherTypes, MutableEthernetPacket};
use pnet::packet::ipv4::{self, MutableIpv4Packet};
use pnet::util::MacAddr;

use super::arp::Mac;

const HEADER_LEN: usize = 14;

/// A whole frame with an IP packet for a multicast group. An IPv4 header gets its checksum, which
/// is left to the kernel elsewhere.
///
/// RFC 1112 §6.4, RFC 2464 §7: the lower bits of the group.
#[must_use]
pub fn multicast(source: Mac, group: IpAddr, packet: &[u8]) -> Vec<u8> {
    let (destination, ether_type) = match group {
        IpAddr::V4(v4) => {
            let [_, a, b, c] = v4.octets();
            (
                MacAddr::new(0x01, 0x00, 0x5e, a & 0x7f, b, c),
                EtherTypes::Ipv4,
            )
        }
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            (MacAddr::new(0x33, 0x33, a, b, c, d), EtherTypes::Ipv6)
        }
    };
    let mut frame = vec![0; HEADER_LEN];
    if let Some(mut ethernet) = MutableEthernetPacket::new(&mut frame) {
        ethernet.set_destination(destination);
        ethernet.set_source(source.into());
        ethernet.set_ethertype(ether_type);
    }
    frame.extend_from_slice(packet);
    if group.is_ipv4()
        && let Some(mut header) = frame.get_mut(HEADER_LEN..).and_then(MutableIpv4Packet::new)
    {
        let checksum = ipv4::checksum(&header.to_immutable());
        header.set_checksum(checksum);
    }
    frame
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::wire::ip;

    const MAC: Mac = [0, 0, 0x5e, 0, 1, 51];

    #[test]
    fn a_group_has_an_address_of_its_own_on_the_link() {
        let packet = ip::emit_v4(Ipv4Addr::LOCALHOST, ip::GROUP_V4, 255, 1, b"message!");
        let frame = multicast(MAC, ip::GROUP_V4.into(), &packet);
        assert_eq!(frame.get(..6), Some(&[1, 0, 0x5e, 0, 0, 18][..]));
        assert_eq!(frame.get(6..12), Some(&MAC[..]));
        assert_eq!(frame.get(12..14), Some(&[8, 0][..]));
        let group = "ff02::12".parse().unwrap();
        let frame = multicast(MAC, group, &[0x60]);
        assert_eq!(frame.get(..6), Some(&[0x33, 0x33, 0, 0, 0, 0x12][..]));
        assert_eq!(frame.get(12..), Some(&[0x86, 0xdd, 0x60][..]));
    }

    #[test]
    fn an_ipv4_header_adds_up() {
        let packet = ip::emit_v4(Ipv4Addr::LOCALHOST, ip::GROUP_V4, 255, 1, b"message!");
        let frame = multicast(MAC, ip::GROUP_V4.into(), &packet);
        let words = frame.get(14..34).unwrap().chunks(2);
        let sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }
}
