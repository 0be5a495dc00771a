//! Pages that are made from the code are what the code says now.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes them.

mod common;

use common::page;

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
