//! Secrets, wherever they are kept.

use super::read::error;
use super::translate::Translator;
use super::value::{Secret, TextOr};
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::source::{ReadError, Span};

impl Translator<'_> {
    /// The text of a secret, wherever it is kept.
    pub(super) fn secret(&mut self, secret: &Secret, at: Span) -> Option<String> {
        let kept = match secret {
            TextOr::Text(text) => return Some(text.clone()),
            TextOr::Table(kept) => kept,
        };
        let options = self.options;
        let environment = |name: &str| options.environment.get(name);
        let found = match (&kept.env, &kept.file, &kept.credential) {
            (Some(name), None, None) => {
                let unset = || format!("the environment has no variable {name}");
                environment(name).cloned().ok_or_else(unset)
            }
            (None, Some(path), None) => self.file(path, at),
            (None, None, Some(name)) => match environment("CREDENTIALS_DIRECTORY") {
                Some(directory) => self.file(&format!("{directory}/{name}"), at),
                None => Err("there are no credentials: $CREDENTIALS_DIRECTORY is not set".into()),
            },
            _ => Err("a secret is in one of `env`, `file` and `credential`".to_owned()),
        };
        match found {
            Ok(text) => Some(text),
            Err(why) => {
                self.diagnostics.push(error(505, why, at, ""));
                None
            }
        }
    }

    fn file(&mut self, path: &str, at: Span) -> Result<String, String> {
        let cannot = |e: ReadError| format!("the file {path} cannot be used: {e}");
        let bytes = self.reader.read(path).map_err(cannot)?;
        let text = std::str::from_utf8(bytes.trim_ascii_end());
        let text = text.map_err(|_| format!("the file {path} is not text"))?;
        if self.reader.is_readable_by_others(path) {
            let message = format!("the file {path} can be read by others");
            let open = Diagnostic::new(Severity::Warning, Code(431), Class::Security, message);
            let open = open.label(at, "whoever can read it can take over the addresses");
            self.diagnostics
                .push(open.help(format!("`chmod 600 {path}`")));
        }
        Ok(text.to_owned())
    }
}
