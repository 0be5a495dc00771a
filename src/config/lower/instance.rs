//! The keywords of `vrrp_instance`, as they are written.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::globals::{Defaults, Garp, version};
use super::hmac::HmacDraft;
use super::script::password;
use super::{InterfaceUse, Lowering, virtual_mac};
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword::Unit;
use crate::config::lex::Token;
use crate::config::model::{
    Command, Ipvlan, Notify, OldChecksum, Peer, Tracked, TrackedInterface, TrackedScript,
};
use crate::config::parse::{Body, Entry, Statement};
use crate::config::source::Span;
use crate::types::{Family, InterfaceName, Priority, Secret, Version, VirtualAddress, Vrid};

/// What `auth_type` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthType {
    Pass,
    Ah,
}

/// A `vrrp_instance` as it is written.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) defaults: Defaults,
    /// `state MASTER`, `state BACKUP` or neither.
    pub(super) master: Option<bool>,
    pub(super) interface: Option<InterfaceName>,
    pub(super) vrid: Option<Vrid>,
    pub(super) priority: Option<Priority>,
    pub(super) version: Option<Version>,
    /// `advert_int` in millionths of a second.
    pub(super) advert_int: Option<u64>,
    pub(super) family: Option<Family>,
    pub(super) auth_type: Option<AuthType>,
    pub(super) auth_pass: Option<Secret>,
    pub(super) preempt: bool,
    pub(super) preempt_delay: Duration,
    pub(super) source: Option<IpAddr>,
    pub(super) group: Option<IpAddr>,
    pub(super) peers: Vec<Peer>,
    /// A keyword was used that only makes sense with peers.
    pub(super) unicast: bool,
    /// `check_unicast_src`, or an option of a peer that implies it.
    pub(super) check_source: bool,
    pub(super) fault_without_peers: bool,
    pub(super) old_checksum: OldChecksum,
    pub(super) ttl: Option<u8>,
    pub(super) addresses: Vec<(VirtualAddress, Span)>,
    pub(super) excluded: Vec<(VirtualAddress, Span)>,
    known: BTreeSet<(IpAddr, Option<InterfaceName>)>,
    pub(super) no_address_wanted: bool,
    pub(super) garp: Garp,
    pub(super) checksum_as_v2: bool,
    pub(super) ignore_own_interface: bool,
    pub(super) track_scripts: Vec<(TrackedScript, Span)>,
    pub(super) track_interfaces: Vec<(TrackedInterface, Span)>,
    pub(super) track_files: Vec<(Tracked, Span)>,
    pub(super) notify: Notify,
    pub(super) strict: bool,
    pub(super) accept: Option<bool>,
    pub(super) virtual_mac: Option<virtual_mac::Draft>,
    pub(super) ipvlan: Option<Ipvlan>,
    pub(super) vrf: Option<InterfaceName>,
    pub(super) xmit_base: bool,
    /// `use_vmac_addr`
    pub(super) address_macs: bool,
    pub(super) promote: bool,
    pub(super) hmac: Option<HmacDraft>,
    pub(super) late_timer_priority: Option<Priority>,
    pub(super) track_source: bool,
}

impl Draft {
    fn new(name: &str, span: Span, defaults: &Defaults) -> Self {
        Self {
            name: name.to_owned(),
            span,
            defaults: defaults.clone(),
            master: None,
            interface: None,
            vrid: None,
            priority: None,
            version: None,
            advert_int: None,
            family: None,
            auth_type: None,
            auth_pass: None,
            preempt: true,
            preempt_delay: Duration::ZERO,
            source: None,
            group: None,
            peers: Vec::new(),
            unicast: false,
            check_source: defaults.check_source,
            fault_without_peers: false,
            old_checksum: OldChecksum::default(),
            ttl: None,
            addresses: Vec::new(),
            excluded: Vec::new(),
            known: BTreeSet::new(),
            no_address_wanted: false,
            garp: Garp::default(),
            checksum_as_v2: defaults.v3_checksum_as_v2,
            ignore_own_interface: false,
            track_scripts: Vec::new(),
            track_interfaces: Vec::new(),
            track_files: Vec::new(),
            notify: Notify::default(),
            strict: defaults.strict,
            accept: None,
            virtual_mac: None,
            ipvlan: None,
            vrf: None,
            xmit_base: false,
            address_macs: false,
            promote: false,
            hmac: None,
            late_timer_priority: None,
            track_source: false,
        }
    }
}

impl Lowering {
    pub(super) fn instance(&mut self, statement: &Statement) {
        let Some(name) = statement.argument(0) else {
            return;
        };
        let Body::Block(inner) = &statement.body else {
            return;
        };
        let first = self.draft_names.get(name).and_then(|i| self.drafts.get(*i));
        if let Some(first) = first {
            let diagnostic = Diagnostic::new(
                Severity::Warning,
                Code(404),
                Class::General,
                format!("the instance `{name}` is defined twice: the second is ignored"),
            )
            .label(statement.whole(), "ignored")
            .label(first.span, "the first is here");
            self.push(diagnostic);
            return;
        }
        self.out
            .provenance
            .insert(name, "vrrp_instance", statement.whole());
        let mut draft = Draft::new(name, statement.whole(), &self.defaults);
        for statement in inner {
            self.out
                .provenance
                .insert(name, statement.keyword.name, statement.whole());
            if self.has_argument(statement) {
                self.instance_keyword(&mut draft, statement);
            }
        }
        self.draft_names
            .insert(draft.name.clone(), self.drafts.len());
        self.drafts.push(draft);
    }

    fn instance_keyword(&mut self, draft: &mut Draft, statement: &Statement) {
        match statement.keyword.name {
            "state" => self.state(draft, statement),
            "interface" => self.interface(draft, statement),
            "virtual_router_id" => {
                let id = self.integer(statement).and_then(|id| u8::try_from(id).ok());
                draft.vrid = id.and_then(Vrid::new).or(draft.vrid);
            }
            "priority" => {
                let value = self.integer(statement).and_then(|p| u8::try_from(p).ok());
                draft.priority = Some(value.map_or(Priority::DEFAULT, Priority::new));
            }
            "advert_int" => draft.advert_int = self.micros(statement).or(draft.advert_int),
            "version" => {
                if let Some(word) = self.choice(statement) {
                    draft.version = Some(version(word));
                }
            }
            "authentication" => self.authentication(draft, statement),
            "auth_hmac" => self.hmac(draft, statement),
            "nopreempt" => draft.preempt = false,
            "preempt" => draft.preempt = true,
            "preempt_delay" => {
                if let Some(micros) = self.micros(statement) {
                    draft.preempt_delay = Duration::from_micros(micros);
                }
            }
            "virtual_ipaddress" => self.addresses(draft, statement),
            "virtual_ipaddress_excluded" => self.excluded(draft, statement),
            "no_virtual_ipaddress" => draft.no_address_wanted = true,
            "mcast_src_ip" | "unicast_src_ip" => self.source(draft, statement),
            "mcast_dst_ip" => self.multicast_group(draft, statement),
            "unicast_peer" => self.peers(draft, statement),
            "check_unicast_src" => {
                draft.unicast = true;
                draft.check_source = true;
            }
            "unicast_fault_no_peer" => {
                draft.unicast = true;
                draft.fault_without_peers = true;
            }
            "old_unicast_checksum" => self.old_unicast_checksum(draft, statement),
            "unicast_ttl" => {
                let ttl = self
                    .integer(statement)
                    .and_then(|ttl| u8::try_from(ttl).ok());
                draft.ttl = ttl.or(draft.ttl);
            }
            "track_script" => {
                self.tracked_scripts(&draft.name, &mut draft.track_scripts, statement);
            }
            "track_interface" => {
                self.tracked_interfaces(&draft.name, &mut draft.track_interfaces, statement);
            }
            "track_file" => {
                self.tracked_files(&draft.name, &mut draft.track_files, statement);
            }
            "track_process" | "track_bfd" => {
                self.other_trackers(&draft.name, statement);
            }
            "dont_track_primary" => draft.ignore_own_interface = true,
            "accept" => draft.accept = Some(true),
            "no_accept" => draft.accept = Some(false),
            "use_vmac" => self.use_vmac(draft, statement),
            "vmac_xmit_base" => draft.xmit_base = true,
            "use_vmac_addr" => draft.address_macs = true,
            "use_ipvlan" => self.use_ipvlan(draft, statement),
            "vrf" => draft.vrf = self.interface_name(statement.arguments.first()),
            "promote_secondaries" => draft.promote = true,
            _ => self.instance_option(draft, statement),
        }
    }

    fn instance_option(&mut self, draft: &mut Draft, statement: &Statement) {
        let name = statement.keyword.name;
        match name {
            "notify"
            | "notify_master"
            | "notify_backup"
            | "notify_fault"
            | "notify_stop"
            | "notify_master_rx_lower_pri" => {
                self.notify(&draft.name, &mut draft.notify, statement);
            }
            "garp_master_delay"
            | "garp_master_repeat"
            | "garp_master_refresh"
            | "garp_master_refresh_repeat"
            | "garp_lower_prio_delay"
            | "garp_lower_prio_repeat" => {
                let value = self.integer(statement).and_then(|v| u32::try_from(v).ok());
                if let Some(value) = value {
                    self.not_zero(statement, value);
                    draft.garp.set(name, value);
                }
            }
            "down_timer_adverts" => {
                let value = self.integer(statement).and_then(|v| u8::try_from(v).ok());
                let adverts = &mut draft.defaults.down_timer_adverts;
                *adverts = value.unwrap_or(*adverts);
            }
            "lower_prio_no_advert" => {
                if let Some(on) = self.boolean(statement) {
                    draft.defaults.lower_prio_no_advert = on;
                }
            }
            "higher_prio_send_advert" => {
                if let Some(on) = self.boolean(statement) {
                    draft.defaults.higher_prio_send_advert = on;
                }
            }
            "v3_checksum_as_v2" => {
                if let Some(on) = self.boolean(statement) {
                    draft.checksum_as_v2 = on;
                }
            }
            "notify_deleted" => {
                draft.notify.says_deleted = true;
                if !statement.arguments.is_empty() {
                    self.notify(&draft.name, &mut draft.notify, statement);
                }
            }
            "timer_expired_backup" | "thread_timer_expired" => {
                self.deprecated(statement);
                let number = statement.arguments.first();
                let given = number.map(|n| self.integer_in(n, name, Unit::Count, 1, 254));
                let priority = given
                    .unwrap_or(Some(254))
                    .and_then(|p| u8::try_from(p).ok());
                draft.late_timer_priority = priority.map(Priority::new);
            }
            "track_src_ip" => draft.track_source = true,
            "garp_extra_if" | "vmac_garp_intvl" => {
                self.deprecated(statement);
                if let Some(elsewhere) = self.elsewhere(statement, 0) {
                    draft.garp.elsewhere = Some(elsewhere);
                }
            }
            "owner_ignore_adverts" => {
                if let Some(on) = self.boolean(statement) {
                    draft.defaults.owner_ignore_adverts = on;
                }
            }
            "skip_check_adv_addr" => {
                if let Some(on) = self.boolean(statement) {
                    draft.defaults.skip_address_check = on;
                }
            }
            "strict_mode" => {
                if let Some(on) = self.boolean(statement) {
                    draft.strict = on;
                }
            }
            _ => self.inactive_option(draft, statement),
        }
    }

    /// What does nothing yet, apart from what keepalived says of it.
    fn inactive_option(&mut self, draft: &mut Draft, statement: &Statement) {
        self.support(statement);
        self.validate(statement);
        self.deprecated(statement);
        match statement.keyword.name {
            "native_ipv6" => {
                draft.family.get_or_insert(Family::V6);
            }
            "lvs_sync_daemon_interface" => {
                let message = "`lvs_sync_daemon_interface` is deprecated: write `lvs_sync_daemon` \
                               in `global_defs`";
                self.warn(402, Class::Deprecated, message, statement.span);
            }
            "virtual_routes" | "virtual_rules" => self.routes_and_rules(statement),
            _ => {}
        }
    }

    fn state(&mut self, draft: &mut Draft, statement: &Statement) {
        match self.choice(statement) {
            Some(word) => draft.master = Some(word == "MASTER"),
            None => draft.master = Some(false),
        }
    }

    fn interface(&mut self, draft: &mut Draft, statement: &Statement) {
        let Some(name) = self.interface_name(statement.arguments.first()) else {
            return;
        };
        if name.as_str() == "lo" {
            let message = "the loopback interface cannot carry a virtual router";
            self.warn(409, Class::General, message, statement.whole());
            return;
        }
        self.out.interfaces.push(InterfaceUse {
            name: name.clone(),
            instance: draft.name.clone(),
            span: statement.whole(),
        });
        draft.interface = Some(name);
    }

    fn authentication(&mut self, draft: &mut Draft, statement: &Statement) {
        let Body::Block(inner) = &statement.body else {
            return;
        };
        for statement in inner {
            let name = statement.keyword.name;
            self.out
                .provenance
                .insert(&draft.name, name, statement.whole());
            if !self.has_argument(statement) {
                continue;
            }
            match (name, statement.arguments.first()) {
                ("auth_type", _) => match self.choice(statement) {
                    Some("PASS") => draft.auth_type = Some(AuthType::Pass),
                    Some(_) => draft.auth_type = Some(AuthType::Ah),
                    None => {}
                },
                ("auth_pass", Some(token)) => self.auth_pass(draft, token),
                _ => {}
            }
        }
    }

    fn auth_pass(&mut self, draft: &mut Draft, token: &Token) {
        let (secret, longer) = password(&token.text);
        draft.auth_pass = Some(secret);
        if longer {
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(210),
                    Class::General,
                    "auth_pass is cut after 8 characters",
                )
                .label(token.span, "only the first 8 count")
                .help("the password must be the same on all routers: write 8 characters or fewer"),
            );
        }
    }

    /// Whether `address` is of the family the instance has by now.
    pub(super) fn same_family(&mut self, draft: &mut Draft, address: &IpAddr, at: Span) -> bool {
        let family = Family::of(address);
        if *draft.family.get_or_insert(family) == family {
            return true;
        }
        let message = format!("{address} is not of the address family of `{}`", draft.name);
        self.push(
            Diagnostic::new(Severity::Warning, Code(410), Class::General, message)
                .label(at, "ignored")
                .help("addresses of another family belong in `virtual_ipaddress_excluded`"),
        );
        false
    }

    fn addresses(&mut self, draft: &mut Draft, statement: &Statement) {
        let Body::Entries(entries) = &statement.body else {
            return;
        };
        for entry in entries {
            let Some(address) = self.virtual_address(entry) else {
                continue;
            };
            if self.same_family(draft, &address.address, entry.span)
                && self.take_in(draft, &address, entry)
            {
                draft.addresses.push((address, entry.span));
            }
        }
    }

    fn excluded(&mut self, draft: &mut Draft, statement: &Statement) {
        let Body::Entries(entries) = &statement.body else {
            return;
        };
        for entry in entries {
            let Some(address) = self.virtual_address(entry) else {
                continue;
            };
            if self.take_in(draft, &address, entry) {
                draft.excluded.push((address, entry.span));
            }
        }
    }

    fn take_in(&mut self, draft: &mut Draft, address: &VirtualAddress, entry: &Entry) -> bool {
        if !self.add_unless_known(&draft.known, address, entry.span) {
            return false;
        }
        draft
            .known
            .insert((address.address, address.interface.clone()));
        let key = entry
            .words
            .first()
            .map(|w| w.text.as_str())
            .unwrap_or_default();
        self.out
            .provenance
            .insert(&draft.name, key.to_owned(), entry.span);
        if let Some(interface) = &address.interface {
            self.out.interfaces.push(InterfaceUse {
                name: interface.clone(),
                instance: draft.name.clone(),
                span: entry.span,
            });
        }
        true
    }

    fn source(&mut self, draft: &mut Draft, statement: &Statement) {
        let Some(token) = statement.arguments.first() else {
            return;
        };
        draft.unicast |= statement.keyword.name == "unicast_src_ip";
        let Some(address) = self.address(token, "a source") else {
            return;
        };
        if self.same_family(draft, &address, token.span) {
            draft.source = Some(address);
        }
    }

    fn multicast_group(&mut self, draft: &mut Draft, statement: &Statement) {
        let Some(token) = statement.arguments.first() else {
            return;
        };
        let Some(address) = self.address(token, "a group") else {
            return;
        };
        if !address.is_multicast() {
            let message = format!("{address} is not a multicast address");
            self.warn(206, Class::General, message, token.span);
        } else if self.same_family(draft, &address, token.span) {
            draft.group = Some(address);
        }
    }

    /// A notify script of an instance or a sync group.
    pub(super) fn notify(&mut self, block: &str, notify: &mut Notify, statement: &Statement) {
        let Some(command) = self.command(statement, true) else {
            return;
        };
        let place: &mut Option<Command> = match statement.keyword.name {
            "notify_master" => &mut notify.active,
            "notify_backup" => &mut notify.backup,
            "notify_fault" => &mut notify.fault,
            "notify_stop" => &mut notify.stop,
            "notify_deleted" => &mut notify.deleted,
            "notify_master_rx_lower_pri" => &mut notify.heard_lower_priority,
            _ => &mut notify.any,
        };
        if place.is_some() {
            let message = format!(
                "`{}` is written twice in `{block}`: the first one stays",
                statement.keyword.name
            );
            self.warn(404, Class::General, message, statement.whole());
            return;
        }
        *place = Some(command.clone());
        self.uses(&command, block, statement);
    }
}
