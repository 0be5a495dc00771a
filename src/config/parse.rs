//! Statements and blocks, with keepalived's ways of going on after a mistake.
//!
//! keepalived-syntax.md §3: an unknown keyword costs its line alone; braces that do not fit are
//! reported and passed over.

use std::collections::VecDeque;

use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::expand::{Expander, Trace};
use super::keyword::{Arguments, Block, Keyword, did_you_mean};
use super::lex::{Line, Token, TokenKind, push_words};
use super::source::{SourceMap, Span};

/// A keyword with what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The row of the keyword table.
    pub keyword: &'static Keyword,
    /// The words after the keyword.
    pub arguments: Vec<Token>,
    /// The block it opens.
    pub body: Body,
    /// The keyword itself.
    pub span: Span,
    /// All of the line after the keyword, for scripts; empty for all others.
    pub script: Line,
}

impl Statement {
    /// From the keyword to its last argument.
    #[must_use]
    pub fn whole(&self) -> Span {
        self.arguments
            .last()
            .map_or(self.span, |last| self.span.to(last.span))
    }

    /// The text of an argument.
    #[must_use]
    pub fn argument(&self, index: usize) -> Option<&str> {
        self.arguments.get(index).map(|t| t.text.as_str())
    }
}

/// What stands between the braces of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// There are none.
    None,
    /// Statements.
    Block(Vec<Statement>),
    /// One entry a line.
    Entries(Vec<Entry>),
}

/// A line of a block of entries, e.g. an address with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its words, at least one.
    pub words: Vec<Token>,
    /// From the first to the last.
    pub span: Span,
}

/// All that was parsed.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) statements: Vec<Statement>,
    pub(super) sources: SourceMap,
    pub(super) trace: Trace,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Parses all that an expander yields.
pub(super) fn parse(expander: Expander<'_>) -> Parsed {
    let mut parser = Parser {
        expander,
        line: Line::empty(),
        tokens: VecDeque::new(),
        unclosed: Vec::new(),
    };
    let statements = parser.block(Block::Root, None);
    parser.report_unclosed();
    Parsed {
        statements,
        sources: parser.expander.sources,
        trace: parser.expander.trace,
        diagnostics: parser.expander.diagnostics,
    }
}

struct Parser<'a> {
    expander: Expander<'a>,
    line: Line,
    /// What is left of it.
    tokens: VecDeque<Token>,
    /// Where the blocks were opened that the end of the file cut off.
    unclosed: Vec<Span>,
}

/// What stands between two braces or ends of lines.
enum Phrase {
    /// The first and the others.
    Words(Token, Vec<Token>),
    Open(Token),
    Close(Token),
}

impl Parser<'_> {
    /// Whether there is a token, on this line or a later one.
    fn fill(&mut self) -> bool {
        while self.tokens.is_empty() {
            let Some(line) = self.expander.next_line() else {
                return false;
            };
            push_words(&line, &mut self.tokens);
            self.line = line;
        }
        true
    }

    fn phrase(&mut self) -> Option<Phrase> {
        if !self.fill() {
            return None;
        }
        let first = self.tokens.pop_front()?;
        match first.kind {
            TokenKind::Open => Some(Phrase::Open(first)),
            TokenKind::Close => Some(Phrase::Close(first)),
            TokenKind::Word | TokenKind::Quoted => {
                let others = self.tokens.iter().take_while(|t| t.is_word()).count();
                Some(Phrase::Words(first, self.tokens.drain(..others).collect()))
            }
        }
    }

    /// The statements up to the `}` of this block; `opener` is nothing outside of all blocks.
    fn block(&mut self, block: Block, opener: Option<Span>) -> Vec<Statement> {
        let mut statements = Vec::new();
        loop {
            match (self.phrase(), opener) {
                (None, None) | (Some(Phrase::Close(_)), Some(_)) => return statements,
                (None, Some(span)) => {
                    self.unclosed.push(span);
                    return statements;
                }
                (Some(Phrase::Open(token)), _) => self.report(
                    Diagnostic::new(
                        Severity::Warning,
                        Code(311),
                        Class::UnexpectedOpen,
                        "a block begins here, but nothing opens one",
                    )
                    .label(token.span, "ignored"),
                ),
                (Some(Phrase::Close(token)), None) => self.report(
                    Diagnostic::new(
                        Severity::Warning,
                        Code(313),
                        Class::UnexpectedClose,
                        "a block ends here, but none is open",
                    )
                    .label(token.span, "ignored"),
                ),
                (Some(Phrase::Words(first, others)), _) => {
                    statements.extend(self.statement(block, &first, others));
                }
            }
        }
    }

    fn statement(
        &mut self,
        block: Block,
        first: &Token,
        arguments: Vec<Token>,
    ) -> Option<Statement> {
        let Some(keyword) = block.keyword(&first.text) else {
            self.unknown(block, first);
            return None;
        };
        let script = match (keyword.arguments.is_script(), arguments.last()) {
            (true, Some(last)) => self.line.part(first.end, last.end),
            _ => Line::empty(),
        };
        match keyword.name {
            "include_check" => self.expander.include_check(&arguments),
            "random_seed" => self.expander.seed(arguments.first()),
            _ => {}
        }
        let body = self.body(keyword, first, &arguments)?;
        Some(Statement {
            keyword,
            arguments,
            body,
            span: first.span,
            script,
        })
    }

    /// What follows a keyword in braces; nothing if the statement is to be passed over.
    fn body(&mut self, keyword: &Keyword, first: &Token, arguments: &[Token]) -> Option<Body> {
        let opens = keyword.arguments.block();
        if opens.is_none() && !keyword.arguments.is_entries() {
            return Some(Body::None);
        }
        if keyword.arguments.is_required() && arguments.is_empty() {
            self.nameless(first);
            self.skip_block();
            return None;
        }
        if keyword.arguments == Arguments::Entries
            && let Some(extra) = arguments.first()
        {
            self.report(
                Diagnostic::new(
                    Severity::Warning,
                    Code(316),
                    Class::General,
                    format!("`{}` takes no name", keyword.name),
                )
                .label(extra.span, "ignored"),
            );
        }
        self.expect_open(first);
        Some(match opens {
            Some(block) => Body::Block(self.block(block, Some(first.span))),
            None => Body::Entries(self.entries(first.span)),
        })
    }

    fn entries(&mut self, opener: Span) -> Vec<Entry> {
        let mut entries = Vec::new();
        loop {
            let words = match self.phrase() {
                None => {
                    self.unclosed.push(opener);
                    return entries;
                }
                Some(Phrase::Close(_)) => return entries,
                Some(Phrase::Open(token)) => (token, Vec::new()),
                Some(Phrase::Words(first, others)) => (first, others),
            };
            let (first, mut words) = words;
            let last = words.last().map_or(first.span, |last| last.span);
            let span = first.span.to(last);
            words.insert(0, first);
            entries.push(Entry { words, span });
        }
    }

    /// Takes the `{` of a block; without one the block is open all the same.
    fn expect_open(&mut self, opener: &Token) {
        if self.fill() && !self.next_is_open() {
            self.report(
                Diagnostic::new(
                    Severity::Warning,
                    Code(312),
                    Class::MissingOpen,
                    format!("the `{{` after `{}` is missing", opener.text),
                )
                .label(opener.span, "this opens a block"),
            );
        }
    }

    /// Takes a `{` if that is what comes next.
    fn next_is_open(&mut self) -> bool {
        let open = |t: &Token| t.kind == TokenKind::Open;
        let found = self.tokens.front().is_some_and(open);
        if found {
            self.tokens.pop_front();
        }
        found
    }

    /// Passes over a block whose keyword cannot be used.
    fn skip_block(&mut self) {
        if !self.fill() || !self.next_is_open() {
            return;
        }
        let mut depth = 1_usize;
        while depth > 0 {
            match self.phrase() {
                None => return,
                Some(Phrase::Open(_)) => depth += 1,
                Some(Phrase::Close(_)) => depth -= 1,
                Some(Phrase::Words(..)) => {}
            }
        }
    }

    fn nameless(&mut self, keyword: &Token) {
        // keepalived's reading ends here, save for an instance.
        let class = match keyword.text.as_str() {
            "vrrp_instance" | "vrrp_sync_group" => Class::General,
            _ => Class::MissingParameter,
        };
        self.report(
            Diagnostic::new(
                Severity::Error,
                Code(315),
                class,
                format!("`{}` needs a name", keyword.text),
            )
            .label(keyword.span, "the block is ignored")
            .help(format!("write `{} NAME {{`", keyword.text)),
        );
    }

    fn unknown(&mut self, block: Block, word: &Token) {
        let mut diagnostic = Diagnostic::new(
            Severity::Warning,
            Code(310),
            Class::UnknownKeyword,
            format!("unknown keyword `{}`{}", word.text, place(block)),
        )
        .label(word.span, "the line is ignored");
        diagnostic.help = hint(block, &word.text);
        self.report(diagnostic);
    }

    fn report_unclosed(&mut self) {
        let spans = std::mem::take(&mut self.unclosed);
        let Some(innermost) = spans.first() else {
            return;
        };
        let count = spans.len();
        let mut diagnostic = Diagnostic::new(
            Severity::Warning,
            Code(314),
            Class::MissingClose,
            match count {
                1 => "a `}` is missing at the end".to_owned(),
                n => format!("{n} `}}` are missing at the end"),
            },
        )
        .label(*innermost, "this block is not closed");
        for outer in spans.iter().skip(1) {
            diagnostic = diagnostic.label(*outer, "nor is this one");
        }
        self.report(diagnostic);
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.expander.diagnostics.push(diagnostic);
    }
}

/// Where a keyword was looked for, to end a sentence with.
fn place(block: Block) -> String {
    match block.path().rsplit('/').next() {
        Some(name) if block != Block::Root => format!(" in `{name}`"),
        _ => String::new(),
    }
}

/// Keywords of older keepalived, and what took their place.
const REMOVED: [(&str, &str); 3] = [
    ("lvs_id", "write `router_id`"),
    (
        "nat_mask",
        "take it out: forwarding by NAT needs no mask any more",
    ),
    (
        "lvs_sync_daemon_inteface",
        "write `lvs_sync_daemon` in `global_defs`",
    ),
];

/// What may have been meant by an unknown keyword.
fn hint(block: Block, word: &str) -> Option<String> {
    if let Some((_, instead)) = REMOVED.iter().find(|(old, _)| *old == word) {
        return Some(format!("it was removed from keepalived: {instead}"));
    }
    if word.contains('\u{a0}') {
        return Some("there is a no-break space in it: write an ordinary one".to_owned());
    }
    misplaced(block, word).or_else(|| {
        let name = did_you_mean(word, block.keywords().map(|k| k.name))?;
        Some(format!("did you mean `{name}`?"))
    })
}

/// Where a keyword belongs that `block` does not have.
fn misplaced(block: Block, word: &str) -> Option<String> {
    let others = [
        Block::Instance,
        Block::Globals,
        Block::TrackScript,
        Block::Root,
    ];
    let other = others
        .into_iter()
        .find(|b| *b != block && b.keyword(word).is_some())?;
    Some(if other == Block::Root {
        format!("`{word}` stands outside of all blocks: is a `}}` missing?")
    } else {
        format!("`{word}` belongs in `{}`", other.path())
    })
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::source::Memory;
    use super::*;

    fn parsed(text: &str) -> Parsed {
        let reader = Memory::default().with("main", text);
        let options = Options::default();
        parse(Expander::new("main", &options, &reader))
    }

    fn shape(statements: &[Statement]) -> String {
        let one = |s: &Statement| {
            let words: Vec<_> = s.arguments.iter().map(|t| t.text.as_str()).collect();
            let body = match &s.body {
                Body::None => String::new(),
                Body::Block(inner) => format!("{{{}}}", shape(inner)),
                Body::Entries(entries) => format!(
                    "[{}]",
                    entries
                        .iter()
                        .map(|e| {
                            let words: Vec<_> = e.words.iter().map(|t| t.text.as_str()).collect();
                            words.join(" ")
                        })
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            };
            format!("{}({}){}", s.keyword.name, words.join(" "), body)
        };
        statements.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn classes(text: &str) -> Vec<Class> {
        parsed(text).diagnostics.iter().map(|d| d.class).collect()
    }

    #[test]
    fn blocks_may_be_written_in_many_ways() {
        let want = "vrrp_instance(V){priority(5) virtual_ipaddress()[10.0.0.1, 10.0.0.2 dev x]}";
        for text in [
            "vrrp_instance V {\npriority 5\nvirtual_ipaddress {\n10.0.0.1\n10.0.0.2 dev x\n}\n}",
            "vrrp_instance V{ priority 5\nvirtual_ipaddress\n{ 10.0.0.1\n10.0.0.2 dev x}}",
        ] {
            let parsed = parsed(text);
            assert_eq!(shape(&parsed.statements), want);
            assert_eq!(parsed.diagnostics, []);
        }
    }

    #[test]
    fn an_unknown_keyword_costs_its_line_alone() {
        let text = "vrrp_instance V {\nfoo {\npriority 5\n}\nstate BACKUP\n}\n";
        let parsed = parsed(text);
        assert_eq!(shape(&parsed.statements), "vrrp_instance(V){priority(5)}");
        assert_eq!(
            classes(text),
            [
                Class::UnknownKeyword,
                Class::UnexpectedOpen,
                Class::UnknownKeyword,
                Class::UnexpectedClose,
            ]
        );
    }

    #[test]
    fn an_unknown_keyword_gets_a_hint() {
        let help = |text| parsed(text).diagnostics[0].help.clone().unwrap_or_default();
        assert_eq!(help("vrrp_instnace V"), "did you mean `vrrp_instance`?");
        assert_eq!(
            help("priority 100"),
            "`priority` belongs in `vrrp_instance`"
        );
        assert!(help("vrrp_instance V { vrrp_script").contains("is a `}` missing?"));
    }

    #[test]
    fn a_missing_brace_is_reported_and_passed_over() {
        assert_eq!(
            classes("vrrp_instance V\npriority 5\n}"),
            [Class::MissingOpen]
        );
        assert_eq!(
            classes("vrrp_instance V { authentication {"),
            [Class::MissingClose]
        );
    }

    #[test]
    fn a_block_without_its_name_is_passed_over() {
        let text = "vrrp_instance {\npriority 5\nx {\n}\n}\nvrrp_instance V {\n}";
        assert_eq!(shape(&parsed(text).statements), "vrrp_instance(V){}");
        assert_eq!(classes(text), [Class::General]);
        assert_eq!(classes("vrrp_script {\n}"), [Class::MissingParameter]);
    }
}
