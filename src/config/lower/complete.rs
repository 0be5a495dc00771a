//! From drafts to instances: keepalived's defaults, corrections and refusals.
//!
//! keepalived-behaviour.md §2, "Strict mode" and "Corrections outside strict mode".

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::globals::Garp;
use super::instance::{AuthType, Draft};
use super::{InterfaceUse, Lowering};
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::model::{Authentication, Instance, TrackFile, Transport};
use crate::config::source::Span;
use crate::types::{Family, Interval, Priority, Version, Vrid};
use crate::vrrp::instance::{Announcement, HANDOVER_OVERLAP, InstanceConfig};

/// Most addresses an advert can carry.
const MOST_ADDRESSES: usize = 255;

impl Lowering {
    /// Turns all drafts into instances.
    pub(super) fn complete(&mut self) {
        let mut drafts = std::mem::take(&mut self.drafts);
        self.settle_groups(&mut drafts);
        for draft in drafts {
            self.complete_one(draft);
        }
        self.conflicts();
        self.shared_macs();
        self.shared_bases();
        self.prune_groups();
        self.script_security();
    }

    fn complete_one(&mut self, mut draft: Draft) {
        let both = self.beyond.both_versions.contains(&draft.name);
        let require_link_local = self.beyond.require_link_local.contains(&draft.name);
        let version = self.version(&draft);
        let priority = self.priority(&mut draft);
        let owner = priority == Priority::OWNER;
        let vrid = self.vrid(&draft);
        let reachable = draft.interface.is_some() || self.without_interface(&mut draft);
        if draft.strict {
            self.strict(&mut draft, owner, version);
        }
        self.preemption(&mut draft, owner);
        self.owner_and_late_timer(&mut draft, owner);
        let interval = self.interval(&draft, version);
        let spoken = if both { Version::V2 } else { version };
        let authentication = self.settle_authentication(&draft, spoken, interval);
        self.family_has(&draft, both, require_link_local);
        if both {
            self.fits_both_versions(&draft, interval);
        }
        let transport = self.transport(&draft);
        let runs = self.settle_addresses(&mut draft, version);
        self.trackers(&mut draft, owner);
        let (Some(vrid), Some(authentication), true) = (vrid, authentication, runs && reachable)
        else {
            return;
        };
        let ipvlan = self.ipvlan(&mut draft);
        self.vrf(&mut draft);
        self.address_macs(&mut draft);
        let virtual_mac = self.virtual_mac(&mut draft, vrid);
        let router_advertisement = self.router_advertisement(&draft);
        let protocol = InstanceConfig {
            // Whoever still answers for an address does so from the same MAC address as the new
            // router, and draws the switch back to itself.
            handover_overlap: match virtual_mac {
                Some(_) => Duration::ZERO,
                None => HANDOVER_OVERLAP,
            },
            family: draft.family.unwrap_or_default(),
            version,
            with_version_2: both,
            priority,
            advertisement_interval: interval,
            preempt_mode: draft.preempt,
            preempt_delay: draft.preempt_delay,
            start_active: owner && draft.master.unwrap_or(true),
            down_timer_adverts: draft.defaults.down_timer_adverts,
            answer_lower_priority: !draft.defaults.lower_prio_no_advert,
            answer_higher_priority: draft.defaults.higher_prio_send_advert,
            owner_hears_adverts: !(owner && draft.defaults.owner_ignore_adverts),
            late_timer_priority: draft.late_timer_priority,
            announcement: announcement(&draft.garp, &draft.defaults.garp),
            router_advertisement,
            ..InstanceConfig::new(vrid)
        };
        let accept_mode = owner || draft.accept.unwrap_or(!draft.strict);
        self.out.config.instances.push(Instance {
            name: draft.name,
            interface: draft.interface,
            vrf: draft.vrf,
            protocol,
            authentication,
            transport,
            addresses: draft.addresses.into_iter().map(|a| a.0).collect(),
            excluded: draft.excluded.into_iter().map(|a| a.0).collect(),
            checksum_without_pseudo_header: draft.checksum_as_v2,
            require_link_local,
            virtual_mac,
            ipvlan,
            promote_secondaries: draft.promote,
            accept_mode,
            ignore_own_interface: draft.ignore_own_interface,
            track_source: draft.track_source,
            skip_address_check: draft.defaults.skip_address_check,
            track_scripts: draft.track_scripts.into_iter().map(|t| t.0).collect(),
            track_files: draft.track_files.into_iter().map(|t| t.0).collect(),
            track_interfaces: draft.track_interfaces.into_iter().map(|t| t.0).collect(),
            notify: draft.notify,
        });
    }

    /// Where a keyword of a draft is written, else the draft itself.
    pub(super) fn at(&self, draft: &Draft, keyword: &str) -> Span {
        self.out
            .provenance
            .span(&draft.name, keyword)
            .unwrap_or(draft.span)
    }

    /// What was asked for, else 3 over IPv6. No RFC has version 2 there; keepalived sends it all the
    /// same when it is told to, and so do we, but not in strict mode.
    fn version(&mut self, draft: &Draft) -> Version {
        let Some(Family::V6) = draft.family else {
            return draft.version.unwrap_or(draft.defaults.version);
        };
        match draft.version {
            Some(Version::V2) if draft.strict => {
                self.correct(
                    draft,
                    "version",
                    "strict mode has no version 2 over IPv6: 3 is used",
                );
                Version::V3
            }
            Some(version) => version,
            None => Version::V3,
        }
    }

    /// Refuses keys of `vipd.toml` that the family of the instance has no use for.
    fn family_has(&mut self, draft: &Draft, both: bool, require_link_local: bool) {
        let v6 = draft.family == Some(Family::V6);
        let (key, why, help) = if both && v6 {
            (
                "version = \"both\"",
                "no RFC has version 2 over IPv6",
                "write `version = 3`, or leave it out",
            )
        } else if require_link_local && !v6 {
            (
                "require_link_local",
                "IPv4 has no link-local address in adverts",
                "take `require_link_local` out",
            )
        } else {
            return;
        };
        let keyword = if both && v6 { "version" } else { "" };
        self.push(
            Diagnostic::new(
                Severity::Error,
                Code(507),
                Class::General,
                format!("`{}` cannot have `{key}`: {why}", draft.name),
            )
            .label(self.at(draft, keyword), "")
            .help(help),
        );
    }

    /// What does not go with version 2 beside version 3. RFC 9568 §8.4.2.
    fn fits_both_versions(&mut self, draft: &Draft, interval: Interval) {
        if draft.auth_type == Some(AuthType::Ah) {
            self.push(
                Diagnostic::new(
                    Severity::Error,
                    Code(504),
                    Class::General,
                    "an authentication header does not go with both versions",
                )
                .label(self.at(draft, "authentication"), "version 3 has none")
                .help("use `auth.password`, which version 2 carries, or `auth.hmac`"),
            );
        }
        if !interval.centis().is_multiple_of(100) {
            let whole = interval.whole_secs();
            self.push(
                Diagnostic::new(
                    Severity::Advice,
                    Code(508),
                    Class::Silent,
                    format!(
                        "routers that speak version 2 alone are told {whole} s, and take over \
                         {} s after the last advert at the earliest",
                        u32::from(whole) * u32::from(draft.defaults.down_timer_adverts)
                    ),
                )
                .label(
                    self.at(draft, "advert_int"),
                    "version 2 carries whole seconds",
                )
                .help("write whole seconds if such a router has to be as fast as the others"),
            );
        }
    }

    /// RFC 9568 §5.2.9. keepalived complains in strict mode, else it only writes to the log.
    fn link_local_first(&mut self, draft: &Draft) {
        let Some((first, span)) = draft.addresses.first() else {
            return;
        };
        let IpAddr::V6(address) = first.address else {
            return;
        };
        if address.is_unicast_link_local() {
            return;
        }
        let demanded = self.beyond.require_link_local.contains(&draft.name);
        let (severity, class) = if demanded {
            (Severity::Error, Class::General)
        } else if draft.strict {
            (Severity::Warning, Class::General)
        } else {
            (Severity::Advice, Class::Silent)
        };
        self.push(
            Diagnostic::new(
                severity,
                Code(429),
                class,
                format!(
                    "`{}`: the first IPv6 address should be link-local",
                    draft.name
                ),
            )
            .label(*span, "RFC 9568 §5.2.9")
            .help("put an address such as `fe80::1:2` in front, the same on all its routers"),
        );
    }

    /// No priority: an owner if `state MASTER` was written, else 100.
    fn priority(&mut self, draft: &mut Draft) -> Priority {
        if let Some(priority) = draft.priority {
            return priority;
        }
        if draft.master != Some(true) {
            return Priority::DEFAULT;
        }
        self.push(
            Diagnostic::new(
                Severity::Advice,
                Code(420),
                Class::Silent,
                format!(
                    "`{}` has no priority and counts as the owner of its addresses",
                    draft.name
                ),
            )
            .label(self.at(draft, "state"), "this and no `priority` means 255")
            .help("write `priority 100`, or another number below 255"),
        );
        Priority::OWNER
    }

    fn vrid(&mut self, draft: &Draft) -> Option<Vrid> {
        if draft.vrid.is_none() {
            self.push(
                Diagnostic::new(
                    Severity::Error,
                    Code(411),
                    Class::Fatal,
                    format!("`{}` has no virtual_router_id", draft.name),
                )
                .label(draft.span, "")
                .help("write `virtual_router_id NUMBER`, 1 to 255, the same on all its routers"),
            );
        }
        draft.vrid
    }

    /// Whether an instance may run without an interface: one with peers, whose adverts go where the
    /// routes lead. keepalived: since 2.2.8.
    fn without_interface(&mut self, draft: &mut Draft) -> bool {
        let link_local = |a: &IpAddr| matches!(a, IpAddr::V6(a) if a.is_unicast_link_local());
        let peers = draft.peers.iter().filter_map(|peer| peer.host.address());
        let on_one_link = peers.chain(draft.source).any(|a| link_local(&a));
        let (class, why, help) = if draft.peers.is_empty() {
            (Class::Fatal, "", "write `interface NAME`")
        } else if draft.source.is_none() {
            let help = "write `interface NAME`, or `unicast_src_ip ADDRESS` to do without";
            (Class::General, "", help)
        } else if on_one_link {
            let help = "write `interface NAME`, or use addresses that are not link-local";
            (Class::Fatal, ", which link-local addresses need", help)
        } else if draft.virtual_mac.is_some() || draft.ipvlan.is_some() {
            let why = ", which a device with an address of its own needs";
            (Class::General, why, "write `interface NAME`")
        } else {
            self.give_carriers(draft);
            return true;
        };
        let message = format!("`{}` has no interface{why}", draft.name);
        self.push(
            Diagnostic::new(Severity::Error, Code(412), class, message)
                .label(draft.span, "")
                .help(help),
        );
        false
    }

    /// Addresses without an interface go to the default one.
    fn give_carriers(&mut self, draft: &mut Draft) {
        let Some(default) = self.defaults.default_interface.clone() else {
            return;
        };
        let all = draft.addresses.iter_mut().chain(&mut draft.excluded);
        for (address, span) in all.filter(|(address, _)| address.interface.is_none()) {
            address.interface = Some(default.clone());
            let message = format!(
                "`{}` has no interface, so {} goes to {default}, the default one",
                draft.name, address.address
            );
            self.push(
                Diagnostic::new(Severity::Warning, Code(441), Class::Silent, message)
                    .label(*span, "")
                    .help(format!("write `dev {default}` behind it if this is meant")),
            );
            self.out.interfaces.push(InterfaceUse {
                name: default.clone(),
                instance: draft.name.clone(),
                span: *span,
            });
        }
    }

    pub(super) fn correct(&mut self, draft: &Draft, keyword: &str, what: &str) {
        let at = self.at(draft, keyword);
        self.warn(421, Class::General, format!("`{}`: {what}", draft.name), at);
    }

    fn strict(&mut self, draft: &mut Draft, owner: bool, version: Version) {
        if draft.master.is_some_and(|master| master != owner) {
            self.correct(
                draft,
                "state",
                "in strict mode, MASTER is the owner (255) and nobody else",
            );
            draft.master = Some(owner);
        }
        if draft.auth_type.is_some() {
            self.correct(
                draft,
                "authentication",
                "strict mode has no authentication: it is ignored",
            );
            draft.auth_type = None;
        }
        if !draft.preempt_delay.is_zero() {
            self.correct(draft, "preempt_delay", "strict mode has no preempt_delay");
            draft.preempt_delay = Duration::ZERO;
        }
        if draft.defaults.down_timer_adverts != 3 {
            self.correct(
                draft,
                "down_timer_adverts",
                "strict mode waits for 3 adverts",
            );
            draft.defaults.down_timer_adverts = 3;
        }
        if draft.accept == Some(true) && version == Version::V2 {
            self.correct(
                draft,
                "accept",
                "strict mode has no accept mode in version 2",
            );
            draft.accept = Some(false);
        }
        self.strict_virtual_mac(draft);
        if !draft.peers.is_empty() {
            self.push(
                Diagnostic::new(
                    Severity::Error,
                    Code(414),
                    Class::Fatal,
                    format!("`{}`: strict mode has no unicast", draft.name),
                )
                .label(self.at(draft, "unicast_peer"), "")
                .help("write `strict_mode off` in the instance"),
            );
        }
        let lower = draft.garp.lower_repeat.or(draft.defaults.garp.lower_repeat);
        if lower.is_some_and(|n| n > 0) {
            self.correct(draft, "garp_lower_prio_repeat", "strict mode sends none");
        }
        draft.garp.lower_repeat = Some(0);
        draft.garp.lower_delay = Some(0);
        draft.defaults.lower_prio_no_advert = true;
        if draft.defaults.higher_prio_send_advert {
            self.correct(draft, "higher_prio_send_advert", "strict mode sends none");
            draft.defaults.higher_prio_send_advert = false;
        }
    }

    fn preemption(&mut self, draft: &mut Draft, owner: bool) {
        if !draft.preempt && (owner || draft.master == Some(true)) {
            let at = self.at(draft, "nopreempt");
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(422),
                    Class::General,
                    format!(
                        "`{}`: nopreempt does not work with state MASTER",
                        draft.name
                    ),
                )
                .label(at, "ignored")
                .help("write `state BACKUP` on all routers"),
            );
            draft.preempt = true;
        }
        if draft.preempt_delay.is_zero() {
            return;
        }
        if draft.master == Some(true) {
            self.correct(
                draft,
                "preempt_delay",
                "preempt_delay does not work with state MASTER",
            );
            draft.preempt_delay = Duration::ZERO;
        } else if !draft.preempt {
            self.correct(
                draft,
                "preempt_delay",
                "preempt_delay does not work with nopreempt",
            );
            draft.preempt_delay = Duration::ZERO;
        }
    }

    fn owner_and_late_timer(&mut self, draft: &mut Draft, owner: bool) {
        if draft.late_timer_priority.is_some() && draft.preempt {
            self.correct(
                draft,
                "timer_expired_backup",
                "timer_expired_backup does nothing without nopreempt",
            );
            draft.late_timer_priority = None;
        }
        if owner && draft.strict {
            draft.defaults.owner_ignore_adverts = true;
        }
        let written = self
            .out
            .provenance
            .span(&draft.name, "owner_ignore_adverts");
        if !owner && draft.defaults.owner_ignore_adverts && written.is_some() {
            self.correct(
                draft,
                "owner_ignore_adverts",
                "owner_ignore_adverts is for owners of their addresses (255): it is ignored",
            );
        }
    }

    /// v2: whole seconds; v3: hundredths up to 40.95 s.
    fn interval(&mut self, draft: &Draft, version: Version) -> Interval {
        let Some(micros) = draft.advert_int else {
            return Interval::DEFAULT;
        };
        let (step, most) = match version {
            Version::V2 => (1_000_000, 255_000_000),
            Version::V3 => (10_000, 40_950_000),
        };
        let rounded = ((micros + step / 2) / step * step).clamp(step, most);
        if rounded != micros {
            let (name, range) = match version {
                Version::V2 => ("VRRPv2", "whole seconds, 1 to 255"),
                Version::V3 => ("VRRPv3", "0.01 to 40.95 seconds"),
            };
            let at = self.at(draft, "advert_int");
            let centis = u16::try_from(rounded / 10_000)
                .ok()
                .and_then(Interval::from_centis);
            let value = centis.map(|i| i.to_string()).unwrap_or_default();
            let mut diagnostic = Diagnostic::new(
                Severity::Warning,
                Code(214),
                Class::General,
                format!("advert_int is not what {name} can carry: {value} is used"),
            )
            .label(at, format!("{name} allows {range}"));
            if version == Version::V2 {
                diagnostic = diagnostic.help("`version 3` allows hundredths of a second");
            }
            self.push(diagnostic);
        }
        let centis = u16::try_from(rounded / 10_000).unwrap_or(100);
        Interval::from_centis(centis).unwrap_or(Interval::DEFAULT)
    }

    /// Nothing if the instance cannot run with what was asked for.
    fn settle_authentication(
        &mut self,
        draft: &Draft,
        version: Version,
        interval: Interval,
    ) -> Option<Authentication> {
        if let Some(hmac) = &draft.hmac {
            if draft.auth_type.is_some() {
                self.correct(
                    draft,
                    "authentication",
                    "auth_hmac takes the place of authentication, which is ignored",
                );
            }
            let hmac = self.settle_hmac(draft, hmac, interval)?;
            return Some(Authentication::Hmac(hmac));
        }
        let Some(kind) = draft.auth_type else {
            return Some(Authentication::None);
        };
        if version == Version::V3 {
            self.correct(
                draft,
                "authentication",
                "version 3 has no authentication: it is ignored",
            );
            return Some(Authentication::None);
        }
        let Some(secret) = draft.auth_pass.clone().filter(|s| !s.expose().is_empty()) else {
            self.correct(
                draft,
                "authentication",
                "there is no password: authentication is ignored",
            );
            return Some(Authentication::None);
        };
        if kind == AuthType::Ah
            && draft.master == Some(true)
            && draft.priority != Some(Priority::OWNER)
        {
            self.correct(
                draft,
                "state",
                "state MASTER does not work with AH: it starts as BACKUP",
            );
        }
        // Over IPv6, keepalived's version 2 has no room for authentication data.
        if draft.family == Some(Family::V6) {
            return Some(Authentication::None);
        }
        match kind {
            AuthType::Pass => Some(Authentication::Password(secret)),
            AuthType::Ah => Some(Authentication::Header(secret)),
        }
    }

    fn transport(&mut self, draft: &Draft) -> Transport {
        if draft.virtual_mac.is_some() && draft.promote {
            self.correct(
                draft,
                "promote_secondaries",
                "virtual MACs always promote secondaries",
            );
        }
        if draft.unicast && draft.virtual_mac.is_some() && !draft.xmit_base {
            self.correct(
                draft,
                "use_vmac",
                "unicast needs vmac_xmit_base, which is set",
            );
        }
        if !draft.peers.is_empty() {
            return Transport::Unicast {
                source: draft.source,
                peers: draft.peers.clone(),
                ttl: draft.ttl.unwrap_or(255),
                check_source: draft.check_source,
                old_checksum: draft.old_checksum,
            };
        }
        if draft.unicast && draft.fault_without_peers {
            self.correct(
                draft,
                "unicast_fault_no_peer",
                "there are no peers: it stays in FAULT",
            );
            return Transport::Unicast {
                source: draft.source,
                peers: Vec::new(),
                ttl: draft.ttl.unwrap_or(255),
                check_source: draft.check_source,
                old_checksum: draft.old_checksum,
            };
        }
        if draft.unicast {
            let at = self.at(draft, "unicast_peer");
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(423),
                    Class::General,
                    format!(
                        "`{}` has a unicast keyword but no peers: it uses multicast",
                        draft.name
                    ),
                )
                .label(at, "")
                .help("list the other routers in `unicast_peer`, or remove the unicast keywords"),
            );
        }
        if draft.ttl.is_some() {
            self.correct(
                draft,
                "unicast_ttl",
                "there are no peers: unicast_ttl is ignored",
            );
        }
        let group = draft.group.unwrap_or(match draft.family {
            Some(Family::V6) => self.defaults.group6.into(),
            Some(Family::V4) | None => self.defaults.group4.into(),
        });
        Transport::Multicast {
            group,
            source: draft.source,
        }
    }

    /// Whether the instance may run with the addresses it has.
    fn settle_addresses(&mut self, draft: &mut Draft, version: Version) -> bool {
        if draft.addresses.len() > MOST_ADDRESSES {
            let more = draft.addresses.split_off(MOST_ADDRESSES);
            let what = format!(
                "an advert carries at most {MOST_ADDRESSES} addresses: {} are moved but not advertised",
                more.len()
            );
            self.correct(draft, "virtual_ipaddress", &what);
            draft.excluded.splice(0..0, more);
        }
        self.link_local_first(draft);
        if !draft.addresses.is_empty() || draft.no_address_wanted {
            return true;
        }
        if version == Version::V3 || draft.strict {
            self.push(
                Diagnostic::new(
                    Severity::Error,
                    Code(415),
                    Class::General,
                    format!("`{}` has no virtual_ipaddress", draft.name),
                )
                .label(draft.span, "version 3 and strict mode need one")
                .help("write `no_virtual_ipaddress` if this is meant"),
            );
            return false;
        }
        self.correct(draft, "vrrp_instance", "there is no virtual_ipaddress");
        true
    }

    fn trackers(&mut self, draft: &mut Draft, owner: bool) {
        let own = draft.interface.clone();
        let interfaces = std::mem::take(&mut draft.track_interfaces);
        for (tracked, span) in interfaces {
            if Some(&tracked.interface) == own.as_ref() && !draft.ignore_own_interface {
                self.push(
                    Diagnostic::new(
                        Severity::Warning,
                        Code(424),
                        Class::General,
                        format!(
                            "`{}` tracks {}, its own interface",
                            draft.name, tracked.interface
                        ),
                    )
                    .label(span, "ignored: its state always counts"),
                );
            } else if owner && tracked.weight.points != 0 {
                self.weight_of_owner(draft, span);
            } else {
                draft.track_interfaces.push((tracked, span));
            }
        }
        if owner {
            let files = std::mem::take(&mut draft.track_files);
            for (mut tracked, span) in files {
                let usual = tracked.weight == TrackFile::WEIGHT;
                if !tracked.weight.is_fault() && !usual {
                    self.weight_of_owner(draft, span);
                    continue;
                }
                if usual {
                    let message = format!(
                        "`{}` owns its addresses (255): every number but 0 in `{}` counts as a fault",
                        draft.name, tracked.name
                    );
                    self.warn(425, Class::General, message, span);
                    tracked.weight.points = 0;
                }
                draft.track_files.push((tracked, span));
            }
            let scripts = std::mem::take(&mut draft.track_scripts);
            for (tracked, span) in scripts {
                if tracked.weight.points == 0 {
                    draft.track_scripts.push((tracked, span));
                } else {
                    self.weight_of_owner(draft, span);
                }
            }
        }
    }

    fn weight_of_owner(&mut self, draft: &Draft, at: Span) {
        let message = format!(
            "`{}` owns its addresses (255): a tracker with weight is ignored",
            draft.name
        );
        self.warn(425, Class::General, message, at);
    }

    /// Two instances that the network could not tell apart.
    fn conflicts(&mut self) {
        let mut found = Vec::new();
        let mut seen: BTreeMap<_, Vec<&Instance>> = BTreeMap::new();
        for instance in &self.out.config.instances {
            let key = (instance.protocol.family, instance.protocol.vrid);
            let others = seen.entry(key).or_default();
            if let Some(other) = others.iter().find(|other| clash(other, instance)) {
                found.push((
                    other.name.clone(),
                    instance.name.clone(),
                    instance.protocol.vrid,
                ));
            }
            others.push(instance);
        }
        let mut left_out = BTreeSet::new();
        for (first, second, vrid) in found {
            let span = |name: &str| {
                self.out
                    .provenance
                    .span(name, "virtual_router_id")
                    .or_else(|| self.out.provenance.span(name, "vrrp_instance"))
            };
            let mut diagnostic = Diagnostic::new(
                Severity::Error,
                Code(416),
                Class::Fatal,
                format!("`{first}` and `{second}` both use VRID {vrid} on the same interface"),
            );
            if let Some(span) = span(&second) {
                diagnostic = diagnostic.label(span, "the second is left out");
            }
            if let Some(span) = span(&first) {
                diagnostic = diagnostic.label(span, "the first is here");
            }
            self.push(diagnostic.help("each virtual router needs a number of its own, 1 to 255"));
            left_out.insert(second);
        }
        let instances = &mut self.out.config.instances;
        instances.retain(|i| !left_out.contains(&i.name));
    }
}

/// Whether adverts of one could be taken for the other's.
fn clash(one: &Instance, other: &Instance) -> bool {
    // Without an interface, packets to the source address come from all of them.
    if let (Some(a), Some(b)) = (&one.interface, &other.interface)
        && a != b
    {
        return false;
    }
    match (&one.transport, &other.transport) {
        (Transport::Multicast { group: a, .. }, Transport::Multicast { group: b, .. }) => a == b,
        (
            Transport::Unicast {
                source: a, peers, ..
            },
            Transport::Unicast {
                source: b,
                peers: others,
                ..
            },
        ) => a == b && peers.iter().any(|p| others.contains(p)),
        (Transport::Multicast { .. }, Transport::Unicast { .. })
        | (Transport::Unicast { .. }, Transport::Multicast { .. }) => false,
    }
}

/// The instance's own settings, else the global ones, else keepalived's defaults.
fn announcement(own: &Garp, global: &Garp) -> Announcement {
    let seconds = |n: Option<u32>| n.filter(|n| *n > 0).map(|n| Duration::from_secs(n.into()));
    let delay = own.delay.or(global.delay).or(Some(5));
    let elsewhere = own.elsewhere.or(global.elsewhere);
    let elsewhere = elsewhere.filter(|e| e.seconds > 0);
    let repeat = own.repeat.or(global.repeat).unwrap_or(5);
    Announcement {
        repeat,
        delay: seconds(delay),
        refresh: seconds(own.refresh.or(global.refresh)),
        refresh_repeat: own.refresh_repeat.or(global.refresh_repeat).unwrap_or(1),
        lower_priority_repeat: own.lower_repeat.or(global.lower_repeat).unwrap_or(repeat),
        lower_priority_delay: seconds(own.lower_delay.or(global.lower_delay).or(delay)),
        elsewhere: seconds(elsewhere.map(|e| e.seconds)),
        elsewhere_devices_only: elsewhere.is_some_and(|e| !e.all),
    }
}
