//! What only this host can tell of a configuration: its interfaces, addresses and programs.

use std::collections::BTreeMap;

use vipd::config::Loaded;
use vipd::config::diagnostic::{Class, Code, Diagnostic, Severity};
use vipd::config::lint;
use vipd::runtime::daemon;
use vipd::sys::netlink::{Link, Netlink};

/// An interface that is not there.
const MISSING_INTERFACE: Code = Code(460);

/// Adds what `-t` says: interfaces that are missing, and programs that are disabled.
pub(super) fn interfaces_and_programs(loaded: &mut Loaded) {
    if let Ok(links) = Netlink::open().and_then(|mut netlink| netlink.links()) {
        missing_interfaces(loaded, &links);
    }
    let globals = loaded.config.globals.clone();
    loaded.look_for_programs(|used| daemon::examine(&used.command, &globals));
}

/// Adds what `-t` says, and addresses that are of no network of their interface.
pub(super) fn look(loaded: &mut Loaded) {
    let mut outside = networks()
        .map(|networks| lint::outside_of_networks(loaded, &networks))
        .unwrap_or_default();
    interfaces_and_programs(loaded);
    loaded.diagnostics.append(&mut outside);
}

fn networks() -> Option<lint::Networks> {
    let mut netlink = Netlink::open().ok()?;
    let links = netlink.links().ok()?;
    let addresses = netlink.addresses(None).ok()?;
    let mut networks: lint::Networks = BTreeMap::new();
    for link in links {
        let own = addresses.iter().filter(|a| a.ifindex == link.index);
        let own = own.map(|a| (a.address, a.prefix_len));
        networks.insert(link.name, own.collect());
    }
    Some(networks)
}

fn missing_interfaces(loaded: &mut Loaded, links: &[Link]) {
    for used in &loaded.interfaces {
        if links.iter().any(|link| link.name == used.name) {
            continue;
        }
        let message = format!("interface {} does not exist on this host", used.name);
        loaded.diagnostics.push(
            Diagnostic::new(
                Severity::Warning,
                MISSING_INTERFACE,
                Class::General,
                message,
            )
            .label(
                used.span,
                "a fault at run time, until the interface appears",
            ),
        );
    }
}
