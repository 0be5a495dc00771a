//! Router advertisements of an instance: the table and its checks.

use std::net::Ipv6Addr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::read::{error, span};
use super::value::{At, Number, TextOr, Time};
use crate::config::diagnostic::Diagnostic;
use crate::config::source::FileId;
use crate::vrrp::instance::RouterAdvertisement;
use crate::wire::ndisc::{self, RouterAdvert};

/// The virtual router is a default router of its link.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Table {
    /// Longest time between advertisements, 4s to 1800s; the shortest is a third of it. Default
    /// 200s.
    interval: Option<At<Time>>,
    /// For how long hosts keep the router after the last one, in whole seconds: `interval` to
    /// 9000s, or 0s if it is no default router. Default three intervals.
    lifetime: Option<At<Time>>,
    /// Prefixes of the link: `"2001:db8::/64"`, or a table.
    prefixes: Vec<At<TextOr<Prefix>>>,
    /// Hosts get their addresses by DHCPv6; default false.
    managed: Option<At<bool>>,
    /// Hosts get everything else by DHCPv6; default false.
    other: Option<At<bool>>,
    /// Hop limit of what hosts send; 0 leaves it to them. Default 64.
    #[schemars(range(min = 0, max = 255))]
    hop_limit: Option<At<Number>>,
    /// MTU of the link; default: not said.
    #[schemars(range(min = 1280, max = 65535))]
    mtu: Option<At<Number>>,
    /// Which default router hosts prefer; default `medium`.
    preference: Option<At<Preference>>,
}

/// A prefix that hosts are told.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Prefix {
    /// The prefix with its length.
    prefix: At<String>,
    /// Its addresses are reached without a router; default true.
    on_link: Option<At<bool>>,
    /// Hosts make themselves an address; default true, which takes a length of 64.
    autonomous: Option<At<bool>>,
    /// For how long it is valid, in whole seconds; 4294967295s is for ever. Default 720h.
    valid: Option<At<Time>>,
    /// For how long addresses from it are preferred; at most `valid`. Default 168h.
    preferred: Option<At<Time>>,
}

/// Which default router hosts prefer.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Preference {
    Low,
    Medium,
    High,
}

pub(super) const HOP_LIMIT: u8 = 64;
/// RFC 4861 §6.2.1, AdvValidLifetime and AdvPreferredLifetime.
pub(super) const VALID: u32 = 30 * 24 * 3600;
pub(super) const PREFERRED: u32 = 7 * 24 * 3600;
/// RFC 4861 §6.2.1.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(4)..=Duration::from_secs(1800);
const LONGEST_LIFETIME: Duration = Duration::from_secs(9000);

impl Table {
    /// What is meant; every mistake is named, and a default stands for it.
    pub(super) fn meaning(
        &self,
        file: FileId,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> RouterAdvertisement {
        let mut check = Check { file, diagnostics };
        let interval = self.interval.as_ref().map(|at| {
            let interval = duration(at.value);
            check.that(
                INTERVALS.contains(&interval),
                at,
                "`interval` is 4s to 1800s",
            );
            interval
        });
        let interval = interval.unwrap_or(RouterAdvertisement::USUAL_INTERVAL);
        let lifetime = self.lifetime.as_ref().map(|at| {
            let lifetime = duration(at.value);
            let whole = lifetime.subsec_nanos() == 0;
            let fits = (interval..=LONGEST_LIFETIME).contains(&lifetime) || lifetime.is_zero();
            let rule = "`lifetime` is whole seconds, from `interval` to 9000s, or 0s";
            check.that(whole && fits, at, rule);
            lifetime
        });
        let usual = usual_lifetime(interval);
        let prefixes = self.prefixes.iter().filter_map(|p| check.prefix(p));
        let prefixes = prefixes.collect();
        let number = |at: &Option<At<Number>>| at.as_ref().map(|at| at.value.0);
        let hop_limit = number(&self.hop_limit).map(u8::try_from);
        if let (Some(Err(_)), Some(at)) = (hop_limit, &self.hop_limit) {
            check.that(false, at, "`hop_limit` is 0 to 255");
        }
        let mtu = number(&self.mtu).map(|mtu| u32::from(u16::try_from(mtu).unwrap_or(0)));
        if let (Some(..1280), Some(at)) = (mtu, &self.mtu) {
            check.that(false, at, "`mtu` is 1280 to 65535");
        }
        RouterAdvertisement {
            interval,
            content: RouterAdvert {
                hop_limit: hop_limit.and_then(Result::ok).unwrap_or(HOP_LIMIT),
                managed: self.managed.as_ref().is_some_and(|m| m.value),
                other: self.other.as_ref().is_some_and(|o| o.value),
                preference: match self.preference.as_ref().map(|p| p.value) {
                    Some(Preference::Low) => ndisc::Preference::Low,
                    Some(Preference::High) => ndisc::Preference::High,
                    Some(Preference::Medium) | None => ndisc::Preference::Medium,
                },
                lifetime: lifetime.unwrap_or(usual),
                mtu,
                prefixes,
                ..RouterAdvert::default()
            },
        }
    }
}

/// The lifetime of a table without one: in whole seconds, as it is sent.
pub(super) fn usual_lifetime(interval: Duration) -> Duration {
    Duration::from_secs(RouterAdvertisement::usual_lifetime(interval).as_secs())
}

const fn duration(time: Time) -> Duration {
    Duration::from_micros(time.0)
}

struct Check<'a> {
    file: FileId,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn that<T>(&mut self, right: bool, at: &At<T>, rule: &str) {
        if !right {
            let at = span(self.file, &at.place);
            self.diagnostics.push(error(503, rule, at, ""));
        }
    }

    fn prefix(&mut self, at: &At<TextOr<Prefix>>) -> Option<ndisc::Prefix> {
        let written = match &at.value {
            TextOr::Text(text) => &Prefix {
                prefix: At {
                    value: text.clone(),
                    place: at.place.clone(),
                },
                on_link: None,
                autonomous: None,
                valid: None,
                preferred: None,
            },
            TextOr::Table(table) => table,
        };
        let parsed = parse(&written.prefix);
        let rule = "a prefix is an IPv6 address and a length, such as `2001:db8::/64`, without \
                    bits beyond the length, and is not link-local";
        self.that(parsed.is_some(), &written.prefix, rule);
        let autonomous = written.autonomous.as_ref().is_none_or(|a| a.value);
        if let Some((_, length)) = parsed {
            let rule = "hosts make addresses only from prefixes of length 64: write it so, or \
                        `autonomous = false`";
            self.that(!autonomous || length == 64, &written.prefix, rule);
        }
        let valid = self.lifetime(written.valid.as_ref()).unwrap_or(VALID);
        let usual = PREFERRED.min(valid);
        let preferred = self.lifetime(written.preferred.as_ref()).unwrap_or(usual);
        if let Some(at) = written.preferred.as_ref().or(written.valid.as_ref()) {
            let rule = "`preferred` is at most `valid`";
            self.that(preferred <= valid, at, rule);
        }
        let (address, length) = parsed?;
        Some(ndisc::Prefix {
            address,
            length,
            on_link: written.on_link.as_ref().is_none_or(|l| l.value),
            autonomous,
            valid_lifetime: valid,
            preferred_lifetime: preferred,
        })
    }

    fn lifetime(&mut self, at: Option<&At<Time>>) -> Option<u32> {
        let at = at?;
        let time = duration(at.value);
        let seconds = u32::try_from(time.as_secs()).ok();
        let seconds = seconds.filter(|_| time.subsec_nanos() == 0);
        self.that(seconds.is_some(), at, "whole seconds, up to 4294967295s");
        seconds
    }
}

fn parse(text: &str) -> Option<(Ipv6Addr, u8)> {
    let (address, length) = text.split_once('/')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let length: u8 = length.parse().ok().filter(|length| *length <= 128)?;
    let beyond = u128::MAX.checked_shr(length.into()).unwrap_or(0);
    let whole = address.to_bits() & beyond == 0;
    let usable = !address.is_unicast_link_local() && !address.is_multicast();
    (whole && usable).then_some((address, length))
}
