//! `docs/conformance.md` has every row, and every test that it names exists.
#![allow(clippy::unwrap_used, reason = "a test may panic, and says why")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROWS: usize = 99;

fn tests_in(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, names);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let functions = text
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("fn "));
            names.extend(
                functions
                    .filter_map(|f| f.split(['(', '<']).next())
                    .map(str::to_owned),
            );
        }
    }
}

#[test]
fn every_requirement_names_a_test_that_exists_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/conformance.md")).unwrap();
    let mut names = BTreeSet::new();
    tests_in(&root.join("src"), &mut names);
    tests_in(&root.join("tests"), &mut names);
    let mut expected = 1;
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let Ok(number) = cells.first().unwrap().parse::<usize>() else {
            continue;
        };
        assert_eq!(number, expected, "rows are in order and none is missing");
        expected += 1;
        let shown = cells.last().unwrap();
        // A test's name is a sentence; other code in a reason is shorter.
        let quoted = shown.split('`').skip(1).step_by(2);
        let tests: Vec<_> = quoted.filter(|q| q.matches('_').count() > 2).collect();
        for test in &tests {
            assert!(
                names.contains(*test),
                "row {number}: there is no test `{test}`"
            );
        }
        let reason = ["kernel:", "operator:", "open:"]
            .iter()
            .any(|r| shown.contains(r));
        assert!(
            reason || !tests.is_empty(),
            "row {number} shows nothing: {shown}"
        );
    }
    assert_eq!(expected - 1, ROWS);
}
