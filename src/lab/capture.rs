//! What passes through the switch, with the kernel's time stamps.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Error, Namespace, now};
use crate::sys::netlink::Netlink;
use crate::sys::socket::wait_readable;
use crate::sys::tap::Tap;
use crate::wire::auth::ah;
use crate::wire::ip;
use crate::wire::ndisc::{NeighbourAdvert, RouterAdvert};

const AUTHENTICATION_HEADER: u8 = ip::Protocol::AuthenticationHeader.number();

/// How often the capturing thread looks whether it is still wanted.
const HEARTBEAT: Duration = Duration::from_millis(50);

/// A frame on its way into the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// When it arrived: nanoseconds since 1970, stamped by the kernel.
    pub at_nanos: u64,
    /// Name of the host that sent it.
    pub port: Arc<str>,
    /// The whole Ethernet frame.
    pub bytes: Vec<u8>,
}

/// An ARP packet for IPv4 on Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenArp {
    /// 1 asks, 2 answers.
    pub operation: u16,
    /// Who sends it.
    pub sender_mac: [u8; 6],
    /// The sender's address.
    pub sender: Ipv4Addr,
    /// The address that is asked for or answered to.
    pub target: Ipv4Addr,
}

/// A VRRP advertisement, read leniently: no checksum is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenAdvert {
    /// Sender.
    pub source: IpAddr,
    /// Receiver or group.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// Version of the protocol, 2 or 3.
    pub version: u8,
    /// Virtual router.
    pub vrid: u8,
    /// Priority; 0 when the sender steps down.
    pub priority: u8,
    /// Advertisement interval in centiseconds.
    pub interval_centis: u16,
    /// The whole VRRP message.
    pub message: Vec<u8>,
}

/// A neighbour advertisement: no checksum is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenNeighbour {
    /// Sender.
    pub source: IpAddr,
    /// Receiver or group.
    pub destination: IpAddr,
    /// Hop limit.
    pub hop_limit: u8,
    /// What it says.
    pub advert: NeighbourAdvert,
}

/// A router advertisement: no checksum is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRouter {
    /// Sender.
    pub source: IpAddr,
    /// Receiver or group.
    pub destination: IpAddr,
    /// Hop limit.
    pub hop_limit: u8,
    /// What it says.
    pub advert: RouterAdvert,
}

impl Captured {
    /// Ethernet address of the sender.
    #[must_use]
    pub fn sender_mac(&self) -> Option<[u8; 6]> {
        read(&self.bytes, 6)
    }

    /// The router advertisement in it.
    #[must_use]
    pub fn router(&self) -> Option<SeenRouter> {
        let packet = self.ipv6().filter(|packet| packet.protocol == 58)?;
        Some(SeenRouter {
            source: packet.source,
            destination: packet.destination,
            hop_limit: packet.hop_limit,
            advert: RouterAdvert::parse(packet.payload)?,
        })
    }

    /// It is ARP or VRRP, or a neighbour advertisement: what the protocol itself sends.
    #[must_use]
    pub fn is_protocol(&self) -> bool {
        self.arp().is_some() || self.advert().is_some() || self.announced().is_some()
    }

    /// The ARP packet in it.
    #[must_use]
    pub fn arp(&self) -> Option<SeenArp> {
        let arp = self.payload_of(libc::ETH_P_ARP)?;
        if arp.get(..6)? != [0, 1, 8, 0, 6, 4] {
            return None;
        }
        Some(SeenArp {
            operation: read_u16(arp, 6)?,
            sender_mac: read(arp, 8)?,
            sender: read::<4>(arp, 14)?.into(),
            target: read::<4>(arp, 24)?.into(),
        })
    }

    /// The neighbour advertisement in it.
    #[must_use]
    pub fn neighbour(&self) -> Option<SeenNeighbour> {
        let packet = self.ipv6().filter(|packet| packet.protocol == 58)?;
        Some(SeenNeighbour {
            source: packet.source,
            destination: packet.destination,
            hop_limit: packet.hop_limit,
            advert: NeighbourAdvert::parse(packet.payload)?,
        })
    }

    /// The address that its sender claims for itself, by gratuitous ARP or an unsolicited
    /// neighbour advertisement.
    #[must_use]
    pub fn announced(&self) -> Option<IpAddr> {
        let arp = self.arp().filter(|arp| arp.sender == arp.target);
        arp.map(|arp| arp.sender.into())
            .or_else(|| self.unsolicited_neighbour())
    }

    /// The VRRP advertisement in it.
    #[must_use]
    pub fn advert(&self) -> Option<SeenAdvert> {
        let packet = self.ipv4().or_else(|| self.ipv6())?;
        let message = match packet.protocol {
            ip::PROTOCOL => packet.payload,
            AUTHENTICATION_HEADER => packet.payload.get(ah::HEADER_LEN..)?,
            _ => return None,
        };
        if message.len() < 8 {
            return None;
        }
        let version = message.first()? >> 4;
        let interval_centis = match version {
            2 => u16::from(*message.get(5)?) * 100,
            _ => read_u16(message, 4)? & 0x0fff,
        };
        Some(SeenAdvert {
            source: packet.source,
            destination: packet.destination,
            hop_limit: packet.hop_limit,
            version,
            vrid: *message.get(1)?,
            priority: *message.get(2)?,
            interval_centis,
            message: message.to_vec(),
        })
    }

    fn unsolicited_neighbour(&self) -> Option<IpAddr> {
        let advert = self.neighbour()?.advert;
        (!advert.solicited).then(|| advert.target.into())
    }

    fn ipv4(&self) -> Option<IpPacket<'_>> {
        let bytes = self.payload_of(libc::ETH_P_IP)?;
        let header_len = usize::from(bytes.first()? & 0x0f) * 4;
        Some(IpPacket {
            source: Ipv4Addr::from(read::<4>(bytes, 12)?).into(),
            destination: Ipv4Addr::from(read::<4>(bytes, 16)?).into(),
            hop_limit: *bytes.get(8)?,
            protocol: *bytes.get(9)?,
            payload: bytes.get(header_len..usize::from(read_u16(bytes, 2)?))?,
        })
    }

    fn ipv6(&self) -> Option<IpPacket<'_>> {
        let bytes = self.payload_of(libc::ETH_P_IPV6)?;
        let payload_len = usize::from(read_u16(bytes, 4)?);
        Some(IpPacket {
            source: Ipv6Addr::from(read::<16>(bytes, 8)?).into(),
            destination: Ipv6Addr::from(read::<16>(bytes, 24)?).into(),
            hop_limit: *bytes.get(7)?,
            protocol: *bytes.get(6)?,
            payload: bytes.get(40..40 + payload_len)?,
        })
    }

    fn payload_of(&self, ether_type: i32) -> Option<&[u8]> {
        let found = read_u16(&self.bytes, 12)?;
        self.bytes
            .get(14..)
            .filter(|_| i32::from(found) == ether_type)
    }
}

struct IpPacket<'a> {
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    protocol: u8,
    payload: &'a [u8],
}

fn read<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    read(bytes, at).map(u16::from_be_bytes)
}

/// A running capture. Frames wait until they are asked for.
#[derive(Debug)]
pub struct Capture {
    frames: Receiver<Captured>,
    wanted: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    pub(super) fn start(
        switch: &Namespace,
        keep: impl Fn(&Captured) -> bool + Send + 'static,
    ) -> Result<Self, Error> {
        let tap = switch.enter(Tap::open)?.map_err(|source| Error::Socket {
            purpose: "capture",
            source,
        })?;
        let mut ports = Ports {
            tap,
            netlink: switch.netlink()?,
            names: BTreeMap::new(),
        };
        let (sender, frames) = mpsc::channel();
        let wanted = Arc::new(AtomicBool::new(true));
        let running = Arc::clone(&wanted);
        let thread = thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || {
                while running.load(Ordering::Relaxed) {
                    if let Some(frame) = ports.next().filter(&keep) {
                        let _ = sender.send(frame); // nobody listens: about to end
                    }
                }
            });
        let thread = Some(thread.map_err(Error::Thread)?);
        Ok(Self {
            frames,
            wanted,
            thread,
        })
    }

    /// The next frame; `None` if none comes within `timeout`.
    #[must_use]
    pub fn next(&self, timeout: Duration) -> Option<Captured> {
        self.frames.recv_timeout(timeout).ok()
    }

    /// The next frame that `matches`, without those before it; `None` after `timeout`.
    pub fn find(
        &self,
        timeout: Duration,
        mut matches: impl FnMut(&Captured) -> bool,
    ) -> Option<Captured> {
        let end = now() + timeout;
        loop {
            let frame = self.next(end.saturating_since(now()))?;
            if matches(&frame) {
                return Some(frame);
            }
        }
    }

    /// All frames that wait.
    #[must_use]
    pub fn drain(&self) -> Vec<Captured> {
        self.frames.try_iter().collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The ports of the switch.
struct Ports {
    tap: Tap,
    netlink: Netlink,
    names: BTreeMap<u32, Arc<str>>,
}

impl Ports {
    /// The next frame into a port, if one comes soon. Every frame also leaves by other ports and
    /// passes the bridge itself; those copies do not count.
    fn next(&mut self) -> Option<Captured> {
        let mut frame = self.tap.receive().ok()?;
        if frame.is_none() {
            wait_readable(&[self.tap.as_fd()], Some(HEARTBEAT), &mut Vec::new()).ok()?;
            frame = self.tap.receive().ok()?;
        }
        let frame = frame.filter(|frame| !frame.outgoing)?;
        let at_nanos = u64::try_from(frame.at.as_nanos()).ok()?;
        Some(Captured {
            at_nanos,
            port: self.name(frame.ifindex)?,
            bytes: frame.bytes,
        })
    }

    fn name(&mut self, ifindex: u32) -> Option<Arc<str>> {
        if let Some(name) = self.names.get(&ifindex) {
            return Some(Arc::clone(name));
        }
        let link = self.netlink.link_by_index(ifindex).ok()??;
        let name = Arc::from(link.master.map(|_| link.name.as_str())?);
        self.names.insert(ifindex, Arc::clone(&name));
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(bytes: Vec<u8>) -> Captured {
        Captured {
            at_nanos: 0,
            port: "node1".into(),
            bytes,
        }
    }

    #[test]
    fn a_gratuitous_arp_announces_its_address() {
        let address = Ipv4Addr::new(192, 168, 1, 100);
        let frame = captured(crate::wire::arp::gratuitous([2, 0, 0, 0, 0, 1], address));
        assert_eq!(frame.announced(), Some(address.into()));
        assert!(frame.is_protocol());
        assert_eq!(frame.advert(), None);
    }

    #[test]
    fn an_unsolicited_neighbour_advert_announces_its_address() {
        let address: Ipv6Addr = "fd00::100".parse().unwrap();
        let mac = [2, 0, 0, 0, 0, 1];
        let frame = captured(crate::wire::ndisc::unsolicited(mac, address, true));
        assert_eq!(frame.announced(), Some(address.into()));
        let seen = frame.neighbour().unwrap();
        assert_eq!((seen.hop_limit, seen.source), (255, address.into()));
        assert_eq!(seen.advert.link_address, Some(mac));
    }

    #[test]
    fn an_advert_is_read_through_its_headers() {
        let message = [0x31, 51, 150, 1, 0, 10, 0, 0, 192, 168, 1, 100];
        let source = Ipv4Addr::new(192, 168, 1, 10);
        let mut frame = vec![0; 12];
        frame.extend([8, 0]);
        frame.extend(crate::wire::ip::emit_v4(
            source,
            [224, 0, 0, 18].into(),
            255,
            1,
            &message,
        ));
        let advert = captured(frame).advert().unwrap();
        assert_eq!((advert.version, advert.vrid, advert.priority), (3, 51, 150));
        assert_eq!(advert.interval_centis, 10);
        assert_eq!(advert.source, IpAddr::from(source));
    }

    #[test]
    fn a_frame_cut_short_is_nothing() {
        let address = Ipv4Addr::new(192, 168, 1, 100);
        let whole = crate::wire::arp::gratuitous([2, 0, 0, 0, 0, 1], address);
        for length in 0..whole.len() {
            assert!(
                !captured(whole[..length].to_vec()).is_protocol(),
                "{length}"
            );
        }
    }
}
