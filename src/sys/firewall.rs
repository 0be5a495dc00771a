//! Packet filter rules: whole tables by the `nft` program, elements of their sets over netlink,
//! which takes microseconds.

use std::ffi::CString;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

use super::netlink::Refusal;

/// Where the program may be.
const PROGRAMS: [&str; 4] = [
    "/usr/sbin/nft",
    "/sbin/nft",
    "/usr/bin/nft",
    "/usr/local/sbin/nft",
];

const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFT_MSG_NEWSETELEM: u16 = 12;
const NFT_MSG_DELSETELEM: u16 = 14;
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFTA_SET_ELEM_LIST_TABLE: u16 = 1;
const NFTA_SET_ELEM_LIST_SET: u16 = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_SET_ELEM_KEY: u16 = 1;
const NFTA_DATA_VALUE: u16 = 1;
const NESTED: u16 = 1 << 15;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const ANSWER_LEN: usize = 8192;

/// Rules that could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program is not installed.
    #[error("the program nft is not installed")]
    NoProgram,
    /// The program could not be run.
    #[error("cannot run nft")]
    Run(#[source] io::Error),
    /// The program or the kernel refused the rules; nothing has changed.
    #[error("nft refused the rules: {reason}")]
    Refused {
        /// The first line of its complaint.
        reason: String,
    },
    /// The kernel cannot be asked.
    #[error("cannot talk to the packet filter over netlink")]
    Transport(#[source] io::Error),
    /// The kernel refused an element.
    #[error("cannot change set {set} of table {table}")]
    Element {
        /// The table.
        table: String,
        /// The set.
        set: &'static str,
        /// The kernel's answer.
        #[source]
        refusal: Refusal,
    },
}

/// Applies commands in nft's language, all or none.
///
/// # Errors
/// [`Error::NoProgram`], [`Error::Run`] or [`Error::Refused`].
pub fn apply(script: &str) -> Result<(), Error> {
    let program = PROGRAMS.into_iter().find(|path| Path::new(path).exists());
    let mut child = Command::new(program.ok_or(Error::NoProgram)?)
        .args(["-f", "-"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::Run)?;
    if let Some(mut input) = child.stdin.take() {
        // A program that ended early says why itself.
        let _ = input.write_all(script.as_bytes());
    }
    let output = child.wait_with_output().map_err(Error::Run)?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let reason = complaint.lines().next().unwrap_or("it gave no reason");
    Err(Error::Refused {
        reason: reason.to_owned(),
    })
}

/// A set of addresses in a table of the address's family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<'a> {
    /// The table.
    pub table: &'a str,
    /// The set.
    pub name: &'static str,
}

/// An element of a set of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// The address.
    pub address: IpAddr,
    /// The interface that it counts on, in sets that have one.
    pub ifindex: Option<u32>,
}

/// Changes elements of sets, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Elements {
    socket: Socket,
    sequence: u32,
}

impl Elements {
    /// Opens a connection to the kernel.
    ///
    /// # Errors
    /// [`Error::Transport`] if the kernel has no packet filter.
    pub fn open() -> Result<Self, Error> {
        let open = || {
            let mut socket = Socket::new(NETLINK_NETFILTER)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(socket)
        };
        let socket = open().map_err(Error::Transport)?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Puts an element into a set; one that is there already stays.
    ///
    /// # Errors
    /// [`Error::Element`] if there is no such set, or [`Error::Transport`].
    pub fn add(&mut self, set: &Set<'_>, element: Element) -> Result<(), Error> {
        self.change(NFT_MSG_NEWSETELEM, set, element, libc::EEXIST)
    }

    /// Takes an element out of a set; it may be gone, also with its set.
    ///
    /// # Errors
    /// [`Error::Element`] or [`Error::Transport`].
    pub fn remove(&mut self, set: &Set<'_>, element: Element) -> Result<(), Error> {
        self.change(NFT_MSG_DELSETELEM, set, element, libc::ENOENT)
    }

    fn change(
        &mut self,
        kind: u16,
        set: &Set<'_>,
        element: Element,
        harmless: i32,
    ) -> Result<(), Error> {
        let family = match element.address {
            IpAddr::V4(_) => libc::AF_INET,
            IpAddr::V6(_) => libc::AF_INET6,
        };
        let family = u8::try_from(family).unwrap_or_default();
        let first = self.sequence.wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(3);
        let mut batch = Vec::new();
        let subsystem = NFNL_SUBSYS_NFTABLES;
        message(
            &mut batch,
            NFNL_MSG_BATCH_BEGIN,
            NLM_F_REQUEST,
            first,
            0,
            subsystem,
            &[],
        );
        let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
        let body = body(set, element);
        let number = first.wrapping_add(1);
        message(
            &mut batch,
            subsystem << 8 | kind,
            flags,
            number,
            family,
            0,
            &body,
        );
        let last = first.wrapping_add(2);
        message(
            &mut batch,
            NFNL_MSG_BATCH_END,
            NLM_F_REQUEST,
            last,
            0,
            subsystem,
            &[],
        );
        self.socket.send(&batch, 0).map_err(Error::Transport)?;
        match self.answer(first).map_err(Error::Transport)? {
            0 => Ok(()),
            errno if errno == harmless => Ok(()),
            errno => Err(Error::Element {
                table: set.table.to_owned(),
                set: set.name,
                refusal: Refusal {
                    errno,
                    reason: None,
                },
            }),
        }
    }

    /// The errno of the first answer to the batch that began with `first`.
    fn answer(&mut self, first: u32) -> io::Result<i32> {
        loop {
            let mut answer = Vec::with_capacity(ANSWER_LEN);
            match self.socket.recv(&mut answer, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map(drop)?,
            }
            let word = |at: usize| {
                let bytes = answer.get(at..at + 4)?;
                bytes.try_into().ok().map(u32::from_ne_bytes)
            };
            let kind = answer.get(4..6).and_then(|b| b.try_into().ok());
            let ours = word(8).is_some_and(|s| s.wrapping_sub(first) < 3);
            if ours && kind.map(u16::from_ne_bytes) == Some(NLMSG_ERROR) {
                return Ok(word(16).unwrap_or_default().cast_signed().wrapping_neg());
            }
        }
    }
}

fn body(set: &Set<'_>, element: Element) -> Vec<u8> {
    let mut key = match element.address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    key.extend(element.ifindex.into_iter().flat_map(u32::to_ne_bytes));
    let name = |text: &str| CString::new(text).unwrap_or_default().into_bytes_with_nul();
    let value = attribute(NFTA_DATA_VALUE, &key);
    let key = attribute(NFTA_SET_ELEM_KEY | NESTED, &value);
    let one = attribute(NFTA_LIST_ELEM | NESTED, &key);
    let mut body = attribute(NFTA_SET_ELEM_LIST_TABLE, &name(set.table));
    body.extend(attribute(NFTA_SET_ELEM_LIST_SET, &name(set.name)));
    body.extend(attribute(NFTA_SET_ELEM_LIST_ELEMENTS | NESTED, &one));
    body
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Appends a message: `nlmsghdr`, `nfgenmsg`, attributes.
fn message(
    batch: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    sequence: u32,
    family: u8,
    resource: u16,
    body: &[u8],
) {
    let length = u32::try_from(20 + body.len()).unwrap_or(u32::MAX);
    batch.extend(length.to_ne_bytes());
    batch.extend(kind.to_ne_bytes());
    batch.extend(flags.to_ne_bytes());
    batch.extend(sequence.to_ne_bytes());
    batch.extend([0; 4]);
    batch.extend([family, 0]);
    batch.extend(resource.to_be_bytes());
    batch.extend(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_to_four_bytes() {
        assert_eq!(attribute(1, b"a\0").len(), 8);
        assert_eq!(
            attribute(1, b"a\0").get(..2),
            Some(&6_u16.to_ne_bytes()[..])
        );
    }

    #[test]
    fn a_message_says_how_long_it_is() {
        let mut batch = Vec::new();
        message(
            &mut batch,
            NFNL_MSG_BATCH_BEGIN,
            NLM_F_REQUEST,
            7,
            0,
            10,
            &[],
        );
        assert_eq!(batch.len(), 20);
        assert_eq!(batch.get(18..), Some(&[0, 10][..]));
    }
}
