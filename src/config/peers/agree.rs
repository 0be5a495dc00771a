//! What has to be the same on all nodes of a virtual router, or must not be.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::between::Between;
use super::failover::Member;
use super::{named, node_name, report};
use crate::config::diagnostic::{Code, Diagnostic, Severity};
use crate::config::model::{Authentication, HmacMode, Instance, Peer, Transport};
use crate::config::toml;
use crate::types::{Family, Priority, Version, VirtualAddress};

const VERSION: Code = Code(603);
const AUTHENTICATION: Code = Code(604);
const ADDRESSES: Code = Code(605);
const INTERVAL: Code = Code(606);
const TIE: Code = Code(607);
const OWNERS: Code = Code(608);
const TRANSPORT: Code = Code(609);
const UNICAST_PEER: Code = Code(610);
const SAME_SOURCE: Code = Code(611);
const CHECKSUM: Code = Code(612);
const BOTH_MASTER: Code = Code(613);
const NOPREEMPT: Code = Code(614);
const ACCEPT: Code = Code(617);
const VIRTUAL_MAC: Code = Code(618);
const DOWN_TIMER: Code = Code(619);
const HOP_LIMIT: Code = Code(623);
const ROUTER_ADVERTISEMENT: Code = Code(625);

impl Between<'_> {
    /// Everything in which the members do not fit together.
    pub(super) fn disagreements(self) -> Vec<Diagnostic> {
        let findings = [
            self.version(),
            self.authentication(),
            self.interval(),
            self.addresses(),
            self.checksum(),
            self.transport(),
            self.same_source(),
            self.priority(),
            self.both_master(),
            self.nopreempt(),
            self.accept_mode(),
            self.virtual_mac(),
            self.down_timer(),
            self.router_advertisement(),
        ];
        let mut found: Vec<Diagnostic> = findings.into_iter().flatten().collect();
        found.extend(self.unicast_peers());
        found.extend(self.hop_limits());
        found
    }

    fn version(self) -> Option<Diagnostic> {
        let number = |m: &Member<'_>| {
            let protocol = &m.instance.protocol;
            match protocol.with_version_2 {
                true => "both".to_owned(),
                false => protocol.version.number().to_string(),
            }
        };
        let values = self.values(number);
        let deaf_to = |version| self.members().any(|m| !m.instance.protocol.speaks(version));
        (deaf_to(Version::V2) && deaf_to(Version::V3)).then(|| {
            let message = self.message("version", &values);
            self.labelled(
                report(Severity::Error, VERSION, message),
                &["version"],
                number,
            )
            .help("a node drops the adverts of the other version, and both hold the address")
        })
    }

    fn authentication(self) -> Option<Diagnostic> {
        // Between them goes version 3, which carries no password.
        let plain = |m: &Member<'_>| {
            let protocol = &m.instance.protocol;
            let password = matches!(m.instance.authentication, Authentication::Password(_));
            let none = m.instance.authentication == Authentication::None;
            protocol.speaks(Version::V3) && (none || password)
        };
        if self.members().all(plain)
            && self
                .members()
                .any(|m| !m.instance.protocol.speaks(Version::V2))
        {
            return None;
        }
        let values = self.values(|m| match m.instance.authentication {
            Authentication::None => "none",
            Authentication::Password(_) => "PASS",
            Authentication::Header(_) => "AH",
            Authentication::Hmac(_) => "auth_hmac",
        });
        let deaf = self.members().any(|sender| {
            let sent = &sender.instance.authentication;
            !self
                .members()
                .all(|m| believes(&m.instance.authentication, sent))
        });
        if !deaf {
            return None;
        }
        let places = &["authentication", "auth_type", "auth_pass", "auth_hmac"];
        let help = "a node drops adverts that fail its check, and both hold the address";
        if differ(&values) {
            let message = self.message("authentication", &values);
            let diagnostic = report(Severity::Error, AUTHENTICATION, message).help(help);
            return Some(self.labelled(diagnostic, places, |m| {
                self.value_at(&values, m)
                    .map_or_else(String::new, ToString::to_string)
            }));
        }
        let what = match values.first() {
            Some(&"auth_hmac") => "a node lacks the key that another one signs with",
            _ => "auth_pass differs",
        };
        let message = format!("{}: {what}", self.name());
        let diagnostic = report(Severity::Error, AUTHENTICATION, message).help(help);
        let places = &["auth_pass", "authentication", "key", "auth_hmac"];
        Some(self.labelled(diagnostic, places, |_| String::new()))
    }

    fn interval(self) -> Option<Diagnostic> {
        let any_v2 = self
            .members()
            .any(|m| m.instance.protocol.version == Version::V2);
        let version = if any_v2 { Version::V2 } else { Version::V3 };
        let interval = |m: &Member<'_>| m.instance.protocol.interval_in(version);
        let values = self.values(|m| format!("{} s", interval(m)));
        let (severity, help) = if any_v2 {
            (
                Severity::Error,
                "version 2 drops adverts of another advert_int, and both hold the address",
            )
        } else {
            (
                Severity::Warning,
                "backups follow the active node, so takeover time depends on who is active",
            )
        };
        differ(&values).then(|| {
            let message = self.message("advert_int", &values);
            let diagnostic = report(severity, INTERVAL, message).help(help);
            self.labelled(diagnostic, &["advert_int"], |m| {
                format!("{} s", interval(m))
            })
        })
    }

    fn addresses(self) -> Option<Diagnostic> {
        self.missing(Severity::Error, "virtual_ipaddress", |i| &i.addresses)
            .or_else(|| {
                self.missing(Severity::Warning, "virtual_ipaddress_excluded", |i| {
                    &i.excluded
                })
            })
            .or_else(|| self.prefix_lengths())
            .or_else(|| self.address_order())
    }

    /// Addresses that not every node has.
    fn missing(
        self,
        severity: Severity,
        keyword: &str,
        list: impl Fn(&Instance) -> &[VirtualAddress],
    ) -> Option<Diagnostic> {
        let set = |m: &Member<'_>| -> BTreeSet<IpAddr> {
            list(m.instance).iter().map(|a| a.address).collect()
        };
        let all: BTreeSet<IpAddr> = self.members().flat_map(set).collect();
        let lacks = |m: &Member<'_>| {
            let missing: Vec<String> = all.difference(&set(m)).map(IpAddr::to_string).collect();
            (!missing.is_empty()).then(|| format!("lacks {}", missing.join(", ")))
        };
        let lacking: Vec<String> = self
            .members()
            .filter_map(|m| lacks(m).map(|lacks| format!("{} {lacks}", node_name(m.node))))
            .collect();
        (!lacking.is_empty()).then(|| {
            let message = format!("{}: {keyword} differs: {}", self.name(), lacking.join("; "));
            let diagnostic = report(severity, ADDRESSES, message)
                .help("an address that a node lacks is gone while that node is active");
            self.labelled(diagnostic, &[keyword], |m| lacks(m).unwrap_or_default())
        })
    }

    fn prefix_lengths(self) -> Option<Diagnostic> {
        let values = self.values(|m| {
            m.instance
                .all_addresses()
                .map(ToString::to_string)
                .collect()
        });
        let sets: BTreeSet<&BTreeSet<String>> = values.iter().collect();
        (sets.len() > 1).then(|| {
            let message = format!("{}: an address has another prefix length", self.name());
            let diagnostic = report(Severity::Warning, ADDRESSES, message)
                .help("the subnet's route would come and go with the active node");
            self.labelled(diagnostic, &["virtual_ipaddress"], |m| {
                let addresses = self.value_at(&values, m).into_iter().flatten();
                addresses.cloned().collect::<Vec<_>>().join(", ")
            })
        })
    }

    fn address_order(self) -> Option<Diagnostic> {
        let values = self.values(|m| {
            m.instance
                .addresses
                .iter()
                .map(|a| a.address)
                .collect::<Vec<_>>()
        });
        differ(&values).then(|| {
            let message = format!("{}: virtual_ipaddress is in another order", self.name());
            let diagnostic = report(Severity::Advice, ADDRESSES, message)
                .help("nothing breaks; the same order makes the files easy to compare");
            self.labelled(diagnostic, &["virtual_ipaddress"], |_| String::new())
        })
    }

    fn checksum(self) -> Option<Diagnostic> {
        let values = self.values(|m| on_or_off(m.instance.checksum_without_pseudo_header));
        let v3 = self
            .members()
            .all(|m| m.instance.protocol.version == Version::V3);
        (v3 && self.router.family == Family::V4 && differ(&values)).then(|| {
            let message = self.message("v3_checksum_as_v2", &values);
            let diagnostic = report(Severity::Warning, CHECKSUM, message)
                .help("vipd accepts both forms, keepalived only its own");
            self.labelled(diagnostic, &["v3_checksum_as_v2"], |_| String::new())
        })
    }

    fn transport(self) -> Option<Diagnostic> {
        let values = self.values(|m| match &m.instance.transport {
            Transport::Multicast { group, .. } => format!("multicast {group}"),
            Transport::Unicast { .. } => "unicast".to_owned(),
        });
        differ(&values).then(|| {
            let message = format!(
                "{}: adverts do not meet: {}",
                self.name(),
                self.listed(&values)
            );
            let diagnostic = report(Severity::Error, TRANSPORT, message)
                .help("use one way on all nodes: otherwise both hold the address");
            let places = &["unicast_peer", "mcast_dst_ip", "virtual_router_id"];
            self.labelled(diagnostic, places, |m| {
                self.value_at(&values, m).cloned().unwrap_or_default()
            })
        })
    }

    /// Peers that send to each other must name each other.
    fn unicast_peers(self) -> Vec<Diagnostic> {
        let unicast = self.members().filter_map(|m| match &m.instance.transport {
            Transport::Unicast { peers, .. } => Some((m, peers)),
            Transport::Multicast { .. } => None,
        });
        let mut found = Vec::new();
        for (sender, peers) in unicast {
            for receiver in self.members().filter(|m| m.node != sender.node) {
                let Some(address) = receiver.instance.transport.source() else {
                    continue;
                };
                // A name may stand for any address.
                let meets = |peer: &Peer| peer.host.address().is_none_or(|a| a == address);
                if !peers.iter().any(meets) {
                    found.push(self.not_a_peer(sender, receiver, address));
                }
            }
        }
        found
    }

    fn not_a_peer(self, sender: &Member<'_>, receiver: &Member<'_>, address: IpAddr) -> Diagnostic {
        let (from, to) = (node_name(sender.node), node_name(receiver.node));
        let message = format!(
            "{}: {from} sends nothing to {to}: {address} is not its peer",
            self.name()
        );
        let diagnostic = report(Severity::Error, UNICAST_PEER, message)
            .help(format!("add {address} to unicast_peer of {from}"));
        let diagnostic = self.label(
            diagnostic,
            sender,
            &["unicast_peer"],
            &format!("lacks {address}"),
        );
        self.label(
            diagnostic,
            receiver,
            &["unicast_src_ip"],
            &address.to_string(),
        )
    }

    fn same_source(self) -> Option<Diagnostic> {
        let sources: Vec<IpAddr> = self
            .members()
            .filter_map(|m| m.instance.transport.source())
            .collect();
        let distinct: BTreeSet<&IpAddr> = sources.iter().collect();
        (distinct.len() < sources.len()).then(|| {
            let message = format!("{}: two nodes send from the same address", self.name());
            let diagnostic = report(Severity::Error, SAME_SOURCE, message)
                .help("each node sends from an address of its own");
            self.labelled(diagnostic, &["unicast_src_ip", "mcast_src_ip"], |_| {
                String::new()
            })
        })
    }

    fn priority(self) -> Option<Diagnostic> {
        let priority = |m: &Member<'_>| m.instance.protocol.priority;
        let sharing = |wanted: Priority| self.members().filter(move |m| priority(m) == wanted);
        let shared = self
            .members()
            .map(priority)
            .filter(|p| sharing(*p).count() > 1);
        let priority = shared.max()?;
        let nodes = named(sharing(priority));
        let message = format!("{}: priority {priority} is on {nodes}", self.name());
        let diagnostic = if priority == Priority::OWNER {
            report(Severity::Error, OWNERS, message)
                .help("255 is for the one host that owns the address: give the others less")
        } else {
            report(Severity::Warning, TIE, message)
                .help("the higher address breaks the tie: let priority say who comes first")
        };
        Some(self.labelled(diagnostic, &["priority"], |m| {
            m.instance.protocol.priority.to_string()
        }))
    }

    /// The state is not part of the model, because it decides nothing below priority 255.
    fn both_master(self) -> Option<Diagnostic> {
        let says_master = |m: &&Member<'_>| {
            let node = self.nodes.get(m.node)?;
            let state = (node.locate)(&m.instance.name, "state")?;
            Some(node.sources.text(state).contains("MASTER"))
        };
        let masters = self
            .members()
            .filter(|m| says_master(m) == Some(true))
            .count();
        (masters > 1).then(|| {
            let message = format!("{}: {masters} nodes say state MASTER", self.name());
            let diagnostic = report(Severity::Advice, BOTH_MASTER, message)
                .help("priority decides: below 255 every node starts as a backup");
            self.labelled(diagnostic, &["state"], |_| String::new())
        })
    }

    /// `nopreempt` tells a higher node to wait, so on a lower one alone it says nothing.
    fn nopreempt(self) -> Option<Diagnostic> {
        let priority = |m: &Member<'_>| m.instance.protocol.priority;
        let preempts = |m: &Member<'_>| m.instance.protocol.preempt_mode;
        let top = self.members().max_by_key(|m| priority(m))?;
        let waiting = self.members().filter(|m| !preempts(m));
        let below = waiting.clone().find(|m| priority(m) < priority(top))?;
        preempts(top).then(|| {
            let (low, high) = (node_name(below.node), node_name(top.node));
            let message = format!("{}: nopreempt on {low}, but not on {high}", self.name());
            let diagnostic = report(Severity::Advice, NOPREEMPT, message).help(format!(
                "{high} has the higher priority and still takes over at its return"
            ));
            let diagnostic = self.label(diagnostic, below, &["nopreempt"], "");
            self.label(diagnostic, top, &["priority"], &priority(top).to_string())
        })
    }

    fn accept_mode(self) -> Option<Diagnostic> {
        let values = self.values(|m| on_or_off(m.instance.accept_mode));
        differ(&values).then(|| {
            let message = self.message("accept mode", &values);
            let diagnostic = report(Severity::Warning, ACCEPT, message)
                .help("the address answers on one node and not on the other");
            let places = &["accept", "no_accept", "strict_mode", "priority"];
            self.labelled(diagnostic, places, |m| {
                on_or_off(m.instance.accept_mode).to_owned()
            })
        })
    }

    fn virtual_mac(self) -> Option<Diagnostic> {
        let values = self.values(|m| on_or_off(m.instance.virtual_mac.is_some()));
        differ(&values).then(|| {
            let message = self.message("use_vmac", &values);
            let diagnostic = report(Severity::Warning, VIRTUAL_MAC, message)
                .help("every takeover would change the MAC address that clients have learnt");
            self.labelled(diagnostic, &["use_vmac"], |_| String::new())
        })
    }

    fn down_timer(self) -> Option<Diagnostic> {
        let adverts = |m: &Member<'_>| m.instance.protocol.down_timer_adverts;
        let values = self.values(adverts);
        differ(&values).then(|| {
            let message = self.message("down_timer_adverts", &values);
            let diagnostic = report(Severity::Advice, DOWN_TIMER, message)
                .help("a patient node of higher priority may be overtaken by a lower one");
            self.labelled(diagnostic, &["down_timer_adverts"], |m| {
                adverts(m).to_string()
            })
        })
    }

    /// Hosts know one router, which must not become another one when the address moves.
    fn router_advertisement(self) -> Option<Diagnostic> {
        let values = self.values(|m| {
            let wanted = m.instance.protocol.router_advertisement.as_ref();
            wanted.map_or_else(|| "none".to_owned(), toml::router_text)
        });
        differ(&values).then(|| {
            let message = self.message("router_advertisement", &values);
            self.labelled(
                report(Severity::Warning, ROUTER_ADVERTISEMENT, message),
                &["router_advertisement"],
                |_| String::new(),
            )
            .help(
                "write the same on all nodes: IPv6 hosts keep what the last active node told \
                 them, and lose their router when the next one tells them nothing",
            )
        })
    }

    /// Routers on the way lower a TTL, so what is sent is the most that can arrive.
    fn hop_limits(self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for sender in self.members() {
            let Transport::Unicast {
                source: Some(source),
                ttl,
                ..
            } = &sender.instance.transport
            else {
                continue;
            };
            for receiver in self.members().filter(|m| m.node != sender.node) {
                let Transport::Unicast { peers, .. } = &receiver.instance.transport else {
                    continue;
                };
                let Some(peer) = peers.iter().find(|p| p.host == (*source).into()) else {
                    continue;
                };
                if *ttl < peer.min_hop_limit {
                    found.push(self.drops(sender, receiver, *ttl, peer));
                }
            }
        }
        found
    }

    fn drops(self, sender: &Member<'_>, receiver: &Member<'_>, ttl: u8, peer: &Peer) -> Diagnostic {
        let (from, to) = (node_name(sender.node), node_name(receiver.node));
        let message = format!(
            "{}: {to} drops the adverts of {from}: they have a TTL of at most {ttl}, and it takes \
             {} to {}",
            self.name(),
            peer.min_hop_limit,
            peer.max_hop_limit
        );
        let diagnostic = report(Severity::Error, HOP_LIMIT, message)
            .help("raise `unicast_ttl` of the one, or lower `min_ttl` of the other");
        let diagnostic = self.label(diagnostic, sender, &["unicast_ttl"], &ttl.to_string());
        let entry = peer.host.to_string();
        self.label(diagnostic, receiver, &[&entry, "unicast_peer"], "")
    }

    fn values<T>(self, value: impl FnMut(&Member<'_>) -> T) -> Vec<T> {
        self.members().map(value).collect()
    }

    fn value_at<'v, T>(self, values: &'v [T], member: &Member<'_>) -> Option<&'v T> {
        self.members()
            .position(|m| m.node == member.node)
            .and_then(|i| values.get(i))
    }

    fn listed<T: std::fmt::Display>(self, values: &[T]) -> String {
        let on = |(value, m): (&T, &Member<'_>)| format!("{value} on {}", node_name(m.node));
        values
            .iter()
            .zip(self.members())
            .map(on)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn message<T: std::fmt::Display>(self, keyword: &str, values: &[T]) -> String {
        format!(
            "{}: {keyword} differs: {}",
            self.name(),
            self.listed(values)
        )
    }
}

/// Whether adverts that are authenticated as `sent` pass with a node that has `own`.
fn believes(own: &Authentication, sent: &Authentication) -> bool {
    let unsigned = |mode| mode == HmacMode::ReceiveOnly;
    match (own, sent) {
        (Authentication::Hmac(own), Authentication::Hmac(sent)) if unsigned(sent.mode) => {
            own.mode != HmacMode::Enforce
        }
        (Authentication::Hmac(own), Authentication::Hmac(sent)) => {
            own.keys.get(&sent.active) == sent.keys.get(&sent.active)
        }
        (Authentication::Hmac(own), Authentication::None) => own.mode != HmacMode::Enforce,
        (Authentication::None, Authentication::Hmac(sent)) => unsigned(sent.mode),
        (_, _) => own == sent,
    }
}

const fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn differ<T: PartialEq>(values: &[T]) -> bool {
    values
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a != b))
}
