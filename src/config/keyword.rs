//! The keywords of `keepalived.conf`, each once per block.
//!
//! The parser, the checks of arguments, the hints "did you mean", the reference page and the
//! compatibility table all come from these rows.

mod globals;
mod lvs;
mod reference;
mod root;
mod since;
mod track;
mod vrrp;

use std::fmt;
use std::sync::OnceLock;

pub use reference::{explanation, reference};

/// The keywords of each block in order, from when one is first looked for.
static SORTED: [OnceLock<Vec<&'static Keyword>>; Block::ALL.len()] =
    [const { OnceLock::new() }; Block::ALL.len()];

/// A kind of block, which decides what keywords may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named for the keyword that opens it")]
pub enum Block {
    /// Outside of all blocks.
    Root,
    Globals,
    TrackScript,
    TrackProcess,
    TrackFile,
    SyncGroup,
    Instance,
    Authentication,
    AuthHmac,
    GarpGroup,
    TrackGroup,
    Bfd,
    Ssl,
    VirtualServer,
    RealServer,
    MiscCheck,
    SmtpCheck,
    SmtpHost,
    TcpCheck,
    PingCheck,
    UdpCheck,
    HttpGet,
    SslGet,
    Url,
    DnsCheck,
    FileCheck,
    BfdCheck,
}

impl Block {
    /// Every kind of block.
    pub const ALL: [Self; 27] = [
        Self::Root,
        Self::Globals,
        Self::TrackScript,
        Self::TrackProcess,
        Self::TrackFile,
        Self::SyncGroup,
        Self::Instance,
        Self::Authentication,
        Self::AuthHmac,
        Self::GarpGroup,
        Self::TrackGroup,
        Self::Bfd,
        Self::Ssl,
        Self::VirtualServer,
        Self::RealServer,
        Self::MiscCheck,
        Self::SmtpCheck,
        Self::SmtpHost,
        Self::TcpCheck,
        Self::PingCheck,
        Self::UdpCheck,
        Self::HttpGet,
        Self::SslGet,
        Self::Url,
        Self::DnsCheck,
        Self::FileCheck,
        Self::BfdCheck,
    ];

    const fn tables(self) -> &'static [&'static [Keyword]] {
        match self {
            Self::Root => &[root::ROOT],
            Self::Globals => &[globals::GLOBALS],
            Self::TrackScript => &[track::TRACK_SCRIPT],
            Self::TrackProcess => &[track::TRACK_PROCESS],
            Self::TrackFile => &[track::TRACK_FILE],
            Self::SyncGroup => &[vrrp::SYNC_GROUP],
            Self::Instance => &[vrrp::INSTANCE],
            Self::Authentication => &[vrrp::AUTHENTICATION],
            Self::AuthHmac => &[vrrp::AUTH_HMAC],
            Self::GarpGroup => &[vrrp::GARP_GROUP],
            Self::TrackGroup => &[vrrp::TRACK_GROUP],
            Self::Bfd => &[track::BFD],
            Self::Ssl => &[lvs::SSL],
            Self::VirtualServer => &[lvs::VIRTUAL_SERVER],
            Self::RealServer => &[lvs::REAL_SERVER],
            Self::MiscCheck => &[lvs::MISC_CHECK, lvs::CHECKER],
            Self::SmtpCheck => &[lvs::SMTP_CHECK, lvs::CONNECTION, lvs::CHECKER],
            Self::TcpCheck | Self::PingCheck | Self::SmtpHost => &[lvs::CONNECTION, lvs::CHECKER],
            Self::UdpCheck => &[lvs::UDP_CHECK, lvs::CONNECTION, lvs::CHECKER],
            Self::HttpGet => &[lvs::HTTP, lvs::CONNECTION, lvs::CHECKER],
            Self::SslGet => &[lvs::HTTP, lvs::SSL_GET, lvs::CONNECTION, lvs::CHECKER],
            Self::Url => &[lvs::URL],
            Self::DnsCheck => &[lvs::DNS_CHECK, lvs::CONNECTION, lvs::CHECKER],
            Self::FileCheck => &[lvs::FILE_CHECK],
            Self::BfdCheck => &[lvs::BFD_CHECK],
        }
    }

    /// All keywords that may stand in this block.
    pub fn keywords(self) -> impl Iterator<Item = &'static Keyword> {
        self.tables().iter().flat_map(|table| table.iter())
    }

    /// The keyword `name` of this block.
    #[must_use]
    pub fn keyword(self, name: &str) -> Option<&'static Keyword> {
        let index = &SORTED.get(self as usize)?;
        let index = index.get_or_init(|| self.sorted());
        let at = index.binary_search_by(|k| k.name.cmp(name)).ok()?;
        index.get(at).copied()
    }

    /// All keywords by their names.
    fn sorted(self) -> Vec<&'static Keyword> {
        let mut all: Vec<_> = self.keywords().collect();
        all.sort_by_key(|k| k.name);
        all
    }

    /// The name of this block in the reference, e.g. `vrrp_instance/authentication`.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Root => "(root)",
            Self::Globals => "global_defs",
            Self::TrackScript => "vrrp_script",
            Self::TrackProcess => "vrrp_track_process",
            Self::TrackFile => "track_file",
            Self::SyncGroup => "vrrp_sync_group",
            Self::Instance => "vrrp_instance",
            Self::Authentication => "vrrp_instance/authentication",
            Self::AuthHmac => "vrrp_instance/auth_hmac",
            Self::GarpGroup => "garp_group",
            Self::TrackGroup => "track_group",
            Self::Bfd => "bfd_instance",
            Self::Ssl => "SSL",
            Self::VirtualServer => "virtual_server",
            Self::RealServer => "virtual_server/real_server",
            Self::MiscCheck => "virtual_server/real_server/MISC_CHECK",
            Self::SmtpCheck => "virtual_server/real_server/SMTP_CHECK",
            Self::SmtpHost => "virtual_server/real_server/SMTP_CHECK/host",
            Self::TcpCheck => "virtual_server/real_server/TCP_CHECK",
            Self::PingCheck => "virtual_server/real_server/PING_CHECK",
            Self::UdpCheck => "virtual_server/real_server/UDP_CHECK",
            Self::HttpGet => "virtual_server/real_server/HTTP_GET",
            Self::SslGet => "virtual_server/real_server/SSL_GET",
            Self::Url => "virtual_server/real_server/HTTP_GET/url",
            Self::DnsCheck => "virtual_server/real_server/DNS_CHECK",
            Self::FileCheck => "virtual_server/real_server/FILE_CHECK",
            Self::BfdCheck => "virtual_server/real_server/BFD_CHECK",
        }
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nothing in particular.
    Count,
    /// Seconds.
    Seconds,
    /// Thousandths of a second.
    Milliseconds,
    /// Millionths of a second.
    Microseconds,
    /// Bytes.
    Bytes,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "",
            Self::Seconds => " s",
            Self::Milliseconds => " ms",
            Self::Microseconds => " µs",
            Self::Bytes => " bytes",
        })
    }
}

/// What may follow a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// Nothing; the keyword alone switches something on.
    Nothing,
    /// `on`, `off` and their synonyms; nothing means on.
    Bool,
    /// A whole number.
    Integer {
        /// What it counts.
        unit: Unit,
        /// The smallest allowed.
        min: i64,
        /// The largest allowed.
        max: i64,
    },
    /// A number with up to six decimals; the bounds are in millionths of the unit.
    Decimal {
        /// What it counts.
        unit: Unit,
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The name of an interface.
    Interface,
    /// An IPv4 or IPv6 address.
    Address,
    /// Words of this syntax, at least one.
    Words(&'static str),
    /// Words of this syntax, or none.
    Optional(&'static str),
    /// A command, then perhaps USER and GROUP.
    Script,
    /// The same, or nothing.
    OptionalScript,
    /// A block of keywords.
    Block(Block),
    /// A block of keywords with a name.
    NamedBlock(Block),
    /// A block of entries, one a line.
    Entries,
    /// A block of entries with a name.
    NamedEntries,
}

impl Arguments {
    /// The block of keywords this keyword opens.
    #[must_use]
    pub const fn block(self) -> Option<Block> {
        match self {
            Self::Block(block) | Self::NamedBlock(block) => Some(block),
            Self::Nothing
            | Self::Bool
            | Self::Integer { .. }
            | Self::Decimal { .. }
            | Self::Choice(_)
            | Self::Interface
            | Self::Address
            | Self::Words(_)
            | Self::Optional(_)
            | Self::Script
            | Self::OptionalScript
            | Self::Entries
            | Self::NamedEntries => None,
        }
    }

    /// Whether this keyword opens a block of entries.
    #[must_use]
    pub const fn is_entries(self) -> bool {
        matches!(self, Self::Entries | Self::NamedEntries)
    }

    /// Whether the words are split a second time, with quotes and escapes of their own.
    #[must_use]
    pub const fn is_script(self) -> bool {
        matches!(self, Self::Script | Self::OptionalScript)
    }

    /// Whether at least one word must follow.
    #[must_use]
    pub const fn is_required(self) -> bool {
        match self {
            Self::Integer { .. }
            | Self::Decimal { .. }
            | Self::Choice(_)
            | Self::Interface
            | Self::Address
            | Self::Words(_)
            | Self::Script
            | Self::NamedBlock(_)
            | Self::NamedEntries => true,
            Self::Nothing
            | Self::Bool
            | Self::Optional(_)
            | Self::OptionalScript
            | Self::Block(_)
            | Self::Entries => false,
        }
    }
}

/// Whether vipd does what a keyword asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does.
    Works,
    /// Not yet: what it belongs to is still missing.
    Inactive(&'static str),
    /// It is accepted and there is nothing to do, because of this.
    Accepted(&'static str),
}

/// One keyword in one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyword {
    /// As it is written.
    pub name: &'static str,
    /// What may follow.
    pub arguments: Arguments,
    /// What holds when it is absent; empty if nothing does.
    pub default: &'static str,
    /// Whether it does anything.
    pub support: Support,
    /// What it is for, in one line.
    pub help: &'static str,
}

const fn row(
    name: &'static str,
    arguments: Arguments,
    default: &'static str,
    support: Support,
    help: &'static str,
) -> Keyword {
    Keyword {
        name,
        arguments,
        default,
        support,
        help,
    }
}

/// The name among `names` that `word` may be a slip for.
pub fn did_you_mean<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    names
        .filter(|name| *name != word)
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.88)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod agreement;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_block_has_a_keyword_twice() {
        for block in Block::ALL {
            let mut names: Vec<_> = block.keywords().map(|k| k.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}", block.path());
        }
    }

    #[test]
    fn a_slip_finds_its_keyword() {
        let hint = |word| did_you_mean(word, Block::Instance.keywords().map(|k| k.name));
        assert_eq!(hint("virtual_routr_id"), Some("virtual_router_id"));
        assert_eq!(hint("Priority"), Some("priority"));
        assert_eq!(hint("xyz"), None);
    }
}
