//! keepalived's keywords and the keys of `vipd.toml` for the same thing.

use crate::config::diagnostic::{Code, Diagnostic, Severity};

/// Keyword and key. A keyword that is its own key is left out.
pub(super) const WORDS: &[(&str, &str)] = &[
    ("global_defs", "global"),
    ("vrrp_script", "script"),
    ("vrrp_instance", "instance"),
    ("vrrp_sync_group", "group"),
    ("enable_script_security", "script_security"),
    ("virtual_router_id", "vrid"),
    ("advert_int", "interval"),
    ("vrrp_version", "version"),
    ("down_timer_adverts", "missed_adverts"),
    ("virtual_ipaddress", "addresses"),
    ("virtual_ipaddress_excluded", "excluded"),
    ("no_virtual_ipaddress", "addresses = []"),
    ("nopreempt", "preempt = false"),
    ("lower_prio_no_advert", "answer_lower_priority = false"),
    ("higher_prio_send_advert", "answer_higher_priority"),
    ("v3_checksum_as_v2", "checksum = \"rfc9568\""),
    ("authentication", "auth"),
    ("auth_pass", "auth.password"),
    ("auth_hmac", "auth.hmac"),
    ("active_key", "active"),
    ("time_window", "window"),
    ("unicast_peer", "unicast.peers"),
    ("unicast_src_ip", "unicast.source"),
    ("unicast_ttl", "unicast.ttl"),
    ("check_unicast_src", "unicast.check_source"),
    ("unicast_fault_no_peer", "unicast.peers"),
    ("old_unicast_checksum", "unicast.old_checksum"),
    ("mcast_src_ip", "multicast.source"),
    ("mcast_dst_ip", "multicast.group"),
    ("track_script", "track.scripts"),
    ("track_file", "track.files"),
    ("vrrp_track_file", "track_file"),
    ("init_file", "initial"),
    ("track_interface", "track.interfaces"),
    ("dont_track_primary", "track.own_interface = false"),
    ("notify_master", "notify.active"),
    ("notify_backup", "notify.backup"),
    ("notify_fault", "notify.fault"),
    ("notify_stop", "notify.stop"),
    ("garp_master_repeat", "announce.repeat"),
    ("garp_master_delay", "announce.delay"),
    ("garp_master_refresh", "announce.refresh"),
    ("garp_master_refresh_repeat", "announce.refresh_repeat"),
    ("garp_lower_prio_repeat", "announce.lower_priority_repeat"),
    ("garp_lower_prio_delay", "announce.lower_priority_delay"),
    ("vrrp_startup_delay", "startup_delay"),
    ("vrrp_delay_after_boot", "delay_after_boot"),
    ("vrrp_garp_interval", "pacing.arp"),
    ("vrrp_gna_interval", "pacing.ndisc"),
    ("garp_group", "pacing.groups"),
    ("garp_interval", "arp"),
    ("gna_interval", "ndisc"),
    ("garp_extra_if", "announce.elsewhere"),
    ("timer_expired_backup", "late_timer_priority"),
    ("owner_ignore_adverts", "owner_hears_adverts = false"),
    ("skip_check_adv_addr", "check_addresses = false"),
    ("track_src_ip", "track.source_address"),
    ("notify_deleted", "notify.deleted"),
    ("notify_master_rx_lower_pri", "notify.heard_lower_priority"),
    ("accept", "accept_mode"),
    ("no_accept", "accept_mode = false"),
    ("use_vmac", "virtual_mac"),
    ("vmac_xmit_base", "virtual_mac.advertise_from_base"),
    ("use_ipvlan", "ipvlan"),
    ("vmac_prefix", "device_prefix"),
    ("vmac_addr_prefix", "address_device_prefix"),
    ("set_supplementary_groups", "script_groups"),
    ("use_symlink_paths", "follow_links"),
    ("net_namespace", "process.namespace"),
    ("use_pid_dir", "process.pid_folder"),
    ("process_name", "process.name"),
    ("vrrp_process_name", "process.engine_name"),
    ("vrrp_priority", "process.nice"),
    ("vrrp_rt_priority", "process.real_time_priority"),
    ("max_auto_priority", "process.real_time_ceiling"),
    ("vrrp_rlimit_rttime", "process.real_time_limit"),
    ("vrrp_cpu_affinity", "process.processors"),
    ("umask", "process.umask"),
    ("startup_script", "process.startup"),
    ("startup_script_timeout", "process.startup_timeout"),
    ("shutdown_script", "process.shutdown"),
    ("shutdown_script_timeout", "process.shutdown_timeout"),
    ("log_unknown_vrids", "process.log_strangers"),
    ("reload_time_file", "process.reload.time_file"),
    ("reload_repeat", "process.reload.daily"),
    ("reload_file", "process.reload.mark"),
    ("reload_check_config", "process.reload.strict"),
    ("config_save_dir", "process.reload.archive"),
    ("nftables", "firewall.table"),
    ("nftables_priority", "firewall.priority"),
    ("nftables_counters", "firewall.counters"),
    ("init_fail", "start_down"),
    ("native_ipv6", "ipv6 = true"),
    ("dev", "interface"),
    ("brd", "broadcast"),
    ("-nodad", "duplicate_detection"),
    ("mngtmpaddr", "manage_temporary"),
    ("noprefixroute", "prefix_route = false"),
    ("no_track", "track = false"),
    ("preferred_lft", "preferred_lifetime"),
];

/// What to write instead, where keepalived's way is not that of TOML.
const HELP: &[(u16, &str)] = &[
    (
        214,
        "`version = 3` allows hundredths of a second, up to 40.95s",
    ),
    (403, "define it, or take it out here"),
    (407, "write `command = \"PROGRAM ARGUMENTS\"` in it"),
    (
        408,
        "write `script_security = true` and `script_user = \"USER\"` in `[global]`",
    ),
    (410, "addresses of another family belong in `excluded`"),
    (
        411,
        "write `vrid = NUMBER`, 1 to 255, the same on all its routers",
    ),
    (412, "write `interface = \"NAME\"`"),
    (
        441,
        "write `{ address = \"ADDRESS/LENGTH\", interface = \"NAME\" }`",
    ),
    (
        415,
        "write `addresses = [\"ADDRESS/LENGTH\"]`, or `addresses = []` if none is meant",
    ),
    (
        417,
        "write `keys = { 1 = \"hex:DIGITS\" }` and `active = 1`",
    ),
];

/// Mistakes that keepalived passes over with a warning. A file of ours is refused.
const REFUSED: [u16; 6] = [403, 404, 407, 409, 410, 415];

/// What keepalived does about a mistake, and what it is.
const FIRM: [(&str, &str); 3] = [
    ("is cut after 8 characters", "has more than 8 characters"),
    ("has no `script` and is dropped", "has no `command`"),
    ("has no `file` and is dropped", "has no `file`"),
];

/// The key for a keyword of keepalived.
pub(super) fn key(keyword: &str) -> Option<&'static str> {
    let pair = WORDS.iter().find(|(ours, _)| *ours == keyword);
    pair.map(|(_, key)| *key)
}

/// What the lowering says of a keyword, said of a key.
pub(in crate::config) fn speak(diagnostic: &mut Diagnostic) {
    let Code(code) = diagnostic.code;
    diagnostic.message = in_keys(&diagnostic.message);
    diagnostic.help = diagnostic.help.as_deref().map(in_keys);
    for label in &mut diagnostic.labels {
        label.text = in_keys(&label.text);
    }
    if let Some((_, help)) = HELP.iter().find(|(of, _)| *of == code) {
        let suggests = |help: &String| help.starts_with("did you mean");
        if !diagnostic.help.as_ref().is_some_and(suggests) {
            diagnostic.help = Some((*help).to_owned());
        }
    }
    let is_value = (200..300).contains(&code);
    if diagnostic.severity == Severity::Warning && (is_value || REFUSED.contains(&code)) {
        refuse(diagnostic);
    }
}

/// Makes an error of a warning: nothing is ignored or corrected.
fn refuse(diagnostic: &mut Diagnostic) {
    let goes_on = |text: &str| {
        ["ignored", "is used", "dropped", "counts as", "is cut"]
            .iter()
            .any(|word| text.contains(word))
    };
    diagnostic.severity = Severity::Error;
    for (tolerant, firm) in FIRM {
        diagnostic.message = diagnostic.message.replace(tolerant, firm);
    }
    if let Some((what, then)) = diagnostic.message.rsplit_once(": ")
        && goes_on(then)
    {
        diagnostic.message = what.to_owned();
    }
    for label in &mut diagnostic.labels {
        if goes_on(&label.text) {
            label.text.clear();
        }
    }
    diagnostic.help.take_if(|help| goes_on(help));
}

/// Puts keys in the place of keywords.
fn in_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let keyword = Some(word).filter(|word| word.contains('_'));
        out += keyword.and_then(key).unwrap_or(match word {
            "nopreempt" => "preempt = false",
            word => word,
        });
        let other = after.find(is_word).unwrap_or(after.len());
        let (between, next) = after.split_at(other);
        out += between;
        rest = next;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keyword::Block;

    #[test]
    fn every_keyword_is_one_of_keepaliveds() {
        let is_option = |word: &str| {
            let options = ["dev", "brd", "-nodad", "mngtmpaddr", "noprefixroute"];
            options.contains(&word) || ["no_track", "preferred_lft"].contains(&word)
        };
        for (keyword, _) in WORDS {
            let known = Block::ALL.iter().any(|b| b.keyword(keyword).is_some());
            assert!(known || is_option(keyword), "{keyword}");
        }
    }

    #[test]
    fn keywords_become_keys() {
        let text = "write `advert_int` after nopreempt, or accept_int";
        let spoken = "write `interval` after preempt = false, or accept_int";
        assert_eq!(in_keys(text), spoken);
    }
}
