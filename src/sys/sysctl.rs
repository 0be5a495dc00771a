//! Kernel settings of the network namespace that the calling thread is in.

use std::collections::BTreeMap;
use std::fs;
use std::io;

/// A setting that could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that name, or it is not a number.
    #[error("cannot read the kernel setting {key}")]
    Read {
        /// Path below `/proc/sys`.
        key: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel refuses the value.
    #[error("cannot set the kernel setting {key} to {value}")]
    Write {
        /// Path below `/proc/sys`.
        key: String,
        /// The value.
        value: i32,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// There is no such setting: the kernel lacks it, or its interface is gone.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        let (Self::Read { source, .. } | Self::Write { source, .. }) = self;
        source.kind() == io::ErrorKind::NotFound
    }
}

/// Reads a number; `key` is a path such as `net/ipv4/ip_forward`.
///
/// # Errors
/// [`Error::Read`].
pub fn read(key: &str) -> Result<i32, Error> {
    let number = |text: String| text.trim().parse().map_err(io::Error::other);
    fs::read_to_string(path(key))
        .and_then(number)
        .map_err(|source| Error::Read {
            key: key.to_owned(),
            source,
        })
}

/// Sets a number.
///
/// # Errors
/// [`Error::Write`].
pub fn write(key: &str, value: i32) -> Result<(), Error> {
    fs::write(path(key), value.to_string()).map_err(|source| Error::Write {
        key: key.to_owned(),
        value,
        source,
    })
}

/// One setting of every interface that has it, `all` and `default` among them.
///
/// # Errors
/// [`Error::Read`] if the kernel has no settings of that family.
pub fn of_interfaces(family: &str, setting: &str) -> Result<BTreeMap<String, i32>, Error> {
    let folder = format!("net/{family}/conf");
    let entries = fs::read_dir(path(&folder)).map_err(|source| Error::Read {
        key: folder.clone(),
        source,
    })?;
    let mut values = BTreeMap::new();
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // An interface that has just gone has no value.
        if let Ok(value) = read(&format!("{folder}/{name}/{setting}")) {
            values.insert(name, value);
        }
    }
    Ok(values)
}

fn path(key: &str) -> String {
    format!("/proc/sys/{key}")
}
