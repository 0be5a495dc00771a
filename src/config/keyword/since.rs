//! Keywords that keepalived 2.2.7, the oldest version in wide use, does not know.

use super::Block;

const SINCE: &[(Block, &str, &str)] = &[
    (Block::Globals, "use_symlink_paths", "2.3.0"),
    (Block::Globals, "set_supplementary_groups", "2.4.3"),
    (Block::Globals, "v3_checksum_as_v2", "2.2.8"),
    (Block::Globals, "snmp_vs_stats_update_interval", "2.3.0"),
    (Block::Globals, "snmp_rs_stats_update_interval", "2.3.0"),
    (Block::Globals, "dbus_no_interface_name", "2.3.0"),
    (Block::Globals, "vrrp_delay_after_boot", "2.4.0"),
    (Block::Globals, "vrrp_owner_ignore_adverts", "2.3.3"),
    (Block::Globals, "json_version", "2.2.8"),
    (Block::Globals, "iproute_usr_dir", "2.3.2"),
    (Block::Globals, "iproute_etc_dir", "2.3.2"),
    (Block::Globals, "state_dump_file", "2.3.3"),
    (Block::Globals, "stats_dump_file", "2.3.3"),
    (Block::Globals, "json_dump_file", "2.3.3"),
    (Block::Instance, "no_virtual_ipaddress", "2.2.8"),
    (Block::Instance, "v3_checksum_as_v2", "2.2.8"),
    (Block::Instance, "timer_expired_backup", "2.2.8"),
    (Block::Instance, "thread_timer_expired", "2.3.2"),
    (Block::Instance, "owner_ignore_adverts", "2.3.3"),
    (Block::Instance, "auth_hmac", "2.4.0"),
    (Block::AuthHmac, "key", "2.4.0"),
    (Block::AuthHmac, "active_key", "2.4.0"),
    (Block::AuthHmac, "time_window", "2.4.0"),
    (Block::AuthHmac, "anti_replay", "2.4.0"),
    (Block::AuthHmac, "mode", "2.4.0"),
    (Block::HttpGet, "sni_name", "2.4.3"),
    (Block::SslGet, "sni_name", "2.4.3"),
    (Block::SslGet, "tls_compliant", "2.2.8"),
    (Block::Url, "tls_compliant", "2.2.8"),
    (Block::Bfd, "multihop", "2.2.8"),
];

/// The first version of keepalived with a keyword, if it is later than 2.2.7.
pub(super) fn since(block: Block, keyword: &str) -> Option<&'static str> {
    let row = SINCE
        .iter()
        .find(|(b, k, _)| *b == block && *k == keyword)?;
    Some(row.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_about_a_keyword() {
        for (block, keyword, _) in SINCE {
            assert!(block.keyword(keyword).is_some(), "{keyword}");
        }
    }
}
