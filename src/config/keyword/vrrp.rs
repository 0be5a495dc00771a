//! Keywords of virtual routers and of what belongs to them.

use super::Arguments::*;
use super::Support::{Accepted, Inactive, Works};
use super::Unit::*;
use super::{Block, Keyword, row};

/// `vrrp_instance`.
#[rustfmt::skip]
pub(super) const INSTANCE: &[Keyword] = &[
    row("use_vmac", Optional("[[name] IFNAME] [MAC] [netlink_notify_msg] [group GROUP]"), "off; generated name PREFIX.VRID", Works, "run vrrp on a macvlan interface with the virtual MAC"),
    row("use_vmac_addr", Nothing, "off", Works, "create VMACs for VIPs/eVIPs that lie on another interface or are of the other address family"),
    row("vmac_xmit_base", Nothing, "off", Works, "send and receive adverts on the base interface instead of the VMAC"),
    row("use_ipvlan", Optional("[[name] IFNAME] [IPADDR] [bridge | private | vepa] [group GROUP]"), "off; bridge", Works, "run vrrp on an ipvlan interface"),
    row("unicast_peer", Entries, "empty = multicast", Works, "peers that get adverts by unicast"),
    row("unicast_fault_no_peer", Nothing, "off", Works, "stay in FAULT when unicast_peer is empty instead of running alone"),
    row("check_unicast_src", Nothing, "vrrp_check_unicast_src", Works, "drop adverts that do not come from a configured peer"),
    row("old_unicast_checksum", Optional("[never]"), "auto", Works, "use the pre 1.3.6 VRRPv3 unicast checksum"),
    row("native_ipv6", Nothing, "off", Accepted("the family follows from the addresses"), "deprecated"),
    row("state", Choice(&["MASTER", "BACKUP"]), "MASTER iff priority 255, else BACKUP", Works, "initial state"),
    row("interface", Interface, "none (needed unless unicast with unicast_src_ip)", Works, "interface that carries vrrp and is the default for VIPs"),
    row("vrf", Interface, "none", Works, "VRF master device for an instance without interface"),
    row("dont_track_primary", Nothing, "off", Works, "ignore faults of the main interface"),
    row("track_interface", Entries, "", Works, "interfaces to track"),
    row("track_script", Entries, "", Works, "scripts to track"),
    row("track_file", Entries, "", Works, "files to track"),
    row("track_process", Entries, "", Inactive("process trackers"), "processes to track"),
    row("track_bfd", Entries, "", Inactive("BFD"), "BFD sessions to track"),
    row("mcast_src_ip", Address, "primary address of the interface", Works, "source address of multicast adverts"),
    row("unicast_src_ip", Address, "primary address of the interface", Works, "source address of unicast adverts (same handler as mcast_src_ip)"),
    row("mcast_dst_ip", Address, "vrrp_mcast_group4/6", Works, "destination of multicast adverts for this instance"),
    row("track_src_ip", Nothing, "off", Works, "go to FAULT when the source address is removed"),
    row("virtual_router_id", Integer { unit: Count, min: 1, max: 255 }, "", Works, "VRID"),
    row("unicast_ttl", Integer { unit: Count, min: 0, max: 255 }, "255 for IPv4, kernel default for IPv6", Works, "TTL / hop limit of unicast adverts"),
    row("version", Choice(&["2", "3"]), "vrrp_version for IPv4; 3 for IPv6", Works, "protocol version"),
    row("priority", Integer { unit: Count, min: 1, max: 255 }, "100 (255 when state MASTER is given without priority)", Works, "base priority"),
    row("advert_int", Decimal { unit: Seconds, min: 10_000, max: 255_000_000 }, "1", Works, "advert interval"),
    row("virtual_ipaddress", Entries, "", Works, "addresses that are carried in adverts"),
    row("virtual_ipaddress_excluded", Entries, "", Works, "addresses moved with the instance but not carried in adverts"),
    row("no_virtual_ipaddress", Nothing, "off", Works, "accept an instance without any VIP"),
    row("promote_secondaries", Nothing, "off", Works, "set promote_secondaries on the interfaces of the VIPs"),
    row("linkbeat_use_polling", Nothing, "off", Accepted("the kernel reports link state"), "deprecated"),
    row("v3_checksum_as_v2", Bool, "global v3_checksum_as_v2", Works, "leave the pseudo header out of VRRPv3 IPv4 checksums sent"),
    row("virtual_routes", Entries, "", Inactive("virtual routes and rules"), "routes added as master and removed as backup"),
    row("virtual_rules", Entries, "", Inactive("virtual routes and rules"), "rules added as master and removed as backup"),
    row("accept", Nothing, "on unless strict", Works, "a non-owner master answers traffic to the VIPs"),
    row("no_accept", Nothing, "off", Works, "drop traffic to the VIPs by firewall unless owner"),
    row("skip_check_adv_addr", Bool, "vrrp_skip_check_adv_addr", Works, "skip the address list check of adverts from the known master"),
    row("strict_mode", Bool, "vrrp_strict", Works, "enforce RFC rules for this instance"),
    row("preempt", Nothing, "on", Works, "clears nopreempt"),
    row("nopreempt", Nothing, "off", Works, "a higher priority backup does not take over from a lower priority master"),
    row("preempt_delay", Decimal { unit: Seconds, min: 0, max: 1_000_000_000 }, "0", Works, "wait before taking over from a lower priority master"),
    row("debug", Integer { unit: Count, min: 0, max: 4 }, "0", Accepted("logs have levels of their own"), "accepted debug level"),
    row("notify_backup", Script, "none", Works, "run on entering BACKUP"),
    row("notify_master", Script, "none", Works, "run on entering MASTER"),
    row("notify_fault", Script, "none", Works, "run on entering FAULT"),
    row("notify_stop", Script, "none", Works, "run when the daemon stops"),
    row("notify_deleted", OptionalScript, "off", Works, "report DELETED (instead of FAULT) when a reload removes the instance, and run the script if given"),
    row("notify", Script, "none", Works, "run at every change with INSTANCE name state priority appended"),
    row("notify_master_rx_lower_pri", Script, "none", Works, "run when a master receives a lower priority advert"),
    row("smtp_alert", Bool, "smtp_alert_vrrp, smtp_alert, else no", Inactive("mail"), "mail at changes"),
    row("notify_priority_changes", Bool, "vrrp_notify_priority_changes", Inactive("notify FIFOs"), "write FIFO lines when the effective priority changes"),
    row("lvs_sync_daemon_interface", Interface, "none", Inactive("LVS"), "deprecated (after 1.2.19)"),
    row("garp_master_delay", Integer { unit: Seconds, min: 0, max: 4_294 }, "vrrp_garp_master_delay", Works, "delay of the second gratuitous ARP/NA block after becoming master (0 = none)"),
    row("garp_master_refresh", Integer { unit: Seconds, min: 0, max: 4_294_967_295 }, "vrrp_garp_master_refresh", Works, "period of refresh blocks while master (0 = none)"),
    row("garp_master_repeat", Integer { unit: Count, min: 0, max: 4_294_967_295 }, "vrrp_garp_master_repeat", Works, "gratuitous ARP/NA per block"),
    row("garp_master_refresh_repeat", Integer { unit: Count, min: 0, max: 4_294_967_295 }, "vrrp_garp_master_refresh_repeat", Works, "gratuitous ARP/NA per refresh block"),
    row("garp_lower_prio_delay", Integer { unit: Seconds, min: 0, max: 4_294 }, "vrrp_garp_lower_prio_delay", Works, "delay of the second block after a lower priority advert"),
    row("garp_lower_prio_repeat", Integer { unit: Count, min: 0, max: 2_147_483_647 }, "vrrp_garp_lower_prio_repeat", Works, "gratuitous ARP/NA after a lower priority advert"),
    row("down_timer_adverts", Integer { unit: Count, min: 1, max: 100 }, "vrrp_down_timer_adverts", Works, "missed adverts in the master down timer"),
    row("timer_expired_backup", Optional("[INT 1..254]"), "off; 254 without value", Works, "a master whose timers ran so late that a peer with this priority would have taken over returns to BACKUP"),
    row("thread_timer_expired", Optional("[INT 1..254]"), "off", Works, "same as timer_expired_backup, logs a request to rename"),
    row("garp_extra_if", Optional("[all] SECONDS INT 0..86400 (0 = off)"), "vrrp_garp_extra_if", Works, "periodic gratuitous ARP/NA on VIP interfaces other than the instance's"),
    row("vmac_garp_intvl", Optional("[all] SECONDS INT 0..86400"), "vrrp_garp_extra_if", Works, "deprecated name of garp_extra_if (after 2.2.2"),
    row("lower_prio_no_advert", Bool, "vrrp_lower_prio_no_advert", Works, "send no advert in reply to a lower priority advert"),
    row("higher_prio_send_advert", Bool, "vrrp_higher_prio_send_advert", Works, "send one advert before yielding to a higher priority advert"),
    row("owner_ignore_adverts", Bool, "vrrp_owner_ignore_adverts", Works, "address owner drops received adverts"),
    row("kernel_rx_buf_size", Integer { unit: Bytes, min: 0, max: 4_294_967_295 }, "from vrrp_rx_bufs_policy", Accepted("1 MiB, 1,500 adverts, is kept in any case"), "receive buffer of the instance's sockets"),
    row("authentication", Block(Block::Authentication), "none", Works, "VRRPv2 authentication"),
    row("auth_hmac", Block(Block::AuthHmac), "none", Works, "HMAC-SHA256 trailer on adverts, v2 and v3"),
];

/// `authentication` of an instance.
#[rustfmt::skip]
pub(super) const AUTHENTICATION: &[Keyword] = &[
    row("auth_type", Choice(&["PASS", "AH"]), "none", Works, "PASS = simple text in the advert, AH = IPsec AH with HMAC-MD5-96 (IPv4, v2 only)"),
    row("auth_pass", Words("STRING"), "none", Works, "shared secret for PASS or AH"),
];

/// `auth_hmac` of an instance.
#[rustfmt::skip]
pub(super) const AUTH_HMAC: &[Keyword] = &[
    row("key", Words("ID 1..255  VALUE"), "", Works, "adds a key"),
    row("active_key", Integer { unit: Count, min: 1, max: 255 }, "required (otherwise the extension is disabled)", Works, "key id used to sign"),
    row("time_window", Integer { unit: Seconds, min: 1, max: 300 }, "max(3*advert_int, 5) up to 300", Works, "how far the peer's time stamp may differ"),
    row("anti_replay", Choice(&["time", "monotonic"]), "time", Works, "time: marks outside the window expire"),
    row("mode", Choice(&["enforce", "permissive", "receive-only"]), "enforce", Works, "enforce signs and demands"),
];

/// `vrrp_sync_group`.
#[rustfmt::skip]
pub(super) const SYNC_GROUP: &[Keyword] = &[
    row("group", Entries, "", Works, "members"),
    row("track_interface", Entries, "", Works, "interfaces tracked by every member"),
    row("track_script", Entries, "", Works, "scripts tracked by every member"),
    row("track_file", Entries, "", Works, "files tracked by every member"),
    row("track_process", Entries, "", Inactive("process trackers"), "processes tracked by every member"),
    row("track_bfd", Entries, "", Inactive("BFD"), "BFD sessions tracked by every member"),
    row("notify_backup", Script, "none", Works, "run when the group enters BACKUP"),
    row("notify_master", Script, "none", Works, "run when the group enters MASTER"),
    row("notify_fault", Script, "none", Works, "run when the group enters FAULT"),
    row("notify_stop", Script, "none", Works, "run when the daemon stops"),
    row("notify", Script, "none", Works, "run at every change with GROUP name state 0 appended"),
    row("smtp_alert", Bool, "smtp_alert_vrrp, smtp_alert, else no", Inactive("mail"), "mail at changes"),
    row("global_tracking", Nothing, "off", Works, "deprecated name of sync_group_tracking_weight"),
    row("sync_group_tracking_weight", Nothing, "off", Works, "allow trackers with weight for members (weights then change the priority of all members alike)"),
    row("notify_priority_changes", Bool, "vrrp_notify_priority_changes", Inactive("notify FIFOs"), "write FIFO lines when priorities of members change"),
];

/// `garp_group`.
#[rustfmt::skip]
pub(super) const GARP_GROUP: &[Keyword] = &[
    row("garp_interval", Decimal { unit: Seconds, min: 0, max: 4_294_967_295 }, "unset", Works, "minimum gap between gratuitous ARPs over the group"),
    row("gna_interval", Decimal { unit: Seconds, min: 0, max: 4_294_967_295 }, "unset", Works, "minimum gap between unsolicited NAs over the group"),
    row("interface", Interface, "", Works, "interface that uses these values (each on its own)"),
    row("interfaces", Entries, "", Works, "interfaces that share the gap in common"),
];

/// `track_group`.
#[rustfmt::skip]
pub(super) const TRACK_GROUP: &[Keyword] = &[
    row("group", Entries, "", Inactive("static addresses and routes"), "members"),
];
