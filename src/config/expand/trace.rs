//! Which parameter stands behind a place, so that a report can show both ends of it.

use std::collections::BTreeMap;

use crate::config::diagnostic::{Code, Diagnostic};
use crate::config::source::{FileId, Span};

/// Most uses that are remembered: reports of more would show nothing new.
const MOST_USES: usize = 100_000;

/// A place as a key: where it begins.
type Place = (FileId, u32);

/// Uses of parameters with their definitions.
#[derive(Debug, Default)]
pub(in crate::config) struct Trace {
    /// By where they are used: one line stands for them.
    inline: BTreeMap<Place, Use>,
    /// By where they are defined: their lines are read as if they stood at each use.
    blocks: BTreeMap<Place, Vec<Use>>,
    count: usize,
}

#[derive(Debug)]
struct Use {
    name: String,
    used: Span,
    defined: Span,
}

impl Trace {
    /// Remembers that `name` is used at `used`, and defined at `defined` in one or more lines.
    pub(super) fn record(&mut self, name: &str, used: Span, defined: Span, lines: usize) {
        self.count += 1;
        // A definition without a place is that of a generator's variable.
        if self.count > MOST_USES || defined.start == defined.end {
            return;
        }
        let traced = Use {
            name: name.to_owned(),
            used,
            defined,
        };
        if lines > 1 {
            let key = (defined.file, defined.start);
            self.blocks.entry(key).or_default().push(traced);
        } else {
            self.inline.entry((used.file, used.start)).or_insert(traced);
        }
    }

    /// Adds the other end of the parameter behind the first place of each diagnostic.
    pub(in crate::config) fn explain(&self, diagnostics: &mut [Diagnostic]) {
        let mut seen: BTreeMap<(Code, Span), usize> = BTreeMap::new();
        for diagnostic in diagnostics {
            let Some(at) = diagnostic.labels.first().map(|label| label.span) else {
                continue;
            };
            let nth = seen.entry((diagnostic.code, at)).or_default();
            if let Some((span, text)) = self.other_end(at, *nth) {
                diagnostic
                    .labels
                    .push(crate::config::diagnostic::Label { span, text });
            }
            *nth += 1;
        }
    }

    /// Where the parameter behind `at` is defined, or else where its text is used for the
    /// `nth` time.
    fn other_end(&self, at: Span, nth: usize) -> Option<(Span, String)> {
        let end = at.end.max(at.start);
        let mut inline = self.inline.range((at.file, at.start)..(at.file, end));
        if let Some((_, traced)) = inline.next() {
            let text = format!("`${}` is defined here", traced.name);
            return Some((traced.defined, text));
        }
        let mut before = self.blocks.range(..=(at.file, at.start)).rev();
        let (_, uses) = before.next()?;
        let traced = uses.get(nth).or_else(|| uses.first())?;
        let inside = traced.defined.file == at.file && at.end <= traced.defined.end;
        inside.then(|| {
            let text = format!("in the expansion of `${}`", traced.name);
            (traced.used, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::source::Memory;
    use crate::config::{Options, load};

    /// Place and text of each label of the first diagnostic with `code`.
    fn labels(text: &str, code: u16) -> Vec<Vec<String>> {
        let reader = Memory::default().with("main", text);
        let loaded = load("main", &Options::default(), &reader);
        let found = loaded.diagnostics.iter().filter(|d| d.code.0 == code);
        let one = |label: &crate::config::diagnostic::Label| {
            let (line, _) = loaded.sources.position(label.span);
            format!("{line} {} {}", loaded.sources.text(label.span), label.text)
        };
        found.map(|d| d.labels.iter().map(one).collect()).collect()
    }

    #[test]
    fn a_value_in_one_line_shows_its_definition() {
        let text = "$P=300\nvrrp_instance V {\ninterface eth0\npriority $P\n}\n";
        assert_eq!(
            labels(text, 203),
            [["4 $P priority takes 1 to 255", "1 300 `$P` is defined here"]]
        );
    }

    #[test]
    fn a_line_of_a_block_shows_each_of_its_uses() {
        let text = "$VIPS=10.0.0.1/24 \\\n10.0.0.300/24 \\\n10.0.0.3/24\n\
             vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n$VIPS\n}\n}\n\
             vrrp_instance B {\ninterface eth1\nvirtual_router_id 1\nvirtual_ipaddress {\n$VIPS\n}\n}\n";
        let all = labels(text, 206);
        assert_eq!(
            all,
            [8, 15].map(|line| vec![
                "2 10.0.0.300/24 the line is ignored".to_owned(),
                format!("{line} $VIPS in the expansion of `$VIPS`"),
            ])
        );
    }

    #[test]
    fn text_outside_of_parameters_has_one_end() {
        let text = "$VIPS=10.0.0.1/24 \\\n10.0.0.2/24\nvrrp_instance V {\npriority 300\n}\n";
        assert_eq!(labels(text, 203)[0].len(), 1);
    }
}
