//! What the fuzzer has found worth keeping, replayed.

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

use std::fs;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("a corpus")
        .map(|e| e.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    for file in files {
        run(&fs::read(file).expect("a file"));
    }
}

#[test]
fn packets_replay() {
    replay("packet", bodies::packet);
}

#[test]
fn inputs_replay() {
    replay("inputs", bodies::inputs);
}

#[test]
fn configurations_replay() {
    replay("config", bodies::config);
}
