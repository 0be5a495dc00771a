//! The tables and keys of `vipd.toml`. Their comments are the descriptions of the JSON schema.

use schemars::JsonSchema;
use serde::Deserialize;

use super::defaults::Defaults;
use super::process::Process;
use super::router;
use super::value::{
    At, Named, Number, OneOrMore, Program, Secret, SwitchOr, TextOr, Time, Versions,
};

/// Configuration of vipd.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "vipd.toml")]
pub(super) struct Document {
    /// Files to read too, in the order of their names: a pattern such as `vipd.d/*.toml`, seen
    /// from the directory of this file.
    pub(super) include: Option<At<OneOrMore>>,
    /// What holds for the whole daemon.
    pub(super) global: Global,
    /// How the process runs.
    pub(super) process: Process,
    /// How fast addresses are announced.
    pub(super) pacing: Pacing,
    /// Scripts that say whether a service is well, by name.
    pub(super) script: Named<Script>,
    /// Files that hold a number, by name.
    pub(super) track_file: Named<TrackFile>,
    /// Options for every instance that does not write them itself.
    pub(super) defaults: Option<At<Defaults>>,
    /// Virtual routers, by name.
    pub(super) instance: Named<Instance>,
    /// Instances that are active together or not at all, by name.
    pub(super) group: Named<Group>,
}

impl Document {
    /// Options for instances that do not write them.
    pub(super) fn defaults(&self) -> Option<&Instance> {
        self.defaults.as_ref().map(|defaults| &defaults.0)
    }
}

/// What holds for the whole daemon.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Global {
    /// Name of this node in mails; default: the host name.
    pub(super) router_id: Option<At<String>>,
    /// Who runs scripts that name nobody: `USER` or `USER:GROUP`.
    pub(super) script_user: Option<At<String>>,
    /// Refuse scripts that somebody but root could change; default false.
    pub(super) script_security: Option<At<bool>>,
    /// Scripts get all groups of their user; default false.
    pub(super) script_groups: Option<At<bool>>,
    /// Follow symbolic links to scripts at each run, not once at the start; default false.
    pub(super) follow_links: Option<At<bool>>,
    /// Hold VRRP back so long after the start; default 0s.
    pub(super) startup_delay: Option<At<Time>>,
    /// Hold VRRP back until the host has been up so long; default 0s.
    pub(super) delay_after_boot: Option<At<Time>>,
    /// Where traffic to addresses without `accept_mode` is dropped.
    pub(super) firewall: Firewall,
    /// Beginning of the names of devices with a virtual MAC address; default `vrrp`.
    pub(super) device_prefix: Option<At<String>>,
    /// The same of devices for single addresses; default `device_prefix`.
    pub(super) address_device_prefix: Option<At<String>>,
}

/// Least time between announcements.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Pacing {
    /// Between gratuitous ARPs on an interface; default 0s.
    pub(super) arp: Option<At<Time>>,
    /// Between unsolicited neighbour advertisements on an interface; default 0s.
    pub(super) ndisc: Option<At<Time>>,
    /// Interfaces that take turns, with gaps of their own.
    pub(super) groups: Vec<PacingGroup>,
}

/// Interfaces that take turns with their announcements.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PacingGroup {
    /// The interfaces, each in no other group.
    pub(super) interfaces: Vec<At<String>>,
    /// Between gratuitous ARPs on any of them; default 0s.
    pub(super) arp: Option<At<Time>>,
    /// Between unsolicited neighbour advertisements on any of them; default 0s.
    pub(super) ndisc: Option<At<Time>>,
}

/// The nftables table of vipd.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Firewall {
    /// Its name; default `keepalived`.
    pub(super) table: Option<At<String>>,
    /// Priority of its base chains; default -1.
    #[schemars(range(min = -2_147_483_648_i64, max = 2_147_483_647))]
    pub(super) priority: Option<At<Number>>,
    /// Rules count packets; default false.
    pub(super) counters: Option<At<bool>>,
}

/// A script that says whether a service is well: exit status 0 is success.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Script {
    /// The program and its arguments: a line that is split at blanks, or a list of words. No
    /// shell is involved.
    pub(super) command: Option<At<OneOrMore>>,
    /// Who runs it: `USER` or `USER:GROUP`; default `script_user` of `[global]`.
    pub(super) user: Option<At<String>>,
    /// Time between runs; default 1s.
    pub(super) interval: Option<At<Time>>,
    /// A run that takes longer has failed; default `interval`.
    pub(super) timeout: Option<At<Time>>,
    /// What is added to the priority: a positive weight while the script succeeds, a negative
    /// one while it fails. 0 takes the instance out of service when it fails; default 0.
    #[schemars(range(min = -253, max = 253))]
    pub(super) weight: Option<At<Number>>,
    /// Failure counts as success, and success as failure; default false.
    pub(super) reverse: Option<At<bool>>,
    /// Successes in a row to come up; default 1.
    #[schemars(range(min = 1))]
    pub(super) rise: Option<At<Number>>,
    /// Failures in a row to go down; default 1.
    #[schemars(range(min = 1))]
    pub(super) fall: Option<At<Number>>,
    /// Down until `rise` successes; default false.
    pub(super) start_down: Option<At<bool>>,
}

/// A file that holds a number. A file without one, or none at all, counts as 0.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TrackFile {
    /// Path of the file. It need not exist.
    pub(super) file: Option<At<String>>,
    /// The number times the weight is added to the priority; less than -253 takes the instance
    /// out of service. With 0 every number but 0 does. Default 1.
    #[schemars(range(min = -254, max = 254))]
    pub(super) weight: Option<At<Number>>,
    /// The number counts with the other sign; default false.
    pub(super) reverse: Option<At<bool>>,
    /// Make the file when the daemon starts, with this number in it. Default: it is not made.
    #[schemars(range(min = -2_147_483_648_i64, max = 2_147_483_647))]
    pub(super) initial: Option<At<Number>>,
    /// Overwrite a file that is there with the initial number; default false.
    pub(super) overwrite: Option<At<bool>>,
}

/// A virtual router: the addresses that move, and how they are elected.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Instance {
    /// Interface of the adverts, and of the addresses that name none. With peers and their `source`
    /// it may be left out: adverts go where the routes lead, and each address names its interface.
    pub(super) interface: Option<At<String>>,
    /// Virtual router identifier, the same on all its routers.
    #[schemars(range(min = 1, max = 255))]
    pub(super) vrid: Option<At<Number>>,
    /// Version of VRRP: 2, 3 or `"both"`; default 2 for IPv4 and 3 for IPv6. With `"both"`, IPv4
    /// only, every advert leaves in both versions, and both are heard: for the time in which
    /// routers that know version 2 alone are replaced (RFC 9568, 8.4). Version 2 carries whole
    /// seconds, so a part of one counts as a whole one, and it alone carries `auth.password`.
    pub(super) version: Option<At<Versions>>,
    /// The highest one is active; 255 is the owner of the addresses. Default 100.
    #[schemars(range(min = 1, max = 255))]
    pub(super) priority: Option<At<Number>>,
    /// Time between adverts: 10ms to 40.95s in version 3, whole seconds in version 2. Default
    /// 1s.
    pub(super) interval: Option<At<Time>>,
    /// Adverts missed before a backup takes over; default 3.
    #[schemars(range(min = 1, max = 100))]
    pub(super) missed_adverts: Option<At<Number>>,
    /// Addresses that move, with their prefix length: `"192.0.2.10/24"`. An empty list if there
    /// are none.
    pub(super) addresses: Option<Vec<At<TextOr<Address>>>>,
    /// Addresses that move and are not in adverts, also of the other family.
    pub(super) excluded: Vec<At<TextOr<Address>>>,
    /// Only for an instance without addresses: it speaks IPv6.
    pub(super) ipv6: Option<At<bool>>,
    /// Take over from an active router of lower priority; default true.
    pub(super) preempt: Option<At<bool>>,
    /// Wait so long before taking over from one; default 0s.
    pub(super) preempt_delay: Option<At<Time>>,
    /// An owner (255) begins as active at once; default true.
    pub(super) start_active: Option<At<bool>>,
    /// The wait to take over counts only once the link has proved that it receives, for 30s at
    /// most: for ports of switches that forward late. keepalived has no such option. Default
    /// false.
    pub(super) listen_before_lead: Option<At<bool>>,
    /// An active router whose timers were so late that a peer of this priority has taken over
    /// becomes backup again; only with `preempt = false`. Default: it does not.
    #[schemars(range(min = 1, max = 254))]
    pub(super) late_timer_priority: Option<At<Number>>,
    /// An owner (255) takes part in elections with other owners; default true.
    pub(super) owner_hears_adverts: Option<At<bool>>,
    /// Compare the addresses in the adverts of a peer that is known with ours; default true.
    pub(super) check_addresses: Option<At<bool>>,
    /// Answer an advert of lower priority with an own one; default true.
    pub(super) answer_lower_priority: Option<At<bool>>,
    /// Answer an advert of higher priority with a last own one; default false.
    pub(super) answer_higher_priority: Option<At<bool>>,
    /// Answer traffic to the addresses while active; an owner (255) always does. Default true.
    pub(super) accept_mode: Option<At<bool>>,
    /// Discard adverts over IPv6 whose first address is not link-local, as RFC 9568 has it; the
    /// own list must begin with one too. keepalived takes such adverts. Default false.
    pub(super) require_link_local: Option<At<bool>>,
    /// A MAC address that moves with the addresses, on a device of its own: true, or a table.
    pub(super) virtual_mac: Option<At<SwitchOr<VirtualMac>>>,
    /// Adverts have an ipvlan device and an address of their own; the addresses that move stay
    /// on the interface.
    pub(super) ipvlan: Option<At<Ipvlan>>,
    /// Only for an instance without interface: the VRF that it hears and speaks in.
    pub(super) vrf: Option<At<String>>,
    /// An IPv4 address that leaves an interface takes no other one of its subnet along: the
    /// kernel's `promote_secondaries` is set while the instance exists. Default false.
    pub(super) promote_secondaries: Option<At<bool>>,
    /// Checksum of version 3 over IPv4: `keepalived` covers the pseudo-header, `rfc9568` does
    /// not. Both are accepted. Default `keepalived`.
    pub(super) checksum: Option<At<Checksum>>,
    /// Authentication of adverts: one of `password`, `ah` and `hmac`.
    pub(super) auth: Option<Auth>,
    /// Adverts go to each peer instead of a group.
    pub(super) unicast: Option<At<Unicast>>,
    /// Adverts go to another group, or come from a certain address.
    pub(super) multicast: Option<At<Multicast>>,
    /// What decides whether this node is fit to be active.
    pub(super) track: Track,
    /// Programs to run on a change of state: one for all changes, or a table.
    pub(super) notify: Option<At<NotifyOr<Notify>>>,
    /// How often the addresses are announced by gratuitous ARP or unsolicited NA.
    pub(super) announce: Announce,
    /// The active router sends router advertisements from the first address, so that the link's
    /// hosts have it as their default router (RFC 4861); IPv6 only. keepalived has no such
    /// option. Default: it sends none.
    pub(super) router_advertisement: Option<At<router::Table>>,
}

/// An address that moves, with what the kernel is told about it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    /// The address with its prefix length.
    pub(super) address: At<String>,
    /// Interface that carries it; default: that of the instance.
    pub(super) interface: Option<At<String>>,
    /// IPv4 label, at most 15 bytes.
    pub(super) label: Option<At<String>>,
    /// IPv4 scope: `global`, `site`, `link`, `host`, `nowhere` or a number in quotes.
    pub(super) scope: Option<At<String>>,
    /// IPv4 broadcast address, or `+` or `-` for all host bits set or clear.
    pub(super) broadcast: Option<At<String>>,
    /// Other end of a point-to-point link, with the prefix length.
    pub(super) peer: Option<At<String>>,
    /// IPv6 home address; default false.
    pub(super) home: Option<At<bool>>,
    /// IPv6 duplicate address detection; default false.
    pub(super) duplicate_detection: Option<At<bool>>,
    /// Template for IPv6 privacy addresses; default false.
    pub(super) manage_temporary: Option<At<bool>>,
    /// The kernel makes a route for the prefix; default true.
    pub(super) prefix_route: Option<At<bool>>,
    /// Join the multicast group on Ethernet level; default false.
    pub(super) autojoin: Option<At<bool>>,
    /// Act when somebody else removes it; default true.
    pub(super) track: Option<At<bool>>,
    /// It is on a device with a virtual MAC address of its own on its interface; default false.
    pub(super) virtual_mac: Option<At<bool>>,
    /// IPv6 preferred life time in whole seconds, such as `"60s"`, or `"forever"`.
    pub(super) preferred_lifetime: Option<At<String>>,
}

/// A MAC address that moves with the addresses.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct VirtualMac {
    /// The address, of 5 bytes (the VRID is the sixth) or 6; default: that of the VRID.
    pub(super) mac: Option<At<String>>,
    /// Name of the device; default: `device_prefix` of `[global]`, a dot and the VRID.
    pub(super) device: Option<At<String>>,
    /// Interface group of the device, by number or name; default: that of the interface.
    pub(super) group: Option<At<String>>,
    /// Adverts are sent and received on the interface itself; default false, or true with
    /// unicast peers.
    pub(super) advertise_from_base: Option<At<bool>>,
}

/// A device for adverts with the MAC address of the interface.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Ipvlan {
    /// Its address with the prefix length; needed for IPv4. Default for IPv6: its link-local one.
    pub(super) address: Option<At<String>>,
    /// Name of the device; default: `device_prefix` of `[global]`, a dot and the VRID.
    pub(super) device: Option<At<String>>,
    /// How such devices on one interface see each other; default `bridge`.
    pub(super) mode: Option<At<IpvlanMode>>,
    /// Interface group of the device, by number or name; default: that of the interface.
    pub(super) group: Option<At<String>>,
}

/// How ipvlan devices on one interface see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum IpvlanMode {
    /// On the host.
    Bridge,
    /// Not at all.
    Private,
    /// By a switch that sends packets back.
    Vepa,
}

/// What the checksum of version 3 over IPv4 covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Checksum {
    Keepalived,
    Rfc9568,
}

/// Authentication of adverts: one of the three.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Auth {
    /// A password of at most 8 characters that adverts carry in clear text; version 2.
    pub(super) password: Option<At<Secret>>,
    /// Key of at most 8 characters of an authentication header (IPsec AH); version 2.
    pub(super) ah: Option<At<Secret>>,
    /// Adverts are signed with HMAC-SHA256, in both versions.
    pub(super) hmac: Option<At<Hmac>>,
}

/// Signed adverts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Hmac {
    /// Keys by number, 1 to 255: 32 to 64 bytes as text, or `hex:` and two digits for each.
    pub(super) keys: Named<At<Secret>>,
    /// Number of the key to sign with.
    #[schemars(range(min = 1, max = 255))]
    pub(super) active: Option<At<Number>>,
    /// How far a peer's clock may be from ours; default three intervals, at least 5s.
    pub(super) window: Option<At<Time>>,
    /// How replayed adverts are told: `time` or `monotonic`; default `time`.
    pub(super) anti_replay: Option<At<String>>,
    /// `enforce` signs and takes signed adverts only, `permissive` signs and takes all,
    /// `receive-only` does not sign and takes all; default `enforce`.
    pub(super) mode: Option<At<String>>,
}

/// Adverts go to each peer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Unicast {
    /// Addresses or names of the other routers. Without any, the instance stays in fault. A name
    /// stands for all its addresses, and is looked up while the daemon runs.
    pub(super) peers: Vec<At<TextOr<Peer>>>,
    /// Source; default: the first address of the interface.
    pub(super) source: Option<At<String>>,
    /// TTL or hop limit that is sent; default 255.
    #[schemars(range(min = 0, max = 255))]
    pub(super) ttl: Option<At<Number>>,
    /// Drop adverts of others than the peers; default false, or true if a peer has a range of
    /// TTLs.
    pub(super) check_source: Option<At<bool>>,
    /// Who gets the checksum of keepalived before 1.3.6: those who `answer` to it, the default,
    /// `always` all, or `never` anybody; version 3 over IPv4.
    pub(super) old_checksum: Option<At<OldChecksum>>,
}

/// Who gets the checksum of keepalived before 1.3.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OldChecksum {
    Answer,
    Always,
    Never,
}

/// Another router.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Peer {
    /// Its address or name.
    pub(super) address: At<String>,
    /// Lowest TTL or hop limit of its adverts on arrival; default 0.
    #[schemars(range(min = 0, max = 255))]
    pub(super) min_ttl: Option<At<Number>>,
    /// Highest TTL or hop limit of its adverts on arrival; default 255.
    #[schemars(range(min = 0, max = 255))]
    pub(super) max_ttl: Option<At<Number>>,
}

/// Adverts go to a group.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Multicast {
    /// The group; default 224.0.0.18 or ff02::12.
    pub(super) group: Option<At<String>>,
    /// Source; default: the first address of the interface.
    pub(super) source: Option<At<String>>,
}

/// What decides whether a node is fit to be active.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Track {
    /// Scripts by name.
    pub(super) scripts: Vec<At<TextOr<TrackedScript>>>,
    /// Files by the names of their `[track_file]`.
    pub(super) files: Vec<At<TextOr<Tracked>>>,
    /// Interfaces by name.
    pub(super) interfaces: Vec<At<TextOr<TrackedInterface>>>,
    /// The state of the instance's own interface counts; default true.
    pub(super) own_interface: Option<At<bool>>,
    /// It is a fault if the configured source address is gone; default false.
    pub(super) source_address: Option<At<bool>>,
}

/// What all members of a group track.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GroupTrack {
    /// Scripts by name.
    pub(super) scripts: Vec<At<TextOr<TrackedScript>>>,
    /// Files by the names of their `[track_file]`.
    pub(super) files: Vec<At<TextOr<Tracked>>>,
    /// Interfaces by name.
    pub(super) interfaces: Vec<At<TextOr<TrackedInterface>>>,
}

/// A script with the weight it has here.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrackedScript {
    /// Name of the script.
    pub(super) script: At<String>,
    /// As `weight` of a script; default: that of the script.
    #[schemars(range(min = -253, max = 253))]
    pub(super) weight: Option<At<Number>>,
    /// As `reverse` of a script; default: that of the script.
    pub(super) reverse: Option<At<bool>>,
}

/// A tracker with the weight it has here.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tracked {
    /// Name of the tracker.
    pub(super) name: At<String>,
    /// Default: that of the tracker.
    #[schemars(range(min = -254, max = 254))]
    pub(super) weight: Option<At<Number>>,
    /// Default: that of the tracker.
    pub(super) reverse: Option<At<bool>>,
}

/// An interface with the weight it has here.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrackedInterface {
    /// Name of the interface.
    pub(super) interface: At<String>,
    /// As `weight` of a script; default 0.
    #[schemars(range(min = -253, max = 253))]
    pub(super) weight: Option<At<Number>>,
    /// Down counts as up, and up as down; default false.
    pub(super) reverse: Option<At<bool>>,
}

/// Programs to run on a change of state: one for all changes, or a table.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub(super) enum NotifyOr<T> {
    Any(OneOrMore),
    Table(Box<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for NotifyOr<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        super::value::texts_or_table(from, Self::Any, |table| Self::Table(Box::new(table)))
    }
}

/// Programs to run on a change of state of an instance.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Notify {
    /// At every change, with `INSTANCE NAME STATE PRIORITY` appended.
    pub(super) any: Option<At<Program>>,
    /// On becoming active.
    pub(super) active: Option<At<Program>>,
    /// On becoming backup.
    pub(super) backup: Option<At<Program>>,
    /// On a fault.
    pub(super) fault: Option<At<Program>>,
    /// When the daemon stops.
    pub(super) stop: Option<At<Program>>,
    /// When a reload takes the instance away.
    pub(super) deleted: Option<At<Program>>,
    /// Say `DELETED` instead of `FAULT` when a reload takes the instance away; default: whether
    /// there is a program for it.
    pub(super) say_deleted: Option<At<bool>>,
    /// While active, when a lower priority is heard.
    pub(super) heard_lower_priority: Option<At<Program>>,
}

/// Programs to run on a change of state of a group.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GroupNotify {
    /// At every change, with `GROUP NAME STATE 0` appended.
    pub(super) any: Option<At<Program>>,
    /// On becoming active.
    pub(super) active: Option<At<Program>>,
    /// On becoming backup.
    pub(super) backup: Option<At<Program>>,
    /// On a fault.
    pub(super) fault: Option<At<Program>>,
    /// When the daemon stops.
    pub(super) stop: Option<At<Program>>,
}

/// How often the addresses are announced. Times are whole seconds; `0s` means never.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Announce {
    /// Announcements on becoming active; default 5.
    #[schemars(range(min = 1))]
    pub(super) repeat: Option<At<Number>>,
    /// Time to the second block of them; default 5s.
    pub(super) delay: Option<At<Time>>,
    /// Time between refreshments while active; default 0s.
    pub(super) refresh: Option<At<Time>>,
    /// Announcements at each refreshment; default 1.
    #[schemars(range(min = 1))]
    pub(super) refresh_repeat: Option<At<Number>>,
    /// Announcements after an advert of lower priority; default `repeat`.
    #[schemars(range(min = 0))]
    pub(super) lower_priority_repeat: Option<At<Number>>,
    /// Time to the second block of those; default `delay`.
    pub(super) lower_priority_delay: Option<At<Time>>,
    /// Time between announcements of addresses on other interfaces; default 0s.
    pub(super) elsewhere: Option<At<Time>>,
    /// Of these, only interfaces with a virtual MAC address; default false.
    pub(super) elsewhere_devices_only: Option<At<bool>>,
}

/// Instances that are active together or not at all.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Group {
    /// Names of the instances, each in no other group.
    pub(super) members: Vec<At<String>>,
    /// What every member tracks.
    pub(super) track: GroupTrack,
    /// Programs to run when the group changes its state.
    pub(super) notify: Option<At<NotifyOr<GroupNotify>>>,
}
