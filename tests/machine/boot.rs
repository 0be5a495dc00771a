//! What depends on when the host was switched on: this one was a moment ago.

use std::fs;
use std::time::Duration;

use super::common::machine::elsewhere;
use super::common::{Instance, SOON, VIP, stays, wait_for};
use super::{Node, ends_well, has_on};

#[test]
fn after_a_boot_vrrp_is_held_back_for_as_long_as_configured() {
    elsewhere(|| {
        let node = Node::new();
        let uptime = fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let instance = Instance {
            version: 3,
            interval: "0.1",
            ..Instance::default()
        };
        // Two to three seconds from now.
        let text = format!(
            "global_defs {{\nvrrp_delay_after_boot {}\n}}\n{}",
            uptime.ceil() + 2.0,
            instance.text()
        );
        let mut daemon = node.start(&text);
        stays("it is held back", Duration::from_millis(1800), || {
            !has_on(&node.host, "eth0", VIP)
        });
        wait_for("it leads", SOON, || has_on(&node.host, "eth0", VIP));
        ends_well(&mut daemon);
        // It has been up for long enough: counted from the start, it would take longer.
        let begun = vipd::lab::now();
        let mut daemon = node.start(&text);
        wait_for("it leads", SOON, || has_on(&node.host, "eth0", VIP));
        assert!(vipd::lab::now().saturating_since(begun) < Duration::from_secs(4));
        ends_well(&mut daemon);
    });
}
