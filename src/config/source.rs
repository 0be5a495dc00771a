//! Files and the places in them. Reading is a closure, so tests need no disk.

use std::ops::Range;

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
}

impl SourceMap {
    /// Adds a file and returns its id.
    pub fn add(&mut self, name: &str, text: &str) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceFile {
            name: name.to_owned(),
            text: text.to_owned(),
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
        let Some(before) = self
            .file(span.file)
            .and_then(|f| f.text.get(..span.start as usize))
        else {
            return (1, 1);
        };
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        (line, column)
    }
}
