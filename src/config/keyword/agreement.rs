//! The table against the reference: names, blocks, versions and ranges, both ways.

use std::collections::BTreeSet;

use super::{Arguments, Block, Keyword, Support, since};

/// Ranges that differ, each with the reason.
const OTHER_RANGES: &[(&str, &str, &str)] = &[];

/// A registered keyword of the reference.
struct Row {
    place: String,
    block: Option<Block>,
    keyword: String,
    arguments: String,
    since: String,
}

fn rows() -> Option<Vec<Row>> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/reference/keepalived-keywords.tsv"
    );
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: {path} is not here");
        return None;
    };
    let rows = text.lines().skip(1).filter_map(|line| {
        let columns: Vec<_> = line.split('\t').collect();
        (columns[7] == "registered").then(|| {
            let place = match columns[1] {
                "vrrp_track_file" => "track_file",
                "virtual_server/real_server/SSL_GET/url" => Block::Url.path(),
                other => other,
            };
            Row {
                place: place.to_owned(),
                block: Block::ALL.into_iter().find(|b| b.path() == place),
                keyword: columns[2].to_owned(),
                arguments: columns[3].to_owned(),
                since: columns[6].trim_end_matches('+').to_owned(),
            }
        })
    });
    Some(rows.collect())
}

impl Row {
    fn ours(&self) -> Option<&'static Keyword> {
        self.block?.keyword(&self.keyword)
    }

    fn name(&self) -> String {
        format!("{} {}", self.place, self.keyword)
    }
}

#[test]
fn table_and_reference_have_the_same_keywords() {
    let Some(rows) = rows() else { return };
    assert!(rows.len() > 500, "{}", rows.len());
    let missing = rows.iter().filter(|row| row.ours().is_none());
    let missing: Vec<_> = missing.map(Row::name).collect();
    assert_eq!(missing, Vec::<String>::new(), "only in the reference");
    let known: BTreeSet<_> = rows.iter().map(Row::name).collect();
    let mut extra = Vec::new();
    for block in Block::ALL {
        let ours = block
            .keywords()
            .map(|k| format!("{} {}", block.path(), k.name));
        extra.extend(ours.filter(|name| !known.contains(name)));
    }
    assert_eq!(extra, Vec::<String>::new(), "only in the table");
}

#[test]
fn every_keyword_says_what_it_is_for_and_whether_it_works() {
    for block in Block::ALL {
        for keyword in block.keywords() {
            let name = format!("{} {}", block.path(), keyword.name);
            assert!(!keyword.help.is_empty(), "{name}");
            match keyword.support {
                Support::Works => {}
                Support::Inactive(text) | Support::Accepted(text) => {
                    assert!(!text.is_empty() && text != "this option", "{name}");
                }
            }
        }
    }
}

#[test]
fn table_and_reference_know_the_same_versions() {
    let Some(rows) = rows() else { return };
    for row in rows.iter().filter(|row| row.block.is_some()) {
        let ours = row
            .block
            .and_then(|block| since::since(block, &row.keyword));
        assert_eq!(ours.unwrap_or_default(), row.since, "{}", row.name());
    }
}

#[test]
fn table_and_reference_have_the_same_ranges() {
    let Some(rows) = rows() else { return };
    let (mut compared, mut differ) = (0, Vec::new());
    for row in &rows {
        let (Some(theirs), Some(ours)) = (range(&row.arguments), row.ours().and_then(bounds))
        else {
            continue;
        };
        compared += 1;
        let excused = OTHER_RANGES
            .iter()
            .any(|(block, keyword, _)| (*block, *keyword) == (&*row.place, &*row.keyword));
        if ours != theirs && !excused {
            differ.push(format!("{}: {ours:?}, reference {theirs:?}", row.name()));
        }
    }
    println!("{compared} ranges compared");
    assert_eq!(differ, Vec::<String>::new());
    assert!(compared > 100, "{compared}");
}

/// The first `A..B` of a syntax, in millionths.
fn range(syntax: &str) -> Option<(i128, i128)> {
    let word = syntax
        .split([' ', '[', ']', '|'])
        .find(|w| w.contains(".."))?;
    let (low, high) = word.split_once("..")?;
    Some((millionths(low)?, millionths(high)?))
}

fn millionths(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let negative = whole.starts_with('-');
    let whole: i128 = whole.parse().ok()?;
    let fraction: i128 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let fraction = if negative { -fraction } else { fraction };
    Some(whole * 1_000_000 + fraction)
}

fn bounds(keyword: &Keyword) -> Option<(i128, i128)> {
    match keyword.arguments {
        Arguments::Integer { min, max, .. } => {
            Some((i128::from(min) * 1_000_000, i128::from(max) * 1_000_000))
        }
        Arguments::Decimal { min, max, .. } => Some((min.into(), max.into())),
        Arguments::Nothing
        | Arguments::Bool
        | Arguments::Choice(_)
        | Arguments::Interface
        | Arguments::Address
        | Arguments::Words(_)
        | Arguments::Optional(_)
        | Arguments::Script
        | Arguments::OptionalScript
        | Arguments::Block(_)
        | Arguments::NamedBlock(_)
        | Arguments::Entries
        | Arguments::NamedEntries => None,
    }
}
