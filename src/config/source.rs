//! Files and the places in them. Reading is a trait, so tests need no disk.

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A file of a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A piece of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Where.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// First byte after it.
    pub end: u32,
}

impl Span {
    /// From the beginning of `self` to the end of `last`; `self` alone if they are apart.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        if self.file == last.file && last.end >= self.start {
            Self {
                end: last.end,
                ..self
            }
        } else {
            self
        }
    }
}

/// One file that was read, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as the operator or an include wrote it.
    pub name: String,
    /// Content; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// All files of one configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceMap {
    files: Vec<SourceFile>,
    /// The first byte of each line of each file.
    lines: Vec<Vec<u32>>,
}

impl SourceMap {
    /// Adds a file and returns its id.
    pub fn add(&mut self, name: &str, text: impl Into<String>) -> FileId {
        let text = text.into();
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        let bytes = (0..).zip(text.bytes());
        let after_breaks =
            bytes.filter_map(|(at, byte): (u32, u8)| (byte == b'\n').then_some(at + 1));
        self.lines
            .push(std::iter::once(0).chain(after_breaks).collect());
        self.files.push(SourceFile {
            name: name.to_owned(),
            text,
        });
        id
    }

    /// The file `id`, if this map gave it out.
    #[must_use]
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// All files in the order they were read.
    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// The text of `span`, or nothing if it is not of this map.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        let range: Range<usize> = span.start as usize..span.end as usize;
        self.file(span.file)
            .and_then(|f| f.text.get(range))
            .unwrap_or_default()
    }

    /// Line and column of a span's beginning, both counted from 1; the column in characters.
    #[must_use]
    pub fn position(&self, span: Span) -> (usize, usize) {
        let before = || {
            let lines = self.lines.get(span.file.0 as usize)?;
            let line = lines.partition_point(|first| *first <= span.start);
            let first = *lines.get(line.checked_sub(1)?)?;
            let text = &self.file(span.file)?.text;
            let before = text.get(first as usize..span.start as usize)?;
            Some((line, before.chars().count() + 1))
        };
        before().unwrap_or((1, 1))
    }
}

/// Largest file that is read, in bytes: some 500,000 lines.
const LARGEST_FILE: u64 = 16 << 20;

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("no such file")]
    NotFound,
    /// A directory, a device or the like.
    #[error("not a regular file")]
    NotRegular,
    /// It may be executed, so it is more likely a script. keepalived skips such files too.
    #[error("the file is executable, so it is taken for a script")]
    Executable,
    /// Nobody has written so much: a wrong file, or one that was filled by mistake.
    #[error("the file has {0} bytes, and a configuration at most {LARGEST_FILE}")]
    TooLarge(u64),
    /// The system refused.
    #[error("{0}")]
    Denied(String),
}

/// Where files come from.
pub trait Reader {
    /// The content of `path`.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be used as a configuration.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;

    /// The paths that match a pattern with `*`, `?` and `[…]`, sorted.
    fn matches(&self, pattern: &str) -> Vec<String>;

    /// `path` from the root of the file system.
    fn absolute(&self, path: &str) -> String;

    /// Whether its group or anybody may read `path`.
    fn is_readable_by_others(&self, path: &str) -> bool;
}

/// Files on disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Reader for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let denied = |e: std::io::Error| {
            if e.kind() == std::io::ErrorKind::NotFound {
                ReadError::NotFound
            } else {
                ReadError::Denied(e.to_string())
            }
        };
        let metadata = std::fs::metadata(path).map_err(denied)?;
        if !metadata.is_file() {
            return Err(ReadError::NotRegular);
        }
        if metadata.permissions().mode() & 0o111 != 0 {
            return Err(ReadError::Executable);
        }
        if metadata.len() > LARGEST_FILE {
            return Err(ReadError::TooLarge(metadata.len()));
        }
        std::fs::read(path).map_err(denied)
    }

    fn matches(&self, pattern: &str) -> Vec<String> {
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let Ok(paths) = glob::glob_with(pattern, options) else {
            return Vec::new();
        };
        paths
            .flatten()
            .filter_map(|p| p.to_str().map(str::to_owned))
            .collect()
    }

    fn absolute(&self, path: &str) -> String {
        std::path::absolute(path)
            .ok()
            .and_then(|p| p.to_str().map(str::to_owned))
            .unwrap_or_else(|| path.to_owned())
    }

    fn is_readable_by_others(&self, path: &str) -> bool {
        std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o044 != 0)
    }
}

/// Files in memory, for tests and for text that never was a file.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    files: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    /// Adds a file and returns the whole.
    #[must_use]
    pub fn with(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }
}

impl Reader for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.files.get(path).cloned().ok_or(ReadError::NotFound)
    }

    fn matches(&self, pattern: &str) -> Vec<String> {
        let Ok(pattern) = glob::Pattern::new(pattern) else {
            return Vec::new();
        };
        self.files
            .keys()
            .filter(|name| pattern.matches(name))
            .cloned()
            .collect()
    }

    fn absolute(&self, path: &str) -> String {
        path.to_owned()
    }

    fn is_readable_by_others(&self, _: &str) -> bool {
        false
    }
}

/// The directory part of `path`.
pub(super) fn directory(path: &str) -> String {
    Path::new(path)
        .parent()
        .and_then(Path::to_str)
        .unwrap_or_default()
        .to_owned()
}

/// `path` as seen from `directory`.
pub(super) fn join(directory: &str, path: &str) -> String {
    Path::new(directory)
        .join(path)
        .to_str()
        .unwrap_or(path)
        .to_owned()
}

/// Whether a name has wildcards.
pub(super) fn has_wildcard(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// The alternatives of every `{a,b}` in a pattern, in the order written; at most 4096.
pub(super) fn brace_alternatives(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut todo = vec![pattern.to_owned()];
    while let Some(name) = todo.pop() {
        if done.len() + todo.len() >= 4096 {
            break;
        }
        let Some((before, inside, after)) = first_braces(&name) else {
            done.push(name);
            continue;
        };
        todo.extend(
            inside
                .iter()
                .rev()
                .map(|part| format!("{before}{part}{after}")),
        );
    }
    done
}

/// Splits at the first `{…}` that closes: what is before, the alternatives, what is after.
fn first_braces(name: &str) -> Option<(&str, Vec<&str>, &str)> {
    let open = name.find('{')?;
    let (mut depth, mut from, mut parts) = (0_usize, open + 1, Vec::new());
    for (at, byte) in name.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b',' if depth == 1 => {
                parts.push(name.get(from..at)?);
                from = at + 1;
            }
            b'}' if depth == 1 => {
                parts.push(name.get(from..at)?);
                return Some((name.get(..open)?, parts, name.get(at + 1..)?));
            }
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_expand_in_the_order_written() {
        assert_eq!(
            brace_alternatives("a{2,1}/b{x,{y,z}}"),
            ["a2/bx", "a2/by", "a2/bz", "a1/bx", "a1/by", "a1/bz"]
        );
        assert_eq!(brace_alternatives("a{b"), ["a{b"]);
        assert_eq!(brace_alternatives("plain"), ["plain"]);
    }

    #[test]
    fn a_file_that_nobody_wrote_is_not_read() {
        let path = std::env::temp_dir().join(format!("vipd-large-{}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(LARGEST_FILE + 1).unwrap();
        let read = Disk.read(path.to_str().unwrap());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read, Err(ReadError::TooLarge(LARGEST_FILE + 1)));
    }

    #[test]
    fn a_name_is_seen_from_the_directory_of_its_file() {
        assert_eq!(
            join(&directory("/etc/keepalived/keepalived.conf"), "x/*.conf"),
            "/etc/keepalived/x/*.conf"
        );
        assert_eq!(join("/etc/keepalived", "/other"), "/other");
        assert_eq!(join(&directory("keepalived.conf"), "x"), "x");
    }

    #[test]
    fn a_position_counts_lines_and_characters_from_one() {
        let mut sources = SourceMap::default();
        let file = sources.add("x", "é a\n b");
        assert_eq!(
            sources.position(Span {
                file,
                start: 3,
                end: 4
            }),
            (1, 3)
        );
        assert_eq!(
            sources.position(Span {
                file,
                start: 6,
                end: 7
            }),
            (2, 2)
        );
    }
}
