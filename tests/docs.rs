//! Pages that are made from the code are what the code says now.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes them.

#![allow(clippy::unwrap_used, reason = "a test may panic, and says why")]

mod common;

use common::{page, written};

#[test]
fn the_page_of_keywords_is_the_keyword_table() {
    page("keywords.md", &vipd::config::keyword::reference());
}

/// What `vipd` prints.
fn printed(arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vipd"));
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn manual_pages_and_completions_are_those_of_the_command_line() {
    for (call, also) in [("vipd", None), ("keepalived", Some("--keepalived"))] {
        let with = |words: &[&str]| {
            let words: Vec<_> = words.iter().copied().chain(also).collect();
            printed(&words)
        };
        written("packaging", &format!("{call}.8"), &with(&["man"]));
        for (shell, name) in [
            ("bash", format!("{call}.bash")),
            ("zsh", format!("_{call}")),
            ("fish", format!("{call}.fish")),
        ] {
            let script = with(&["completion", shell]);
            assert!(script.contains(call), "{shell}");
            written("packaging/completions", &name, &script);
        }
    }
    // The words of a keyword are completed too.
    let bash = printed(&["completion", "bash"]);
    assert!(bash.contains("vrrp_garp_master_delay") && bash.contains("K0203"));
    assert!(printed(&["man", "--keepalived"]).contains("dont\\-release\\-vrrp"));
}

#[test]
fn the_schema_is_that_of_the_toml_reader() {
    page("vipd.schema.json", &vipd::config::toml::schema());
}

#[test]
fn the_schema_has_the_ranges_of_the_keyword_table() {
    use vipd::config::keyword::{Arguments, Block};
    let schema: serde_json::Value = serde_json::from_str(&vipd::config::toml::schema()).unwrap();
    let range = |table: &str, key: &str| {
        let property = &schema["$defs"][table]["properties"][key];
        (property["minimum"].as_i64(), property["maximum"].as_i64())
    };
    for (table, key, block, keyword) in [
        ("Instance", "vrid", Block::Instance, "virtual_router_id"),
        ("Instance", "priority", Block::Instance, "priority"),
        (
            "Instance",
            "missed_adverts",
            Block::Instance,
            "down_timer_adverts",
        ),
        ("Unicast", "ttl", Block::Instance, "unicast_ttl"),
        ("Script", "weight", Block::TrackScript, "weight"),
        ("Hmac", "active", Block::AuthHmac, "active_key"),
        ("Firewall", "priority", Block::Globals, "nftables_priority"),
    ] {
        let Some(Arguments::Integer { min, max, .. }) = block.keyword(keyword).map(|k| k.arguments)
        else {
            panic!("{keyword} is a number");
        };
        assert_eq!(range(table, key), (Some(min), Some(max)), "{table}.{key}");
    }
}
