//! Numbers, words and addresses, checked against the keyword table.

use std::net::IpAddr;

use super::Lowering;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword::{Arguments, Unit, did_you_mean};
use crate::config::lex::Token;
use crate::config::parse::Statement;
use crate::types::InterfaceName;

/// Keywords whose missing value keepalived reports; at that of all others its reading ends.
const ONLY_REPORTED: [&str; 49] = [
    "bfd_cpu_affinity",
    "bfd_priority",
    "bfd_rt_priority",
    "checker_cpu_affinity",
    "checker_priority",
    "checker_rt_priority",
    "dbus_no_interface_name",
    "dbus_service_name",
    "default_interface",
    "file",
    "instance",
    "iproute_etc_dir",
    "iproute_usr_dir",
    "json_dump_file",
    "kernel_rx_buf_size",
    "lvs_netlink_cmd_rcv_bufs",
    "lvs_netlink_monitor_rcv_bufs",
    "lvs_notify_fifo",
    "lvs_notify_fifo_script",
    "lvs_sync_daemon",
    "min_auto_priority_delay",
    "net_namespace",
    "notification_email_from",
    "notify_fifo",
    "notify_fifo_script",
    "process_monitor_rcv_bufs",
    "reload_time_file",
    "router_id",
    "script",
    "script_user",
    "shutdown_script",
    "shutdown_script_timeout",
    "smtp_helo_name",
    "snmp_name",
    "snmp_socket",
    "startup_script",
    "startup_script_timeout",
    "state_dump_file",
    "stats_dump_file",
    "tmp_config_directory",
    "virtualhost",
    "vrrp_cpu_affinity",
    "vrrp_netlink_cmd_rcv_bufs",
    "vrrp_netlink_monitor_rcv_bufs",
    "vrrp_notify_fifo",
    "vrrp_notify_fifo_script",
    "vrrp_priority",
    "vrrp_rt_priority",
    "vrrp_rx_bufs_policy",
];

impl Lowering {
    /// Whether the words a keyword cannot do without are there.
    pub(super) fn has_argument(&mut self, statement: &Statement) -> bool {
        if !statement.keyword.arguments.is_required() || !statement.arguments.is_empty() {
            return true;
        }
        let name = statement.keyword.name;
        let (severity, class) = if ONLY_REPORTED.contains(&name) {
            (Severity::Warning, Class::General)
        } else {
            (Severity::Error, Class::MissingParameter)
        };
        self.push(
            Diagnostic::new(
                severity,
                Code(201),
                class,
                format!("`{name}` needs a value"),
            )
            .label(statement.span, "nothing follows it on this line")
            .help(usage(name, statement.keyword.arguments)),
        );
        false
    }

    /// Checks the words of a keyword whose value nobody reads.
    pub(super) fn validate(&mut self, statement: &Statement) {
        if !self.has_argument(statement) {
            return;
        }
        match statement.keyword.arguments {
            Arguments::Bool => {
                self.boolean(statement);
            }
            Arguments::Integer { .. } => {
                self.integer(statement);
            }
            Arguments::Decimal { .. } => {
                self.micros(statement);
            }
            Arguments::Interface => {
                self.interface_name(statement.arguments.first());
            }
            Arguments::Nothing
            | Arguments::Choice(_)
            | Arguments::Address
            | Arguments::Words(_)
            | Arguments::Optional(_)
            | Arguments::Script
            | Arguments::OptionalScript
            | Arguments::Block(_)
            | Arguments::NamedBlock(_)
            | Arguments::Entries
            | Arguments::NamedEntries => {}
        }
    }

    /// The whole number of a statement, within the range of its keyword.
    pub(super) fn integer(&mut self, statement: &Statement) -> Option<i64> {
        let Arguments::Integer { unit, min, max } = statement.keyword.arguments else {
            return None;
        };
        let token = statement.arguments.first()?;
        self.integer_in(token, statement.keyword.name, unit, min, max)
    }

    /// The whole number `token`, within a range.
    pub(super) fn integer_in(
        &mut self,
        token: &Token,
        name: &str,
        unit: Unit,
        min: i64,
        max: i64,
    ) -> Option<i64> {
        let value = whole_number(&token.text);
        if value.is_some_and(|v| (min..=max).contains(&v)) {
            return value;
        }
        let allowed = format!("{name} takes {min} to {max}{unit}");
        self.bad_number(
            token,
            name,
            value.is_some() || is_number(&token.text),
            (unit, &allowed),
        );
        None
    }

    /// The decimal number of a statement in millionths, within the range of its keyword.
    pub(super) fn micros(&mut self, statement: &Statement) -> Option<u64> {
        let Arguments::Decimal { unit, min, max } = statement.keyword.arguments else {
            return None;
        };
        let token = statement.arguments.first()?;
        let value = micros(&token.text);
        if value.is_some_and(|v| (min..=max).contains(&v)) {
            return value;
        }
        let name = statement.keyword.name;
        let allowed = format!("{name} takes {} to {}{unit}", decimal(min), decimal(max));
        self.bad_number(token, name, value.is_some(), (unit, &allowed));
        None
    }

    /// A number that is none, or is not of those that are allowed.
    fn bad_number(
        &mut self,
        token: &Token,
        name: &str,
        in_form: bool,
        (unit, allowed): (Unit, &str),
    ) {
        let text = &token.text;
        let (code, message) = if in_form {
            (203, format!("{name} is out of range"))
        } else {
            (202, format!("`{text}` is not a number"))
        };
        self.push(
            Diagnostic::new(Severity::Warning, Code(code), Class::InvalidNumber, message)
                .label(token.span, allowed)
                .help(match without_unit(text, unit) {
                    Some(number) => format!("write `{name} {number}`: it counts in{unit}"),
                    None => "the line is ignored; what held before it holds on".to_owned(),
                }),
        );
    }

    /// `on` or `off`; nothing means on.
    pub(super) fn boolean(&mut self, statement: &Statement) -> Option<bool> {
        let Some(token) = statement.arguments.first() else {
            return Some(true);
        };
        match token.text.as_str() {
            "true" | "on" | "yes" => Some(true),
            "false" | "off" | "no" => Some(false),
            other => {
                self.push(
                    Diagnostic::new(
                        Severity::Warning,
                        Code(205),
                        Class::General,
                        format!("`{other}` is neither on nor off"),
                    )
                    .label(token.span, "ignored")
                    .help("write on, true or yes, or else off, false or no"),
                );
                None
            }
        }
    }

    /// The index of the word of a choice.
    pub(super) fn choice(&mut self, statement: &Statement) -> Option<&'static str> {
        let Arguments::Choice(words) = statement.keyword.arguments else {
            return None;
        };
        let token = statement.arguments.first()?;
        if let Some(word) = words.iter().find(|word| **word == token.text) {
            return Some(word);
        }
        let help = match did_you_mean(&token.text, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("one of {}", words.join(", ")),
        };
        self.push(
            Diagnostic::new(
                Severity::Warning,
                Code(204),
                Class::General,
                format!("`{}` is no {}", token.text, statement.keyword.name),
            )
            .label(token.span, "")
            .help(help),
        );
        None
    }

    /// The name of an interface.
    pub(super) fn interface_name(&mut self, token: Option<&Token>) -> Option<InterfaceName> {
        let token = token?;
        let name = InterfaceName::new(&token.text);
        if name.is_none() {
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(207),
                    Class::General,
                    format!("`{}` cannot be the name of an interface", token.text),
                )
                .label(token.span, "1 to 15 bytes without `/`"),
            );
        }
        name
    }

    /// An address without prefix length; `what` it is to be.
    ///
    /// keepalived passes over a prefix length behind it.
    pub(super) fn address(&mut self, token: &Token, what: &str) -> Option<IpAddr> {
        let text = token.text.split_once('/').map_or(&*token.text, |(a, _)| a);
        let address = text.parse().ok();
        if address.is_none() {
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(206),
                    Class::General,
                    format!("`{}` is no address for {what}", token.text),
                )
                .label(token.span, "ignored"),
            );
        }
        address
    }
}

fn usage(name: &str, arguments: Arguments) -> String {
    match arguments {
        Arguments::Words(syntax) => format!("write `{name} {syntax}`"),
        Arguments::Choice(words) => format!("write `{name} {}`", words.join("|")),
        Arguments::Interface => format!("write `{name} INTERFACE`"),
        Arguments::Address => format!("write `{name} ADDRESS`"),
        Arguments::Script => format!("write `{name} \"COMMAND ARGUMENTS\"`"),
        Arguments::Nothing
        | Arguments::Bool
        | Arguments::Integer { .. }
        | Arguments::Decimal { .. }
        | Arguments::Optional(_)
        | Arguments::OptionalScript
        | Arguments::Block(_)
        | Arguments::NamedBlock(_)
        | Arguments::Entries
        | Arguments::NamedEntries => format!("write `{name} NUMBER`"),
    }
}

/// Whether a word is a whole number of any size.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn whole_number(text: &str) -> Option<i64> {
    is_number(text).then(|| text.parse().ok()).flatten()
}

/// A decimal number in millionths, rounded.
pub(super) fn micros(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let kept = fraction.get(..fraction.len().min(6)).unwrap_or_default();
    let mut millionths: u64 = format!("{kept:0<6}").parse().ok()?;
    if fraction.as_bytes().get(6).is_some_and(|b| *b >= b'5') {
        millionths += 1;
    }
    whole.checked_mul(1_000_000)?.checked_add(millionths)
}

/// `500ms` in a keyword's own unit, without the unit, which keepalived does not know.
fn without_unit(text: &str, unit: Unit) -> Option<String> {
    let (number, written) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
    let written: u64 = match written {
        "us" => 1,
        "ms" | "msec" => 1_000,
        "s" | "sec" | "secs" | "seconds" => 1_000_000,
        "m" | "min" => 60_000_000,
        _ => return None,
    };
    let own: u64 = match unit {
        Unit::Microseconds => 1,
        Unit::Milliseconds => 1_000,
        Unit::Seconds => 1_000_000,
        Unit::Count | Unit::Bytes => return None,
    };
    let micros = micros(number)?.checked_mul(written)?;
    Some(decimal(micros / own))
}

/// Millionths as a decimal number.
fn decimal(micros: u64) -> String {
    let (whole, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let text = format!("{whole}.{fraction:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_kept_in_millionths() {
        assert_eq!(micros("1"), Some(1_000_000));
        assert_eq!(micros("0.5"), Some(500_000));
        assert_eq!(micros(".25"), Some(250_000));
        assert_eq!(micros("1.2345675"), Some(1_234_568));
        for bad in ["", ".", "1x", "-1", "1.2.3", "99999999999999999999"] {
            assert_eq!(micros(bad), None, "{bad}");
        }
        assert_eq!(decimal(40_950_000), "40.95");
        assert_eq!(decimal(1), "0.000001");
    }

    #[test]
    fn a_unit_is_turned_into_the_one_that_counts() {
        let seconds = |text| without_unit(text, Unit::Seconds);
        assert_eq!(seconds("500ms").as_deref(), Some("0.5"));
        assert_eq!(seconds("2s").as_deref(), Some("2"));
        assert_eq!(seconds("1.5min").as_deref(), Some("90"));
        let micros = without_unit("2ms", Unit::Microseconds);
        assert_eq!(micros.as_deref(), Some("2000"));
        for other in ["s", "1OO", "5x", "99999999999999min"] {
            assert_eq!(seconds(other), None, "{other}");
        }
        assert_eq!(without_unit("2s", Unit::Count), None);
    }

    #[test]
    fn whole_numbers_have_no_trailing_characters() {
        assert_eq!(whole_number("-5"), Some(-5));
        for bad in ["5x", "", "-", "0x5", "1.0"] {
            assert_eq!(whole_number(bad), None, "{bad}");
        }
    }
}
