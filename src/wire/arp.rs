//! Gratuitous ARP: an Active Router tells the link where an address is now.

use std::net::Ipv4Addr;

use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, MutableArpPacket};
use pnet::packet::ethernet::{EtherTypes, MutableEthernetPacket};
use pnet::util::MacAddr;

/// A hardware address.
pub type Mac = [u8; 6];

const ETHERNET_LEN: usize = 14;
const ARP_LEN: usize = 28;

/// A whole Ethernet frame: an ARP request to everybody with `address` as sender and target.
///
/// RFC 9568 §6.4.1 (320); the target hardware address is left open as keepalived leaves it.
#[must_use]
pub fn gratuitous(mac: Mac, address: Ipv4Addr) -> Vec<u8> {
    let mac = MacAddr::from(mac);
    let mut frame = vec![0; ETHERNET_LEN + ARP_LEN];
    if let Some(mut ethernet) = MutableEthernetPacket::new(&mut frame) {
        ethernet.set_destination(MacAddr::broadcast());
        ethernet.set_source(mac);
        ethernet.set_ethertype(EtherTypes::Arp);
    }
    if let Some(mut arp) = frame
        .get_mut(ETHERNET_LEN..)
        .and_then(MutableArpPacket::new)
    {
        arp.set_hardware_type(ArpHardwareTypes::Ethernet);
        arp.set_protocol_type(EtherTypes::Ipv4);
        arp.set_hw_addr_len(6);
        arp.set_proto_addr_len(4);
        arp.set_operation(ArpOperations::Request);
        arp.set_sender_hw_addr(mac);
        arp.set_sender_proto_addr(address);
        arp.set_target_hw_addr(MacAddr::broadcast());
        arp.set_target_proto_addr(address);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gratuitous_arp_names_the_address_twice() {
        let frame = gratuitous([2, 0, 0, 0, 0, 1], Ipv4Addr::new(192, 168, 1, 100));
        assert_eq!(frame.len(), 42);
        assert_eq!(frame.get(..6), Some(&[0xff; 6][..]));
        assert_eq!(frame.get(20..22), Some(&[0, 1][..]), "a request");
        assert_eq!(frame.get(28..32), Some(&[192, 168, 1, 100][..]));
        assert_eq!(frame.get(38..42), Some(&[192, 168, 1, 100][..]));
    }
}
