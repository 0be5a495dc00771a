//! Pages that are made from the code are what the code says now.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes them.

#![expect(clippy::unwrap_used, reason = "a page that is not there ends the test")]

use std::path::Path;

/// Compares a page, or writes it.
fn page(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/{name} is stale: run with UPDATE_DOCS=1"
    );
}

#[test]
fn the_page_of_keywords_is_the_keyword_table() {
    page("keywords.md", &vipd::config::keyword::reference());
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
