//! Requests and their answers.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::message::{Message, messages};
use super::{Error, Listing, Refusal};

/// Requests in one send. The answer to each may wait in the receive buffer at once, and one takes
/// under 1 KiB of the 208 KiB that the kernel gives by default.
const BATCH: usize = 128;

/// Dumps that the kernel may interrupt before we give up.
const DUMP_ATTEMPTS: usize = 16;

/// Larger than any datagram that the kernel builds for a dump.
const DATAGRAM_LEN: usize = 64 * 1024;

/// A connection to the kernel's routing tables, in the namespace of the thread that opened it.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if the process may have no further socket.
    pub fn open() -> Result<Self, Error> {
        let socket = open_socket().map_err(Error::Open)?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: Vec::with_capacity(DATAGRAM_LEN),
        })
    }

    /// Sends one request and waits for its answer.
    pub(super) fn perform(
        &mut self,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Option<Refusal>, Error> {
        Ok(self.perform_all(vec![request], flags)?.pop().flatten())
    }

    /// Sends all `requests` in few datagrams and says what became of each, in order.
    pub(super) fn perform_all(
        &mut self,
        requests: Vec<RouteNetlinkMessage>,
        flags: u16,
    ) -> Result<Vec<Option<Refusal>>, Error> {
        let mut answers = vec![None; requests.len()];
        let mut requests = requests.into_iter();
        for answers in answers.chunks_mut(BATCH) {
            let batch = requests.by_ref().take(answers.len()).collect();
            self.perform_batch(batch, flags, answers)
                .map_err(Error::Transport)?;
        }
        Ok(answers)
    }

    /// The kernel works through a datagram in order and reports every failure unasked, so an
    /// acknowledgement of the last request settles them all.
    fn perform_batch(
        &mut self,
        batch: Vec<RouteNetlinkMessage>,
        flags: u16,
        answers: &mut [Option<Refusal>],
    ) -> io::Result<()> {
        let first = self.sequence.wrapping_add(1);
        let count = batch.len();
        let mut datagram = Vec::new();
        for (position, request) in batch.into_iter().enumerate() {
            let ack = if position + 1 == count { NLM_F_ACK } else { 0 };
            self.append(&mut datagram, request, NLM_F_REQUEST | flags | ack);
        }
        self.socket.send(&datagram, 0)?;
        let last = self.sequence;
        self.receive_until(|message| {
            let position = usize::try_from(message.sequence.wrapping_sub(first)).ok();
            if message.kind != NLMSG_ERROR {
                return false;
            }
            if let Some(answer) = position.and_then(|position| answers.get_mut(position)) {
                *answer = message.refusal();
            }
            message.sequence == last
        })
    }

    /// Lists a table; `read` makes entries of the messages that it understands.
    pub(super) fn dump<T>(
        &mut self,
        what: Listing,
        request: &RouteNetlinkMessage,
        mut read: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        for _ in 0..DUMP_ATTEMPTS {
            let mut entries = Vec::new();
            let dump = self
                .dump_once(request.clone(), |message| entries.extend(read(message)))
                .map_err(Error::Transport)?;
            match dump {
                Dump::Complete => return Ok(entries),
                Dump::Refused(refusal) => return Err(Error::List { what, refusal }),
                Dump::Interrupted => {}
            }
        }
        Err(Error::Unsettled { what })
    }

    fn dump_once(
        &mut self,
        request: RouteNetlinkMessage,
        mut each: impl FnMut(Message<'_>),
    ) -> io::Result<Dump> {
        let mut datagram = Vec::new();
        self.append(&mut datagram, request, NLM_F_REQUEST | NLM_F_DUMP);
        self.socket.send(&datagram, 0)?;
        let sequence = self.sequence;
        let mut dump = Dump::Complete;
        self.receive_until(|message| {
            if message.sequence != sequence {
                return false;
            }
            if message.dump_interrupted() {
                dump = Dump::Interrupted;
            }
            let ends = message.kind == NLMSG_DONE || message.kind == NLMSG_ERROR;
            match message.refusal().filter(|_| ends) {
                Some(refusal) if refusal.errno == libc::EINTR => dump = Dump::Interrupted,
                Some(refusal) => dump = Dump::Refused(refusal),
                None if ends => {}
                None => each(message),
            }
            ends
        })?;
        Ok(dump)
    }

    /// Asks for one object; `Ok(Err(_))` is the kernel's refusal.
    pub(super) fn get<T>(
        &mut self,
        request: RouteNetlinkMessage,
        mut read: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<Result<Option<T>, Refusal>, Error> {
        let mut datagram = Vec::new();
        self.append(&mut datagram, request, NLM_F_REQUEST | NLM_F_ACK);
        self.socket.send(&datagram, 0).map_err(Error::Transport)?;
        let sequence = self.sequence;
        let mut answer = Ok(None);
        self.receive_until(|message| {
            if message.sequence != sequence {
                return false;
            }
            if message.kind != NLMSG_ERROR {
                answer = Ok(read(message));
                return false;
            }
            if let Some(refusal) = message.refusal() {
                answer = Err(refusal);
            }
            true
        })
        .map_err(Error::Transport)?;
        Ok(answer)
    }

    fn append(&mut self, datagram: &mut Vec<u8>, request: RouteNetlinkMessage, flags: u16) {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
        message.finalize();
        let start = datagram.len();
        datagram.resize(start + message.buffer_len().next_multiple_of(4), 0);
        if let Some(room) = datagram.get_mut(start..) {
            message.serialize(room);
        }
    }

    /// Hands over what arrives until `last` says that a message was the last one.
    fn receive_until(&mut self, mut last: impl FnMut(Message<'_>) -> bool) -> io::Result<()> {
        let mut done = false;
        while !done {
            receive(&self.socket, &mut self.buffer, 0)?;
            // Every message is looked at, also those behind the last: no `any` here.
            messages(&self.buffer).for_each(|message| done |= last(message));
        }
        Ok(())
    }
}

/// How a dump went.
enum Dump {
    Complete,
    Interrupted,
    Refused(Refusal),
}

fn open_socket() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    // Older kernels lack these. Without the first two, refusals carry no reason; without the
    // third, dumps list every interface and the caller sorts them out.
    let _ = socket.set_cap_ack(true);
    let _ = socket.set_ext_ack(true);
    let _ = socket.set_netlink_get_strict_chk(true);
    Ok(socket)
}

/// Reads one datagram into `buffer`, whatever signals arrive.
pub(super) fn receive(socket: &Socket, buffer: &mut Vec<u8>, flags: i32) -> io::Result<()> {
    loop {
        buffer.clear();
        buffer.reserve(DATAGRAM_LEN);
        match socket.recv(buffer, flags) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(drop),
        }
    }
}
