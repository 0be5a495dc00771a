//! `docs/interop.md`: the matrix as a page.

use std::fmt::Write;
use std::process::Command;

use crate::cell::Cell;
use crate::node::Speaker;

const HEAD: &str = "\
# What runs beside what

Made by `tests/interop.rs` from what it has just seen: `UPDATE_DOCS=1 cargo test --test interop` writes it anew, and
the test fails where it differs. In every cell real daemons in network namespaces share one virtual router, and packets
on the wire are looked at:

* **Election**: the higher priority becomes active, alone.
* **Crash**: the active node loses its power; the other one takes over after three to four intervals of silence.
* **Preemption**: the crashed node returns and takes the addresses back.
* **Stop**: the active node is told to end and sends priority 0; the other one takes over at once.

\"Both roles\" means that each ran with vipd as the preferred node and with the peer as the preferred node.
";

const KEEPALIVED: &str = "2.2.7";
const FRR: &str = "8.4.4";

const PASSED: &str = "\
| Version | Family | Adverts | With | Election | Crash | Preemption | Stop |
|---|---|---|---|---|---|---|---|
";

const IMPOSSIBLE: &str = "\
| Version | Family | Adverts | With | Not possible because |
|---|---|---|---|---|
";

/// Whether the installed peers are of the versions that the page names.
pub fn peers_are_those_of_the_page() -> bool {
    let is = |program: &str, version: &str| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| {
            // keepalived says it on the error output.
            let said = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&said).contains(version)
        })
    };
    is("keepalived", KEEPALIVED) && is("/usr/lib/frr/vrrpd", FRR)
}

/// The page, once every cell that can be has passed.
pub fn render() -> String {
    let mut page = HEAD.to_owned();
    for (peer, title) in [
        (Speaker::Keepalived, format!("keepalived {KEEPALIVED}")),
        (
            Speaker::Frr,
            format!("FRR {FRR}, whose own side always has a virtual MAC"),
        ),
        (
            Speaker::Vipd,
            "vipd, as no peer in Debian has `auth_hmac`".to_owned(),
        ),
    ] {
        let cells: Vec<_> = Cell::all().into_iter().filter(|c| c.peer == peer).collect();
        write_section(&mut page, &title, &cells);
    }
    page
}

fn write_section(page: &mut String, title: &str, cells: &[Cell]) {
    let _ = write!(page, "\n## Beside {title}\n\n{PASSED}");
    for cell in cells.iter().filter(|cell| cell.obstacle().is_none()) {
        let passed = match cell.peer {
            Speaker::Vipd => "passed",
            Speaker::Keepalived | Speaker::Frr => "both roles",
        };
        write_row(page, *cell, &[passed; 4]);
    }
    if cells.iter().any(|cell| cell.obstacle().is_some()) {
        let _ = write!(page, "\n{IMPOSSIBLE}");
    }
    for cell in cells {
        if let Some(obstacle) = cell.obstacle() {
            write_row(page, *cell, &[obstacle]);
        }
    }
}

fn write_row(page: &mut String, cell: Cell, columns: &[&str]) {
    let names = [cell.version()].into_iter().chain(cell.options());
    let _ = write!(page, "|");
    for word in names.chain(columns.iter().copied()) {
        let _ = write!(page, " {word} |");
    }
    let _ = writeln!(page);
}
