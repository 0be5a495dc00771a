//! The table that says where the address of a virtual router goes when something fails.

use vipd::config::peers::failover::{Cause, Holders, Row};
use vipd::config::peers::{VirtualRouter, node_name};

/// Addresses in the line above the table.
const SHOWN: usize = 4;

/// `router`'s name, members and `rows`, aligned; every line ends with a line break.
pub(crate) fn truth_table(router: &VirtualRouter<'_>, rows: &[Row], files: &[String]) -> String {
    let mut text = format!(
        "virtual router {}: {}\n",
        router.vrid,
        some_addresses(router)
    );
    for member in &router.members {
        let file = files.get(member.node).map_or("", String::as_str);
        text += &format!(
            "  {} is {} in {file}\n",
            node_name(member.node),
            member.instance.name
        );
    }
    text.push('\n');

    let nodes = router.members.iter().map(|m| node_name(m.node));
    let header = std::iter::once("what fails".to_owned())
        .chain(nodes)
        .chain(["address on".to_owned(), "once mended".to_owned()]);
    let mut lines: Vec<Vec<String>> = vec![header.collect()];
    lines.extend(rows.iter().map(line));
    text + &aligned(&lines)
}

/// The addresses of a virtual router, as its first member lists them.
pub(crate) fn addresses(router: &VirtualRouter<'_>) -> Vec<String> {
    let first = router.members.first().map(|m| m.instance);
    let addresses = first
        .into_iter()
        .flat_map(|instance| instance.all_addresses());
    addresses.map(|a| a.address.to_string()).collect()
}

/// The first few addresses.
fn some_addresses(router: &VirtualRouter<'_>) -> String {
    let mut addresses = addresses(router);
    if addresses.len() > SHOWN {
        let left_out = addresses.split_off(SHOWN).len();
        addresses.push(format!("{left_out} more"));
    }
    addresses.join(", ")
}

fn what_fails(row: &Row) -> String {
    let nodes = match row.nodes.as_slice() {
        nodes if nodes.len() > 1 && nodes.len() == row.standings.len() => "every node".to_owned(),
        nodes => listed(nodes, "and"),
    };
    let alone = match row.dead.is_empty() {
        true => "",
        false => ", the last one",
    };
    match &row.cause {
        None => "nothing".to_owned(),
        Some(Cause::Host) if row.nodes.len() > 1 => format!("{nodes} die"),
        Some(Cause::Host) => format!("{nodes} dies"),
        Some(Cause::Interface(name)) => format!("{name} of {nodes} goes down"),
        Some(Cause::Script(name)) => format!("{name} fails on {nodes}{alone}"),
    }
}

/// `node 1`, `node 1 and node 2`, or `nodes 1 to 3` where they follow each other.
fn listed(nodes: &[usize], and: &str) -> String {
    match nodes {
        [first, .., last] if nodes.len() > 2 && last - first + 1 == nodes.len() => {
            format!("nodes {} to {}", first + 1, last + 1)
        }
        _ => {
            let names: Vec<String> = nodes.iter().map(|node| node_name(*node)).collect();
            names.join(&format!(" {and} "))
        }
    }
}

/// What fails, each member's standing, who holds the addresses meanwhile and who later.
fn line(row: &Row) -> Vec<String> {
    let mut now = who(&row.holders);
    if row.stuck.is_some() {
        now += ", does not move";
    }
    if !row.unheard.is_empty() {
        now += &format!(", and {} unheard", who(&row.unheard));
    }
    let later = if row.cause.is_some() {
        who(&row.mended)
    } else {
        String::new()
    };
    let standings = row.standings.iter().map(ToString::to_string);
    std::iter::once(what_fails(row))
        .chain(standings)
        .chain([now, later])
        .collect()
}

fn who(holders: &Holders) -> String {
    let names: Vec<String> = holders.iter().map(|node| node_name(*node)).collect();
    match names.as_slice() {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        several => format!("the higher address of {}", several.join(" and ")),
    }
}

/// Columns as wide as their widest cell, two blanks before each.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(column))
            .map(|c| c.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths);
        let padded: String = cells
            .map(|(cell, width)| format!("  {cell:width$}"))
            .collect();
        text += padded.trim_end();
        text.push('\n');
    }
    text
}
