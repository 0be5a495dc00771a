//! From a [`Document`] to the statements it stands for.
//!
//! `lower` reads statements, so that every check and every default is in one place.

use std::collections::BTreeMap;

use super::format::{
    Address, Auth, Checksum, Document, Group, GroupNotify, Hmac, Instance, Notify, NotifyOr,
    PacingGroup, Peer, Script, TrackedInterface, TrackedScript, Unicast, VirtualMac,
};
use super::read::{error, span};
use super::value::{At, OneOrMore, Program, Secret, SecretIn, SwitchOr, TextOr, Time};
use crate::config::Options;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword::Block;
use crate::config::lex::{Line, Token, TokenKind};
use crate::config::lower;
use crate::config::parse::{Body, Entry, Statement};
use crate::config::source::{FileId, ReadError, Reader, Span};

/// Where a word of a statement is written, and the word.
type Word = (String, Span);

/// Weight of each script by its name.
pub(super) type Weights = BTreeMap<String, i64>;

/// Translates documents, and finds their secrets.
pub(super) struct Translator<'a> {
    pub(super) weights: Weights,
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

/// The statements of one block.
pub(super) struct Writer {
    block: Block,
    file: FileId,
    pub(super) statements: Vec<Statement>,
}

impl Writer {
    pub(super) const fn new(block: Block, file: FileId) -> Self {
        Self {
            block,
            file,
            statements: Vec::new(),
        }
    }

    pub(super) fn at<T>(&self, value: &At<T>) -> Span {
        span(self.file, &value.place)
    }

    fn word<T: ToString>(&self, value: &At<T>) -> Word {
        (value.value.to_string(), self.at(value))
    }

    pub(super) fn push(&mut self, name: &str, at: Span, words: Vec<Word>, body: Body) {
        let keyword = self.block.keyword(name);
        debug_assert!(keyword.is_some(), "{name} is in the keyword table");
        if let Some(keyword) = keyword {
            self.statements.push(Statement {
                keyword,
                arguments: words.into_iter().map(token).collect(),
                body,
                span: at,
                script: Line::empty(),
            });
        }
    }

    /// A keyword with one word.
    pub(super) fn value<T: ToString>(&mut self, name: &str, value: Option<&At<T>>) {
        if let Some(value) = value {
            let word = self.word(value);
            self.push(name, word.1, vec![word], Body::None);
        }
    }

    pub(super) fn time(&mut self, name: &str, value: Option<&At<Time>>) {
        if let Some(value) = value {
            let at = self.at(value);
            self.push(name, at, vec![(value.seconds(), at)], Body::None);
        }
    }

    /// A keyword that stands alone, if `value` is `on`.
    pub(super) fn alone(&mut self, name: &str, value: Option<&At<bool>>, on: bool) {
        if let Some(value) = value.filter(|v| v.value == on) {
            let at = self.at(value);
            self.push(name, at, Vec::new(), Body::None);
        }
    }

    /// A keyword with `on` or `off`, turned around where `on` is false.
    fn switch(&mut self, name: &str, value: Option<&At<bool>>, on: bool) {
        if let Some(value) = value {
            let at = self.at(value);
            let word = if value.value == on { "on" } else { "off" };
            self.push(name, at, vec![(word.to_owned(), at)], Body::None);
        }
    }

    fn entries(&mut self, name: &str, entries: Vec<Vec<Word>>) {
        let Some((_, at)) = entries.first().and_then(|words| words.first()) else {
            return;
        };
        let (at, entries) = (*at, entries.into_iter().filter_map(entry).collect());
        self.push(name, at, Vec::new(), Body::Entries(entries));
    }

    fn user(&mut self, name: &str, value: Option<&At<String>>) {
        if let Some(value) = value {
            let at = self.at(value);
            let (user, group) = user_and_group(value);
            let words = [Some(user), group].into_iter().flatten();
            let words = words.map(|word| (word.to_owned(), at)).collect();
            self.push(name, at, words, Body::None);
        }
    }

    fn command(&mut self, name: &str, words: &OneOrMore, user: Option<&str>, at: Span) {
        let argv = match words {
            OneOrMore::One(line) => lower::inner_words(line),
            OneOrMore::More(words) => words.clone(),
        };
        let mut text = quoted(&argv);
        if let Some((user, group)) = user.map(user_and_group) {
            for word in [Some(user), group].into_iter().flatten() {
                text += &format!(" \"{word}\"");
            }
        }
        let word = argv.join(" ");
        self.push(name, at, vec![(word, at)], Body::None);
        if let Some(statement) = self.statements.last_mut() {
            statement.script.push_derived(&text, at);
        }
    }

    pub(super) fn program(&mut self, name: &str, program: Option<&At<Program>>) {
        let Some(program) = program else { return };
        let at = self.at(program);
        match &program.value {
            Program::Words(words) => self.command(name, words, None, at),
            Program::As(both) => self.command(name, &both.command, both.user.as_deref(), at),
        }
    }

    /// The program for all changes, or those of a table.
    fn notify<T>(&mut self, notify: Option<&At<NotifyOr<T>>>, table: fn(&mut Self, &T)) {
        let Some(notify) = notify else { return };
        match &notify.value {
            NotifyOr::Any(words) => self.command("notify", words, None, self.at(notify)),
            NotifyOr::Table(programs) => table(self, programs),
        }
    }

    fn instance_notify(&mut self, notify: &Notify) {
        let Notify {
            any,
            active,
            backup,
            fault,
            stop,
            deleted,
            say_deleted,
            heard_lower_priority,
        } = notify;
        self.program("notify", any.as_ref());
        self.program("notify_master", active.as_ref());
        self.program("notify_backup", backup.as_ref());
        self.program("notify_fault", fault.as_ref());
        self.program("notify_stop", stop.as_ref());
        self.alone("notify_deleted", say_deleted.as_ref(), true);
        self.program("notify_deleted", deleted.as_ref());
        self.program("notify_master_rx_lower_pri", heard_lower_priority.as_ref());
    }

    fn group_notify(&mut self, notify: &GroupNotify) {
        let GroupNotify {
            any,
            active,
            backup,
            fault,
            stop,
        } = notify;
        self.program("notify", any.as_ref());
        self.program("notify_master", active.as_ref());
        self.program("notify_backup", backup.as_ref());
        self.program("notify_fault", fault.as_ref());
        self.program("notify_stop", stop.as_ref());
    }

    fn track_scripts(&mut self, tracked: &[At<TextOr<TrackedScript>>], weights: &Weights) {
        let tracked = tracked.iter().map(|script| match &script.value {
            TextOr::Text(name) => vec![(name.clone(), self.at(script))],
            TextOr::Table(table) => {
                let usual = weights.get(&table.script.value).copied().unwrap_or(0);
                let weight = table.weight.as_ref().map_or(usual, |w| w.0);
                let at = table.weight.as_ref().map(|w| self.at(w));
                let mut words = vec![self.word(&table.script)];
                if at.is_some() || table.reverse.is_some() {
                    let at = at.unwrap_or_else(|| self.at(script));
                    words.push(("weight".to_owned(), at));
                    words.push((weight.to_string(), at));
                }
                words.extend(self.reverse(table.reverse.as_ref()));
                words
            }
        });
        let tracked = tracked.collect();
        self.entries("track_script", tracked);
    }

    fn track_interfaces(&mut self, tracked: &[At<TextOr<TrackedInterface>>]) {
        let tracked = tracked.iter().map(|interface| match &interface.value {
            TextOr::Text(name) => vec![(name.clone(), self.at(interface))],
            TextOr::Table(table) => {
                let mut words = vec![self.word(&table.interface)];
                let weight = table.weight.as_ref().map_or(0, |w| w.0);
                let at = table.weight.as_ref().map(|w| self.at(w));
                let at = at.unwrap_or_else(|| self.at(interface));
                words.push(("weight".to_owned(), at));
                words.push((weight.to_string(), at));
                words.extend(self.reverse(table.reverse.as_ref()));
                words
            }
        });
        let tracked = tracked.collect();
        self.entries("track_interface", tracked);
    }

    fn reverse(&self, reverse: Option<&At<bool>>) -> Option<Word> {
        let reverse = reverse?;
        let word = if reverse.value {
            "reverse"
        } else {
            "noreverse"
        };
        Some((word.to_owned(), self.at(reverse)))
    }

    fn addresses(&self, addresses: &[At<TextOr<Address>>]) -> Vec<Vec<Word>> {
        let words = |address: &At<TextOr<Address>>| match &address.value {
            TextOr::Text(text) => vec![(text.clone(), self.at(address))],
            TextOr::Table(table) => self.address(table),
        };
        addresses.iter().map(words).collect()
    }

    fn address(&self, address: &Address) -> Vec<Word> {
        let mut words = vec![self.word(&address.address)];
        let options = [
            ("dev", &address.interface),
            ("label", &address.label),
            ("scope", &address.scope),
            ("peer", &address.peer),
            ("broadcast", &address.broadcast),
        ];
        for (option, value) in options {
            if let Some(value) = value {
                words.push((option.to_owned(), self.at(value)));
                words.push(self.word(value));
            }
        }
        if let Some(life) = &address.preferred_lifetime {
            let at = self.at(life);
            let seconds = life.strip_suffix('s').unwrap_or(life);
            words.push(("preferred_lft".to_owned(), at));
            words.push((seconds.to_owned(), at));
        }
        let switches = [
            ("home", &address.home, true),
            ("-nodad", &address.duplicate_detection, true),
            ("mngtmpaddr", &address.manage_temporary, true),
            ("noprefixroute", &address.prefix_route, false),
            ("autojoin", &address.autojoin, true),
            ("no_track", &address.track, false),
        ];
        for (option, value, on) in switches {
            if let Some(value) = value
                && value.value == on
            {
                words.push((option.to_owned(), self.at(value)));
            }
        }
        words
    }

    fn peer(&self, peer: &At<TextOr<Peer>>) -> Vec<Word> {
        match &peer.value {
            TextOr::Text(address) => vec![(address.clone(), self.at(peer))],
            TextOr::Table(table) => {
                let mut words = vec![self.word(&table.address)];
                for (option, value) in [("min_ttl", &table.min_ttl), ("max_ttl", &table.max_ttl)] {
                    if let Some(value) = value {
                        words.push((option.to_owned(), self.at(value)));
                        words.push(self.word(value));
                    }
                }
                words
            }
        }
    }

    fn unicast(&mut self, unicast: Option<&At<Unicast>>) {
        let Some(unicast) = unicast else { return };
        self.value("unicast_src_ip", unicast.source.as_ref());
        self.value("unicast_ttl", unicast.ttl.as_ref());
        self.alone("check_unicast_src", unicast.check_source.as_ref(), true);
        let peers: Vec<_> = unicast.peers.iter().map(|peer| self.peer(peer)).collect();
        if peers.is_empty() {
            let at = self.at(unicast);
            self.push("unicast_fault_no_peer", at, Vec::new(), Body::None);
        }
        self.entries("unicast_peer", peers);
    }
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
        to.value("interface", instance.interface.as_ref());
        to.value("virtual_router_id", instance.vrid.as_ref());
        to.value("version", instance.version.as_ref());
        to.value("priority", instance.priority.as_ref());
        to.time("advert_int", instance.interval.as_ref());
        to.value("down_timer_adverts", instance.missed_adverts.as_ref());
        if let Some(active) = instance.start_active.as_ref().filter(|a| !a.value) {
            let at = to.at(active);
            to.push("state", at, vec![("BACKUP".to_owned(), at)], Body::None);
        }
        to.alone("native_ipv6", instance.ipv6.as_ref(), true);
        self.unicast_or_multicast(instance, &mut to);
        if let Some(addresses) = &instance.addresses {
            if addresses.is_empty() {
                let at = span(file, &name.place);
                to.push("no_virtual_ipaddress", at, Vec::new(), Body::None);
            }
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
        virtual_mac(instance, &mut to);
        self.auth(instance.auth.as_ref(), &mut to);
        let track = &instance.track;
        to.track_scripts(&track.scripts, &self.weights);
        to.track_interfaces(&track.interfaces);
        to.alone("dont_track_primary", track.own_interface.as_ref(), false);
        to.alone("track_src_ip", track.source_address.as_ref(), true);
        to.notify(instance.notify.as_ref(), Writer::instance_notify);
        announce(instance, &mut to);
        block("vrrp_instance", name, to)
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

    /// The text of a secret, wherever it is kept.
    fn secret(&mut self, secret: &Secret, at: Span) -> Option<String> {
        let kept = match secret {
            TextOr::Text(text) => return Some(text.clone()),
            TextOr::Table(kept) => kept,
        };
        let options = self.options;
        let environment = |name: &str| options.environment.get(name);
        let found = match (&kept.env, &kept.file, &kept.credential) {
            (Some(name), None, None) => {
                let unset = || format!("the environment has no variable {name}");
                environment(name).cloned().ok_or_else(unset)
            }
            (None, Some(path), None) => self.file(path, at),
            (None, None, Some(name)) => match environment("CREDENTIALS_DIRECTORY") {
                Some(directory) => self.file(&format!("{directory}/{name}"), at),
                None => Err("there are no credentials: $CREDENTIALS_DIRECTORY is not set".into()),
            },
            _ => Err("a secret is in one of `env`, `file` and `credential`".to_owned()),
        };
        match found {
            Ok(text) => Some(text),
            Err(why) => {
                self.diagnostics.push(error(505, why, at, ""));
                None
            }
        }
    }

    fn file(&mut self, path: &str, at: Span) -> Result<String, String> {
        let cannot = |e: ReadError| format!("the file {path} cannot be used: {e}");
        let bytes = self.reader.read(path).map_err(cannot)?;
        let text = std::str::from_utf8(bytes.trim_ascii_end());
        let text = text.map_err(|_| format!("the file {path} is not text"))?;
        if self.reader.is_readable_by_others(path) {
            let message = format!("the file {path} can be read by others");
            let open = Diagnostic::new(Severity::Warning, Code(431), Class::Security, message);
            let open = open.label(at, "whoever can read it can take over the addresses");
            self.diagnostics
                .push(open.help(format!("`chmod 600 {path}`")));
        }
        Ok(text.to_owned())
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
    let place = script.weight.as_ref().map(|w| to.at(w));
    if let Some(at) = place.or_else(|| script.reverse.as_ref().map(|r| to.at(r))) {
        let weight = script.weight.as_ref().map_or(0, |w| w.0);
        let mut words = vec![(weight.to_string(), at)];
        words.extend(to.reverse(script.reverse.as_ref()));
        to.push("weight", at, words, Body::None);
    }
    to.value("rise", script.rise.as_ref());
    to.value("fall", script.fall.as_ref());
    to.alone("init_fail", script.start_down.as_ref(), true);
    block("vrrp_script", name, to)
}

fn group(name: &At<String>, group: &Group, weights: &Weights, file: FileId) -> Option<Statement> {
    let mut to = Writer::new(Block::SyncGroup, file);
    let members = group.members.iter().map(|m| vec![to.word(m)]).collect();
    to.entries("group", members);
    let at = span(file, &name.place);
    to.push("sync_group_tracking_weight", at, Vec::new(), Body::None);
    to.track_scripts(&group.track.scripts, weights);
    to.track_interfaces(&group.track.interfaces);
    to.notify(group.notify.as_ref(), Writer::group_notify);
    block("vrrp_sync_group", name, to)
}

fn virtual_mac(instance: &Instance, to: &mut Writer) {
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
    let unicast = instance.unicast.as_ref();
    let has_peers = unicast.is_some_and(|unicast| !unicast.peers.is_empty());
    if has_peers || advertise_from_base.as_ref().is_some_and(|base| base.value) {
        to.push("vmac_xmit_base", at, Vec::new(), Body::None);
    }
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
        let words = vec![("all".to_owned(), at), (elsewhere.seconds(), at)];
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

fn token((text, span): Word) -> Token {
    Token {
        kind: TokenKind::Quoted,
        text,
        span,
        at: 0,
        end: 0,
    }
}

fn entry(words: Vec<Word>) -> Option<Entry> {
    let span = words.first()?.1.to(words.last()?.1);
    let words = words.into_iter().map(token).collect();
    Some(Entry { words, span })
}

fn user_and_group(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    }
}

/// A command in keepalived's quoting, which splits it into `argv` again.
fn quoted(argv: &[String]) -> String {
    let mut text = String::from("\"");
    for (i, word) in argv.iter().enumerate() {
        if i > 0 {
            text.push(' ');
        }
        if word.is_empty() {
            text += "''";
        }
        for c in word.chars() {
            match c {
                ' ' | '\t' | '"' | '\'' | '\\' => text += &format!("\\x{:02x}", u32::from(c)),
                c => text.push(c),
            }
        }
    }
    text.push('"');
    text
}
