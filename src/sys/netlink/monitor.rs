//! What the kernel says unasked.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;
use nix::sys::socket::{setsockopt, sockopt};

use super::message::{Message, find, messages, read_u32};
use super::request::receive;
use super::{Address, Error, Link};
use crate::types::InterfaceName;

/// Bytes of events that may wait: about 10,000 while the reader is busy.
const BUFFER_LEN: usize = 8 * 1024 * 1024;

const RTM_NEWNETCONF: u16 = 80;
const RTNLGRP_IPV6_NETCONF: u32 = 25;
const NETCONF_HEADER_LEN: usize = 4;
const NETCONFA_IFINDEX: u16 = 1;
const NETCONFA_FORWARDING: u16 = 2;

/// A change that the kernel reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelEvent {
    /// A link came, was renamed, or changed in any other way.
    LinkChanged(Link),
    /// A link was deleted or left this namespace.
    LinkGone {
        /// Its number.
        index: u32,
        /// Its last name.
        name: InterfaceName,
    },
    /// An address came, or its flags or life times changed.
    AddressAdded(Address),
    /// An address was removed.
    AddressRemoved(Address),
    /// A link began or ceased to forward IPv6 packets.
    ForwardingChanged {
        /// Its number.
        index: u32,
        /// It forwards.
        on: bool,
    },
    /// Events were lost: what is known of links and addresses must be listed anew.
    Overrun,
}

/// Listens to changes of links and addresses in the namespace of the thread that opened it.
///
/// Open it before listing, so that nothing falls between.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    buffer: Vec<u8>,
    events: VecDeque<KernelEvent>,
}

impl Monitor {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if the process may have no further socket.
    pub fn open() -> Result<Self, Error> {
        Self::with_buffer(BUFFER_LEN)
    }

    /// Starts to listen with a receive buffer of `bytes`, or as near as the process may have.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if the process may have no further socket.
    pub fn with_buffer(bytes: usize) -> Result<Self, Error> {
        let socket = open_socket(bytes).map_err(Error::Open)?;
        Ok(Self {
            socket,
            buffer: Vec::new(),
            events: VecDeque::new(),
        })
    }

    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// [`Error::Transport`] if the socket is broken.
    #[expect(clippy::should_implement_trait, reason = "it fails, and it never ends")]
    pub fn next(&mut self) -> Result<KernelEvent, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.fill(0).map_err(Error::Transport)?;
        }
    }

    /// The next event if one waits. Call until `None` whenever the descriptor is readable.
    ///
    /// # Errors
    ///
    /// [`Error::Transport`] if the socket is broken.
    pub fn try_next(&mut self) -> Result<Option<KernelEvent>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match self.fill(libc::MSG_DONTWAIT) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(Error::Transport(error)),
            }
        }
    }

    fn fill(&mut self, flags: i32) -> io::Result<()> {
        match receive(&self.socket, &mut self.buffer, flags) {
            Ok(()) => self.events.extend(messages(&self.buffer).filter_map(event)),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                self.events.push_back(KernelEvent::Overrun);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open_socket(buffer_len: usize) -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    if setsockopt(&socket, sockopt::RcvBufForce, &buffer_len).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &buffer_len)?;
    }
    for group in [
        libc::RTNLGRP_LINK,
        libc::RTNLGRP_IPV4_IFADDR,
        libc::RTNLGRP_IPV6_IFADDR,
        RTNLGRP_IPV6_NETCONF,
    ] {
        socket.add_membership(group)?;
    }
    Ok(socket)
}

fn event(message: Message<'_>) -> Option<KernelEvent> {
    match message.kind {
        libc::RTM_NEWLINK => Link::read(message).map(KernelEvent::LinkChanged),
        libc::RTM_DELLINK => Link::read(message)
            .map(|Link { index, name, .. }| KernelEvent::LinkGone { index, name }),
        libc::RTM_NEWADDR => Address::read(message).map(KernelEvent::AddressAdded),
        libc::RTM_DELADDR => Address::read(message).map(KernelEvent::AddressRemoved),
        RTM_NEWNETCONF => forwarding(message),
        _ => None,
    }
}

/// Settings for all links, or for links to come, have negative numbers and are nobody's.
fn forwarding(message: Message<'_>) -> Option<KernelEvent> {
    let attributes = message.payload.get(NETCONF_HEADER_LEN..)?;
    let value = |kind| find(attributes, kind).and_then(read_u32);
    let index = value(NETCONFA_IFINDEX)?;
    Some(KernelEvent::ForwardingChanged {
        index,
        on: value(NETCONFA_FORWARDING)? != 0,
    })
}
