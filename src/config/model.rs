//! What a file means: `keepalived.conf` and `vipd.toml` meet here, and nothing after it knows
//! which was read.

mod ipvlan;
mod process;
mod track;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::types::{Family, Instant, InterfaceName, Interval, Secret, VirtualAddress, Vrid};
use crate::vrrp::election::Weight;
use crate::vrrp::instance::InstanceConfig;
use crate::wire::arp::Mac;
use crate::wire::auth::hmac::{Key, KeyId};

pub use ipvlan::{Ipvlan, IpvlanMode};
pub use process::{ERRAND_TIMEOUT, Errand, Mark, Precedence, Process, Reload};
pub use track::{InitFile, TrackFile, Tracked};

/// A whole configuration. Everything in it can run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// `global_defs`.
    pub globals: Globals,
    /// `vrrp_script` blocks in file order; names are unique.
    pub scripts: Vec<TrackScript>,
    /// `track_file` blocks in file order; names are unique.
    pub files: Vec<TrackFile>,
    /// `vrrp_instance` blocks in file order; names are unique.
    pub instances: Vec<Instance>,
    /// `garp_group` blocks, `vrrp_garp_interval` and `vrrp_gna_interval`.
    pub pacing: Pacing,
    /// `vrrp_sync_group` blocks in file order; names are unique.
    pub groups: Vec<SyncGroup>,
}

/// What holds for the whole daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globals {
    /// Name of this node in mails; the host name when `None`. keepalived: `router_id`.
    pub router_id: Option<String>,
    /// Who runs scripts that name nobody. keepalived: `script_user`.
    pub script_user: Option<ScriptUser>,
    /// Refuse scripts that somebody but root could change. keepalived: `enable_script_security`.
    pub script_security: bool,
    /// The table that traffic to addresses without accept mode is dropped in.
    pub firewall: Firewall,
    /// Beginning of the names of devices with a virtual MAC; `vrrp` when `None`.
    /// keepalived: `vmac_prefix`.
    pub device_prefix: Option<String>,
    /// Beginning of the names of devices for single addresses; `device_prefix` when `None`.
    /// keepalived: `vmac_addr_prefix`.
    pub address_device_prefix: Option<String>,
    /// VRRP is held back so long after the start. keepalived: `vrrp_startup_delay`, 0.
    pub startup_delay: Duration,
    /// VRRP is held back until the host has been up so long. keepalived:
    /// `vrrp_delay_after_boot`, 0.
    pub delay_after_boot: Duration,
    /// Scripts get all groups of their user. keepalived: `set_supplementary_groups`.
    pub all_groups: bool,
    /// Symbolic links on the way to a script are followed at each run, not once when the file is
    /// read. keepalived: `use_symlink_paths`.
    pub follow_links: bool,
    /// How the process runs.
    pub process: Process,
}

/// Where firewall rules go. keepalived: `nftables` and its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    /// Name of the table. keepalived: `nftables`, `keepalived`.
    pub table: String,
    /// Priority of its base chains. keepalived: `nftables_priority`, -1.
    pub priority: i32,
    /// Rules count packets. keepalived: `nftables_counters`, false.
    pub counters: bool,
}

impl Default for Firewall {
    fn default() -> Self {
        Self {
            table: "keepalived".to_owned(),
            priority: -1,
            counters: false,
        }
    }
}

impl Globals {
    /// Until when VRRP is held back, by a daemon that was `started` on a host that `booted`.
    #[must_use]
    pub fn held_until(&self, booted: Instant, started: Instant) -> Instant {
        (started + self.startup_delay).max(booted + self.delay_after_boot)
    }
}

/// Least time between announcements. keepalived: `vrrp_garp_interval`, `garp_group`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gaps {
    /// Between gratuitous ARPs; default 0.
    pub arp: Duration,
    /// Between unsolicited neighbour advertisements; default 0.
    pub ndisc: Duration,
}

/// Interfaces that take turns with their announcements. keepalived: `garp_group`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PacingGroup {
    /// The interfaces, each in no other group.
    pub interfaces: Vec<InterfaceName>,
    /// The gaps over all of them.
    pub gaps: Gaps,
}

/// How fast addresses are announced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pacing {
    /// On each interface that is in no group.
    pub default: Gaps,
    /// Groups of interfaces.
    pub groups: Vec<PacingGroup>,
}

impl Pacing {
    /// The gaps on `interface`, and the position of the group it shares them with.
    #[must_use]
    pub fn of(&self, interface: &InterfaceName) -> (Option<usize>, Gaps) {
        let mut groups = self.groups.iter();
        match groups.position(|g| g.interfaces.contains(interface)) {
            Some(at) => (
                Some(at),
                self.groups.get(at).map_or(self.default, |g| g.gaps),
            ),
            None => (None, self.default),
        }
    }
}

/// User and group of a script, as written. keepalived: `USER [GROUP]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScriptUser {
    /// User name or number.
    pub user: String,
    /// Group name or number; the user's own when `None`.
    pub group: Option<String>,
    /// All groups of the user besides. keepalived: a `:` before GROUP.
    pub all_groups: bool,
}

/// A program with its arguments, started without a shell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command {
    /// Program, then arguments; never empty.
    pub argv: Vec<String>,
    /// Who runs it; `Globals::script_user` when `None`.
    pub user: Option<ScriptUser>,
}

/// A script that decides whether a service is well. keepalived: `vrrp_script`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackScript {
    /// Name of the block.
    pub name: String,
    /// What to run; exit status 0 is success.
    pub command: Command,
    /// Gap between runs; default 1 s.
    pub interval: Duration,
    /// A run that takes longer counts as failed and is killed; default `interval`.
    pub timeout: Duration,
    /// Default weight where it is tracked.
    pub weight: Weight,
    /// Successes in a row needed to come up, at least 1.
    pub rise: u32,
    /// Failures in a row needed to go down, at least 1.
    pub fall: u32,
    /// Down until `rise` successes. keepalived: `init_fail`.
    pub init_fail: bool,
}

/// A `vrrp_script` by name, with the weight it has here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrackedScript {
    /// Name of the script; it exists in [`Config::scripts`].
    pub script: String,
    /// What its state does to this instance.
    pub weight: Weight,
}

/// An interface whose link state counts. keepalived: `track_interface`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrackedInterface {
    /// The interface.
    pub interface: InterfaceName,
    /// What its state does to this instance.
    pub weight: Weight,
}

/// Authentication of adverts. keepalived: `authentication`, `auth_hmac`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Type 0.
    #[default]
    None,
    /// Type 1: 8 bytes in clear text, padded with zeros; VRRPv2. keepalived: `auth_type PASS`.
    Password(Secret),
    /// Type 2: an authentication header before the message; VRRPv2. keepalived: `auth_type AH`.
    Header(Secret),
    /// A signature after the message, in both versions. keepalived: `auth_hmac`.
    Hmac(Hmac),
}

/// Signed adverts. keepalived: `auth_hmac`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hmac {
    /// Keys that peers may sign with. keepalived: `key`.
    pub keys: BTreeMap<KeyId, Key>,
    /// The one that we sign with. keepalived: `active_key`.
    pub active: KeyId,
    /// How far a peer's clock may be from ours, 1–300 s; default three intervals, at least 5 s.
    /// keepalived: `time_window`.
    pub window: Duration,
    /// How replayed adverts are told. keepalived: `anti_replay`.
    pub anti_replay: AntiReplay,
    /// What is signed and demanded. keepalived: `mode`.
    pub mode: HmacMode,
}

impl Hmac {
    /// The window of an instance that names none: three intervals, 5 to 300 s.
    #[must_use]
    pub fn usual_window(interval: Interval) -> Duration {
        let three = (u64::from(interval.centis()) * 3).div_ceil(100);
        Duration::from_secs(three.clamp(5, 300))
    }
}

/// How replayed adverts are told. keepalived: `anti_replay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AntiReplay {
    /// Adverts grow in number, and are of now; a clock may be set back.
    #[default]
    Time,
    /// Adverts grow in number, whatever the clocks say.
    Monotonic,
}

/// What is signed and demanded. keepalived: `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HmacMode {
    /// Signs, and takes signed adverts only.
    #[default]
    Enforce,
    /// Signs, and takes unsigned adverts too.
    Permissive,
    /// Does not sign; takes both.
    ReceiveOnly,
}

/// Where adverts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// To the family's VRRP group, or another one.
    Multicast {
        /// 224.0.0.18 or ff02::12 unless `mcast_dst_ip` or `vrrp_mcast_group4` says otherwise.
        group: IpAddr,
        /// Source; the interface's primary address when `None`. keepalived: `mcast_src_ip`.
        source: Option<IpAddr>,
    },
    /// To each peer in turn.
    Unicast {
        /// Source; the interface's primary address when `None`. keepalived: `unicast_src_ip`.
        source: Option<IpAddr>,
        /// The peers; without any the instance stays in fault. keepalived: `unicast_peer`.
        peers: Vec<Peer>,
        /// Which peers get the checksum of keepalived before 1.3.6; version 3 over IPv4.
        old_checksum: OldChecksum,
        /// TTL sent, 0–255. keepalived: `unicast_ttl`, 255.
        ttl: u8,
        /// Adverts of others than the peers are dropped. keepalived: `check_unicast_src`, false;
        /// `min_ttl` or `max_ttl` of any peer implies it.
        check_source: bool,
    },
}

/// Who gets adverts with the checksum of keepalived before 1.3.6, whose pseudo-header names the
/// multicast group although the packet goes to a peer. keepalived: `old_unicast_checksum`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OldChecksum {
    /// Those who send such adverts themselves.
    #[default]
    Answer,
    /// Everybody.
    Always,
    /// Nobody.
    Never,
}

/// Where a peer is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerHost {
    /// At an address.
    Address(IpAddr),
    /// At every address that a name stands for. keepalived has no names here.
    Name(String),
}

impl PeerHost {
    /// The address, if it is one.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(_) => None,
        }
    }

    /// The name, if it is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Address(_) => None,
            Self::Name(name) => Some(name),
        }
    }
}

impl From<IpAddr> for PeerHost {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for PeerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// Another router that adverts are sent to. keepalived: an entry of `unicast_peer`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Where it is.
    pub host: PeerHost,
    /// Lowest TTL or hop limit of its adverts on arrival. keepalived: `min_ttl`, 0.
    pub min_hop_limit: u8,
    /// Highest TTL or hop limit of its adverts on arrival. keepalived: `max_ttl`, 255.
    pub max_hop_limit: u8,
}

impl Peer {
    /// One whose adverts may have come any way.
    #[must_use]
    pub fn new(host: impl Into<PeerHost>) -> Self {
        Self {
            host: host.into(),
            min_hop_limit: 0,
            max_hop_limit: u8::MAX,
        }
    }
}

impl Transport {
    /// The configured source address, if any.
    #[must_use]
    pub const fn source(&self) -> Option<IpAddr> {
        match self {
            Self::Multicast { source, .. } | Self::Unicast { source, .. } => *source,
        }
    }
}

/// Programs to run on a change of state. keepalived: `notify`, `notify_master` …
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notify {
    /// At every change, with `INSTANCE NAME STATE PRIORITY` appended. keepalived: `notify`.
    pub any: Option<Command>,
    /// On becoming Active. keepalived: `notify_master`.
    pub active: Option<Command>,
    /// On becoming Backup. keepalived: `notify_backup`.
    pub backup: Option<Command>,
    /// On a fault. keepalived: `notify_fault`.
    pub fault: Option<Command>,
    /// When the daemon stops. keepalived: `notify_stop`.
    pub stop: Option<Command>,
    /// When a reload takes the instance away: `DELETED` is said instead of `FAULT`.
    /// keepalived: `notify_deleted`, off.
    pub says_deleted: bool,
    /// The program for it. keepalived: `notify_deleted SCRIPT`.
    pub deleted: Option<Command>,
    /// While Active, when a lower priority is heard. keepalived: `notify_master_rx_lower_pri`.
    pub heard_lower_priority: Option<Command>,
}

/// A virtual MAC address on a device of its own. keepalived: `use_vmac`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VirtualMac {
    /// The address; that of the VRID (RFC 9568 §7.3) unless `use_vmac` names one.
    pub mac: Mac,
    /// Name of the device; made from [`Globals::device_prefix`] and the VRID when `None`.
    pub device: Option<InterfaceName>,
    /// Interface group, by number or name; the base interface's when `None`.
    pub group: Option<String>,
    /// Adverts are sent and received on the base interface. keepalived: `vmac_xmit_base`.
    pub advertise_from_base: bool,
}

impl VirtualMac {
    /// The virtual MAC address of a virtual router. RFC 9568 §7.3.
    #[must_use]
    pub const fn address(family: Family, vrid: Vrid) -> Mac {
        let block = match family {
            Family::V4 => 1,
            Family::V6 => 2,
        };
        [0x00, 0x00, 0x5e, 0x00, block, vrid.get()]
    }
}

/// One virtual router with all that belongs to it. keepalived: `vrrp_instance`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Name of the block.
    pub name: String,
    /// Interface of the adverts, and of the addresses that name none. Without one, adverts to
    /// peers go where the routes lead, and every address names its interface.
    pub interface: Option<InterfaceName>,
    /// Of an instance without interface: the VRF that it hears and speaks in. keepalived: `vrf`.
    pub vrf: Option<InterfaceName>,
    /// What the protocol needs.
    pub protocol: InstanceConfig,
    /// VRRPv2 authentication.
    pub authentication: Authentication,
    /// Where adverts go.
    pub transport: Transport,
    /// Addresses carried in adverts. keepalived: `virtual_ipaddress`.
    pub addresses: Vec<VirtualAddress>,
    /// Addresses moved but not advertised. keepalived: `virtual_ipaddress_excluded`.
    pub excluded: Vec<VirtualAddress>,
    /// VRRPv3 over IPv4 sends RFC 9568's checksum, without the pseudo-header.
    /// keepalived: `v3_checksum_as_v2`, false.
    pub checksum_without_pseudo_header: bool,
    /// Adverts over IPv6 whose first address is not link-local are discarded, RFC 9568 §7.1.
    /// keepalived has no such option, false.
    pub require_link_local: bool,
    /// A MAC address that moves with the addresses. keepalived: `use_vmac`.
    pub virtual_mac: Option<VirtualMac>,
    /// Adverts have a device and an address of their own; never beside a virtual MAC address.
    /// keepalived: `use_ipvlan`.
    pub ipvlan: Option<Ipvlan>,
    /// An IPv4 address that leaves an interface takes no other one of its subnet along.
    /// keepalived: `promote_secondaries`, false.
    pub promote_secondaries: bool,
    /// It answers traffic to its addresses while Active; an owner always does.
    /// RFC 9568 Accept_Mode, true as in keepalived: `accept`, `no_accept`.
    pub accept_mode: bool,
    /// The state of the own interface does not count. keepalived: `dont_track_primary`.
    pub ignore_own_interface: bool,
    /// A configured source address that is gone is a fault. keepalived: `track_src_ip`, false.
    pub track_source: bool,
    /// The address list of a peer that is known is not compared with ours. keepalived:
    /// `skip_check_adv_addr`, false.
    pub skip_address_check: bool,
    /// keepalived: `track_script`.
    pub track_scripts: Vec<TrackedScript>,
    /// keepalived: `track_file`.
    pub track_files: Vec<Tracked>,
    /// keepalived: `track_interface`.
    pub track_interfaces: Vec<TrackedInterface>,
    /// Programs to run on a change of state.
    pub notify: Notify,
}

/// Instances that are Active together or not at all. keepalived: `vrrp_sync_group`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncGroup {
    /// Name of the block.
    pub name: String,
    /// Names of instances, each in no other group. What the group tracks is in each of them.
    pub members: Vec<String>,
    /// Programs to run when the group changes its state, `notify` with `GROUP NAME STATE 0`.
    pub notify: Notify,
}

/// What makes two instances of an old and a new configuration the same one.
///
/// Interface or VRF, family, VRID, device and peer addressing; the name does not count, so renaming
/// moves no address. keepalived-behaviour.md §10.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    interface: Option<InterfaceName>,
    vrf: Option<InterfaceName>,
    family: Family,
    vrid: Vrid,
    virtual_mac: Option<VirtualMac>,
    ipvlan: Option<Ipvlan>,
    source: Option<IpAddr>,
    group: Option<IpAddr>,
}

impl Instance {
    /// What makes it the same instance across a reload.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let (source, group) = match &self.transport {
            Transport::Multicast { group, .. } => (None, Some(*group)),
            Transport::Unicast { source, .. } => (*source, None),
        };
        Identity {
            interface: self.interface.clone(),
            vrf: self.vrf.clone(),
            family: self.protocol.family,
            vrid: self.protocol.vrid,
            virtual_mac: self.virtual_mac.clone(),
            ipvlan: self.ipvlan.clone(),
            source,
            group,
        }
    }

    /// Names of peers whose addresses must be looked up.
    pub fn peer_names(&self) -> impl Iterator<Item = &str> {
        let peers = match &self.transport {
            Transport::Multicast { .. } => &[],
            Transport::Unicast { peers, .. } => peers.as_slice(),
        };
        peers.iter().filter_map(|peer| peer.host.name())
    }

    /// The virtual MAC address that `address` is reached at, if it has one. The device with it is
    /// on the interface of the address.
    ///
    /// As in keepalived, the instance's own is that of the addresses of its family on its
    /// interface; others have one where they ask for it. One that was chosen serves them all.
    #[must_use]
    pub fn mac_of(&self, address: &VirtualAddress) -> Option<Mac> {
        let InstanceConfig { family, vrid, .. } = self.protocol;
        let of = Family::of(&address.address);
        let usual = VirtualMac::address(of, vrid);
        let Some(own) = &self.virtual_mac else {
            return address.virtual_mac.then_some(usual);
        };
        let elsewhere = self.interface_of(address) != self.interface.as_ref();
        let chosen = own.mac != VirtualMac::address(family, vrid);
        let shared = of == family || chosen;
        match (address.virtual_mac, elsewhere) {
            (true, _) => Some(if shared { own.mac } else { usual }),
            (false, false) if of == family => Some(own.mac),
            (false, _) => None,
        }
    }

    /// The interface that `address` is on, or below the device that it is on.
    #[must_use]
    pub fn interface_of<'a>(&'a self, address: &'a VirtualAddress) -> Option<&'a InterfaceName> {
        address.interface.as_ref().or(self.interface.as_ref())
    }

    /// Every address that moves, advertised ones first.
    pub fn all_addresses(&self) -> impl Iterator<Item = &VirtualAddress> {
        self.addresses.iter().chain(&self.excluded)
    }
}
