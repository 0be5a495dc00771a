//! Files that `auth_hmac` takes its keys from, read before anything is lowered.

use std::collections::BTreeMap;

use super::parse::{Body, Statement};
use super::source::{ReadError, Reader};
use crate::types::Secret;

/// How the value of a key says that it is in a file.
pub(super) const PREFIX: &str = "file:";

/// What was found at each path.
#[derive(Debug, Clone, Default)]
pub struct KeyFiles(BTreeMap<String, Result<KeyFile, ReadError>>);

/// A key file that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// Its text, without the end of the line.
    pub text: Secret,
    /// Somebody but its owner may read it.
    pub readable_by_others: bool,
}

impl KeyFiles {
    /// Reads every key file that `statements` name.
    #[must_use]
    pub fn read(statements: &[Statement], reader: &dyn Reader) -> Self {
        let mut files = BTreeMap::new();
        let instances = statements
            .iter()
            .filter(|s| s.keyword.name == "vrrp_instance");
        let blocks = instances
            .flat_map(inner)
            .filter(|s| s.keyword.name == "auth_hmac");
        for key in blocks.flat_map(inner).filter(|s| s.keyword.name == "key") {
            let Some(path) = key.argument(1).and_then(|v| v.strip_prefix(PREFIX)) else {
                continue;
            };
            files
                .entry(path.to_owned())
                .or_insert_with(|| read(path, reader));
        }
        Self(files)
    }

    /// What was found at `path`.
    ///
    /// # Errors
    /// Why it could not be read.
    pub fn get(&self, path: &str) -> Result<&KeyFile, ReadError> {
        match self.0.get(path) {
            Some(Ok(file)) => Ok(file),
            Some(Err(error)) => Err(error.clone()),
            None => Err(ReadError::NotFound),
        }
    }
}

fn inner(statement: &Statement) -> &[Statement] {
    match &statement.body {
        Body::Block(inner) => inner,
        Body::None | Body::Entries(_) => &[],
    }
}

fn read(path: &str, reader: &dyn Reader) -> Result<KeyFile, ReadError> {
    let bytes = zeroize::Zeroizing::new(reader.read(path)?);
    Ok(KeyFile {
        text: Secret::new(bytes.trim_ascii_end()),
        readable_by_others: reader.is_readable_by_others(path),
    })
}
