//! Keywords of trackers and BFD sessions.

use super::Arguments::*;
use super::Support::{Inactive, Works};
use super::Unit::*;
use super::{Keyword, row};

/// `vrrp_script`.
#[rustfmt::skip]
pub(super) const TRACK_SCRIPT: &[Keyword] = &[
    row("script", Script, "", Works, "what to run"),
    row("interval", Decimal { unit: Seconds, min: 0, max: 4_294_000_000 }, "1", Works, "gap between runs"),
    row("timeout", Decimal { unit: Seconds, min: 0, max: 4_294_000_000 }, "interval", Works, "time after which a run counts as failed and is killed"),
    row("weight", Integer { unit: Count, min: -253, max: 253 }, "0", Works, "0: failure is a fault"),
    row("rise", Integer { unit: Count, min: 1, max: 2_147_483_647 }, "1", Works, "successes needed for up"),
    row("fall", Integer { unit: Count, min: 1, max: 2_147_483_647 }, "1", Works, "failures needed for down"),
    row("user", Words("USER [[:][GROUP]]"), "script_user", Works, "who runs it"),
    row("init_fail", Nothing, "off", Works, "assume failed before the first result"),
];

/// `vrrp_track_process`.
#[rustfmt::skip]
pub(super) const TRACK_PROCESS: &[Keyword] = &[
    row("process", Words("NAME|PATH [PARAM ...]"), "", Inactive("process trackers"), "command to look for"),
    row("param_match", Optional("[initial | partial]"), "exact if params given, else parameters are ignored", Inactive("process trackers"), "how parameters are compared"),
    row("weight", Integer { unit: Count, min: -254, max: 254 }, "0", Inactive("process trackers"), "priority change"),
    row("quorum", Integer { unit: Count, min: 1, max: 65_535 }, "1", Inactive("process trackers"), "minimum count of matching processes"),
    row("quorum_max", Integer { unit: Count, min: 0, max: 65_535 }, "unlimited", Inactive("process trackers"), "maximum count"),
    row("delay", Decimal { unit: Seconds, min: 1, max: 3_600_000_000 }, "0", Inactive("process trackers"), "sets fork_delay and terminate_delay"),
    row("terminate_delay", Decimal { unit: Seconds, min: 1, max: 3_600_000_000 }, "0", Inactive("process trackers"), "wait before loss of quorum counts"),
    row("fork_delay", Decimal { unit: Seconds, min: 1, max: 3_600_000_000 }, "0", Inactive("process trackers"), "wait before gain of quorum counts"),
    row("full_command", Nothing, "off", Inactive("process trackers"), "match against the full command line (/proc/PID/cmdline) instead of comm (15 chars)"),
];

/// `track_file` and `vrrp_track_file`.
#[rustfmt::skip]
pub(super) const TRACK_FILE: &[Keyword] = &[
    row("file", Words("PATH"), "", Works, "file to read"),
    row("weight", Integer { unit: Count, min: -254, max: 254 }, "1", Works, "factor for the content"),
    row("init_file", Optional("[INT] [overwrite]"), "no; value 0", Works, "create the file at start with the value"),
];

/// `bfd_instance`.
#[rustfmt::skip]
pub(super) const BFD: &[Keyword] = &[
    row("source_ip", Address, "chosen by the kernel", Inactive("BFD"), "local address"),
    row("neighbor_ip", Address, "", Inactive("BFD"), "address of the peer"),
    row("neighbour_ip", Address, "", Inactive("BFD"), "same as neighbor_ip"),
    row("min_rx", Decimal { unit: Milliseconds, min: 1_000_000, max: 4_294_967_000_000 }, "10", Inactive("BFD"), "required minimum receive interval (message above 10000)"),
    row("min_tx", Decimal { unit: Milliseconds, min: 1_000_000, max: 4_294_967_000_000 }, "10", Inactive("BFD"), "desired minimum transmit interval"),
    row("idle_tx", Decimal { unit: Milliseconds, min: 1_000_000_000, max: 4_294_967_000_000 }, "1000", Inactive("BFD"), "transmit interval while the session is not up"),
    row("multiplier", Integer { unit: Count, min: 1, max: 255 }, "5", Inactive("BFD"), "detection multiplier (message above 10)"),
    row("passive", Nothing, "off", Inactive("BFD"), "do not send until the peer has sent"),
    row("ttl", Integer { unit: Count, min: 1, max: 255 }, "255 (IPv4), 64 (IPv6)", Inactive("BFD"), "TTL of sent packets"),
    row("hoplimit", Integer { unit: Count, min: 1, max: 255 }, "255 (IPv4), 64 (IPv6)", Inactive("BFD"), "same as ttl"),
    row("max_hops", Integer { unit: Count, min: -1, max: 255 }, "0", Inactive("BFD"), "how much the TTL of received packets may be below the sent value"),
    row("multihop", Bool, "no", Inactive("BFD"), "use UDP port 4784 instead of 3784"),
    row("weight", Integer { unit: Count, min: -253, max: 253 }, "0", Inactive("BFD"), "default weight for track_bfd"),
    row("vrrp", Nothing, "both vrrp and checker if neither is given", Inactive("BFD"), "send events to the vrrp process only/also"),
    row("checker", Nothing, "both if neither is given", Inactive("BFD"), "send events to the checker process only/also"),
];
