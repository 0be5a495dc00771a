//! Peers of an instance, and what only matters with peers.

use super::Lowering;
use super::instance::Draft;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword::Unit;
use crate::config::lex::Token;
use crate::config::model::{OldChecksum, Peer, PeerHost};
use crate::config::parse::{Body, Entry, Statement};
use crate::types::is_host_name;

/// A peer is a name. Of interest to who may go back to keepalived, and to nobody else.
pub(in crate::config) const NAMED_PEER: Code = Code(442);

impl Lowering {
    /// `unicast_peer`.
    pub(super) fn peers(&mut self, draft: &mut Draft, statement: &Statement) {
        draft.unicast = true;
        let Body::Entries(entries) = &statement.body else {
            return;
        };
        for entry in entries {
            let Some(first) = entry.words.first() else {
                continue;
            };
            let Some(host) = self.peer_host(first) else {
                continue;
            };
            if let PeerHost::Address(address) = &host
                && !self.same_family(draft, address, entry.span)
            {
                continue;
            }
            if draft.peers.iter().any(|peer| peer.host == host) {
                let message = format!("the peer {host} is listed twice");
                self.warn(404, Class::General, message, entry.span);
                continue;
            }
            self.out
                .provenance
                .insert(&draft.name, first.text.clone(), entry.span);
            let mut peer = Peer::new(host);
            draft.check_source |= self.peer_options(&mut peer, entry);
            draft.peers.push(peer);
        }
    }

    fn peer_host(&mut self, token: &Token) -> Option<PeerHost> {
        if token.text.parse::<std::net::IpAddr>().is_ok() || !is_host_name(&token.text) {
            return self.address(token, "a peer").map(PeerHost::Address);
        }
        let message = format!("the peer `{}` is a name, not an address", token.text);
        self.push(
            Diagnostic::new(Severity::Advice, NAMED_PEER, Class::General, message)
                .label(token.span, "looked up while the daemon runs")
                .help("keepalived takes addresses only, and would leave this peer out"),
        );
        Some(PeerHost::Name(token.text.to_ascii_lowercase()))
    }

    /// Takes in what follows a peer; says whether there is a range of TTLs.
    fn peer_options(&mut self, peer: &mut Peer, entry: &Entry) -> bool {
        let mut ranged = false;
        let mut words = entry.words.iter().skip(1);
        while let Some(word) = words.next() {
            let (limit, value) = match (word.text.as_str(), words.next()) {
                ("min_ttl", Some(value)) => (&mut peer.min_hop_limit, value),
                ("max_ttl", Some(value)) => (&mut peer.max_hop_limit, value),
                (other, _) => {
                    let message = format!("`{other}` is no option of a peer");
                    self.warn(209, Class::General, message, word.span);
                    continue;
                }
            };
            let ttl = self.integer_in(value, &word.text, Unit::Count, 0, 255);
            if let Some(ttl) = ttl.and_then(|ttl| u8::try_from(ttl).ok()) {
                *limit = ttl;
                ranged = true;
            }
        }
        if peer.min_hop_limit > peer.max_hop_limit {
            let message = format!(
                "no TTL is at least {} and at most {}: all are accepted",
                peer.min_hop_limit, peer.max_hop_limit
            );
            self.warn(203, Class::General, message, entry.span);
            *peer = Peer::new(peer.host.clone());
        }
        ranged
    }

    /// `old_unicast_checksum [never]`.
    pub(super) fn old_unicast_checksum(&mut self, draft: &mut Draft, statement: &Statement) {
        draft.unicast = true;
        draft.old_checksum = match statement.arguments.first() {
            None => OldChecksum::Always,
            Some(word) if word.text == "never" => OldChecksum::Never,
            Some(word) => {
                let message = format!("`{}` is not `never`: it is ignored", word.text);
                self.warn(204, Class::General, message, word.span);
                OldChecksum::Always
            }
        };
    }
}
