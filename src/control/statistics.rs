//! Counters of an instance, and keepalived's text of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

/// The counters that keepalived has, under the names of its JSON. keepalived-cli.md §4.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "keepalived's names, explained where they are counted"
)]
pub struct Counters {
    pub advert_rcvd: u64,
    pub advert_sent: u64,
    pub become_master: u64,
    pub release_master: u64,
    pub packet_len_err: u64,
    pub advert_interval_err: u64,
    pub ip_ttl_err: u64,
    pub invalid_type_rcvd: u64,
    pub addr_list_err: u64,
    pub invalid_authtype: u64,
    pub authtype_mismatch: u64,
    pub auth_failure: u64,
    pub auth_ext_missing: u64,
    pub auth_ext_malformed: u64,
    pub auth_ext_unknown_key: u64,
    pub auth_ext_invalid_hmac: u64,
    pub auth_ext_stale: u64,
    pub auth_ext_replay: u64,
    pub pri_zero_rcvd: u64,
    pub pri_zero_sent: u64,
}

impl From<&Statistics> for Counters {
    fn from(statistics: &Statistics) -> Self {
        let count = |reasons: &[Rejected]| statistics.count(reasons);
        Self {
            advert_rcvd: statistics.adverts_received,
            advert_sent: statistics.adverts_sent,
            become_master: statistics.became_active,
            release_master: statistics.released_active,
            packet_len_err: count(&[
                Rejected::Length,
                Rejected::Truncated,
                Rejected::ExtensionUnexpected,
            ]),
            advert_interval_err: count(&[Rejected::Interval]),
            ip_ttl_err: count(&[Rejected::HopLimit, Rejected::PeerHopLimit]),
            invalid_type_rcvd: count(&[Rejected::Type]),
            addr_list_err: statistics.address_list_differs
                + count(&[Rejected::NoAddresses, Rejected::FirstAddress]),
            invalid_authtype: count(&[Rejected::AuthTypeUnknown]),
            authtype_mismatch: count(&[Rejected::AuthTypeMismatch]),
            auth_failure: count(&[Rejected::AuthFailure, Rejected::AuthReplay]),
            auth_ext_missing: count(&[Rejected::ExtensionMissing]),
            auth_ext_malformed: count(&[Rejected::ExtensionMalformed]),
            auth_ext_unknown_key: count(&[Rejected::ExtensionUnknownKey]),
            auth_ext_invalid_hmac: count(&[Rejected::ExtensionTag]),
            auth_ext_stale: count(&[Rejected::ExtensionStale]),
            auth_ext_replay: count(&[Rejected::ExtensionReplay]),
            pri_zero_rcvd: statistics.releases_received,
            pri_zero_sent: statistics.releases_sent,
        }
    }
}

/// One instance in the form of `keepalived.stats`. keepalived-cli.md §4.
#[must_use]
pub fn text(name: &str, counters: &Counters) -> String {
    let c = counters;
    format!(
        "VRRP Instance: {name}
  Advertisements:
    Received: {}
    Sent: {}
  Became master: {}
  Released master: {}
  Packet Errors:
    Length: {}
    TTL: {}
    Invalid Type: {}
    Advertisement Interval: {}
    Address List: {}
  Authentication Errors:
    Invalid Type: {}
    Type Mismatch: {}
    Failure: {}
  Authentication Extension Errors:
    Missing: {}
    Malformed: {}
    Unknown Key: {}
    Invalid HMAC: {}
    Stale: {}
    Replay: {}
  Priority Zero:
    Received: {}
    Sent: {}
",
        c.advert_rcvd,
        c.advert_sent,
        c.become_master,
        c.release_master,
        c.packet_len_err,
        c.ip_ttl_err,
        c.invalid_type_rcvd,
        c.advert_interval_err,
        c.addr_list_err,
        c.invalid_authtype,
        c.authtype_mismatch,
        c.auth_failure,
        c.auth_ext_missing,
        c.auth_ext_malformed,
        c.auth_ext_unknown_key,
        c.auth_ext_invalid_hmac,
        c.auth_ext_stale,
        c.auth_ext_replay,
        c.pri_zero_rcvd,
        c.pri_zero_sent,
    )
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
        let text = text("VI_1", &Counters::from(&statistics));
        assert!(text.contains("Invalid HMAC: 4\n    Stale: 0\n    Replay: 5\n"));
        assert!(text.starts_with(
            "VRRP Instance: VI_1\n  Advertisements:\n    Received: 7\n    Sent: 0\n  Became master: 0\n"
        ));
        assert!(text.contains("  Packet Errors:\n    Length: 5\n    TTL: 0\n"));
        assert!(text.ends_with("  Priority Zero:\n    Received: 0\n    Sent: 0\n"));
    }
}
