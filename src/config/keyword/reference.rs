//! The keyword table as a page for people.

use std::fmt::Write as _;

use super::{Arguments, Block, Keyword, Support, since};

/// Every block with its keywords, in Markdown. `docs/keywords.md` is this text.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Keywords of keepalived.conf\n\n\
         Made from the keyword table of vipd; a test compares. *Works*: as in keepalived 2.4.3.\n\
         *Inactive*: read and checked, and one warning says that it does nothing yet.\n\
         *Accepted*: there is nothing to do, for the reason given.\n\
         *Since* is the version of keepalived, where it is later than 2.2.7.\n",
    );
    for block in Block::ALL {
        let title = if block == Block::Root {
            "Outside of blocks".to_owned()
        } else {
            format!("`{}`", block.path())
        };
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## {title}\n\n\
             | Keyword | Arguments | Default | Since | Support | Meaning |\n\
             |---|---|---|---|---|---|\n"
        );
        for keyword in block.keywords() {
            page += &line(block, keyword);
        }
    }
    page
}

/// Everything there is to know of the keyword `name`, in each block that has it; nothing if
/// none has.
#[must_use]
pub fn explanation(name: &str) -> Option<String> {
    let mut text = String::new();
    for block in Block::ALL {
        let Some(keyword) = block.keyword(name) else {
            continue;
        };
        if !text.is_empty() {
            text.push('\n');
        }
        let place = if block == Block::Root {
            "outside of blocks".to_owned()
        } else {
            block.path().to_owned()
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}, in {place}: {}", keyword.help);
        let keepalived = since::since(block, name).map(|version| format!("since {version}"));
        let lines = [
            ("write", format!("{name} {}", arguments(keyword.arguments))),
            ("default", keyword.default.to_owned()),
            ("keepalived", keepalived.unwrap_or_default()),
            ("vipd", support(keyword)),
        ];
        for (label, line) in lines.iter().filter(|(_, line)| !line.is_empty()) {
            let _ = writeln!(text, "    {label:<12}{}", line.trim_end());
        }
    }
    (!text.is_empty()).then_some(text)
}

fn support(keyword: &Keyword) -> String {
    match keyword.support {
        Support::Works => "works".to_owned(),
        Support::Inactive(needs) => format!("inactive: needs {needs}"),
        Support::Accepted(why) => format!("accepted: {why}"),
    }
}

fn line(block: Block, keyword: &Keyword) -> String {
    format!(
        "| `{}` | {} | {} | {} | {} | {} |\n",
        keyword.name,
        cell(&arguments(keyword.arguments)),
        cell(keyword.default),
        since::since(block, keyword.name).unwrap_or_default(),
        cell(&support(keyword)),
        cell(keyword.help),
    )
}

fn arguments(arguments: Arguments) -> String {
    match arguments {
        Arguments::Nothing => String::new(),
        Arguments::Bool => "[on, off]".to_owned(),
        Arguments::Integer { unit, min, max } => format!("{min} to {max}{unit}"),
        Arguments::Decimal { unit, min, max } => {
            format!("{} to {}{unit}", decimal(min), decimal(max))
        }
        Arguments::Choice(words) => words.join(", "),
        Arguments::Interface => "INTERFACE".to_owned(),
        Arguments::Address => "ADDRESS".to_owned(),
        Arguments::Words(syntax) | Arguments::Optional(syntax) => syntax.to_owned(),
        Arguments::Script => "COMMAND [USER [GROUP]]".to_owned(),
        Arguments::OptionalScript => "[COMMAND [USER [GROUP]]]".to_owned(),
        Arguments::Block(_) => "{ keywords }".to_owned(),
        Arguments::NamedBlock(_) => "NAME { keywords }".to_owned(),
        Arguments::Entries => "{ one entry a line }".to_owned(),
        Arguments::NamedEntries => "NAME { one entry a line }".to_owned(),
    }
}

/// Millionths as a decimal number.
fn decimal(millionths: u64) -> String {
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
