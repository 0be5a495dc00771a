//! Raw sockets for adverts, and a packet socket for gratuitous ARP and neighbour adverts.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, LinkAddr, MsgFlags, RecvMsg, SockaddrIn6, SockaddrStorage,
    recvfrom, recvmsg, sendmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::ffi;
use crate::types::InterfaceName;
use crate::wire::ip::{self, Packet};
use crate::wire::vrrp::Rejected;

/// Bytes of adverts that may wait while the engine is busy: some 1,500 of them.
const RECEIVE_BUFFER_LEN: usize = 1 << 20;

/// Where an IPv6 header has the source.
const SOURCE_V6: std::ops::Range<usize> = 8..24;

/// A socket that could not be had or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Raw sockets need `CAP_NET_RAW`, and the interface must exist.
    #[error("cannot open a VRRP socket on {interface}")]
    Open {
        /// Interface that it was for.
        interface: InterfaceName,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Raw sockets need `CAP_NET_RAW`.
    #[error("cannot open a VRRP socket for {address}")]
    OpenAnywhere {
        /// Own address that it was for.
        address: IpAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The multicast group could not be joined.
    #[error("cannot join {group} on {interface}")]
    Join {
        /// Interface that it was for.
        interface: InterfaceName,
        /// The group.
        group: IpAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A packet could not be sent.
    #[error("cannot send to {destination}")]
    Send {
        /// Where to.
        destination: IpAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Nothing can be received any more.
    #[error("cannot receive")]
    Receive(#[source] io::Error),
    /// Packet sockets need `CAP_NET_RAW`.
    #[error("cannot open a packet socket")]
    OpenPacket(#[source] io::Error),
    /// An announcement could not be sent.
    #[error("cannot send an announcement on interface {ifindex}")]
    Announce {
        /// Interface that it was for.
        ifindex: u32,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// What a socket listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listen {
    /// A multicast group.
    Group(IpAddr),
    /// This host's own address.
    Address(IpAddr),
}

/// A packet with the time at which the kernel got it.
#[derive(Debug)]
pub struct Datagram<'a> {
    bytes: &'a [u8],
    /// What the kernel says of an IPv6 header, which it keeps to itself.
    header_v6: Option<HeaderV6>,
    /// `CLOCK_REALTIME` when the kernel received it.
    pub received: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct HeaderV6 {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
}

impl<'a> Datagram<'a> {
    /// Bytes as they were delivered: with the header over IPv4, without it over IPv6.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The packet.
    ///
    /// # Errors
    /// Those of [`ip::parse_v4`].
    pub fn packet(&self) -> Result<Packet<'a>, Rejected> {
        let Some(header) = self.header_v6 else {
            return ip::parse_v4(self.bytes);
        };
        Ok(Packet {
            source: header.source.into(),
            destination: header.destination.into(),
            hop_limit: header.hop_limit,
            payload: self.bytes,
        })
    }
}

/// Sends and receives adverts on one interface.
#[derive(Debug)]
pub struct AdvertSocket {
    socket: Socket,
}

impl AdvertSocket {
    /// Opens a raw socket for `protocol` that is bound to `interface` and hears only what `listen`
    /// says.
    ///
    /// # Errors
    /// [`Error::Open`] or [`Error::Join`].
    pub fn open(
        interface: &InterfaceName,
        ifindex: u32,
        listen: Listen,
        protocol: ip::Protocol,
    ) -> Result<Self, Error> {
        let device = Some((interface, ifindex));
        let socket = open(device, listen, protocol).map_err(|source| Error::Open {
            interface: interface.clone(),
            source,
        })?;
        if let Listen::Group(group) = listen {
            join(&socket, ifindex, group).map_err(|source| Error::Join {
                interface: interface.clone(),
                group,
                source,
            })?;
        }
        Ok(Self { socket })
    }

    /// Opens a raw socket for `protocol` that hears what comes to the own `address` on any
    /// interface, and sends where the routes lead.
    ///
    /// # Errors
    /// [`Error::OpenAnywhere`].
    pub fn open_anywhere(address: IpAddr, protocol: ip::Protocol) -> Result<Self, Error> {
        match open(None, Listen::Address(address), protocol) {
            Ok(socket) => Ok(Self { socket }),
            Err(source) => Err(Error::OpenAnywhere { address, source }),
        }
    }

    /// Also joins `group` on the interface below a device, numbered `ifindex`.
    ///
    /// Nothing more is heard on it. It makes the kernel report the membership from that interface,
    /// which has an address to do so: switches that look at reports heed no others.
    ///
    /// # Errors
    /// [`Error::Join`].
    pub fn join_below(
        &self,
        interface: &InterfaceName,
        ifindex: u32,
        group: IpAddr,
    ) -> Result<(), Error> {
        join(&self.socket, ifindex, group).map_err(|source| Error::Join {
            interface: interface.clone(),
            group,
            source,
        })
    }

    /// Sends a packet that begins with its IP header, of the family that the socket listens to.
    ///
    /// # Errors
    /// [`Error::Send`].
    pub fn send(&self, destination: IpAddr, packet: &[u8]) -> Result<(), Error> {
        let sent = match (destination, packet.get(SOURCE_V6)) {
            (IpAddr::V6(group), Some(source)) => self.send_v6(group, source, packet),
            (address, _) => {
                let address = SocketAddr::new(address, 0).into();
                self.socket.send_to(packet, &address).map(drop)
            }
        };
        sent.map_err(|source| Error::Send {
            destination,
            source,
        })
    }

    /// A device with a virtual MAC address may have no address of its own to send from: the kernel
    /// is told which one, as it stands in the packet, and does not look for another.
    fn send_v6(&self, destination: Ipv6Addr, source: &[u8], packet: &[u8]) -> io::Result<()> {
        let mut address = libc::in6_addr { s6_addr: [0; 16] };
        address.s6_addr.copy_from_slice(source);
        let info = libc::in6_pktinfo {
            ipi6_addr: address,
            ipi6_ifindex: 0,
        };
        let to = SockaddrIn6::from(SocketAddrV6::new(destination, 0, 0, 0));
        let notes = [ControlMessage::Ipv6PacketInfo(&info)];
        let slices = [IoSlice::new(packet)];
        let fd = self.socket.as_raw_fd();
        sendmsg(fd, &slices, &notes, MsgFlags::empty(), Some(&to))?;
        Ok(())
    }

    /// The next packet that waits, or `None`. Never blocks.
    ///
    /// # Errors
    /// [`Error::Receive`]; the socket is of no use then.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<Option<Datagram<'a>>, Error> {
        let mut control = nix::cmsg_space!(TimeSpec, libc::in6_pktinfo, libc::c_int);
        let (length, (header_v6, received)) = {
            let mut slices = [IoSliceMut::new(buffer)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let fd = self.socket.as_raw_fd();
            match recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut control), flags) {
                Ok(message) => (message.bytes, notes(&message)),
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
                Err(errno) => return Err(Error::Receive(errno.into())),
            }
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        Ok(Some(Datagram {
            bytes,
            header_v6,
            received,
        }))
    }
}

impl AsFd for AdvertSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open(
    device: Option<(&InterfaceName, u32)>,
    listen: Listen,
    protocol: ip::Protocol,
) -> io::Result<Socket> {
    let protocol = Protocol::from(i32::from(protocol.number()));
    let (Listen::Group(address) | Listen::Address(address)) = listen;
    let domain = match address {
        IpAddr::V4(_) => Domain::IPV4,
        IpAddr::V6(_) => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::RAW.nonblocking().cloexec(), Some(protocol))?;
    if let Some((interface, _)) = device {
        socket.bind_device(Some(interface.as_str().as_bytes()))?;
    }
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    match address {
        IpAddr::V4(_) => {
            socket.set_header_included_v4(true)?;
            // Only the members of this socket count, not those of other programs on the host.
            socket.set_multicast_all_v4(false)?;
        }
        IpAddr::V6(_) => prepare_v6(&socket)?,
    }
    match listen {
        Listen::Address(IpAddr::V4(_)) => socket.set_freebind_v4(true)?,
        // Also to send from an address that is not on this device.
        Listen::Address(IpAddr::V6(_)) | Listen::Group(IpAddr::V6(_)) => {
            socket.set_freebind_v6(true)?;
        }
        Listen::Group(IpAddr::V4(_)) => {}
    }
    let bound: SocketAddr = match address {
        IpAddr::V4(_) => SocketAddr::new(address, 0),
        IpAddr::V6(v6) => {
            let ifindex = device.map_or(0, |(_, index)| index);
            SocketAddrV6::new(v6, 0, 0, scope_id(v6, ifindex)).into()
        }
    };
    socket.bind(&bound.into())?;
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_LEN).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER_LEN)?;
    }
    Ok(socket)
}

/// With an own header every packet has its own source and hop limit, however many instances share
/// the socket. Checksums are ours too: the kernel would drop a wrong one without a word.
fn prepare_v6(socket: &Socket) -> io::Result<()> {
    socket.set_header_included_v6(true)?;
    socket.set_multicast_all_v6(false)?;
    socket.set_recv_hoplimit_v6(true)?;
    setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    Ok(())
}

/// A link-local address means something on its link alone.
const fn scope_id(address: Ipv6Addr, ifindex: u32) -> u32 {
    let link_local = address.is_unicast_link_local() || address.is_multicast();
    if link_local { ifindex } else { 0 }
}

fn join(socket: &Socket, ifindex: u32, group: IpAddr) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => {
            socket.set_multicast_loop_v4(false)?;
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(ifindex))
        }
        IpAddr::V6(group) => {
            socket.set_multicast_loop_v6(false)?;
            socket.join_multicast_v6(&group, ifindex)
        }
    }
}

/// What the kernel notes beside a packet.
fn notes(message: &RecvMsg<'_, '_, SockaddrStorage>) -> (Option<HeaderV6>, Option<Duration>) {
    let Ok(notes) = message.cmsgs() else {
        return (None, None);
    };
    let (mut destination, mut hop_limit, mut received) = (None, None, None);
    for note in notes {
        if let ControlMessageOwned::ScmTimestampns(time) = note {
            received = Some(Duration::from(time));
        } else if let ControlMessageOwned::Ipv6PacketInfo(info) = note {
            destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr));
        } else if let ControlMessageOwned::Ipv6HopLimit(limit) = note {
            hop_limit = u8::try_from(limit).ok();
        }
    }
    let sender = message.address.as_ref();
    let header = || {
        Some(HeaderV6 {
            source: sender?.as_sockaddr_in6()?.ip(),
            destination: destination?,
            hop_limit: hop_limit?,
        })
    };
    (header(), received)
}

/// Sends whole Ethernet frames; receives nothing.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
}

impl PacketSocket {
    /// Opens one for every interface of this namespace.
    ///
    /// # Errors
    /// [`Error::OpenPacket`].
    pub fn open() -> Result<Self, Error> {
        // Protocol 0: no frame is ever queued here.
        Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)
            .map(|socket| Self { socket })
            .map_err(Error::OpenPacket)
    }

    /// Sends an Ethernet frame on the link of `ifindex`.
    ///
    /// # Errors
    /// [`Error::Announce`].
    pub fn send(&self, ifindex: u32, frame: &[u8]) -> Result<(), Error> {
        let ethertype = frame.get(12..14).and_then(|bytes| bytes.try_into().ok());
        let ethertype = u16::from_be_bytes(ethertype.unwrap_or_default());
        let address = ffi::link_broadcast(ifindex, ethertype);
        match self.socket.send_to(frame, &address) {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Announce { ifindex, source }),
        }
    }
}

/// Ethernet types of what hosts send each other. Not those of the protocols by which switches
/// find each other: a port speaks them long before it forwards.
const OF_HOSTS: [i32; 3] = [libc::ETH_P_IP, libc::ETH_P_IPV6, libc::ETH_P_ARP];
/// Frames that may wait in an [`Ear`]: one says enough.
const EAR_BUFFER_LEN: usize = 4096;

/// Hears whether other hosts can be heard on an interface, whoever they speak to.
#[derive(Debug)]
pub struct Ear {
    sockets: Vec<Socket>,
    ifindex: u32,
}

impl Ear {
    /// Listens on the interface numbered `ifindex`.
    ///
    /// # Errors
    /// [`Error::OpenPacket`].
    pub fn open(ifindex: u32) -> Result<Self, Error> {
        let open = |ethertype: i32| {
            // Protocol 0: nothing of other interfaces comes before it is bound.
            let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking().cloexec(), None)?;
            socket.set_recv_buffer_size(EAR_BUFFER_LEN)?;
            let ethertype = u16::try_from(ethertype).unwrap_or_default();
            socket.bind(&ffi::link_broadcast(ifindex, ethertype))?;
            Ok(socket)
        };
        let sockets = OF_HOSTS.into_iter().map(open).collect::<io::Result<_>>();
        match sockets {
            Ok(sockets) => Ok(Self { sockets, ifindex }),
            Err(source) => Err(Error::OpenPacket(source)),
        }
    }

    /// Number of the interface.
    #[must_use]
    pub const fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Whether a frame of another host has come since this was asked last.
    #[must_use]
    pub fn heard(&self) -> bool {
        let mut heard = false;
        for socket in &self.sockets {
            // One that fails hears no more: its interface has gone.
            while let Ok((_, from)) = recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut [0; 1]) {
                // Our own multicast comes back to the host that sends it.
                heard |= from.is_some_and(|from| from.pkttype() != libc::PACKET_LOOPBACK);
            }
        }
        heard
    }
}

/// Wakes a thread that polls it.
#[derive(Debug)]
pub struct Waker(EventFd);

impl Waker {
    /// Makes one.
    ///
    /// # Errors
    /// The system's, when descriptors or memory have run out.
    pub fn new() -> io::Result<Self> {
        Ok(Self(EventFd::from_flags(
            EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK,
        )?))
    }

    /// Makes the descriptor readable. Waking twice is waking once.
    pub fn wake(&self) {
        // It only fails when the counter is full, and then it is readable anyway.
        let _ = self.0.write(1);
    }

    /// Makes the descriptor unreadable until the next wake.
    pub fn reset(&self) {
        let _ = self.0.read();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of `fds` is readable or `timeout` has passed; `None` waits for ever.
///
/// Returns which are readable. A signal ends the wait early with none.
///
/// # Errors
/// The system's, when a descriptor is not valid.
pub fn wait_readable(
    fds: &[BorrowedFd<'_>],
    timeout: Option<Duration>,
    ready: &mut Vec<bool>,
) -> io::Result<()> {
    use nix::poll::{PollFd, PollFlags, ppoll};
    use nix::sys::time::TimeSpec;
    ready.clear();
    let mut polled: Vec<PollFd<'_>> = fds
        .iter()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    match ppoll(&mut polled, timeout.map(TimeSpec::from), None) {
        Ok(_) => {}
        Err(Errno::EINTR) => {
            ready.resize(fds.len(), false);
            return Ok(());
        }
        Err(errno) => return Err(errno.into()),
    }
    ready.extend(polled.iter().map(|fd| fd.any().unwrap_or(true)));
    Ok(())
}
