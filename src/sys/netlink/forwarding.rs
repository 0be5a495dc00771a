//! What bridges have learned.

use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::message::{Message, find, read_u32};
use super::{Error, Listing, Netlink};

const HEADER_LEN: usize = 12;
const NDA_LLADDR: u16 = 2;
const NDA_MASTER: u16 = 9;

/// An entry of a bridge's forwarding table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarding {
    /// Who is there.
    pub mac: [u8; 6],
    /// Number of the port that leads there.
    pub port: u32,
}

impl Forwarding {
    fn read(message: Message<'_>) -> Option<Self> {
        let attributes = message.payload.get(HEADER_LEN..)?;
        // An entry of the port itself, not of the bridge, has none.
        find(attributes, NDA_MASTER)?;
        Some(Self {
            mac: find(attributes, NDA_LLADDR)?.try_into().ok()?,
            port: message.payload.get(4..).and_then(read_u32)?,
        })
    }
}

impl Netlink {
    /// Lists the forwarding tables of all bridges.
    ///
    /// # Errors
    ///
    /// [`Error::List`], [`Error::Unsettled`] or [`Error::Transport`].
    pub fn forwarding(&mut self) -> Result<Vec<Forwarding>, Error> {
        let mut request = NeighbourMessage::default();
        request.header.family = AddressFamily::Bridge;
        let request = RouteNetlinkMessage::GetNeighbour(request);
        self.dump(Listing::Forwarding, &request, Forwarding::read)
    }
}
