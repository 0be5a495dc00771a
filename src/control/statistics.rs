//! Counters of an instance, and keepalived's text of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::wire::vrrp::Rejected;

/// What an instance has seen and done since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Adverts received, also rejected ones.
    pub adverts_received: u64,
    /// Adverts sent.
    pub adverts_sent: u64,
    /// Adverts with priority 0 received.
    pub releases_received: u64,
    /// Adverts with priority 0 sent.
    pub releases_sent: u64,
    /// Times it became Active.
    pub became_active: u64,
    /// Times it stopped being Active.
    pub released_active: u64,
    /// Accepted adverts whose address list differs from ours.
    pub address_list_differs: u64,
    /// Packets that were not taken, by reason.
    pub rejected: BTreeMap<Rejected, u64>,
}

impl Statistics {
    fn count(&self, reasons: &[Rejected]) -> u64 {
        reasons
            .iter()
            .filter_map(|reason| self.rejected.get(reason))
            .sum()
    }
}

/// One instance in the form of `keepalived.stats`. keepalived-cli.md §4.
#[must_use]
pub fn text(name: &str, statistics: &Statistics) -> String {
    let count = |reasons: &[Rejected]| statistics.count(reasons);
    let rows: [(&str, &[(&str, u64)]); 6] = [
        (
            "Advertisements",
            &[
                ("Received", statistics.adverts_received),
                ("Sent", statistics.adverts_sent),
            ],
        ),
        (
            "",
            &[
                ("Became master", statistics.became_active),
                ("Released master", statistics.released_active),
            ],
        ),
        (
            "Packet Errors",
            &[
                (
                    "Length",
                    count(&[
                        Rejected::Length,
                        Rejected::Truncated,
                        Rejected::ExtensionUnexpected,
                    ]),
                ),
                ("TTL", count(&[Rejected::HopLimit, Rejected::PeerHopLimit])),
                ("Invalid Type", count(&[Rejected::Type])),
                ("Advertisement Interval", count(&[Rejected::Interval])),
                (
                    "Address List",
                    statistics.address_list_differs
                        + count(&[Rejected::NoAddresses, Rejected::FirstAddress]),
                ),
            ],
        ),
        (
            "Authentication Errors",
            &[
                ("Invalid Type", count(&[Rejected::AuthTypeUnknown])),
                ("Type Mismatch", count(&[Rejected::AuthTypeMismatch])),
                (
                    "Failure",
                    count(&[Rejected::AuthFailure, Rejected::AuthReplay]),
                ),
            ],
        ),
        (
            "Authentication Extension Errors",
            &[
                ("Missing", count(&[Rejected::ExtensionMissing])),
                ("Malformed", count(&[Rejected::ExtensionMalformed])),
                ("Unknown Key", count(&[Rejected::ExtensionUnknownKey])),
                ("Invalid HMAC", count(&[Rejected::ExtensionTag])),
                ("Stale", count(&[Rejected::ExtensionStale])),
                ("Replay", count(&[Rejected::ExtensionReplay])),
            ],
        ),
        (
            "Priority Zero",
            &[
                ("Received", statistics.releases_received),
                ("Sent", statistics.releases_sent),
            ],
        ),
    ];
    let mut text = format!("VRRP Instance: {name}\n");
    for (heading, lines) in rows {
        if !heading.is_empty() {
            let _ = writeln!(text, "  {heading}:");
        }
        let indent = if heading.is_empty() { "  " } else { "    " };
        for (label, number) in lines {
            let _ = writeln!(text, "{indent}{label}: {number}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_count_under_keepaliveds_headings() {
        let mut statistics = Statistics {
            adverts_received: 7,
            ..Statistics::default()
        };
        statistics.rejected.insert(Rejected::Truncated, 2);
        statistics.rejected.insert(Rejected::Length, 3);
        statistics.rejected.insert(Rejected::ExtensionTag, 4);
        statistics.rejected.insert(Rejected::ExtensionReplay, 5);
        let text = text("VI_1", &statistics);
        assert!(text.contains("Invalid HMAC: 4\n    Stale: 0\n    Replay: 5\n"));
        assert!(text.starts_with(
            "VRRP Instance: VI_1\n  Advertisements:\n    Received: 7\n    Sent: 0\n  Became master: 0\n"
        ));
        assert!(text.contains("  Packet Errors:\n    Length: 5\n    TTL: 0\n"));
        assert!(text.ends_with("  Priority Zero:\n    Received: 0\n    Sent: 0\n"));
    }
}
