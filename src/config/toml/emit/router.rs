//! Router advertisements of an instance.

use super::values::{list, quote, table, time};
use crate::config::toml::router::{HOP_LIMIT, PREFERRED, VALID, usual_lifetime};
use crate::vrrp::instance::RouterAdvertisement;
use crate::wire::ndisc::{self, RouterAdvert};

/// The table that means `wanted`, in braces.
pub(in crate::config) fn text(wanted: &RouterAdvertisement) -> String {
    let RouterAdvertisement { interval, content } = wanted;
    let RouterAdvert {
        hop_limit,
        managed,
        other,
        preference,
        lifetime,
        // Nothing in the file says these.
        reachable: _,
        retransmit: _,
        link_address: _,
        mtu,
        prefixes,
    } = content;
    let mut members = vec![format!("interval = {}", time(*interval))];
    let mut add = |key: &str, value: String| members.push(format!("{key} = {value}"));
    if *lifetime != usual_lifetime(*interval) {
        add("lifetime", time(*lifetime));
    }
    if !prefixes.is_empty() {
        add("prefixes", list(prefixes, prefix));
    }
    for (key, on) in [("managed", managed), ("other", other)] {
        if *on {
            add(key, "true".to_owned());
        }
    }
    if *hop_limit != HOP_LIMIT {
        add("hop_limit", hop_limit.to_string());
    }
    if let Some(mtu) = mtu {
        add("mtu", mtu.to_string());
    }
    match preference {
        ndisc::Preference::Low => add("preference", quote("low")),
        ndisc::Preference::Medium => {}
        ndisc::Preference::High => add("preference", quote("high")),
    }
    table(&members)
}

fn prefix(prefix: &ndisc::Prefix) -> String {
    let ndisc::Prefix {
        address,
        length,
        on_link,
        autonomous,
        valid_lifetime,
        preferred_lifetime,
    } = prefix;
    let name = quote(&format!("{address}/{length}"));
    let mut members = vec![format!("prefix = {name}")];
    for (key, on) in [("on_link", on_link), ("autonomous", autonomous)] {
        if !on {
            members.push(format!("{key} = false"));
        }
    }
    if *valid_lifetime != VALID {
        members.push(format!("valid = \"{valid_lifetime}s\""));
    }
    if *preferred_lifetime != PREFERRED.min(*valid_lifetime) {
        members.push(format!("preferred = \"{preferred_lifetime}s\""));
    }
    match members.as_slice() {
        [_] => name,
        _ => table(&members),
    }
}
