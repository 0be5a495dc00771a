//! Any bytes as a configuration, in either language.

use vipd::config::source::Memory;
use vipd::config::{Options, load};

pub(crate) fn config(data: &[u8]) {
    for name in ["main.conf", "main.toml"] {
        let files = Memory::default().with(name, data);
        let loaded = load(name, &Options::default(), &files);
        let _ = (loaded.is_refused(), loaded.exit_status());
        for diagnostic in &loaded.diagnostics {
            assert!(
                !diagnostic.message.is_empty(),
                "every finding says what it is"
            );
        }
    }
}
