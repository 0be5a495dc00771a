//! Keywords of virtual servers and their checkers.

use super::Arguments::*;
use super::Support::Inactive;
use super::Unit::*;
use super::{Block, Keyword, row};

/// `SSL`.
#[rustfmt::skip]
pub(super) const SSL: &[Keyword] = &[
    row("password", Words("STRING"), "none", Inactive("LVS"), "passphrase of the key file"),
    row("ca", Words("PATH"), "none", Inactive("LVS"), "CA certificates file"),
    row("certificate", Words("PATH"), "none", Inactive("LVS"), "client certificate file"),
    row("key", Words("PATH"), "none", Inactive("LVS"), "private key file"),
];

/// `virtual_server`.
#[rustfmt::skip]
pub(super) const VIRTUAL_SERVER: &[Keyword] = &[
    row("ip_family", Choice(&["inet", "inet6"]), "from address or first real server", Inactive("LVS"), "family of fwmark services"),
    row("retry", Integer { unit: Count, min: 1, max: 4_294_967_295 }, "checker specific", Inactive("LVS"), "default retries of checkers"),
    row("delay_before_retry", Decimal { unit: Seconds, min: 0, max: 4_294_967_295 }, "checker specific", Inactive("LVS"), "default pause before a retry"),
    row("warmup", Decimal { unit: Seconds, min: 0, max: 4_294_967_295 }, "delay_loop", Inactive("LVS"), "default upper bound of the random start delay of checkers"),
    row("connect_timeout", Decimal { unit: Seconds, min: 1, max: 4_294_967_295 }, "5", Inactive("LVS"), "default connection timeout of checkers"),
    row("delay_loop", Decimal { unit: Seconds, min: 1, max: 4_294_967_295 }, "60", Inactive("LVS"), "default interval of checkers"),
    row("inhibit_on_failure", Nothing, "off", Inactive("LVS"), "default: failed real servers get weight 0 instead of being removed"),
    row("lb_algo", Words("SCHEDULER"), "wlc (reported as an issue when missing)", Inactive("LVS"), "IPVS scheduler"),
    row("lvs_sched", Words("SCHEDULER"), "wlc", Inactive("LVS"), "same as lb_algo"),
    row("hashed", Nothing, "", Inactive("LVS"), "no effect"),
    row("ops", Nothing, "off", Inactive("LVS"), "one-packet scheduling (UDP or fwmark only)"),
    row("flag-1", Nothing, "off", Inactive("LVS"), "sets scheduler flag 1"),
    row("flag-2", Nothing, "off", Inactive("LVS"), "sets scheduler flag 2"),
    row("flag-3", Nothing, "off", Inactive("LVS"), "sets scheduler flag 3"),
    row("sh-port", Nothing, "off", Inactive("LVS"), "source hashing with port"),
    row("sh-fallback", Nothing, "off", Inactive("LVS"), "source hashing with fallback"),
    row("mh-port", Nothing, "off", Inactive("LVS"), "maglev hashing with port"),
    row("mh-fallback", Nothing, "off", Inactive("LVS"), "maglev hashing with fallback"),
    row("lb_kind", Words("NAT | DR | TUN [type ipip|gue|gre] [port 1..65535] [nocsum|csum|remcsum]"), "NAT (reported as an issue when missing)", Inactive("LVS"), "forwarding method"),
    row("lvs_method", Words("as lb_kind"), "NAT", Inactive("LVS"), "same as lb_kind"),
    row("persistence_engine", Words("NAME"), "none", Inactive("LVS"), "IPVS persistence engine"),
    row("persistence_timeout", Optional("[SECONDS INT 1..2678400]"), "off; 360 without value", Inactive("LVS"), "persistence time"),
    row("persistence_granularity", Words("IPv4 netmask | INT 1..128"), "255.255.255.255 / 128", Inactive("LVS"), "client grouping"),
    row("protocol", Words("TCP | UDP | SCTP"), "UDP (reported as an issue when missing)", Inactive("LVS"), "transport protocol"),
    row("ha_suspend", Nothing, "off", Inactive("LVS"), "checkers only run while the address is on this node"),
    row("smtp_alert", Bool, "smtp_alert_checker, smtp_alert, else no", Inactive("LVS"), "mail at quorum changes"),
    row("virtualhost", Words("STRING"), "none", Inactive("LVS"), "default Host header of HTTP/SSL_GET"),
    row("snmp_name", Words("STRING"), "none", Inactive("LVS"), "name shown by SNMP"),
    row("alpha", Nothing, "off", Inactive("LVS"), "real servers start down until a check succeeds"),
    row("omega", Nothing, "off", Inactive("LVS"), "at stop also run notify_down/quorum_down scripts and mails"),
    row("quorum_up", Script, "none", Inactive("LVS"), "run when the quorum is gained"),
    row("quorum_down", Script, "none", Inactive("LVS"), "run when the quorum is lost"),
    row("quorum", Integer { unit: Count, min: 1, max: 4_294_967_295 }, "1", Inactive("LVS"), "weight sum of alive real servers needed"),
    row("hysteresis", Integer { unit: Count, min: 0, max: 4_294_967_295 }, "0", Inactive("LVS"), "extra weight sum needed for up / missing for down"),
    row("weight", Integer { unit: Count, min: 1, max: 2_147_483_647 }, "1", Inactive("LVS"), "default weight of real servers"),
    row("sorry_server", Words("IPADDR [PORT]"), "none", Inactive("LVS"), "server used while the quorum is lost"),
    row("sorry_server_inhibit", Nothing, "off", Inactive("LVS"), "set weight 0 instead of removing the sorry server"),
    row("sorry_server_lvs_method", Words("as lb_kind"), "lb_kind", Inactive("LVS"), "forwarding method for the sorry server"),
    row("real_server", NamedBlock(Block::RealServer), "port of the virtual server", Inactive("LVS"), "a back end"),
];

/// `real_server`.
#[rustfmt::skip]
pub(super) const REAL_SERVER: &[Keyword] = &[
    row("weight", Integer { unit: Count, min: 0, max: 2_147_483_647 }, "weight of the virtual server", Inactive("LVS"), "IPVS weight"),
    row("lvs_method", Words("as lb_kind"), "lb_kind", Inactive("LVS"), "forwarding method for this server"),
    row("uthreshold", Integer { unit: Count, min: 0, max: 4_294_967_295 }, "0", Inactive("LVS"), "upper connection limit"),
    row("lthreshold", Integer { unit: Count, min: 0, max: 4_294_967_295 }, "0", Inactive("LVS"), "lower connection limit"),
    row("inhibit_on_failure", Bool, "virtual_server's", Inactive("LVS"), "weight 0 instead of removal on failure"),
    row("notify_up", Script, "none", Inactive("LVS"), "run when the server becomes alive"),
    row("notify_down", Script, "none", Inactive("LVS"), "run when the server dies"),
    row("alpha", Bool, "virtual_server's", Inactive("LVS"), "start down until a check succeeds"),
    row("retry", Integer { unit: Count, min: 1, max: 4_294_967_295 }, "virtual_server's", Inactive("LVS"), "default retries of its checkers"),
    row("delay_before_retry", Decimal { unit: Seconds, min: 0, max: 4_294_967_295 }, "virtual_server's", Inactive("LVS"), "default pause before a retry"),
    row("warmup", Decimal { unit: Seconds, min: 0, max: 4_294_967_295 }, "virtual_server's", Inactive("LVS"), "default upper bound of the random start delay"),
    row("connect_timeout", Decimal { unit: Seconds, min: 1, max: 4_294_967_295 }, "virtual_server's", Inactive("LVS"), "default connection timeout"),
    row("delay_loop", Decimal { unit: Seconds, min: 1, max: 4_294_967_295 }, "virtual_server's", Inactive("LVS"), "default interval"),
    row("smtp_alert", Bool, "smtp_alert_checker, smtp_alert, else YES", Inactive("LVS"), "mail at up/down of this server"),
    row("virtualhost", Words("STRING"), "virtual_server's", Inactive("LVS"), "default Host header"),
    row("snmp_name", Words("STRING"), "none", Inactive("LVS"), "name shown by SNMP"),
    row("MISC_CHECK", Block(Block::MiscCheck), "", Inactive("LVS"), "check by running a program"),
    row("SMTP_CHECK", Block(Block::SmtpCheck), "", Inactive("LVS"), "check by an SMTP dialogue"),
    row("TCP_CHECK", Block(Block::TcpCheck), "", Inactive("LVS"), "check by a TCP connection"),
    row("PING_CHECK", Block(Block::PingCheck), "", Inactive("LVS"), "check by ICMP echo"),
    row("UDP_CHECK", Block(Block::UdpCheck), "", Inactive("LVS"), "check by a UDP datagram"),
    row("HTTP_GET", Block(Block::HttpGet), "", Inactive("LVS"), "check by HTTP requests"),
    row("SSL_GET", Block(Block::SslGet), "", Inactive("LVS"), "check by HTTPS requests"),
    row("DNS_CHECK", Block(Block::DnsCheck), "", Inactive("LVS"), "check by a DNS query"),
    row("FILE_CHECK", Block(Block::FileCheck), "", Inactive("LVS"), "take status and weight from a track_file"),
    row("BFD_CHECK", Block(Block::BfdCheck), "", Inactive("LVS"), "take status from a bfd_instance"),
];

/// `MISC_CHECK`.
#[rustfmt::skip]
pub(super) const MISC_CHECK: &[Keyword] = &[
    row("misc_path", Script, "", Inactive("LVS"), "program to run"),
    row("misc_timeout", Integer { unit: Seconds, min: 0, max: 4_294 }, "delay_loop of the virtual_server", Inactive("LVS"), "kill the program after this time"),
    row("misc_dynamic", Nothing, "off", Inactive("LVS"), "exit 1 = failed, 0 = ok with weight unchanged, 2..255 = ok with weight status-2"),
    row("user", Words("USER [[:][GROUP]]"), "script_user", Inactive("LVS"), "who runs it"),
];

/// `SMTP_CHECK`.
#[rustfmt::skip]
pub(super) const SMTP_CHECK: &[Keyword] = &[
    row("helo_name", Words("STRING"), "smtpchecker.keepalived.org", Inactive("LVS"), "name sent in HELO"),
    row("host", Block(Block::SmtpHost), "", Inactive("LVS"), "deprecated per host options"),
];

/// `UDP_CHECK`.
#[rustfmt::skip]
pub(super) const UDP_CHECK: &[Keyword] = &[
    row("payload", Words("HEX bytes"), "32 generated bytes", Inactive("LVS"), "data to send"),
    row("require_reply", Optional("[HEX bytes; X or x as a digit is a wildcard]"), "off", Inactive("LVS"), "a reply is needed"),
    row("min_reply_length", Integer { unit: Count, min: 0, max: 65_535 }, "0", Inactive("LVS"), "smallest reply"),
    row("max_reply_length", Integer { unit: Count, min: 0, max: 65_535 }, "255", Inactive("LVS"), "largest reply"),
];

/// `url` of HTTP_GET and SSL_GET.
#[rustfmt::skip]
pub(super) const URL: &[Keyword] = &[
    row("path", Words("STRING"), "", Inactive("LVS"), "path and query of the request"),
    row("digest", Words("32 hex digits"), "none", Inactive("LVS"), "MD5 of the body (see genhash)"),
    row("status_code", Words("CODE | CODE-CODE ... each 100..599"), "200-299", Inactive("LVS"), "accepted status codes"),
    row("virtualhost", Words("STRING"), "checker's", Inactive("LVS"), "Host header for this url"),
    row("regex", Words("PATTERN"), "none", Inactive("LVS"), "PCRE2 pattern that must match the body"),
    row("regex_no_match", Nothing, "off", Inactive("LVS"), "the pattern must not match"),
    row("regex_options", Words("OPTION ..."), "none", Inactive("LVS"), "PCRE2 compile options"),
    row("regex_min_offset", Integer { unit: Count, min: 0, max: 4_294_967_295 }, "0", Inactive("LVS"), "earliest byte where the match may start"),
    row("regex_max_offset", Integer { unit: Count, min: 0, max: 4_294_967_295 }, "none", Inactive("LVS"), "latest byte where the match may start"),
    row("regex_stack", Words("START MAX"), "none", Inactive("LVS"), "size of the JIT stack"),
    row("tls_compliant", Bool, "checker's", Inactive("LVS"), "as the checker keyword, for this url"),
];

/// `DNS_CHECK`.
#[rustfmt::skip]
pub(super) const DNS_CHECK: &[Keyword] = &[
    row("type", Words("A | NS | CNAME | SOA | MX | TXT | AAAA | RRSIG | DNSKEY"), "SOA", Inactive("LVS"), "record type to query"),
    row("name", Words("DOMAIN"), ". (root)", Inactive("LVS"), "name to query"),
];

/// `FILE_CHECK`.
#[rustfmt::skip]
pub(super) const FILE_CHECK: &[Keyword] = &[
    row("track_file", Words("FILE_NAME"), "", Inactive("LVS"), "which track_file to follow"),
    row("weight", Integer { unit: Count, min: -2_147_483_647, max: 2_147_483_647 }, "weight of the track_file", Inactive("LVS"), "factor for the file's value"),
];

/// `BFD_CHECK`.
#[rustfmt::skip]
pub(super) const BFD_CHECK: &[Keyword] = &[
    row("name", Words("BFD_INSTANCE"), "", Inactive("LVS"), "session to follow"),
    row("alpha", Bool, "as the real server", Inactive("LVS"), "count as failed until the session is up"),
];

/// `HTTP_GET` and `SSL_GET`.
#[rustfmt::skip]
pub(super) const HTTP: &[Keyword] = &[
    row("nb_get_retry", Integer { unit: Count, min: 0, max: 4_294_967_295 }, "", Inactive("LVS"), "deprecated name of retry (counts as config issue)"),
    row("virtualhost", Words("STRING"), "real/virtual server's, else the address", Inactive("LVS"), "Host header"),
    row("http_protocol", Choice(&["1.0", "1.0C", "1.0c", "1.1"]), "1.0", Inactive("LVS"), "request version"),
    row("enable_sni", Bool, "no", Inactive("LVS"), "send SNI (SSL_GET"),
    row("sni_name", Optional("[STRING]"), "virtualhost", Inactive("LVS"), "name for SNI"),
    row("fast_recovery", Bool, "no", Inactive("LVS"), "after the first good url of a failed server go to the next url at once"),
    row("url", Block(Block::Url), "at least one", Inactive("LVS"), "one request"),
];

/// Checkers that open a connection.
#[rustfmt::skip]
pub(super) const CONNECTION: &[Keyword] = &[
    row("connect_ip", Address, "address of the real server", Inactive("LVS"), "connect to this address instead"),
    row("connect_port", Integer { unit: Count, min: 1, max: 65_535 }, "port of the real server", Inactive("LVS"), "connect to this port instead"),
    row("bindto", Address, "kernel choice", Inactive("LVS"), "local address to bind"),
    row("bind_port", Integer { unit: Count, min: 1, max: 65_535 }, "kernel choice", Inactive("LVS"), "local port to bind"),
    row("bind_if", Interface, "none", Inactive("LVS"), "local interface to bind (also scope of link-local bindto)"),
    row("connect_timeout", Decimal { unit: Seconds, min: 1, max: 4_294_967_295 }, "real_server's (5)", Inactive("LVS"), "connection timeout"),
    row("fwmark", Integer { unit: Count, min: 0, max: 4_294_967_295 }, "0", Inactive("LVS"), "firewall mark on the check traffic"),
];

/// All checkers that run by themselves.
#[rustfmt::skip]
pub(super) const CHECKER: &[Keyword] = &[
    row("retry", Integer { unit: Count, min: 0, max: 4_294_967_295 }, "as the real server", Inactive("LVS"), "retries before the check counts as failed"),
    row("delay_before_retry", Decimal { unit: Seconds, min: 0, max: 4_294_967_295 }, "as the real server", Inactive("LVS"), "pause before a retry"),
    row("warmup", Decimal { unit: Seconds, min: 0, max: 4_294_967_295 }, "real_server's, else delay_loop", Inactive("LVS"), "upper bound of the random start delay"),
    row("delay_loop", Decimal { unit: Seconds, min: 1, max: 4_294_967_295 }, "real_server's (60)", Inactive("LVS"), "interval between checks"),
    row("alpha", Bool, "real_server's", Inactive("LVS"), "start as failed until the first success"),
    row("log_all_failures", Bool, "no (the global checker_log_all_failures also switches it on)", Inactive("LVS"), "log each failed check, not only state changes"),
];

/// `SSL_GET` alone.
#[rustfmt::skip]
pub(super) const SSL_GET: &[Keyword] = &[
    row("tls_compliant", Bool, "no", Inactive("LVS"), "do not tolerate a server that closes without a TLS close notify"),
];
