//! Trackers other than scripts.

use std::path::PathBuf;

use crate::vrrp::election::Weight;

/// A file that holds a number. keepalived: `track_file`.
///
/// The number is that at its beginning, in the notation of C; 0 if there is none, or no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackFile {
    /// Name of the block.
    pub name: String,
    /// The file. Neither it nor its folder need exist. keepalived: `file`.
    pub path: PathBuf,
    /// Factor of the number where it is tracked. keepalived: 1.
    pub weight: Weight,
    /// How the file is made when the daemon starts. keepalived: `init_file`, not at all.
    pub init: Option<InitFile>,
}

impl TrackFile {
    /// The factor of a file that names none.
    pub const WEIGHT: Weight = Weight::new(1);
}

/// A file that is made at the start. keepalived: `init_file`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InitFile {
    /// What is written into it; default 0.
    pub value: i32,
    /// A file that is there already is overwritten.
    pub overwrite: bool,
}

/// A tracker by name, with the weight it has here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tracked {
    /// Name of the tracker; there is one.
    pub name: String,
    /// What its state does to this instance.
    pub weight: Weight,
}
