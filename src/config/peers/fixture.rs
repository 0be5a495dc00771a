//! Instances for the tests.

use crate::config::model::{
    Authentication, Config, Instance, Notify, OldChecksum, Peer, TrackedScript, Transport,
};
use crate::types::{InterfaceName, Priority, VirtualAddress, Vrid};
use crate::vrrp::election::Weight;
use crate::vrrp::instance::InstanceConfig;

/// A script that the tests track.
pub(super) const NGINX: &str = "check_nginx";

pub(super) fn node(priority: u8) -> Instance {
    let mut protocol = InstanceConfig::new(Vrid::new(51).unwrap());
    protocol.priority = Priority::new(priority);
    Instance {
        name: "VI_1".to_owned(),
        interface: InterfaceName::new("eth0"),
        vrf: None,
        protocol,
        authentication: Authentication::None,
        transport: Transport::Multicast {
            group: "224.0.0.18".parse().unwrap(),
            source: None,
        },
        addresses: Vec::new(),
        excluded: Vec::new(),
        checksum_without_pseudo_header: false,
        virtual_mac: None,
        ipvlan: None,
        promote_secondaries: false,
        accept_mode: true,
        ignore_own_interface: false,
        track_source: false,
        skip_address_check: false,
        require_link_local: false,
        track_scripts: Vec::new(),
        track_files: Vec::new(),
        track_interfaces: Vec::new(),
        notify: Notify::default(),
    }
}

pub(super) fn tracking(mut instance: Instance, points: i16) -> Instance {
    let weight = Weight::new(points);
    instance.track_scripts.push(TrackedScript {
        script: NGINX.to_owned(),
        weight,
    });
    instance
}

pub(super) fn from(mut instance: Instance, address: &str) -> Instance {
    let source = Some(address.parse().unwrap());
    instance.transport = Transport::Multicast {
        group: "224.0.0.18".parse().unwrap(),
        source,
    };
    instance
}

pub(super) fn waiting(mut instance: Instance) -> Instance {
    instance.protocol.preempt_mode = false;
    instance
}

/// A file with one instance.
pub(super) fn file(instance: Instance) -> Config {
    Config {
        instances: vec![instance],
        ..Config::default()
    }
}

pub(super) fn unicast(mut instance: Instance, source: &str, peers: &[&str]) -> Instance {
    instance.transport = Transport::Unicast {
        source: Some(source.parse().unwrap()),
        peers: peers
            .iter()
            .map(|peer| Peer::new(peer.parse::<std::net::IpAddr>().unwrap()))
            .collect(),
        ttl: 255,
        old_checksum: OldChecksum::Answer,
        check_source: false,
    };
    instance
}

pub(super) fn address(text: &str, prefix_len: u8) -> VirtualAddress {
    VirtualAddress::new(text.parse().unwrap(), prefix_len)
}
