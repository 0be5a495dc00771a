//! Diagnostics as text: whole, as a compiler shows them, or one line for a log.

use std::cell::OnceCell;
use std::io::IsTerminal;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use vipd::config::diagnostic::{Diagnostic, Label, Severity};
use vipd::config::source::{FileId, SourceMap};

use super::mask::Masked;

/// Shows diagnostics of the files in a [`SourceMap`], without the secrets in them.
pub(crate) struct Printer<'a> {
    sources: &'a SourceMap,
    /// Made for the first diagnostic that shows a line: most files have none.
    masked: OnceCell<Vec<Masked>>,
    renderer: Renderer,
}

/// Whether text for `stream` may be coloured: it is a terminal, and `NO_COLOR` is not set.
pub(crate) fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl<'a> Printer<'a> {
    pub(crate) fn new(sources: &'a SourceMap, colours: bool) -> Self {
        Self {
            sources,
            masked: OnceCell::new(),
            renderer: if colours {
                Renderer::styled()
            } else {
                Renderer::plain()
            },
        }
    }

    /// Message, places in their source lines and help; no line break at the end.
    pub(crate) fn whole(&self, diagnostic: &Diagnostic) -> String {
        let title = level(diagnostic.severity)
            .primary_title(diagnostic.message.as_str())
            .id(diagnostic.code.to_string());
        let mut group = Group::with_title(title).elements(self.snippets(&diagnostic.labels));
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        self.renderer.render(&[group])
    }

    /// `FILE:LINE:COLUMN: severity[CODE]: message`; the place is left out where there is none.
    pub(crate) fn line(&self, diagnostic: &Diagnostic) -> String {
        let Diagnostic {
            severity,
            code,
            message,
            labels,
            ..
        } = diagnostic;
        let severity = word(*severity);
        match labels.first().and_then(|label| self.place(label)) {
            Some((file, line, column)) => {
                format!("{file}:{line}:{column}: {severity}[{code}]: {message}")
            }
            None => format!("{severity}[{code}]: {message}"),
        }
    }

    fn masked(&self) -> &[Masked] {
        self.masked.get_or_init(|| {
            let files = self.sources.files();
            let masked = files.map(|file| Masked::new(&file.name, &file.text));
            masked.collect()
        })
    }

    /// File, line and column of `label`, both counted from 1.
    pub(crate) fn place(&self, label: &Label) -> Option<(&'a str, usize, usize)> {
        let file = self.sources.file(label.span.file)?;
        let (line, column) = self.sources.position(label.span);
        Some((&file.name, line, column))
    }

    /// One snippet for each file that `labels` name, the first label's file first.
    fn snippets(&self, labels: &'a [Label]) -> Vec<Snippet<'_, annotate_snippets::Annotation<'_>>> {
        let mut files: Vec<FileId> = Vec::new();
        for label in labels {
            if !files.contains(&label.span.file) {
                files.push(label.span.file);
            }
        }
        files
            .into_iter()
            .filter_map(|file| self.snippet(file, labels))
            .collect()
    }

    fn snippet<'s>(
        &'s self,
        id: FileId,
        labels: &'s [Label],
    ) -> Option<Snippet<'s, annotate_snippets::Annotation<'s>>> {
        let file = self.sources.file(id)?;
        let masked = self.masked().get(usize::try_from(id.0).ok()?)?;
        let shown =
            |label: &Label| masked.range(label.span.start as usize..label.span.end as usize);
        let here = labels
            .iter()
            .enumerate()
            .filter(|(_, label)| label.span.file == id);
        let ranges: Vec<(usize, Range<usize>, &str)> = here
            .map(|(i, label)| {
                (
                    i,
                    whole_characters(masked.text(), shown(label)),
                    &*label.text,
                )
            })
            .collect();
        let window = lines_around(masked.text(), ranges.iter().map(|(_, range, _)| range));
        let annotations = ranges.iter().map(|(i, range, text)| {
            let kind = if *i == 0 {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            let range = range.start - window.start..range.end - window.start;
            kind.span(range).label((!text.is_empty()).then_some(*text))
        });
        // A mask is on the line of its secret.
        let spans = labels.iter().map(|label| label.span);
        let first = spans
            .filter(|span| span.file == id)
            .min_by_key(|span| span.start)?;
        let (line, _) = self.sources.position(first);
        Some(
            Snippet::source(masked.text().get(window.clone())?)
                .line_start(line)
                .path(file.name.as_str())
                .annotations(annotations),
        )
    }
}

/// `range`, moved to the nearest characters of `text`.
fn whole_characters(text: &str, range: Range<usize>) -> Range<usize> {
    let floor = |at: usize| {
        (0..=at.min(text.len()))
            .rev()
            .find(|i| text.is_char_boundary(*i))
    };
    let start = floor(range.start).unwrap_or(0);
    start..floor(range.end).unwrap_or(0).max(start)
}

/// All lines from the first of `ranges` to the last, whole.
fn lines_around<'r>(
    text: &str,
    ranges: impl Iterator<Item = &'r Range<usize>> + Clone,
) -> Range<usize> {
    let first = ranges.clone().map(|range| range.start).min().unwrap_or(0);
    let last = ranges.map(|range| range.end).max().unwrap_or(0);
    let start = text
        .get(..first)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |i| i + 1);
    let end = text
        .get(last..)
        .and_then(|after| after.find('\n'))
        .map_or(text.len(), |i| last + i);
    start..end
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Advice => Level::NOTE.with_name(word(severity)),
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    }
}

/// How a severity is called.
pub(crate) const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Advice => "advice",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// How many of each severity there are, for example `2 errors, 1 warning`.
pub(crate) fn summary(diagnostics: &[Diagnostic]) -> String {
    let severities = [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Advice, "piece of advice", "pieces of advice"),
    ];
    let mut counts = Vec::new();
    for (severity, one, many) in severities {
        match diagnostics
            .iter()
            .filter(|d| d.severity == severity)
            .count()
        {
            0 => {}
            1 => counts.push(format!("1 {one}")),
            count => counts.push(format!("{count} {many}")),
        }
    }
    if counts.is_empty() {
        "no problems".to_owned()
    } else {
        counts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vipd::config::diagnostic::{Class, Code};
    use vipd::config::source::Span;

    const PAIR: [(&str, &str); 2] = [
        (
            "node1.conf",
            "vrrp_instance VI_1 {\n    auth_pass 1234567890\n    advert_int 300\n}\n",
        ),
        ("node2.conf", "vrrp_instance VI_1 {\n    advert_int 1\n}\n"),
    ];

    fn sources() -> SourceMap {
        let mut sources = SourceMap::default();
        for (name, text) in PAIR {
            sources.add(name, text);
        }
        sources
    }

    fn span(file: u32, word: &str) -> Span {
        let at = u32::try_from(PAIR[file as usize].1.find(word).unwrap()).unwrap();
        Span {
            file: FileId(file),
            start: at,
            end: at + u32::try_from(word.len()).unwrap(),
        }
    }

    fn report(severity: Severity) -> Diagnostic {
        Diagnostic::new(
            severity,
            Code(214),
            Class::InvalidNumber,
            "advert_int is out of range",
        )
    }

    #[test]
    fn a_diagnostic_shows_its_places_in_every_file() {
        let sources = sources();
        let diagnostic = report(Severity::Error)
            .label(span(0, "300"), "VRRPv3 allows 0.01 to 40.95 seconds")
            .label(span(1, "advert_int 1"), "")
            .help("vrrp_version 2 allows 1 to 255");
        insta::assert_snapshot!(Printer::new(&sources, false).whole(&diagnostic), @r"
        error[K0214]: advert_int is out of range
         --> node1.conf:3:16
          |
        3 |     advert_int 300
          |                ^^^ VRRPv3 allows 0.01 to 40.95 seconds
          |
         ::: node2.conf:2:5
          |
        2 |     advert_int 1
          |     ------------
          |
          = help: vrrp_version 2 allows 1 to 255
        ");
    }

    #[test]
    fn a_password_is_masked_where_it_is_pointed_at() {
        let sources = sources();
        let diagnostic = report(Severity::Warning)
            .label(span(0, "1234567890"), "only 8 bytes count")
            .label(span(0, "300"), "");
        insta::assert_snapshot!(Printer::new(&sources, false).whole(&diagnostic), @r"
        warning[K0214]: advert_int is out of range
         --> node1.conf:2:15
          |
        2 |     auth_pass ********
          |               ^^^^^^^^ only 8 bytes count
        3 |     advert_int 300
          |                ---
        ");
    }

    #[test]
    fn a_place_at_the_end_of_the_file_or_outside_it_is_no_trouble() {
        let sources = sources();
        let end = u32::try_from(PAIR[1].1.len()).unwrap();
        for (start, stop) in [(end, end), (end + 5, end + 9), (3, 2)] {
            let span = Span {
                file: FileId(1),
                start,
                end: stop,
            };
            let text =
                Printer::new(&sources, false).whole(&report(Severity::Error).label(span, "x"));
            assert!(text.contains("node2.conf"), "{text}");
        }
        let nowhere = Span {
            file: FileId(9),
            start: 0,
            end: 1,
        };
        Printer::new(&sources, false).whole(&report(Severity::Error).label(nowhere, "x"));
    }

    #[test]
    fn a_log_gets_one_line() {
        let sources = sources();
        let printer = Printer::new(&sources, false);
        let placed = report(Severity::Warning).label(span(0, "300"), "");
        assert_eq!(
            printer.line(&placed),
            "node1.conf:3:16: warning[K0214]: advert_int is out of range"
        );
        assert_eq!(
            printer.line(&report(Severity::Advice)),
            "advice[K0214]: advert_int is out of range"
        );
    }

    #[test]
    fn the_summary_counts_what_there_is() {
        let all = [Severity::Error, Severity::Warning, Severity::Error].map(report);
        assert_eq!(summary(&all), "2 errors, 1 warning");
        assert_eq!(summary(&[]), "no problems");
        assert_eq!(summary(&[report(Severity::Advice)]), "1 piece of advice");
    }
}
