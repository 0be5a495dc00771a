//! What two speakers of VRRP can agree on: each combination is a cell of the matrix.

use std::fmt;
use std::time::Duration;

use vipd::types::{Family, Version};

use crate::common::frr::Router;
use crate::common::{Instance, VIP, VIPS6};
use crate::node::Speaker;

pub const HIGH: u8 = 200;
pub const LOW: u8 = 150;

/// What is added to plain adverts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    Plain,
    Password,
    Header,
    VirtualMac,
    Signed,
}

impl Variant {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Password => "PASS",
            Self::Header => "AH",
            Self::VirtualMac => "VMAC",
            Self::Signed => "auth_hmac",
        }
    }

    /// Its lines in an instance.
    fn text(self, unicast: bool) -> String {
        let authentication =
            |kind: &str| format!("authentication {{\n auth_type {kind}\n auth_pass secret12\n }}");
        match self {
            Self::Plain => String::new(),
            Self::Password => authentication("PASS"),
            Self::Header => authentication("AH"),
            Self::VirtualMac if unicast => "use_vmac\n vmac_xmit_base".to_owned(),
            Self::VirtualMac => "use_vmac".to_owned(),
            Self::Signed => {
                let key = "5a".repeat(32);
                format!("auth_hmac {{\n key 1 hex:{key}\n active_key 1\n }}")
            }
        }
    }
}

/// A peer of vipd's, and the options that both use.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub peer: Speaker,
    pub version: Version,
    pub family: Family,
    pub unicast: bool,
    pub variant: Variant,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [self.peer.name(), self.version()];
        write!(f, "{} {}", words.join(" "), self.options().join(" "))
    }
}

impl Cell {
    /// Every combination, also those that cannot be.
    pub fn all() -> Vec<Self> {
        use Variant::{Header, Password, Plain, Signed, VirtualMac};
        let common: &[Variant] = &[Plain, Password, Header, VirtualMac];
        let peers = [
            (Speaker::Keepalived, common),
            (Speaker::Frr, common),
            (Speaker::Vipd, &[Signed]),
        ];
        let mut cells = Vec::new();
        for (peer, variants) in peers {
            for version in [Version::V2, Version::V3] {
                for family in [Family::V4, Family::V6] {
                    for unicast in [false, true] {
                        let cell = |&variant| Self {
                            peer,
                            version,
                            family,
                            unicast,
                            variant,
                        };
                        cells.extend(variants.iter().map(cell));
                    }
                }
            }
        }
        cells
    }

    /// Why it cannot be, if it cannot.
    pub const fn obstacle(self) -> Option<&'static str> {
        use Variant::{Header, Password};
        match (self.peer, self.version, self.family, self.variant) {
            (Speaker::Frr, ..) if self.unicast => Some("FRR sends multicast only"),
            (Speaker::Frr, Version::V2, Family::V6, _) => {
                Some("FRR refuses version 2 over IPv6, which no RFC has")
            }
            (_, Version::V3, _, Password | Header) => {
                Some("version 3 has no authentication (RFC 9568 §5.2)")
            }
            (Speaker::Frr, _, _, Password | Header) => Some("FRR has no authentication"),
            (_, _, Family::V6, Password | Header) => {
                Some("adverts over IPv6 have no place for it, and both sides ignore it")
            }
            _ => None,
        }
    }

    pub const fn version(self) -> &'static str {
        match self.version {
            Version::V2 => "v2",
            Version::V3 => "v3",
        }
    }

    /// The rest of its name.
    pub const fn options(self) -> [&'static str; 3] {
        let family = match self.family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        let sent = if self.unicast { "unicast" } else { "multicast" };
        [family, sent, self.variant.name()]
    }

    /// Time between adverts.
    pub const fn interval(self) -> Duration {
        match self.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => Duration::from_millis(300),
        }
    }

    pub const fn vips(self) -> &'static [&'static str] {
        match self.family {
            Family::V4 => &[VIP],
            Family::V6 => VIPS6,
        }
    }

    /// The virtual router's own hardware address. RFC 9568 §7.3.
    pub const fn virtual_mac(self) -> [u8; 6] {
        match self.family {
            Family::V4 => [0, 0, 0x5e, 0, 1, 51],
            Family::V6 => [0, 0, 0x5e, 0, 2, 51],
        }
    }

    /// The file of node `number`, of two, in keepalived's language.
    pub fn text(self, number: u8, priority: u8) -> String {
        let peers = |net: &str| {
            let other = 3 - number;
            format!(
                "unicast_src_ip {net}{number}\n    unicast_peer {{\n        {net}{other}\n    }}\n    "
            )
        };
        let peers = match (self.unicast, self.family) {
            (false, _) => String::new(),
            (true, Family::V4) => peers("192.168.1."),
            (true, Family::V6) => peers("fd00::"),
        };
        let more = peers + &self.variant.text(self.unicast);
        let instance = Instance {
            version: self.version.number(),
            priority,
            interval: &self.interval().as_secs_f32().to_string(),
            vips: self.vips(),
            more: &more,
            ..Instance::default()
        };
        instance.text()
    }

    /// The same for FRR.
    pub fn router(self, priority: u8) -> Router {
        Router {
            version: self.version.number(),
            priority,
            interval: self.interval(),
            vips: self.vips(),
        }
    }
}
