//! The sockets of the engine: one for each interface and what it listens to, shared by all
//! instances there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use super::executor::Chain;
use super::member::Member;
use crate::sys::socket::{self, AdvertSocket, Datagram, Listen};
use crate::types::{InstanceId, InterfaceName, Vrid};
use crate::wire::ip::Protocol;

/// Which socket: on an interface or on all, for what, and of which protocol.
pub(super) type Key = (Option<InterfaceName>, Listen, Protocol);

/// All instances with their outside.
pub(super) type Members = BTreeMap<InstanceId, Member>;

#[derive(Debug)]
struct Open {
    socket: AdvertSocket,
    ifindex: Option<u32>,
    /// By VRID; several where unicast instances differ in their peers.
    listeners: BTreeMap<Vrid, Vec<InstanceId>>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pool {
    sockets: BTreeMap<Key, Open>,
}

impl Pool {
    /// Descriptors to wait for, in the order of [`Pool::keys`].
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.values().map(|open| open.socket.as_fd())
    }

    /// The sockets in a fixed order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.sockets.keys()
    }

    /// The next packet that waits on a socket.
    pub(super) fn receive<'a>(
        &self,
        key: &Key,
        buffer: &'a mut [u8],
    ) -> Result<Option<Datagram<'a>>, socket::Error> {
        self.sockets
            .get(key)
            .map_or(Ok(None), |open| open.socket.receive(buffer))
    }

    /// Closes a socket that no longer works.
    pub(super) fn close(&mut self, key: &Key) {
        self.sockets.remove(key);
    }

    /// Sends a packet on the socket that `member` listens on; nothing if it has none.
    pub(super) fn send(
        &self,
        member: &Member,
        destination: IpAddr,
        packet: &[u8],
    ) -> Result<(), socket::Error> {
        let open = member.socket_key().and_then(|key| self.sockets.get(&key));
        open.map_or(Ok(()), |open| open.socket.send(destination, packet))
    }

    /// The instance that a packet for `vrid` from `source` is for.
    pub(super) fn addressee(
        &self,
        key: &Key,
        vrid: Vrid,
        source: IpAddr,
        members: &Members,
    ) -> Option<InstanceId> {
        let ids = self.sockets.get(key)?.listeners.get(&vrid)?;
        let member = |id: &&InstanceId| members.get(id);
        let meant = |id: &&InstanceId| member(id).is_some_and(|m| m.listen() == Some(key.1));
        let hears = |id: &&InstanceId| member(id).is_some_and(|m| m.hears(source));
        let all = || ids.iter();
        let best = all().find(|id| meant(id) && hears(id));
        let best = best.or_else(|| all().find(meant));
        // Those that only look out for peers of another kind come last.
        let best = best.or_else(|| all().find(hears));
        best.or_else(|| ids.first()).copied()
    }

    /// All instances that listen on a socket.
    pub(super) fn listeners(&self, key: &Key) -> Vec<InstanceId> {
        let listeners = self.sockets.get(key).map(|open| open.listeners.values());
        listeners.into_iter().flatten().flatten().copied().collect()
    }

    /// Makes sure that an instance has a socket on its interface as that is now.
    pub(super) fn join(&mut self, id: InstanceId, member: &Member) -> Result<(), socket::Error> {
        let ifindex = member.footing.ifindex;
        // An interface that is not there is another fault already, and so is no source address.
        let bound = member.config.interface.is_some() || member.config.vrf.is_some();
        if ifindex.is_none() && bound {
            return Ok(());
        }
        for key in member.listening_keys() {
            self.listen(id, member, &key, ifindex)?;
        }
        for key in member.watching_keys() {
            let ifindex = member.ifindex_of(&key);
            if ifindex.is_some()
                && let Err(error) = self.listen(id, member, &key, ifindex)
            {
                tracing::debug!("no look-out for other peers: {}", Chain(&error));
            }
        }
        Ok(())
    }

    fn listen(
        &mut self,
        id: InstanceId,
        member: &Member,
        key: &Key,
        ifindex: Option<u32>,
    ) -> Result<(), socket::Error> {
        if self
            .sockets
            .get(key)
            .is_some_and(|open| open.ifindex != ifindex)
        {
            self.sockets.remove(key);
        }
        if !self.sockets.contains_key(key) {
            let socket = open(key, ifindex)?;
            if let (Listen::Group(group @ IpAddr::V6(_)), Some(below), Some(interface)) = (
                key.1,
                member.footing.below,
                member.config.interface.as_ref(),
            ) {
                socket.join_below(interface, below, group)?;
            }
            let open = Open {
                socket,
                ifindex,
                listeners: BTreeMap::new(),
            };
            self.sockets.insert(key.clone(), open);
        }
        if let Some(open) = self.sockets.get_mut(key) {
            let vrid = member.config.protocol.vrid;
            let ids = open.listeners.entry(vrid).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(())
    }

    /// Closes sockets that no instance listens to any more, and forgets instances that moved.
    pub(super) fn tidy(&mut self, members: &Members) {
        self.sockets.retain(|key, open| {
            open.listeners.retain(|vrid, ids| {
                let listens = |id: &InstanceId| {
                    members.get(id).is_some_and(|member| {
                        member.config.protocol.vrid == *vrid
                            && member
                                .listening_keys()
                                .chain(member.watching_keys())
                                .any(|k| k == *key)
                    })
                };
                ids.retain(listens);
                !ids.is_empty()
            });
            !open.listeners.is_empty()
        });
    }
}

fn open(key: &Key, ifindex: Option<u32>) -> Result<AdvertSocket, socket::Error> {
    let (interface, listen, protocol) = key;
    match (interface, ifindex, listen) {
        (Some(interface), Some(ifindex), _) => {
            AdvertSocket::open(interface, ifindex, *listen, *protocol)
        }
        (_, _, Listen::Address(address) | Listen::Group(address)) => {
            AdvertSocket::open_anywhere(*address, *protocol)
        }
    }
}
