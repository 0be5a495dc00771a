//! Raw sockets for adverts, and a packet socket for gratuitous ARP.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::ffi;
use crate::types::InterfaceName;
use crate::wire::ip;

/// Bytes of adverts that may wait while the engine is busy: some 1,500 of them.
const RECEIVE_BUFFER_LEN: usize = 1 << 20;
const ETHERTYPE_ARP: u16 = 0x0806;

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
    Group(Ipv4Addr),
    /// This host's own address.
    Address(Ipv4Addr),
}

/// A packet with the time at which the kernel got it.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// From the IP header on.
    pub bytes: &'a [u8],
    /// `CLOCK_REALTIME` when the kernel received it.
    pub received: Option<Duration>,
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
        let socket = open(interface, listen, protocol).map_err(|source| Error::Open {
            interface: interface.clone(),
            source,
        })?;
        if let Listen::Group(group) = listen {
            join(&socket, ifindex, &group).map_err(|source| Error::Join {
                interface: interface.clone(),
                group: group.into(),
                source,
            })?;
        }
        Ok(Self { socket })
    }

    /// Sends a packet that begins with its IP header.
    ///
    /// # Errors
    /// [`Error::Send`].
    pub fn send(&self, destination: Ipv4Addr, packet: &[u8]) -> Result<(), Error> {
        let address = SocketAddrV4::new(destination, 0).into();
        match self.socket.send_to(packet, &address) {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Send {
                destination: destination.into(),
                source,
            }),
        }
    }

    /// The next packet that waits, or `None`. Never blocks.
    ///
    /// # Errors
    /// [`Error::Receive`]; the socket is of no use then.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<Option<Datagram<'a>>, Error> {
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let (length, received) = {
            let mut slices = [IoSliceMut::new(buffer)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let fd = self.socket.as_raw_fd();
            match recvmsg::<SockaddrIn>(fd, &mut slices, Some(&mut control), flags) {
                Ok(message) => (message.bytes, timestamp(message.cmsgs().ok())),
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
                Err(errno) => return Err(Error::Receive(errno.into())),
            }
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        Ok(Some(Datagram { bytes, received }))
    }
}

impl AsFd for AdvertSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open(interface: &InterfaceName, listen: Listen, protocol: ip::Protocol) -> io::Result<Socket> {
    let protocol = Protocol::from(i32::from(protocol.number()));
    let socket = Socket::new(
        Domain::IPV4,
        Type::RAW.nonblocking().cloexec(),
        Some(protocol),
    )?;
    socket.bind_device(Some(interface.as_str().as_bytes()))?;
    socket.set_header_included_v4(true)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    // Only the members of this socket count, not those of other programs on the host.
    socket.set_multicast_all_v4(false)?;
    let bound = match listen {
        Listen::Group(group) => group,
        Listen::Address(address) => {
            socket.set_freebind_v4(true)?;
            address
        }
    };
    socket.bind(&SocketAddrV4::new(bound, 0).into())?;
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_LEN).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER_LEN)?;
    }
    Ok(socket)
}

fn join(socket: &Socket, ifindex: u32, group: &Ipv4Addr) -> io::Result<()> {
    socket.set_multicast_loop_v4(false)?;
    socket.join_multicast_v4_n(group, &InterfaceIndexOrAddress::Index(ifindex))
}

fn timestamp(messages: Option<nix::sys::socket::CmsgIterator<'_>>) -> Option<Duration> {
    messages?.find_map(|message| {
        if let ControlMessageOwned::ScmTimestampns(time) = message {
            Some(Duration::from(time))
        } else {
            None
        }
    })
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

    /// Sends an ARP frame to everybody on the link of `ifindex`.
    ///
    /// # Errors
    /// [`Error::Announce`].
    pub fn send_arp(&self, ifindex: u32, frame: &[u8]) -> Result<(), Error> {
        let address = ffi::link_broadcast(ifindex, ETHERTYPE_ARP);
        match self.socket.send_to(frame, &address) {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Announce { ifindex, source }),
        }
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
