//! From a [`Config`] to the text of a `vipd.toml` that means the same.
//!
//! Defaults are left out. What is read again equals what was written, field for field.

pub(super) mod router;
pub(super) mod values;

use std::fmt::Write as _;
use std::time::Duration;

use crate::config::model::{
    AntiReplay, Authentication, Config, Firewall, Globals, Hmac, HmacMode, InitFile, Instance,
    Notify, OldChecksum, Pacing, PacingGroup, Peer, SyncGroup, TrackFile, TrackScript, Tracked,
    Transport, VirtualMac,
};
use crate::types::{Family, Interval, Priority, Version};
use crate::vrrp::election::Weight;
use crate::vrrp::instance::{Announcement, InstanceConfig};
use values::{
    address, argv, command, key, list, peer, quote, roll, secret, table, time, tracked, user,
};

/// The text that means `config`.
#[must_use]
pub fn emit(config: &Config) -> String {
    let mut text = Text::default();
    text.globals(&config.globals);
    text.process(&config.globals.process);
    text.pacing(&config.pacing);
    for script in &config.scripts {
        text.script(script);
    }
    for file in &config.files {
        text.track_file(file);
    }
    for instance in &config.instances {
        text.instance(instance);
    }
    for group in &config.groups {
        text.group(group);
    }
    text.out
}

#[derive(Default)]
pub(super) struct Text {
    out: String,
    /// Name and weight of each script.
    scripts: Vec<(String, Weight)>,
    /// Name and weight of each file.
    files: Vec<(String, Weight)>,
}

impl Text {
    pub(super) fn header(&mut self, kind: &str, name: Option<&str>) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out += &match name {
            Some(name) => format!("[{kind}.{}]\n", key(name)),
            None => format!("[{kind}]\n"),
        };
    }

    pub(super) fn line(&mut self, key: &str, value: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{key} = {value}");
    }

    /// The line unless the value is the default.
    pub(super) fn unless<T: PartialEq<U> + std::fmt::Display, U>(
        &mut self,
        key: &str,
        value: T,
        default: &U,
    ) {
        if value != *default {
            self.line(key, value);
        }
    }

    fn time_unless_zero(&mut self, key: &str, value: Duration) {
        if !value.is_zero() {
            self.line(key, time(value));
        }
    }

    fn pacing(&mut self, pacing: &Pacing) {
        let Pacing { default, groups } = pacing;
        if *pacing == Pacing::default() {
            return;
        }
        self.header("pacing", None);
        self.time_unless_zero("arp", default.arp);
        self.time_unless_zero("ndisc", default.ndisc);
        if groups.is_empty() {
            return;
        }
        let group = |group: &PacingGroup| {
            let PacingGroup { interfaces, gaps } = group;
            let interfaces = list(interfaces, |name| quote(name.as_str()));
            let mut members = vec![format!("interfaces = {interfaces}")];
            let gaps = [("arp", gaps.arp), ("ndisc", gaps.ndisc)];
            let gaps = gaps.iter().filter(|(_, gap)| !gap.is_zero());
            members.extend(gaps.map(|(key, gap)| format!("{key} = {}", time(*gap))));
            table(&members)
        };
        self.line("groups", list(groups, group));
    }

    fn globals(&mut self, globals: &Globals) {
        let Globals {
            router_id,
            script_user,
            script_security,
            startup_delay,
            delay_after_boot,
            firewall,
            device_prefix,
            address_device_prefix,
            all_groups,
            follow_links,
            process,
        } = globals;
        let usual = Globals {
            process: process.clone(),
            ..Globals::default()
        };
        if *globals == usual {
            return;
        }
        self.header("global", None);
        if let Some(id) = router_id {
            self.line("router_id", quote(id));
        }
        if let Some(name) = script_user {
            self.line("script_user", user(name));
        }
        self.unless("script_security", *script_security, &false);
        self.unless("script_groups", *all_groups, &false);
        self.unless("follow_links", *follow_links, &false);
        self.time_unless_zero("startup_delay", *startup_delay);
        self.time_unless_zero("delay_after_boot", *delay_after_boot);
        let usual = Firewall::default();
        if firewall.table != usual.table {
            self.line("firewall.table", quote(&firewall.table));
        }
        self.unless("firewall.priority", firewall.priority, &usual.priority);
        self.unless("firewall.counters", firewall.counters, &usual.counters);
        if let Some(prefix) = device_prefix {
            self.line("device_prefix", quote(prefix));
        }
        if let Some(prefix) = address_device_prefix {
            self.line("address_device_prefix", quote(prefix));
        }
    }

    fn script(&mut self, script: &TrackScript) {
        let TrackScript {
            name,
            command,
            interval,
            timeout,
            weight,
            rise,
            fall,
            init_fail,
        } = script;
        self.scripts.push((name.clone(), *weight));
        self.header("script", Some(name));
        self.line("command", argv(&command.argv));
        if let Some(name) = &command.user {
            self.line("user", user(name));
        }
        self.unless("interval", time(*interval), &time(Duration::from_secs(1)));
        self.unless("timeout", time(*timeout), &time(*interval));
        self.unless("weight", weight.points, &0);
        self.unless("reverse", weight.reverse, &false);
        self.unless("rise", *rise, &1);
        self.unless("fall", *fall, &1);
        self.unless("start_down", *init_fail, &false);
    }

    fn track_file(&mut self, file: &TrackFile) {
        let TrackFile {
            name,
            path,
            weight,
            init,
        } = file;
        self.files.push((name.clone(), *weight));
        self.header("track_file", Some(name));
        self.line("file", quote(&path.to_string_lossy()));
        self.unless("weight", weight.points, &TrackFile::WEIGHT.points);
        self.unless("reverse", weight.reverse, &false);
        if let Some(InitFile { value, overwrite }) = init {
            self.line("initial", value);
            self.unless("overwrite", *overwrite, &false);
        }
    }

    fn instance(&mut self, instance: &Instance) {
        let Instance {
            name,
            interface,
            vrf,
            protocol,
            authentication,
            transport,
            addresses,
            excluded,
            checksum_without_pseudo_header,
            require_link_local,
            virtual_mac,
            ipvlan,
            promote_secondaries,
            accept_mode,
            ignore_own_interface,
            track_source,
            skip_address_check,
            track_scripts,
            track_files,
            track_interfaces,
            notify,
        } = instance;
        self.header("instance", Some(name));
        if let Some(interface) = interface {
            self.line("interface", quote(interface.as_str()));
        }
        self.protocol(protocol);
        self.line("addresses", roll(addresses, address));
        if !excluded.is_empty() {
            self.line("excluded", roll(excluded, address));
        }
        if addresses.is_empty() && protocol.family == Family::V6 {
            self.line("ipv6", true);
        }
        self.transport(transport, protocol.family);
        self.unless("require_link_local", *require_link_local, &false);
        self.unless("accept_mode", *accept_mode, &true);
        if let Some(own) = virtual_mac {
            self.virtual_mac(own, protocol, transport);
        }
        if let Some(own) = ipvlan {
            self.line("ipvlan", values::ipvlan(own));
        }
        if let Some(vrf) = vrf {
            self.line("vrf", quote(vrf.as_str()));
        }
        self.unless("promote_secondaries", *promote_secondaries, &false);
        if *checksum_without_pseudo_header {
            self.line("checksum", quote("rfc9568"));
        }
        if !track_scripts.is_empty() {
            let usual = |name: &str| {
                let script = self.scripts.iter().find(|(n, _)| n == name);
                script.map(|(_, weight)| *weight).unwrap_or_default()
            };
            let one = |t: &crate::config::model::TrackedScript| {
                tracked("script", &t.script, t.weight, usual(&t.script))
            };
            let scripts = roll(track_scripts, one);
            self.line("track.scripts", scripts);
        }
        if !track_files.is_empty() {
            self.line("track.files", by_name(track_files, &self.files));
        }
        if !track_interfaces.is_empty() {
            let interfaces = roll(track_interfaces, |t| {
                tracked(
                    "interface",
                    t.interface.as_str(),
                    t.weight,
                    Weight::default(),
                )
            });
            self.line("track.interfaces", interfaces);
        }
        self.unless("track.own_interface", !ignore_own_interface, &true);
        self.unless("track.source_address", *track_source, &false);
        self.unless("check_addresses", !skip_address_check, &true);
        self.announcement(&protocol.announcement);
        if let Some(wanted) = &protocol.router_advertisement {
            self.line("router_advertisement", router::text(wanted));
        }
        self.notify(notify);
        self.authentication(authentication, protocol.advertisement_interval);
    }

    fn virtual_mac(&mut self, own: &VirtualMac, protocol: &InstanceConfig, via: &Transport) {
        let VirtualMac {
            mac,
            device,
            group,
            advertise_from_base,
        } = own;
        let mut members = Vec::new();
        if *mac != VirtualMac::address(protocol.family, protocol.vrid) {
            let bytes: Vec<_> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
            members.push(format!("mac = {}", quote(&bytes.join(":"))));
        }
        if let Some(device) = device {
            members.push(format!("device = {}", quote(device.as_str())));
        }
        if let Some(group) = group {
            members.push(format!("group = {}", quote(group)));
        }
        let implied = matches!(via, Transport::Unicast { peers, .. } if !peers.is_empty());
        if *advertise_from_base && !implied {
            members.push("advertise_from_base = true".to_owned());
        }
        if members.is_empty() {
            self.line("virtual_mac", true);
        } else {
            self.line("virtual_mac", table(&members));
        }
    }

    fn protocol(&mut self, protocol: &InstanceConfig) {
        let InstanceConfig {
            vrid,
            family,
            version,
            with_version_2,
            priority,
            advertisement_interval,
            preempt_mode,
            preempt_delay,
            start_active,
            down_timer_adverts,
            answer_lower_priority,
            answer_higher_priority,
            owner_hears_adverts,
            late_timer_priority,
            listen_before_lead,
            announcement: _,
            router_advertisement: _,
            // It follows from the virtual MAC.
            handover_overlap: _,
        } = protocol;
        self.line("vrid", vrid);
        let usual = match family {
            Family::V4 => Version::V2,
            Family::V6 => Version::V3,
        };
        if *with_version_2 {
            self.line("version", quote("both"));
        } else {
            self.unless("version", version.number(), &usual.number());
        }
        self.unless("priority", priority.get(), &Priority::DEFAULT.get());
        if *advertisement_interval != Interval::DEFAULT {
            self.line("interval", time(advertisement_interval.duration()));
        }
        self.unless("missed_adverts", *down_timer_adverts, &3);
        self.unless("preempt", *preempt_mode, &true);
        if !preempt_delay.is_zero() {
            self.line("preempt_delay", time(*preempt_delay));
        }
        if *priority == Priority::OWNER {
            self.unless("start_active", *start_active, &true);
        }
        self.unless("owner_hears_adverts", *owner_hears_adverts, &true);
        if let Some(late) = late_timer_priority {
            self.line("late_timer_priority", late);
        }
        self.unless("listen_before_lead", *listen_before_lead, &false);
        self.unless("answer_lower_priority", *answer_lower_priority, &true);
        self.unless("answer_higher_priority", *answer_higher_priority, &false);
    }

    fn transport(&mut self, transport: &Transport, family: Family) {
        let mut members = Vec::new();
        match transport {
            Transport::Multicast { group, source } => {
                let usual = match family {
                    Family::V4 => std::net::IpAddr::from([224, 0, 0, 18]),
                    Family::V6 => std::net::IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 0x12]),
                };
                if *group != usual {
                    members.push(format!("group = {}", quote(&group.to_string())));
                }
                if let Some(source) = source {
                    members.push(format!("source = {}", quote(&source.to_string())));
                }
                if !members.is_empty() {
                    self.line("multicast", table(&members));
                }
            }
            Transport::Unicast {
                source,
                peers,
                ttl,
                check_source,
                old_checksum,
            } => {
                let ranged = |p: &Peer| p.min_hop_limit > 0 || p.max_hop_limit < u8::MAX;
                members.push(format!("peers = {}", roll(peers, peer)));
                if let Some(source) = source {
                    members.push(format!("source = {}", quote(&source.to_string())));
                }
                if *ttl != u8::MAX {
                    members.push(format!("ttl = {ttl}"));
                }
                if *check_source && !peers.iter().any(ranged) {
                    members.push("check_source = true".to_owned());
                }
                let old_checksum = match old_checksum {
                    OldChecksum::Answer => None,
                    OldChecksum::Always => Some("always"),
                    OldChecksum::Never => Some("never"),
                };
                members.extend(old_checksum.map(|who| format!("old_checksum = {}", quote(who))));
                self.line("unicast", table(&members));
            }
        }
    }

    fn announcement(&mut self, announcement: &Announcement) {
        let usual = Announcement::default();
        let Announcement {
            repeat,
            delay,
            refresh,
            refresh_repeat,
            lower_priority_repeat,
            lower_priority_delay,
            elsewhere,
            elsewhere_devices_only,
        } = announcement;
        let seconds = |t: &Option<Duration>| time(t.unwrap_or_default());
        self.unless("announce.repeat", *repeat, &usual.repeat);
        self.unless("announce.delay", seconds(delay), &seconds(&usual.delay));
        self.unless("announce.refresh", seconds(refresh), &seconds(&None));
        self.unless("announce.elsewhere", seconds(elsewhere), &seconds(&None));
        self.unless(
            "announce.elsewhere_devices_only",
            *elsewhere_devices_only,
            &false,
        );
        self.unless(
            "announce.refresh_repeat",
            *refresh_repeat,
            &usual.refresh_repeat,
        );
        self.unless(
            "announce.lower_priority_repeat",
            *lower_priority_repeat,
            repeat,
        );
        self.unless(
            "announce.lower_priority_delay",
            seconds(lower_priority_delay),
            &seconds(delay),
        );
    }

    fn notify(&mut self, notify: &Notify) {
        let Notify {
            any,
            active,
            backup,
            fault,
            stop,
            says_deleted,
            deleted,
            heard_lower_priority,
        } = notify;
        let programs = [
            ("notify.any", any),
            ("notify.active", active),
            ("notify.backup", backup),
            ("notify.fault", fault),
            ("notify.stop", stop),
            ("notify.deleted", deleted),
            ("notify.heard_lower_priority", heard_lower_priority),
        ];
        for (key, program) in programs {
            if let Some(program) = program {
                self.line(key, command(program));
            }
        }
        if *says_deleted && deleted.is_none() {
            self.line("notify.say_deleted", true);
        }
    }

    fn authentication(&mut self, authentication: &Authentication, interval: Interval) {
        match authentication {
            Authentication::None => {}
            Authentication::Password(password) => self.line("auth.password", secret(password)),
            Authentication::Header(key) => self.line("auth.ah", secret(key)),
            Authentication::Hmac(hmac) => self.hmac(hmac, interval),
        }
    }

    fn hmac(&mut self, hmac: &Hmac, interval: Interval) {
        let Hmac {
            keys,
            active,
            window,
            anti_replay,
            mode,
        } = hmac;
        for (id, key) in keys {
            let hex: String = key.expose().iter().map(|b| format!("{b:02x}")).collect();
            self.line(
                &format!("auth.hmac.keys.{}", id.get()),
                quote(&format!("hex:{hex}")),
            );
        }
        self.line("auth.hmac.active", active.get());
        self.unless(
            "auth.hmac.window",
            time(*window),
            &time(Hmac::usual_window(interval)),
        );
        match anti_replay {
            AntiReplay::Time => {}
            AntiReplay::Monotonic => self.line("auth.hmac.anti_replay", quote("monotonic")),
        }
        match mode {
            HmacMode::Enforce => {}
            HmacMode::Permissive => self.line("auth.hmac.mode", quote("permissive")),
            HmacMode::ReceiveOnly => self.line("auth.hmac.mode", quote("receive-only")),
        }
    }

    fn group(&mut self, group: &SyncGroup) {
        let SyncGroup {
            name,
            members,
            notify,
        } = group;
        self.header("group", Some(name));
        self.line("members", list(members, |name| quote(name)));
        self.notify(notify);
    }
}

/// Trackers by name; `usual` has the weight that each has anyway.
fn by_name(list: &[Tracked], usual: &[(String, Weight)]) -> String {
    roll(list, |t| {
        let usual = usual.iter().find(|(name, _)| *name == t.name);
        let usual = usual.map(|(_, weight)| *weight).unwrap_or_default();
        tracked("name", &t.name, t.weight, usual)
    })
}
