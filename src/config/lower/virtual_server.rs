//! What keepalived says of virtual servers, which are not active yet, so that `-t` answers as it
//! does.
//!
//! keepalived-behaviour.md §14.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Lowering;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword::Unit;
use crate::config::parse::{Body, Statement};

/// Longest time of persistence in seconds: 31 days.
const LONGEST_PERSISTENCE: i64 = 2_678_400;

/// What a virtual server listens to.
enum Service {
    Address(u16),
    Mark,
    Group,
}

impl Lowering {
    /// Checks a `virtual_server` as a whole.
    pub(super) fn virtual_server(&mut self, statement: &Statement) {
        let Body::Block(inner) = &statement.body else {
            return;
        };
        for timeout in all(inner, "persistence_timeout") {
            if let Some(seconds) = timeout.arguments.first() {
                let what = "persistence_timeout";
                self.integer_in(seconds, what, Unit::Seconds, 1, LONGEST_PERSISTENCE);
            }
        }
        let Some(service) = self.service(statement) else {
            return;
        };
        if last(inner, "real_server").is_none() {
            let message = "the virtual server has no real servers and is dropped";
            self.warn(407, Class::General, message, statement.whole());
            return;
        }
        self.left_to_defaults(statement, inner, &service);
        let servers = self.real_servers(inner);
        match service {
            Service::Address(port) => self.ports(inner, &servers, port),
            Service::Mark => self.ports_of_mark(inner, &servers),
            Service::Group => {}
        }
        self.quorum(inner, &servers);
    }

    fn service(&mut self, statement: &Statement) -> Option<Service> {
        let address = statement.argument(0)?;
        match address {
            "fwmark" => return Some(Service::Mark),
            "group" => return Some(Service::Group),
            _ => {}
        }
        let at = statement.arguments.first()?.span;
        if address.parse::<IpAddr>().is_err() {
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(206),
                    Class::General,
                    format!("`{address}` is not an address"),
                )
                .label(at, "the virtual server is ignored"),
            );
            return None;
        }
        let port = statement.argument(1).unwrap_or("0").parse();
        Some(Service::Address(port.unwrap_or(0)))
    }

    fn left_to_defaults(&mut self, statement: &Statement, inner: &[Statement], service: &Service) {
        let protocol = last(inner, "protocol");
        match (service, protocol) {
            (Service::Mark, Some(protocol)) => {
                let message = "a virtual server of a firewall mark has no protocol: it is ignored";
                self.warn(421, Class::Warning, message, protocol.whole());
            }
            (Service::Address(..), None) => {
                self.default_of(statement, "protocol", "UDP");
            }
            _ => {}
        }
        if last(inner, "lb_algo")
            .or(last(inner, "lvs_sched"))
            .is_none()
        {
            self.default_of(statement, "lb_algo", "wlc");
        }
        if last(inner, "lb_kind")
            .or(last(inner, "lvs_method"))
            .is_none()
        {
            self.default_of(statement, "lb_kind", "NAT");
        }
    }

    fn default_of(&mut self, statement: &Statement, keyword: &str, default: &str) {
        let what = statement.argument(0).unwrap_or_default();
        self.push(
            Diagnostic::new(
                Severity::Warning,
                Code(418),
                Class::General,
                format!("the virtual server `{what}` has no `{keyword}`: {default} is used"),
            )
            .label(statement.whole(), "")
            .help(format!(
                "write `{keyword} {default}` in it if this is meant"
            )),
        );
    }

    /// The real servers without those that are there already.
    fn real_servers<'a>(&mut self, inner: &'a [Statement]) -> Vec<&'a Statement> {
        let mut known = BTreeSet::new();
        let mut servers = Vec::new();
        for server in all(inner, "real_server") {
            let key = (server.argument(0), server.argument(1));
            if known.insert(key) {
                servers.push(server);
            } else {
                let message = "the real server is listed twice: the second is ignored";
                self.warn(421, Class::Warning, message, server.whole());
            }
        }
        servers
    }

    /// Without NAT a packet keeps its port.
    fn ports(&mut self, inner: &[Statement], servers: &[&Statement], port: u16) {
        let method = last(inner, "lb_kind").or(last(inner, "lvs_method"));
        let method = method.and_then(|m| m.argument(0)).unwrap_or("NAT");
        let differs = |server: &Statement, of_server: Option<&str>| {
            let written = server.argument(1).and_then(|p| p.parse::<u16>().ok());
            let other = written.is_some_and(|p| p != 0 && p != port);
            other && of_server.unwrap_or(method) != "NAT"
        };
        for server in servers {
            let own = match &server.body {
                Body::Block(inner) => last(inner, "lvs_method").and_then(|m| m.argument(0)),
                Body::None | Body::Entries(_) => None,
            };
            if differs(server, own) {
                self.other_port(server, method, port);
            }
        }
        let own = last(inner, "sorry_server_lvs_method").and_then(|m| m.argument(0));
        if let Some(sorry) = last(inner, "sorry_server").filter(|s| differs(s, own)) {
            self.other_port(sorry, method, port);
        }
    }

    fn other_port(&mut self, server: &Statement, method: &str, port: u16) {
        let message =
            format!("without NAT a packet keeps its port: with {method} it is {port} here too");
        let at = server.arguments.get(1).map_or(server.span, |p| p.span);
        self.warn(421, Class::Warning, message, at);
    }

    fn ports_of_mark(&mut self, inner: &[Statement], servers: &[&Statement]) {
        let sorry = last(inner, "sorry_server");
        for server in servers.iter().copied().chain(sorry) {
            let Some(port) = server.arguments.get(1).filter(|p| p.text != "0") else {
                continue;
            };
            let message = "a server of a firewall mark has no port: it is ignored";
            self.warn(421, Class::Warning, message, port.span);
        }
    }

    /// The quorum cannot be more than all servers weigh.
    fn quorum(&mut self, inner: &[Statement], servers: &[&Statement]) {
        let number = |s: Option<&Statement>| s?.argument(0)?.parse::<u64>().ok();
        let Some(quorum) = last(inner, "quorum") else {
            return;
        };
        let default = number(last(inner, "weight")).unwrap_or(1);
        let weight = |server: &&Statement| match &server.body {
            Body::Block(inner) => number(last(inner, "weight")).unwrap_or(default),
            Body::None | Body::Entries(_) => default,
        };
        let most: u64 = servers.iter().map(weight).sum();
        if number(Some(quorum)).is_some_and(|quorum| quorum > most) {
            let message = format!("all real servers together weigh {most}: the quorum is {most}");
            self.warn(421, Class::Warning, message, quorum.whole());
        }
    }
}

/// The last statement of a keyword, which is the one that counts.
fn last<'a>(inner: &'a [Statement], keyword: &str) -> Option<&'a Statement> {
    inner.iter().rev().find(|s| s.keyword.name == keyword)
}

fn all<'a>(inner: &'a [Statement], keyword: &'a str) -> impl Iterator<Item = &'a Statement> {
    inner.iter().filter(move |s| s.keyword.name == keyword)
}

#[cfg(test)]
mod tests {
    use crate::config::source::Memory;
    use crate::config::{Options, load};

    /// Codes of what keepalived says, too, of a virtual server with `lines` in it.
    fn codes(service: &str, lines: &str) -> Vec<u16> {
        let text = format!("virtual_server {service} {{\n{lines}\n}}\n");
        let reader = Memory::default().with("main", text);
        let loaded = load("main", &Options::default(), &reader);
        let codes = loaded.diagnostics.iter().map(|d| d.code.0);
        codes.filter(|code| *code != 401).collect()
    }

    const NONE: [u16; 0] = [];
    const USUAL: &str = "protocol TCP\nlb_algo rr\nlb_kind NAT\nreal_server 10.0.0.1 80 {\n}";

    #[test]
    fn a_whole_virtual_server_draws_nothing() {
        assert_eq!(codes("192.0.2.1 80", USUAL), NONE);
        assert_eq!(
            codes("192.0.2.1 80", "real_server 10.0.0.1 80 {\n}"),
            [418, 418, 418]
        );
    }

    #[test]
    fn a_virtual_server_needs_an_address_and_servers() {
        assert_eq!(codes("fe80::000::1 80", USUAL), [206]);
        assert_eq!(codes("192.0.2.1 80", "protocol TCP"), [407]);
        assert_eq!(
            codes(
                "192.0.2.1 80",
                &format!("{USUAL}\nreal_server 10.0.0.1 80 {{\n}}")
            ),
            [421]
        );
    }

    #[test]
    fn without_nat_the_port_stays() {
        let direct = USUAL.replace("NAT", "DR");
        assert_eq!(codes("192.0.2.1 80", &direct), NONE);
        assert_eq!(codes("192.0.2.1 81", &direct), [421]);
        assert_eq!(codes("192.0.2.1 81", USUAL), NONE);
        let own = direct.replace("80 {", "80 {\nlvs_method NAT");
        assert_eq!(codes("192.0.2.1 81", &own), NONE);
    }

    #[test]
    fn a_firewall_mark_has_neither_protocol_nor_ports() {
        assert_eq!(codes("fwmark 1", USUAL), [421, 421]);
        let bare = "lb_algo rr\nlb_kind NAT\nreal_server 10.0.0.1 {\n}";
        assert_eq!(codes("fwmark 1", bare), NONE);
    }

    #[test]
    fn a_quorum_is_at_most_the_sum_of_weights() {
        assert_eq!(codes("192.0.2.1 80", &format!("{USUAL}\nquorum 2")), [421]);
        assert_eq!(
            codes("192.0.2.1 80", &format!("{USUAL}\nquorum 2\nweight 2")),
            NONE
        );
        assert_eq!(
            codes("192.0.2.1 80", &format!("{USUAL}\npersistence_timeout 0")),
            [203]
        );
    }
}
