//! What a file says without a mistake, and hardly means.
//!
//! keepalived says nothing of these, so they are no part of loading: `vipd check` asks for them.

mod addresses;
mod roles;
mod scripts;
mod weights;

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::model::Instance;
use super::source::Span;
use super::{Loaded, toml};
use crate::types::InterfaceName;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Detail {
    /// What somebody should look at.
    #[default]
    Problems,
    /// Also what is usual, works, and is worth to know.
    Notes,
}

/// What `loaded` hardly means, in the order of its places.
#[must_use]
pub fn lint(loaded: &Loaded, detail: Detail) -> Vec<Diagnostic> {
    let mut linter = Linter {
        loaded,
        detail,
        found: Vec::new(),
    };
    linter.scripts();
    for instance in &loaded.config.instances {
        linter.weights(instance);
        linter.roles(instance);
        linter.addresses(instance);
    }
    linter.shared_addresses();
    let mut found = linter.found;
    let is_toml = loaded.sources.files().next();
    if is_toml.is_some_and(|main| toml::is_toml(&main.name)) {
        found.iter_mut().for_each(toml::speak);
    }
    found.sort_by_key(|d| d.labels.first().map(|label| label.span));
    found
}

/// Addresses with their prefix lengths on each interface of a host.
pub type Networks = BTreeMap<InterfaceName, Vec<(IpAddr, u8)>>;

/// Addresses of `loaded` that are of no network that their interface has on this host.
#[must_use]
pub fn outside_of_networks(loaded: &Loaded, networks: &Networks) -> Vec<Diagnostic> {
    let mut linter = Linter {
        loaded,
        detail: Detail::Problems,
        found: Vec::new(),
    };
    for instance in &loaded.config.instances {
        linter.of_no_network(instance, networks);
    }
    linter.found
}

/// The work in progress.
struct Linter<'a> {
    loaded: &'a Loaded,
    detail: Detail,
    found: Vec<Diagnostic>,
}

impl Linter<'_> {
    /// Somebody should look at it.
    fn warn(&mut self, code: Code, message: String) -> &mut Diagnostic {
        self.push(Severity::Warning, code, message)
    }

    /// Usual, and worth to know.
    fn note(&mut self, code: Code, message: String) -> &mut Diagnostic {
        self.push(Severity::Advice, code, message)
    }

    fn push(&mut self, severity: Severity, code: Code, message: String) -> &mut Diagnostic {
        let at = self.found.len();
        self.found
            .push(Diagnostic::new(severity, code, Class::Silent, message));
        self.found
            .get_mut(at)
            .expect("it was pushed the line before")
    }

    fn notes(&self) -> bool {
        self.detail == Detail::Notes
    }

    /// Where the first of `keywords` is written that the instance has, else the instance.
    fn at(&self, instance: &Instance, keywords: &[&str]) -> Option<Span> {
        self.in_block(&instance.name, keywords, "vrrp_instance")
    }

    /// Where the first of `keywords` is written that `block` has, else `opener`.
    fn in_block(&self, block: &str, keywords: &[&str], opener: &str) -> Option<Span> {
        let mut places = keywords.iter().copied().chain([opener]);
        places.find_map(|keyword| self.loaded.provenance.span(block, keyword))
    }
}

impl Diagnostic {
    /// Adds a place, if it is known.
    fn at(&mut self, span: Option<Span>, text: impl Into<String>) -> &mut Self {
        let text = text.into();
        self.labels
            .extend(span.map(|span| super::diagnostic::Label { span, text }));
        self
    }

    /// Says what to write instead.
    fn mend(&mut self, text: impl Into<String>) {
        self.help = Some(text.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Memory;
    use crate::config::{Options, load};

    pub(super) const NONE: [u16; 0] = [];

    /// Codes and first places of all that is said of `text`.
    pub(super) fn said(text: &str, detail: Detail) -> Vec<String> {
        let reader = Memory::default().with("main", text);
        let loaded = load("main", &Options::default(), &reader);
        let one = |d: Diagnostic| {
            let place = d.labels.first().map(|l| loaded.sources.text(l.span));
            format!("{} `{}`: {}", d.code, place.unwrap_or_default(), d.message)
        };
        lint(&loaded, detail).into_iter().map(one).collect()
    }

    /// Codes alone of an instance with `lines` in it, and `before` in front of it.
    pub(super) fn codes(before: &str, lines: &str) -> Vec<u16> {
        let text = format!(
            "{before}\nvrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 77\n{lines}\n}}\n"
        );
        let reader = Memory::default().with("main", text);
        let loaded = load("main", &Options::default(), &reader);
        let found = lint(&loaded, Detail::Problems);
        found.into_iter().map(|d| d.code.0).collect()
    }

    #[test]
    fn a_good_file_draws_nothing() {
        let lines = "priority 100\nadvert_int 1\ntrack_script {\nweb\n}\n\
             virtual_ipaddress {\n192.0.2.10/24\n}\n";
        let script = "vrrp_script web {\nscript \"/usr/bin/killall -0 nginx\"\ninterval 1\n\
             fall 2\nrise 2\nweight -20\n}\n";
        assert_eq!(codes(script, lines), NONE);
    }

    #[test]
    fn what_is_said_of_a_toml_file_has_its_words() {
        let text = "[instance.web]\ninterface = \"eth0\"\nvrid = 7\npriority = 250\n\
             addresses = [\"192.0.2.255/24\"]\n";
        let reader = Memory::default().with("vipd.toml", text);
        let loaded = load("vipd.toml", &Options::default(), &reader);
        let found = lint(&loaded, Detail::Problems);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            loaded.sources.text(found[0].labels[0].span),
            "\"192.0.2.255/24\""
        );
    }
}
