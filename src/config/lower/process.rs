//! Keywords that shape the process: where it runs, under which name, how urgently, and what it
//! does around its life and its reloads.

use std::path::PathBuf;
use std::time::Duration;

use super::Lowering;
use crate::config::diagnostic::Class;
use crate::config::keyword::Unit;
use crate::config::lex::Token;
use crate::config::model::{ERRAND_TIMEOUT, Errand, Mark};
use crate::config::parse::Statement;

/// Longest name of a process in Linux, in bytes.
const LONGEST_NAME: usize = 15;
/// Names that `process_names` gives to keepalived's child.
const USUAL_ENGINE_NAME: &str = "keepalived_vrrp";

/// Bits of `umask` by name.
const MODE_BITS: [(&str, u32); 12] = [
    ("IRUSR", 0o400),
    ("IWUSR", 0o200),
    ("IXUSR", 0o100),
    ("IRWXU", 0o700),
    ("IRGRP", 0o040),
    ("IWGRP", 0o020),
    ("IXGRP", 0o010),
    ("IRWXG", 0o070),
    ("IROTH", 0o004),
    ("IWOTH", 0o002),
    ("IXOTH", 0o001),
    ("IRWXO", 0o007),
];

impl Lowering {
    /// `net_namespace` and `instance`, outside of blocks: the first one counts.
    pub(super) fn process_identity(&mut self, statement: &Statement) {
        let keyword = statement.keyword.name;
        let at = statement.whole();
        self.out.provenance.insert("process", keyword, at);
        if !self.has_argument(statement) {
            return;
        }
        let Some(name) = statement.arguments.first() else {
            return;
        };
        if name.text.contains('/') || name.text.starts_with('.') {
            let message = format!("`{}` cannot be part of the name of a file", name.text);
            self.warn(204, Class::Silent, message, name.span);
            return;
        }
        let process = &mut self.out.config.globals.process;
        let (slot, class) = if keyword == "instance" {
            (&mut process.instance, Class::General)
        } else {
            // keepalived says so, but does not count it.
            (&mut process.namespace, Class::Silent)
        };
        match slot {
            Some(_) => {
                let message = format!("{keyword} is given twice: the second is ignored");
                self.warn(404, class, message, at);
            }
            None => *slot = Some(name.text.clone()),
        }
    }

    /// A keyword of `global_defs`; false if it is not about the process.
    pub(super) fn process(&mut self, statement: &Statement) -> bool {
        let name = statement.keyword.name;
        let path = || statement.argument(0).map(PathBuf::from);
        match name {
            "process_name" | "vrrp_process_name" => self.process_name(statement),
            "process_names" => {
                let engine = &mut self.out.config.globals.process.engine_name;
                engine.get_or_insert_with(|| USUAL_ENGINE_NAME.to_owned());
            }
            "vrrp_priority" => {
                if let Some(nice) = self.integer(statement).and_then(|n| i8::try_from(n).ok()) {
                    self.out.config.globals.process.precedence.nice = Some(nice);
                }
            }
            "vrrp_rt_priority" => self.real_time(statement),
            "max_auto_priority" => self.ceiling(statement),
            "vrrp_rlimit_rttime" | "vrrp_rlimit_rtime" => {
                self.deprecated(statement);
                let limit = self.integer(statement).and_then(|n| u32::try_from(n).ok());
                if let Some(limit) = limit {
                    self.out.config.globals.process.precedence.limit_micros = Some(limit.max(2));
                }
            }
            "vrrp_cpu_affinity" => self.processors(statement),
            "umask" => self.umask(statement),
            "startup_script" | "shutdown_script" => self.errand(statement),
            "startup_script_timeout" | "shutdown_script_timeout" => self.errand_timeout(statement),
            "log_unknown_vrids" => self.out.config.globals.process.log_strangers = true,
            "set_supplementary_groups" => {
                if let Some(on) = self.boolean(statement) {
                    self.out.config.globals.all_groups = on;
                }
            }
            "use_symlink_paths" => {
                if let Some(on) = self.boolean(statement) {
                    self.out.config.globals.follow_links = on;
                }
            }
            "reload_time_file" => {
                let file = self.absolute(statement);
                self.out.config.globals.process.reload.time_file = file;
            }
            "reload_repeat" => self.out.config.globals.process.reload.daily = true,
            "reload_file" => {
                let file = self.absolute(statement);
                let mark = file.map_or(Mark::Usual, Mark::At);
                self.out.config.globals.process.reload.mark = Some(mark);
            }
            "reload_check_config" => {
                let reload = &mut self.out.config.globals.process.reload;
                reload.strict = true;
                reload.report = path();
            }
            "config_save_dir" => self.out.config.globals.process.reload.archive = path(),
            _ => return false,
        }
        true
    }

    /// A file that must be given by its whole path: the daemon works in `/`.
    fn absolute(&mut self, statement: &Statement) -> Option<PathBuf> {
        let token = statement.arguments.first()?;
        let path = PathBuf::from(&token.text);
        if path.is_relative() {
            let message = format!(
                "`{}` is no absolute path: it is taken from the root",
                token.text
            );
            self.warn(204, Class::Silent, message, token.span);
        }
        Some(PathBuf::from("/").join(path))
    }

    fn process_name(&mut self, statement: &Statement) {
        let Some(token) = statement.arguments.first() else {
            return;
        };
        let mut name = token.text.clone();
        if name.len() > LONGEST_NAME {
            let mut end = LONGEST_NAME;
            while !name.is_char_boundary(end) {
                end -= 1;
            }
            name.truncate(end);
            let message = format!(
                "`{}` has more than {LONGEST_NAME} bytes: `{name}` is used",
                token.text
            );
            self.warn(204, Class::General, message, token.span);
        }
        let process = &mut self.out.config.globals.process;
        if statement.keyword.name == "process_name" {
            process.name = Some(name);
        } else {
            process.engine_name = Some(name);
        }
    }

    /// `vrrp_rt_priority`: out of range is the nearest that is in it.
    fn real_time(&mut self, statement: &Statement) {
        let Some(wanted) = self.integer(statement) else {
            return;
        };
        let clamped = wanted.clamp(1, 99);
        if clamped != wanted {
            let message = format!("vrrp_rt_priority takes 1 to 99: {clamped} is used");
            self.warn(203, Class::General, message, statement.whole());
        }
        let priority = u8::try_from(clamped).unwrap_or(99);
        self.out.config.globals.process.precedence.real_time = Some(priority);
    }

    /// `max_auto_priority [-1..99]`: -1 and 0 turn it off, nothing is 99.
    fn ceiling(&mut self, statement: &Statement) {
        let value = match statement.arguments.first() {
            None => Some(99),
            Some(token) => self.integer_in(token, "max_auto_priority", Unit::Count, -1, 99),
        };
        if let Some(value) = value {
            let ceiling = u8::try_from(value.max(0)).unwrap_or(0);
            self.out.config.globals.process.precedence.ceiling = Some(ceiling);
        }
    }

    /// `vrrp_cpu_affinity N ...`: one bad number voids the line. Whether a processor is there
    /// shows at run time.
    fn processors(&mut self, statement: &Statement) {
        let mut all = Vec::new();
        for token in &statement.arguments {
            let Some(number) = self.integer_in(token, "vrrp_cpu_affinity", Unit::Count, 0, 1_023)
            else {
                return;
            };
            all.extend(u16::try_from(number));
        }
        all.sort_unstable();
        all.dedup();
        self.out.config.globals.process.precedence.processors = all;
    }

    fn umask(&mut self, statement: &Statement) {
        let is_number = statement
            .argument(0)
            .is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let mask = if is_number {
            if let Some(extra) = statement.arguments.get(1) {
                let message = "umask takes one number: the line is ignored";
                self.warn(204, Class::General, message, extra.span);
                return;
            }
            self.umask_number(statement)
        } else {
            self.umask_bits(statement)
        };
        if mask.is_some() {
            self.out.config.globals.process.umask = mask;
        }
    }

    fn umask_number(&mut self, statement: &Statement) -> Option<u32> {
        let token = statement.arguments.first()?;
        let mask = c_number(&token.text).filter(|mask| *mask <= 0o777);
        if mask.is_none() {
            let message = format!("`{}` is no file mode, 0 to 0777", token.text);
            self.warn(203, Class::General, message, token.span);
        }
        mask
    }

    fn umask_bits(&mut self, statement: &Statement) -> Option<u32> {
        let mut mask = 0;
        for Token { text, span, .. } in &statement.arguments {
            for word in text.split('|').filter(|word| !word.is_empty()) {
                let Some((_, bits)) = MODE_BITS.iter().find(|(name, _)| *name == word) else {
                    let message = format!("`{word}` is no bit of umask: the line is ignored");
                    self.warn(204, Class::General, message, *span);
                    return None;
                };
                mask |= bits;
            }
        }
        Some(mask)
    }

    fn errand(&mut self, statement: &Statement) {
        let is_startup = statement.keyword.name == "startup_script";
        let process = &self.out.config.globals.process;
        let known = if is_startup {
            &process.startup
        } else {
            &process.shutdown
        };
        if known.is_some() {
            let message = format!(
                "{} is given twice: the second is ignored",
                statement.keyword.name
            );
            self.warn(404, Class::General, message, statement.whole());
            return;
        }
        let Some(command) = self.command(statement, true) else {
            return;
        };
        self.uses(&command, "global_defs", statement);
        let (timeouts, process) = (&self.errand_timeouts, &mut self.out.config.globals.process);
        let (slot, timeout) = if is_startup {
            (&mut process.startup, timeouts.0)
        } else {
            (&mut process.shutdown, timeouts.1)
        };
        let timeout = timeout.unwrap_or(ERRAND_TIMEOUT);
        *slot = Some(Errand { command, timeout });
    }

    /// The limit may stand before or after the script.
    fn errand_timeout(&mut self, statement: &Statement) {
        let seconds = self.integer(statement).and_then(|s| u64::try_from(s).ok());
        let Some(timeout) = seconds.map(Duration::from_secs) else {
            return;
        };
        let process = &mut self.out.config.globals.process;
        let (slot, kept) = if statement.keyword.name == "startup_script_timeout" {
            (&mut process.startup, &mut self.errand_timeouts.0)
        } else {
            (&mut process.shutdown, &mut self.errand_timeouts.1)
        };
        *kept = Some(timeout);
        if let Some(errand) = slot {
            errand.timeout = timeout;
        }
    }
}

/// A number as C writes it: `0` begins an octal one, `0x` a hexadecimal one.
#[must_use]
pub fn c_number(text: &str) -> Option<u32> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        u32::from_str_radix(digits, 16).ok()
    } else if let Some(digits) = text.strip_prefix('0').filter(|digits| !digits.is_empty()) {
        u32::from_str_radix(digits, 8).ok()
    } else {
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, value) in [("0", 0), ("18", 18), ("022", 18), ("0x12", 18)] {
            assert_eq!(c_number(text), Some(value), "{text}");
        }
        for text in ["", "08", "0x", "x", "-1"] {
            assert_eq!(c_number(text), None, "{text}");
        }
    }
}
