//! `[defaults]`: options for all instances.

use std::borrow::Cow;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::format::{Address, Announce, Instance, Track};
use super::value::{At, TextOr};

impl Instance {
    /// What of these defaults `own` leaves open, each key by itself.
    pub(super) fn left_open_by(&self, own: &Self) -> Self {
        let destination = own.unicast.is_some() || own.multicast.is_some();
        Self {
            interface: open(&self.interface, &own.interface),
            vrid: None,
            version: open(&self.version, &own.version),
            priority: open(&self.priority, &own.priority),
            interval: open(&self.interval, &own.interval),
            missed_adverts: open(&self.missed_adverts, &own.missed_adverts),
            addresses: None,
            excluded: Vec::new(),
            ipv6: None,
            preempt: open(&self.preempt, &own.preempt),
            preempt_delay: open(&self.preempt_delay, &own.preempt_delay),
            start_active: open(&self.start_active, &own.start_active),
            listen_before_lead: open(&self.listen_before_lead, &own.listen_before_lead),
            late_timer_priority: open(&self.late_timer_priority, &own.late_timer_priority),
            owner_hears_adverts: open(&self.owner_hears_adverts, &own.owner_hears_adverts),
            require_link_local: open(&self.require_link_local, &own.require_link_local),
            check_addresses: open(&self.check_addresses, &own.check_addresses),
            answer_lower_priority: open(&self.answer_lower_priority, &own.answer_lower_priority),
            answer_higher_priority: open(&self.answer_higher_priority, &own.answer_higher_priority),
            accept_mode: open(&self.accept_mode, &own.accept_mode),
            virtual_mac: open(&self.virtual_mac, &own.virtual_mac),
            ipvlan: None,
            vrf: open(&self.vrf, &own.vrf),
            promote_secondaries: open(&self.promote_secondaries, &own.promote_secondaries),
            checksum: open(&self.checksum, &own.checksum),
            auth: open(&self.auth, &own.auth),
            unicast: self.unicast.clone().filter(|_| !destination),
            multicast: self.multicast.clone().filter(|_| !destination),
            track: Track {
                scripts: open_list(&self.track.scripts, &own.track.scripts),
                files: open_list(&self.track.files, &own.track.files),
                interfaces: open_list(&self.track.interfaces, &own.track.interfaces),
                own_interface: open(&self.track.own_interface, &own.track.own_interface),
                source_address: open(&self.track.source_address, &own.track.source_address),
            },
            notify: open(&self.notify, &own.notify),
            announce: self.announce.left_open_by(&own.announce),
            router_advertisement: None,
        }
    }
}

impl Announce {
    fn left_open_by(&self, own: &Self) -> Self {
        Self {
            repeat: open(&self.repeat, &own.repeat),
            delay: open(&self.delay, &own.delay),
            refresh: open(&self.refresh, &own.refresh),
            refresh_repeat: open(&self.refresh_repeat, &own.refresh_repeat),
            lower_priority_repeat: open(&self.lower_priority_repeat, &own.lower_priority_repeat),
            lower_priority_delay: open(&self.lower_priority_delay, &own.lower_priority_delay),
            elsewhere: open(&self.elsewhere, &own.elsewhere),
            elsewhere_devices_only: open(&self.elsewhere_devices_only, &own.elsewhere_devices_only),
        }
    }
}

fn open<T: Clone>(default: &Option<T>, own: &Option<T>) -> Option<T> {
    default.clone().filter(|_| own.is_none())
}

fn open_list<T: Clone>(default: &[T], own: &[T]) -> Vec<T> {
    if own.is_empty() {
        default.to_vec()
    } else {
        Vec::new()
    }
}

/// What an instance has that no other may have.
const OWN: [&str; 6] = [
    "vrid",
    "addresses",
    "excluded",
    "ipv6",
    "ipvlan",
    "router_advertisement",
];

/// An instance without what is its own alone.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Defaults(pub(super) Instance);

impl Defaults {
    /// The keys in it that belong into an instance, by their places; `whole` is where it is.
    pub(super) fn misplaced(&self, whole: &Range<usize>) -> Vec<(&'static str, Range<usize>)> {
        let Instance {
            vrid,
            addresses,
            excluded,
            ipv6,
            ipvlan,
            router_advertisement,
            ..
        } = &self.0;
        let first = |list: &[At<TextOr<Address>>]| list.first().map(|a| a.place.clone());
        let places = [
            vrid.as_ref().map(|v| v.place.clone()),
            addresses
                .as_deref()
                .map(|a| first(a).unwrap_or_else(|| whole.clone())),
            first(excluded),
            ipv6.as_ref().map(|i| i.place.clone()),
            ipvlan.as_ref().map(|i| i.place.clone()),
            router_advertisement.as_ref().map(|r| r.place.clone()),
        ];
        let found = OWN.into_iter().zip(places);
        found.filter_map(|(key, at)| Some((key, at?))).collect()
    }
}

impl JsonSchema for Defaults {
    fn schema_name() -> Cow<'static, str> {
        "Defaults".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Instance::json_schema(generator);
        if let Some(Value::Object(keys)) = schema.get_mut("properties") {
            keys.retain(|key, _| !OWN.contains(&key.as_str()));
        }
        let about = "Options for every instance that does not write them itself.";
        schema.insert("description".to_owned(), about.into());
        schema
    }
}
