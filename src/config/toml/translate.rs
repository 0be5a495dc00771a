//! From a [`Document`] to the statements it stands for.
//!
//! `lower` reads statements, so that every check and every default is in one place.

use super::format::{
    Auth, Checksum, Document, Group, Hmac, Instance, Ipvlan, IpvlanMode, PacingGroup, Script,
    TrackFile, VirtualMac,
};
use super::read::{error, span};
use super::value::{At, SecretIn, SwitchOr, TextOr};
use super::writer::{Weights, Writer};
use crate::config::Options;
use crate::config::diagnostic::Diagnostic;
use crate::config::keyword::Block;
use crate::config::parse::{Body, Statement};
use crate::config::source::{FileId, Reader};

/// Translates documents, and finds their secrets.
pub(super) struct Translator<'a> {
    pub(super) weights: Weights,
    /// `[defaults]`, and the file that they are in.
    pub(super) defaults: Option<(&'a Instance, FileId)>,
    pub(super) options: &'a Options,
    pub(super) reader: &'a dyn Reader,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// What a document stands for, in the order in which `lower` wants it.
#[derive(Default)]
pub(super) struct Translated {
    pub(super) globals: Vec<Statement>,
    pub(super) scripts: Vec<Statement>,
    pub(super) instances: Vec<Statement>,
    pub(super) groups: Vec<Statement>,
}

impl Translator<'_> {
    /// Adds what `document` stands for.
    pub(super) fn document(&mut self, document: &Document, file: FileId, to: &mut Translated) {
        to.globals.extend(document.process.outside(file));
        to.globals.extend(global(document, file));
        for group in &document.pacing.groups {
            to.globals.extend(pacing_group(group, file));
        }
        for (name, table) in &document.script.0 {
            to.scripts.extend(script(name, table, file));
        }
        for (name, table) in &document.track_file.0 {
            to.scripts.extend(track_file(name, table, file));
        }
        for (name, table) in &document.instance.0 {
            to.instances.extend(self.instance(name, table, file));
        }
        for (name, table) in &document.group.0 {
            to.groups.extend(group(name, table, &self.weights, file));
        }
    }

    fn instance(
        &mut self,
        name: &At<String>,
        instance: &Instance,
        file: FileId,
    ) -> Option<Statement> {
        let mut to = Writer::new(Block::Instance, file);
        if instance.addresses.as_ref().is_some_and(Vec::is_empty) {
            let at = span(file, &name.place);
            to.push("no_virtual_ipaddress", at, Vec::new(), Body::None);
        }
        let defaults = self.defaults;
        let rest = defaults.map(|(all, from)| (all.left_open_by(instance), from));
        let unicast = instance.unicast.as_ref();
        let unicast = unicast.or_else(|| rest.as_ref().and_then(|(rest, _)| rest.unicast.as_ref()));
        let has_peers = unicast.is_some_and(|unicast| !unicast.peers.is_empty());
        self.options(instance, has_peers, &mut to);
        if let Some((rest, from)) = &rest {
            let mut more = Writer::new(Block::Instance, *from);
            self.options(rest, has_peers, &mut more);
            to.statements.extend(more.statements);
        }
        block("vrrp_instance", name, to)
    }

    /// Everything that is written, in an instance or in `[defaults]`.
    fn options(&mut self, instance: &Instance, has_peers: bool, to: &mut Writer) {
        to.value("interface", instance.interface.as_ref());
        to.value("virtual_router_id", instance.vrid.as_ref());
        if let Some(version) = &instance.version {
            let at = to.at(version);
            to.push("version", at, vec![(version.newest(), at)], Body::None);
        }
        to.value("priority", instance.priority.as_ref());
        to.time("advert_int", instance.interval.as_ref());
        to.value("down_timer_adverts", instance.missed_adverts.as_ref());
        if let Some(active) = instance.start_active.as_ref().filter(|a| !a.value) {
            let at = to.at(active);
            to.push("state", at, vec![("BACKUP".to_owned(), at)], Body::None);
        }
        to.alone("native_ipv6", instance.ipv6.as_ref(), true);
        self.unicast_or_multicast(instance, to);
        if let Some(addresses) = &instance.addresses {
            let entries = to.addresses(addresses);
            to.entries("virtual_ipaddress", entries);
        }
        let entries = to.addresses(&instance.excluded);
        to.entries("virtual_ipaddress_excluded", entries);
        to.alone("nopreempt", instance.preempt.as_ref(), false);
        to.time("preempt_delay", instance.preempt_delay.as_ref());
        let late = instance.late_timer_priority.as_ref();
        to.value("timer_expired_backup", late);
        let hears = instance.owner_hears_adverts.as_ref();
        to.switch("owner_ignore_adverts", hears, false);
        let check = instance.check_addresses.as_ref();
        to.switch("skip_check_adv_addr", check, false);
        let answer = instance.answer_lower_priority.as_ref();
        to.switch("lower_prio_no_advert", answer, false);
        let answer = instance.answer_higher_priority.as_ref();
        to.switch("higher_prio_send_advert", answer, true);
        if let Some(checksum) = &instance.checksum {
            let at = to.at(checksum);
            let on = checksum.value == Checksum::Rfc9568;
            let word = if on { "on" } else { "off" };
            to.push(
                "v3_checksum_as_v2",
                at,
                vec![(word.to_owned(), at)],
                Body::None,
            );
        }
        to.alone("no_accept", instance.accept_mode.as_ref(), false);
        virtual_mac(instance, has_peers, to);
        ipvlan(instance, to);
        to.value("vrf", instance.vrf.as_ref());
        let promote = instance.promote_secondaries.as_ref();
        to.alone("promote_secondaries", promote, true);
        self.auth(instance.auth.as_ref(), to);
        let track = &instance.track;
        to.track_scripts(&track.scripts, &self.weights.scripts);
        to.tracked("track_file", &track.files, &self.weights.files);
        to.track_interfaces(&track.interfaces);
        to.alone("dont_track_primary", track.own_interface.as_ref(), false);
        to.alone("track_src_ip", track.source_address.as_ref(), true);
        to.notify(instance.notify.as_ref(), Writer::instance_notify);
        announce(instance, to);
    }

    fn unicast_or_multicast(&mut self, instance: &Instance, to: &mut Writer) {
        if let (Some(unicast), Some(multicast)) = (&instance.unicast, &instance.multicast) {
            let both = error(
                504,
                "adverts go to peers or to a group, not to both",
                to.at(multicast),
                "",
            )
            .label(to.at(unicast), "the peers are here")
            .help("take one of `unicast` and `multicast` out");
            self.diagnostics.push(both);
        }
        to.unicast(instance.unicast.as_ref());
        if let Some(multicast) = &instance.multicast {
            to.value("mcast_src_ip", multicast.source.as_ref());
            to.value("mcast_dst_ip", multicast.group.as_ref());
        }
    }

    fn auth(&mut self, auth: Option<&Auth>, to: &mut Writer) {
        let Some(Auth { password, ah, hmac }) = auth else {
            return;
        };
        let places = [
            password.as_ref().map(|p| to.at(p)),
            ah.as_ref().map(|p| to.at(p)),
            hmac.as_ref().map(|p| to.at(p)),
        ];
        let mut places = places.into_iter().flatten();
        if let (Some(first), Some(second)) = (places.next(), places.next()) {
            let both = error(
                504,
                "an instance has one kind of authentication",
                second,
                "",
            )
            .label(first, "the first is here")
            .help("take all but one of `password`, `ah` and `hmac` out");
            self.diagnostics.push(both);
            return;
        }
        for (kind, secret) in [("PASS", password), ("AH", ah)] {
            let Some(secret) = secret else { continue };
            let at = to.at(secret);
            let Some(text) = self.secret(secret, at) else {
                continue;
            };
            let mut inner = Writer::new(Block::Authentication, to.file);
            inner.push("auth_type", at, vec![(kind.to_owned(), at)], Body::None);
            inner.push("auth_pass", at, vec![(text, at)], Body::None);
            let body = Body::Block(inner.statements);
            to.push("authentication", at, Vec::new(), body);
        }
        if let Some(hmac) = hmac {
            self.hmac(hmac, to);
        }
    }

    fn hmac(&mut self, hmac: &At<Hmac>, to: &mut Writer) {
        let at = to.at(hmac);
        let mut inner = Writer::new(Block::AuthHmac, to.file);
        for (number, secret) in &hmac.keys.0 {
            let place = to.at(secret);
            let text = match &secret.value {
                TextOr::Table(SecretIn {
                    file: Some(path), ..
                }) => Some(format!("file:{path}")),
                TextOr::Text(_) | TextOr::Table(_) => self.secret(secret, place),
            };
            if let Some(text) = text {
                let words = vec![to.word(number), (text, place)];
                inner.push("key", to.at(number), words, Body::None);
            }
        }
        inner.value("active_key", hmac.active.as_ref());
        inner.time("time_window", hmac.window.as_ref());
        inner.value("anti_replay", hmac.anti_replay.as_ref());
        inner.value("mode", hmac.mode.as_ref());
        to.push("auth_hmac", at, Vec::new(), Body::Block(inner.statements));
    }
}

fn global(document: &Document, file: FileId) -> Option<Statement> {
    let Document {
        global,
        pacing,
        process,
        ..
    } = document;
    let mut to = Writer::new(Block::Globals, file);
    to.value("router_id", global.router_id.as_ref());
    to.user("script_user", global.script_user.as_ref());
    to.alone(
        "enable_script_security",
        global.script_security.as_ref(),
        true,
    );
    let groups = global.script_groups.as_ref();
    to.switch("set_supplementary_groups", groups, true);
    to.switch("use_symlink_paths", global.follow_links.as_ref(), true);
    to.time("vrrp_startup_delay", global.startup_delay.as_ref());
    to.time("vrrp_delay_after_boot", global.delay_after_boot.as_ref());
    to.time("vrrp_garp_interval", pacing.arp.as_ref());
    to.time("vrrp_gna_interval", pacing.ndisc.as_ref());
    to.value("nftables", global.firewall.table.as_ref());
    to.value("nftables_priority", global.firewall.priority.as_ref());
    to.alone("nftables_counters", global.firewall.counters.as_ref(), true);
    to.value("vmac_prefix", global.device_prefix.as_ref());
    let prefix = global.address_device_prefix.as_ref();
    to.value("vmac_addr_prefix", prefix);
    process.globals(&mut to);
    let at = to.statements.first()?.span;
    let mut root = Writer::new(Block::Root, file);
    root.push("global_defs", at, Vec::new(), Body::Block(to.statements));
    root.statements.pop()
}

fn pacing_group(group: &PacingGroup, file: FileId) -> Option<Statement> {
    let mut to = Writer::new(Block::GarpGroup, file);
    to.time("garp_interval", group.arp.as_ref());
    to.time("gna_interval", group.ndisc.as_ref());
    let names: Vec<_> = group.interfaces.iter().map(|i| vec![to.word(i)]).collect();
    let at = names.first()?.first()?.1;
    to.entries("interfaces", names);
    let mut root = Writer::new(Block::Root, file);
    root.push("garp_group", at, Vec::new(), Body::Block(to.statements));
    root.statements.pop()
}

fn script(name: &At<String>, script: &Script, file: FileId) -> Option<Statement> {
    let mut to = Writer::new(Block::TrackScript, file);
    if let Some(command) = &script.command {
        to.command("script", command, None, to.at(command));
    }
    to.user("user", script.user.as_ref());
    to.time("interval", script.interval.as_ref());
    to.time("timeout", script.timeout.as_ref());
    to.weight(script.weight.as_ref(), script.reverse.as_ref(), 0);
    to.value("rise", script.rise.as_ref());
    to.value("fall", script.fall.as_ref());
    to.alone("init_fail", script.start_down.as_ref(), true);
    block("vrrp_script", name, to)
}

fn track_file(name: &At<String>, table: &TrackFile, file: FileId) -> Option<Statement> {
    let mut to = Writer::new(Block::TrackFile, file);
    to.value("file", table.file.as_ref());
    to.weight(table.weight.as_ref(), table.reverse.as_ref(), 1);
    if let Some(initial) = &table.initial {
        let at = to.at(initial);
        let mut words = vec![(initial.0.to_string(), at)];
        let overwrite = table.overwrite.as_ref().filter(|o| o.value);
        words.extend(overwrite.map(|o| ("overwrite".to_owned(), to.at(o))));
        to.push("init_file", at, words, Body::None);
    }
    block("track_file", name, to)
}

fn group(name: &At<String>, group: &Group, weights: &Weights, file: FileId) -> Option<Statement> {
    let mut to = Writer::new(Block::SyncGroup, file);
    let members = group.members.iter().map(|m| vec![to.word(m)]).collect();
    to.entries("group", members);
    let at = span(file, &name.place);
    to.push("sync_group_tracking_weight", at, Vec::new(), Body::None);
    to.track_scripts(&group.track.scripts, &weights.scripts);
    to.tracked("track_file", &group.track.files, &weights.files);
    to.track_interfaces(&group.track.interfaces);
    to.notify(group.notify.as_ref(), Writer::group_notify);
    block("vrrp_sync_group", name, to)
}

fn virtual_mac(instance: &Instance, has_peers: bool, to: &mut Writer) {
    let Some(wanted) = &instance.virtual_mac else {
        return;
    };
    let at = to.at(wanted);
    let VirtualMac {
        mac,
        device,
        group,
        advertise_from_base,
    } = match &wanted.value {
        SwitchOr::Switch(false) => return,
        SwitchOr::Switch(true) => &VirtualMac::default(),
        SwitchOr::Table(table) => table,
    };
    let mut words = Vec::new();
    if let Some(device) = device {
        words.push(("name".to_owned(), to.at(device)));
        words.push(to.word(device));
    }
    words.extend(mac.as_ref().map(|mac| to.word(mac)));
    if let Some(group) = group {
        words.push(("group".to_owned(), to.at(group)));
        words.push(to.word(group));
    }
    to.push("use_vmac", at, words, Body::None);
    if has_peers || advertise_from_base.as_ref().is_some_and(|base| base.value) {
        to.push("vmac_xmit_base", at, Vec::new(), Body::None);
    }
}

fn ipvlan(instance: &Instance, to: &mut Writer) {
    let Some(wanted) = &instance.ipvlan else {
        return;
    };
    let Ipvlan {
        address,
        device,
        mode,
        group,
    } = &wanted.value;
    let mut words = Vec::new();
    if let Some(device) = device {
        words.push(("name".to_owned(), to.at(device)));
        words.push(to.word(device));
    }
    words.extend(address.as_ref().map(|address| to.word(address)));
    if let Some(mode) = mode {
        let word = match mode.value {
            IpvlanMode::Bridge => "bridge",
            IpvlanMode::Private => "private",
            IpvlanMode::Vepa => "vepa",
        };
        words.push((word.to_owned(), to.at(mode)));
    }
    if let Some(group) = group {
        words.push(("group".to_owned(), to.at(group)));
        words.push(to.word(group));
    }
    to.push("use_ipvlan", to.at(wanted), words, Body::None);
}

fn announce(instance: &Instance, to: &mut Writer) {
    let announce = &instance.announce;
    to.value("garp_master_repeat", announce.repeat.as_ref());
    to.time("garp_master_delay", announce.delay.as_ref());
    to.time("garp_master_refresh", announce.refresh.as_ref());
    to.value(
        "garp_master_refresh_repeat",
        announce.refresh_repeat.as_ref(),
    );
    let repeat = announce.lower_priority_repeat.as_ref();
    to.value("garp_lower_prio_repeat", repeat);
    let delay = announce.lower_priority_delay.as_ref();
    to.time("garp_lower_prio_delay", delay);
    if let Some(elsewhere) = &announce.elsewhere {
        let at = to.at(elsewhere);
        let only = announce.elsewhere_devices_only.as_ref();
        let mut words = vec![("all".to_owned(), at), (elsewhere.seconds(), at)];
        if only.is_some_and(|only| only.value) {
            words.remove(0);
        }
        to.push("garp_extra_if", at, words, Body::None);
    }
}

/// A block with a name, from what was written into it.
fn block(keyword: &str, name: &At<String>, inner: Writer) -> Option<Statement> {
    let mut root = Writer::new(Block::Root, inner.file);
    let word = root.word(name);
    root.push(keyword, word.1, vec![word], Body::Block(inner.statements));
    root.statements.pop()
}
