//! `track_file`: a file that holds a number.

use std::path::PathBuf;

use super::Lowering;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword::Unit;
use crate::config::model::{InitFile, TrackFile};
use crate::config::parse::{Body, Statement};
use crate::vrrp::election::Weight;

impl Lowering {
    pub(super) fn track_file(&mut self, statement: &Statement) {
        let (Some(name), Body::Block(inner)) = (statement.argument(0), &statement.body) else {
            return;
        };
        if self.file_weights.contains_key(name) {
            let message =
                format!("the file tracker `{name}` is defined twice: the second is ignored");
            self.warn(404, Class::General, message, statement.whole());
            return;
        }
        self.out
            .provenance
            .insert(name, "track_file", statement.whole());
        let (mut path, mut weight, mut init) = (None, None, None);
        for inner in inner {
            self.out
                .provenance
                .insert(name, inner.keyword.name, inner.whole());
            if !self.has_argument(inner) {
                continue;
            }
            match inner.keyword.name {
                "file" => path = self.tracked_path(inner).or(path),
                "weight" if weight.is_some() => {
                    let message = format!("a second weight of `{name}` is ignored");
                    self.warn(404, Class::General, message, inner.whole());
                }
                "weight" => weight = self.factor(inner),
                "init_file" => init = Some(self.init_file(inner)),
                _ => {}
            }
        }
        let Some(path) = path else {
            let message = format!("the file tracker `{name}` has no `file` and is dropped");
            let missing = Diagnostic::new(Severity::Warning, Code(407), Class::General, message);
            let missing = missing.label(statement.whole(), "");
            self.push(missing.help("write `file PATH` in it"));
            return;
        };
        let weight = weight.unwrap_or(TrackFile::WEIGHT);
        self.file_weights.insert(name.to_owned(), weight);
        self.out.config.files.push(TrackFile {
            name: name.to_owned(),
            path,
            weight,
            init,
        });
    }

    fn tracked_path(&mut self, statement: &Statement) -> Option<PathBuf> {
        let token = statement.arguments.first()?;
        let path = PathBuf::from(&token.text);
        if path.is_absolute() && path.file_name().is_some() {
            return Some(path);
        }
        let message = format!("`{}` is no absolute path of a file", token.text);
        self.warn(209, Class::General, message, token.span);
        None
    }

    /// `weight N [reverse]`
    pub(super) fn factor(&mut self, statement: &Statement) -> Option<Weight> {
        let points = i16::try_from(self.integer(statement)?).ok()?;
        let reverse = self.reverse(statement.arguments.get(1), false);
        Some(Weight { points, reverse })
    }

    /// `init_file [N] [overwrite]`
    fn init_file(&mut self, statement: &Statement) -> InitFile {
        let mut init = InitFile::default();
        let (min, max) = (i32::MIN.into(), i32::MAX.into());
        for word in &statement.arguments {
            if word.text == "overwrite" {
                init.overwrite = true;
                continue;
            }
            let value = self.integer_in(word, "init_file", Unit::Count, min, max);
            let value = value.and_then(|value| i32::try_from(value).ok());
            init.value = value.unwrap_or(init.value);
        }
        init
    }
}
