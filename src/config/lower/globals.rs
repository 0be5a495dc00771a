//! `global_defs`, and what instances take over from it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::Lowering;
use super::script::user;
use crate::config::diagnostic::Class;
use crate::config::keyword::Unit;
use crate::config::lex::Token;
use crate::config::model::{Gaps, PacingGroup};
use crate::config::parse::{Body, Statement};
use crate::types::{InterfaceName, Version};
use crate::wire::ip::{GROUP_V4, GROUP_V6};

/// Values that an instance takes over when its block is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) version: Version,
    pub(super) garp: Garp,
    pub(super) down_timer_adverts: u8,
    pub(super) lower_prio_no_advert: bool,
    pub(super) higher_prio_send_advert: bool,
    pub(super) v3_checksum_as_v2: bool,
    pub(super) strict: bool,
    pub(super) owner_ignore_adverts: bool,
    pub(super) skip_address_check: bool,
    pub(super) check_source: bool,
    pub(super) group4: Ipv4Addr,
    pub(super) group6: Ipv6Addr,
    /// Where addresses go that name no interface, in an instance without one.
    pub(super) default_interface: Option<InterfaceName>,
}

/// Announcement settings, in the units of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Garp {
    pub(super) delay: Option<u32>,
    pub(super) repeat: Option<u32>,
    pub(super) refresh: Option<u32>,
    pub(super) refresh_repeat: Option<u32>,
    pub(super) lower_delay: Option<u32>,
    pub(super) lower_repeat: Option<u32>,
    pub(super) elsewhere: Option<Elsewhere>,
}

/// `garp_extra_if`: announcements on interfaces that are not the instance's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elsewhere {
    /// 0 is never.
    pub(super) seconds: u32,
    /// Without, only interfaces with a virtual MAC address count.
    pub(super) all: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            version: Version::V2,
            garp: Garp::default(),
            down_timer_adverts: 3,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            v3_checksum_as_v2: false,
            strict: false,
            owner_ignore_adverts: false,
            skip_address_check: false,
            check_source: false,
            group4: GROUP_V4,
            group6: GROUP_V6,
            default_interface: InterfaceName::new("eth0"),
        }
    }
}

impl Garp {
    /// Takes in a `garp_*` keyword; `name` is without the prefix `vrrp_` of the globals.
    pub(super) fn set(&mut self, name: &str, value: u32) {
        match name {
            "garp_master_delay" => self.delay = Some(value),
            "garp_master_repeat" => self.repeat = Some(value.max(1)),
            "garp_master_refresh" => self.refresh = Some(value),
            "garp_master_refresh_repeat" => self.refresh_repeat = Some(value.max(1)),
            "garp_lower_prio_delay" => self.lower_delay = Some(value),
            "garp_lower_prio_repeat" => self.lower_repeat = Some(value),
            _ => {}
        }
    }

    /// `vrrp_min_garp`: one announcement and no more, where nothing else was asked for.
    fn minimize(&mut self) {
        self.repeat.get_or_insert(1);
        self.delay.get_or_insert(0);
        self.refresh.get_or_insert(0);
        self.refresh_repeat.get_or_insert(1);
        self.lower_repeat.get_or_insert(1);
        self.lower_delay.get_or_insert(0);
    }
}

impl Lowering {
    pub(super) fn globals(&mut self, statement: &Statement) {
        self.out
            .provenance
            .insert("global_defs", "global_defs", statement.span);
        let Body::Block(inner) = &statement.body else {
            return;
        };
        for statement in inner {
            self.global(statement);
        }
    }

    fn global(&mut self, statement: &Statement) {
        let name = statement.keyword.name;
        self.out
            .provenance
            .insert("global_defs", name, statement.whole());
        if !self.has_argument(statement) {
            return;
        }
        let first = || statement.argument(0).map(str::to_owned);
        match name {
            "router_id" => self.out.config.globals.router_id = first(),
            "default_interface" => {
                let name = self.interface_name(statement.arguments.first());
                self.defaults.default_interface = name;
            }
            "script_user" => self.out.config.globals.script_user = user(&statement.arguments),
            "enable_script_security" => self.out.config.globals.script_security = true,
            "vrrp_version" => {
                if let Some(word) = self.choice(statement) {
                    self.defaults.version = version(word);
                }
            }
            "vrrp_garp_master_delay"
            | "vrrp_garp_master_repeat"
            | "vrrp_garp_master_refresh"
            | "vrrp_garp_master_refresh_repeat"
            | "vrrp_garp_lower_prio_delay"
            | "vrrp_garp_lower_prio_repeat" => {
                let value = self.integer(statement).and_then(|v| u32::try_from(v).ok());
                if let Some(value) = value {
                    self.not_zero(statement, value);
                    let key = name.strip_prefix("vrrp_").unwrap_or(name);
                    self.defaults.garp.set(key, value);
                }
            }
            "vrrp_min_garp" => {
                if self.boolean(statement) == Some(true) {
                    self.defaults.garp.minimize();
                }
            }
            "vrrp_down_timer_adverts" => {
                if let Some(value) = self.integer(statement).and_then(|v| u8::try_from(v).ok()) {
                    self.defaults.down_timer_adverts = value;
                }
            }
            "vrrp_lower_prio_no_advert" => {
                if let Some(on) = self.boolean(statement) {
                    self.defaults.lower_prio_no_advert = on;
                }
            }
            "vrrp_higher_prio_send_advert" => {
                if let Some(on) = self.boolean(statement) {
                    self.defaults.higher_prio_send_advert = on;
                }
            }
            "vrrp_strict" => {
                if let Some(on) = self.boolean(statement) {
                    self.defaults.strict = on;
                }
            }
            "vrrp_owner_ignore_adverts" => {
                if let Some(on) = self.boolean(statement) {
                    self.defaults.owner_ignore_adverts = on;
                }
            }
            "vrrp_skip_check_adv_addr" => {
                if let Some(on) = self.boolean(statement) {
                    self.defaults.skip_address_check = on;
                }
            }
            "vrrp_startup_delay" => {
                let delay = self.duration(statement);
                self.out.config.globals.startup_delay = delay.unwrap_or_default();
            }
            "vrrp_delay_after_boot" => {
                let delay = self.duration(statement);
                self.out.config.globals.delay_after_boot = delay.unwrap_or_default();
            }
            "vrrp_garp_interval" => {
                if let Some(gap) = self.duration(statement) {
                    self.out.config.pacing.default.arp = gap;
                }
            }
            "vrrp_gna_interval" => {
                if let Some(gap) = self.duration(statement) {
                    self.out.config.pacing.default.ndisc = gap;
                }
            }
            "vrrp_garp_extra_if" | "vrrp_vmac_garp_intvl" => {
                self.deprecated(statement);
                if let Some(elsewhere) = self.elsewhere(statement, 1) {
                    self.defaults.garp.elsewhere = Some(elsewhere);
                }
            }
            "v3_checksum_as_v2" => self.defaults.v3_checksum_as_v2 = true,
            "vrrp_check_unicast_src" => self.defaults.check_source = true,
            "nftables" | "nftables_priority" | "nftables_counters" => self.firewall(statement),
            "vmac_prefix" | "vmac_addr_prefix" => self.device_prefix(statement),
            "vrrp_mcast_group4" => self.group4(statement),
            "vrrp_mcast_group6" => self.group6(statement),
            "smtp_server" => self.mail_server(statement),
            "notification_email" => self.mail_recipients(statement),
            "include_check" => {}
            _ if self.process(statement) => {}
            _ => {
                self.support(statement);
                self.validate(statement);
                self.deprecated(statement);
            }
        }
    }

    /// The numbers of announcements of a block that cannot be 0.
    pub(super) fn not_zero(&mut self, statement: &Statement, value: u32) {
        let name = statement.keyword.name;
        if value == 0 && (name.ends_with("master_repeat") || name.ends_with("refresh_repeat")) {
            let message = format!("{name} must not be 0: 1 is used");
            self.warn(203, Class::General, message, statement.whole());
        }
    }

    /// A decimal number of seconds.
    pub(super) fn duration(&mut self, statement: &Statement) -> Option<Duration> {
        self.micros(statement).map(Duration::from_micros)
    }

    /// `[all] SECONDS`
    pub(super) fn elsewhere(&mut self, statement: &Statement, least: i64) -> Option<Elsewhere> {
        let all = statement.argument(0) == Some("all");
        let number = statement.arguments.get(usize::from(all))?;
        let name = statement.keyword.name;
        let seconds = self.integer_in(number, name, Unit::Seconds, least, 86_400)?;
        let seconds = u32::try_from(seconds).ok()?;
        Some(Elsewhere { seconds, all })
    }

    /// `garp_group`: each `interface` by itself, all `interfaces` together.
    pub(super) fn pacing_group(&mut self, statement: &Statement) {
        let Body::Block(inner) = &statement.body else {
            return;
        };
        let mut gaps = Gaps::default();
        let (mut single, mut shared) = (Vec::new(), Vec::new());
        for statement in inner {
            if !self.has_argument(statement) {
                continue;
            }
            match (statement.keyword.name, &statement.body) {
                ("garp_interval", _) => gaps.arp = self.duration(statement).unwrap_or_default(),
                ("gna_interval", _) => gaps.ndisc = self.duration(statement).unwrap_or_default(),
                ("interface", _) => {
                    single.extend(self.interface_name(statement.arguments.first()));
                }
                (_, Body::Entries(entries)) => {
                    for word in entries.iter().flat_map(|e| &e.words) {
                        shared.extend(self.interface_name(Some(word)));
                    }
                }
                _ => {}
            }
        }
        let groups = single.into_iter().map(|name| vec![name]).chain([shared]);
        for mut interfaces in groups {
            let known = |name: &_| {
                let mut groups = self.out.config.pacing.groups.iter();
                groups.any(|g| g.interfaces.contains(name))
            };
            interfaces.retain(|name| !known(name));
            if !interfaces.is_empty() {
                let group = PacingGroup { interfaces, gaps };
                self.out.config.pacing.groups.push(group);
            }
        }
    }

    fn group4(&mut self, statement: &Statement) {
        let Some(token) = statement.arguments.first() else {
            return;
        };
        match token.text.parse::<Ipv4Addr>() {
            Ok(group) if group.is_multicast() => self.defaults.group4 = group,
            _ => self.no_group(token, "IPv4"),
        }
    }

    fn group6(&mut self, statement: &Statement) {
        let Some(token) = statement.arguments.first() else {
            return;
        };
        match token.text.parse::<Ipv6Addr>() {
            Ok(group) if group.is_multicast() => self.defaults.group6 = group,
            _ => self.no_group(token, "IPv6"),
        }
    }

    fn no_group(&mut self, token: &Token, family: &str) {
        let message = format!("`{}` is no {family} multicast address", token.text);
        self.warn(206, Class::General, message, token.span);
    }

    fn mail_server(&mut self, statement: &Statement) {
        self.support(statement);
        if let Some(port) = statement.arguments.get(1) {
            self.integer_in(port, "the port of smtp_server", Unit::Count, 1, 65_535);
        }
    }

    fn mail_recipients(&mut self, statement: &Statement) {
        self.support(statement);
        if matches!(&statement.body, Body::Entries(entries) if entries.is_empty()) {
            let message = "`notification_email` has no addresses";
            self.warn(406, Class::General, message, statement.whole());
        }
    }

    /// keepalived asks for another word.
    pub(super) fn deprecated(&mut self, statement: &Statement) {
        let better = match statement.keyword.name {
            "vrrp_rlimit_rtime" => "vrrp_rlimit_rttime",
            "checker_rlimit_rtime" => "checker_rlimit_rttime",
            "bfd_rlimit_rtime" => "bfd_rlimit_rttime",
            "lvs_process_name" => "checker_process_name",
            "lvs_flush_onstop" => "lvs_flush_on_stop",
            "enable_snmp_keepalived" => "enable_snmp_vrrp",
            "global_tracking" => "sync_group_tracking_weight",
            "vmac_garp_intvl" => "garp_extra_if",
            "nb_get_retry" => "retry",
            "thread_timer_expired" => "timer_expired_backup",
            "vrrp_vmac_garp_intvl" => "vrrp_garp_extra_if",
            _ => return,
        };
        let name = statement.keyword.name;
        let message = format!("`{name}` is deprecated: write `{better}`");
        // keepalived takes most of its old names without a word.
        let class = match name {
            "nb_get_retry"
            | "vmac_garp_intvl"
            | "vrrp_vmac_garp_intvl"
            | "global_tracking"
            | "vrrp_rlimit_rtime"
            | "checker_rlimit_rtime"
            | "thread_timer_expired"
            | "bfd_rlimit_rtime" => Class::Deprecated,
            _ => Class::Silent,
        };
        self.warn(402, class, message, statement.span);
    }
}

/// The version a word of the table means.
pub(super) fn version(word: &str) -> Version {
    if word == "3" {
        Version::V3
    } else {
        Version::V2
    }
}
