//! A socket that hears every frame on every interface of a namespace.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType,
    recvmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

/// Larger than any frame: virtual interfaces pass segments that were never cut.
const FRAME_LEN: usize = 64 * 1024;

/// Bytes of frames that may wait.
const BUFFER_LEN: usize = 16 * 1024 * 1024;

/// A frame with what the kernel noted about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Interface that it passed.
    pub ifindex: u32,
    /// It left by that interface; otherwise it arrived there.
    pub outgoing: bool,
    /// When it passed: time since 1970, stamped by the kernel.
    pub at: Duration,
    /// The whole Ethernet frame.
    pub bytes: Vec<u8>,
}

/// Hears every frame in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Tap {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// The kernel's: it takes `CAP_NET_RAW`.
    pub fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::EthAll,
        )?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER_LEN).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &BUFFER_LEN)?;
        }
        Ok(Self {
            socket,
            buffer: vec![0; FRAME_LEN],
        })
    }

    /// The next frame that waits; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn receive(&mut self) -> io::Result<Option<Frame>> {
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut slices = [IoSliceMut::new(&mut self.buffer)];
        let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::empty());
        let message = match recvmsg::<LinkAddr>(fd, &mut slices, Some(&mut control), flags) {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let at = message.cmsgs()?.find_map(|message| {
            let ControlMessageOwned::ScmTimestampns(time) = message else {
                return None;
            };
            Some(Duration::from(time))
        });
        let (address, length) = (message.address, message.bytes);
        let bytes = self.buffer.get(..length).unwrap_or_default().to_vec();
        Ok(address.map(|address| Frame {
            ifindex: u32::try_from(address.ifindex()).unwrap_or(0),
            outgoing: address.pkttype() == libc::PACKET_OUTGOING,
            at: at.unwrap_or_default(),
            bytes,
        }))
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
