//! Where the peers of an instance are: some have an address in the file, others a name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::config::model::{OldChecksum, Peer, Transport};
use crate::types::Family;
use crate::wire::vrrp::ChecksumForm;

/// What names stand for, as far as it is known: addresses of both families.
pub(super) type Names = BTreeMap<String, BTreeSet<IpAddr>>;

/// One address of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    address: IpAddr,
    /// Found by a name, which may stand for this host too.
    named: bool,
    min_hop_limit: u8,
    max_hop_limit: u8,
}

/// News of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    pub name: String,
    /// Its addresses of the instance's family, this host's left out.
    pub addresses: BTreeSet<IpAddr>,
}

/// The peers of one instance.
#[derive(Debug, Default)]
pub(super) struct Peers {
    targets: Vec<Target>,
    /// What was found for each name.
    found: Names,
    /// Those that sent the checksum of keepalived before 1.3.6 last.
    old_fashioned: BTreeSet<IpAddr>,
}

impl Peers {
    /// Takes over what `names` stand for, and says what is new. `own` is never a peer.
    pub(super) fn find(
        &mut self,
        transport: &Transport,
        family: Family,
        own: Option<IpAddr>,
        names: &Names,
    ) -> Vec<News> {
        let peers = match transport {
            Transport::Multicast { .. } => &[],
            Transport::Unicast { peers, .. } => peers.as_slice(),
        };
        self.targets.clear();
        let before = std::mem::take(&mut self.found);
        let mut news = Vec::new();
        for peer in peers {
            match peer.host.name() {
                None => self.add(peer, peer.host.address(), false),
                Some(name) => {
                    let Some(all) = names.get(name) else { continue };
                    let usable = |a: &&IpAddr| Family::of(a) == family && Some(**a) != own;
                    let usable: BTreeSet<IpAddr> = all.iter().filter(usable).copied().collect();
                    self.add(peer, usable.iter().copied(), true);
                    if before.get(name) != Some(&usable) {
                        news.push(News {
                            name: name.to_owned(),
                            addresses: usable.clone(),
                        });
                    }
                    self.found.insert(name.to_owned(), usable);
                }
            }
        }
        let targets = &self.targets;
        self.old_fashioned
            .retain(|old| targets.iter().any(|t| t.address == *old));
        news
    }

    /// What stands first in the file counts for an address that is there twice.
    fn add(&mut self, peer: &Peer, addresses: impl IntoIterator<Item = IpAddr>, named: bool) {
        for address in addresses {
            if self.targets.iter().all(|t| t.address != address) {
                self.targets.push(Target {
                    address,
                    named,
                    min_hop_limit: peer.min_hop_limit,
                    max_hop_limit: peer.max_hop_limit,
                });
            }
        }
    }

    /// Addresses that adverts go to from `own`, in configured order.
    pub(super) fn addresses(&self, own: Option<IpAddr>) -> impl Iterator<Item = IpAddr> {
        let others = self
            .targets
            .iter()
            .filter(move |t| !(t.named && Some(t.address) == own));
        others.map(|t| t.address)
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.targets.iter().any(|t| t.address == address)
    }

    /// Whether packets of a peer may have come so far; of a stranger, `None`.
    pub(super) fn allows(&self, address: IpAddr, hop_limit: u8) -> Option<bool> {
        let target = self.targets.iter().find(|t| t.address == address)?;
        Some((target.min_hop_limit..=target.max_hop_limit).contains(&hop_limit))
    }

    /// Remembers in which form a peer sends its checksums.
    pub(super) fn heard(&mut self, address: IpAddr, form: ChecksumForm) {
        if form == ChecksumForm::GroupPseudoHeader && self.contains(address) {
            self.old_fashioned.insert(address);
        } else {
            self.old_fashioned.remove(&address);
        }
    }

    /// The form of checksums to a peer that is usually sent `usual`.
    pub(super) fn form(
        &self,
        address: IpAddr,
        usual: ChecksumForm,
        old: OldChecksum,
    ) -> ChecksumForm {
        let wants = match old {
            OldChecksum::Never => false,
            OldChecksum::Always => true,
            OldChecksum::Answer => self.old_fashioned.contains(&address),
        };
        match usual {
            ChecksumForm::PseudoHeader if wants => ChecksumForm::GroupPseudoHeader,
            ChecksumForm::Message
            | ChecksumForm::PseudoHeader
            | ChecksumForm::GroupPseudoHeader => usual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unicast(peers: Vec<Peer>) -> Transport {
        Transport::Unicast {
            source: None,
            peers,
            ttl: 255,
            check_source: false,
            old_checksum: OldChecksum::Answer,
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn named(name: &str) -> Peer {
        Peer::new(crate::config::model::PeerHost::Name(name.to_owned()))
    }

    fn names(name: &str, addresses: &[&str]) -> Names {
        let addresses = addresses.iter().map(|a| ip(a)).collect();
        Names::from([(name.to_owned(), addresses)])
    }

    #[test]
    fn a_name_stands_for_all_its_addresses_of_the_family_but_our_own() {
        let mut peers = Peers::default();
        let transport = unicast(vec![Peer::new(ip("10.0.0.2")), named("lb")]);
        let all = names("lb", &["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::3"]);
        let own = Some(ip("10.0.0.1"));
        let news = peers.find(&transport, Family::V4, own, &all);
        assert_eq!(news.len(), 1);
        let found: Vec<_> = peers.addresses(own).collect();
        assert_eq!(found, [ip("10.0.0.2"), ip("10.0.0.3")]);
        assert_eq!(peers.find(&transport, Family::V4, own, &all), []);
        // An address that becomes our own later is no peer either.
        let found: Vec<_> = peers.addresses(Some(ip("10.0.0.3"))).collect();
        assert_eq!(found, [ip("10.0.0.2")]);
    }

    #[test]
    fn a_name_without_an_answer_is_no_peer_yet() {
        let mut peers = Peers::default();
        let transport = unicast(vec![named("lb")]);
        assert_eq!(peers.find(&transport, Family::V4, None, &Names::new()), []);
        assert_eq!(peers.addresses(None).count(), 0);
        let news = peers.find(&transport, Family::V4, None, &names("lb", &["fd00::1"]));
        assert_eq!(news.first().map(|n| n.addresses.len()), Some(0));
    }

    #[test]
    fn who_sends_the_old_checksum_gets_it_until_it_sends_the_new_one() {
        let mut peers = Peers::default();
        let (old, other) = (ip("10.0.0.2"), ip("10.0.0.3"));
        let transport = unicast(vec![Peer::new(old), Peer::new(other)]);
        peers.find(&transport, Family::V4, None, &Names::new());
        let (new, group) = (ChecksumForm::PseudoHeader, ChecksumForm::GroupPseudoHeader);
        peers.heard(old, group);
        peers.heard(ip("10.0.0.9"), group);
        assert_eq!(peers.form(old, new, OldChecksum::Answer), group);
        assert_eq!(peers.form(old, new, OldChecksum::Never), new);
        assert_eq!(peers.form(other, new, OldChecksum::Answer), new);
        assert_eq!(peers.form(other, new, OldChecksum::Always), group);
        assert_eq!(peers.form(ip("10.0.0.9"), new, OldChecksum::Answer), new);
        peers.heard(old, new);
        assert_eq!(peers.form(old, new, OldChecksum::Answer), new);
    }
}
