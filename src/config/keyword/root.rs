//! Keywords outside of all blocks.

use super::Arguments::*;
use super::Support::{Accepted, Inactive, Works};
use super::Unit::*;
use super::{Block, Keyword, row};

/// Outside of all blocks.
#[rustfmt::skip]
pub(super) const ROOT: &[Keyword] = &[
    row("linkbeat_use_polling", Nothing, "off", Accepted("the kernel reports link state"), "poll link state of interfaces with ioctl/MII instead of relying on netlink"),
    row("net_namespace", Words("NAME"), "none", Works, "run the whole daemon inside the named network namespace"),
    row("net_namespace_ipvs", Optional("[NAME]"), "same as net_namespace", Inactive("LVS"), "namespace used by the checker process and IPVS"),
    row("namespace_with_ipsets", Nothing, "off", Accepted("ipsets are not used"), "allow ipsets together with a network namespace even when the kernel is old (ipsets not namespace aware before Linux 3.13)"),
    row("use_pid_dir", Nothing, "off", Works, "place pid files in RUNSTATEDIR/keepalived/ instead of directly in RUNSTATEDIR"),
    row("instance", Words("NAME"), "none", Works, "instance name for running several daemons"),
    row("child_wait_time", Integer { unit: Seconds, min: 0, max: 4_294_967_295 }, "5", Accepted("there are no children to wait for"), "how long the parent waits for children to exit at shutdown before it kills them"),
    row("global_defs", Block(Block::Globals), "", Works, "opens the global definitions block"),
    row("track_group", NamedBlock(Block::TrackGroup), "", Inactive("static addresses and routes"), "declares a set of vrrp instances whose states control tracked static addresses/routes/rules"),
    row("static_ipaddress", Entries, "", Inactive("static addresses and routes"), "addresses added at start and removed at stop, independent of vrrp state"),
    row("static_routes", Entries, "", Inactive("static addresses and routes"), "routes added at start and removed at stop"),
    row("static_rules", Entries, "", Inactive("static addresses and routes"), "policy routing rules added at start and removed at stop"),
    row("vrrp_sync_group", NamedBlock(Block::SyncGroup), "", Works, "declares a group of instances that change state together"),
    row("garp_group", Block(Block::GarpGroup), "", Works, "limits gratuitous ARP/NA rate over a set of physical interfaces"),
    row("linkbeat_interfaces", Entries, "", Accepted("the kernel reports link state"), "interfaces to be polled for link state"),
    row("vrrp_instance", NamedBlock(Block::Instance), "", Works, "declares a virtual router"),
    row("vrrp_script", NamedBlock(Block::TrackScript), "", Works, "declares a health script that instances and sync groups may track"),
    row("vrrp_track_process", NamedBlock(Block::TrackProcess), "", Inactive("process trackers"), "declares a process (by name) whose running count may be tracked"),
    row("track_file", NamedBlock(Block::TrackFile), "", Works, "declares a file whose numeric content may be tracked by vrrp and by FILE_CHECK"),
    row("vrrp_track_file", NamedBlock(Block::TrackFile), "", Works, "deprecated synonym of track_file (since 2.0.20"),
    row("interface_up_down_delays", Entries, "", Inactive("link delays"), "per interface debounce times before an up or down event is acted on"),
    row("SSL", Block(Block::Ssl), "", Inactive("LVS"), "client TLS context parameters for the SSL_GET checkers"),
    row("virtual_server_group", NamedEntries, "", Inactive("LVS"), "names a set of addresses / fwmarks usable by virtual_server group"),
    row("virtual_server", NamedBlock(Block::VirtualServer), "port 0 if absent", Inactive("LVS"), "declares an IPVS service"),
    row("bfd_instance", NamedBlock(Block::Bfd), "", Inactive("BFD"), "declares a BFD session to one neighbour"),
];
