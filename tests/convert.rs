//! `vipd convert`, both ways: the same model, and the comments where they belong.
#![expect(
    clippy::unwrap_used,
    reason = "a fixture that is not as it should be may end the test"
)]

use std::path::{Path, PathBuf};

use vipd::config::convert::{Converted, Refusal, convert};
use vipd::config::model::Config;
use vipd::config::source::{Disk, Memory};
use vipd::config::{Loaded, Options, load};

const CONF: &str = "\
# The web pair of the shop.
# Ask the network team before you change a VRID.

global_defs {
    router_id edge-1  # as in the inventory
}

! is nginx there?
vrrp_script nginx {
    script \"/usr/bin/pgrep nginx\"
    fall 2 # one miss is nothing
}

# Outside.
vrrp_instance WEB {
    state MASTER # the main one
    interface eth0
    # agreed with the switch people
    virtual_router_id 51
    priority 150
    authentication {
        auth_type PASS
        auth_pass \"s#cret\" # rotate in May
    }
    virtual_ipaddress {
        192.0.2.10/24 # www
        192.0.2.11/24
        # the old shop
        192.0.2.12/24
    }
    track_script {
        nginx # see above
    }
    # nothing else
}
# the end
";

const TOML: &str = r##"# Converted from keepalived.conf; includes and definitions are expanded.
# The web pair of the shop.
# Ask the network team before you change a VRID.

[global]
router_id = "edge-1" # as in the inventory
"##;

fn options() -> Options {
    Options::default()
}

fn from(name: &str, text: &str) -> Result<Converted, Refusal> {
    let reader = Memory::default().with(name, text);
    convert(name, &options(), &reader, |_| Vec::new())
}

fn to_toml(text: &str) -> String {
    from("keepalived.conf", text).unwrap().text
}

fn to_conf(text: &str) -> Converted {
    from("vipd.toml", text).unwrap()
}

fn model(name: &str, text: &str) -> Config {
    let reader = Memory::default().with(name, text);
    load(name, &options(), &reader).config
}

#[test]
fn comments_go_with_what_they_are_about() {
    let toml = to_toml(CONF);
    assert!(toml.starts_with(TOML), "{toml}");
    insta::assert_snapshot!("comments-toml", toml);
    let conf = to_conf(&toml);
    assert_eq!(conf.left_out, [""; 0]);
    insta::assert_snapshot!("comments-conf", conf.text);
}

#[test]
fn a_second_conversion_changes_nothing_any_more() {
    let toml = to_toml(CONF);
    let conf = to_conf(&toml).text;
    assert_eq!(to_toml(&conf), toml);
    assert_eq!(to_conf(&to_toml(&conf)).text, conf);
    assert_eq!(
        model("keepalived.conf", &conf),
        model("keepalived.conf", CONF)
    );
}

#[test]
fn what_keepalived_lacks_is_left_out_by_name() {
    let toml = "[instance.web]\ninterface = \"eth0\"\nvrid = 51\nlisten_before_lead = true\n\
        addresses = [\"192.0.2.10/24\"]\n";
    let conf = to_conf(toml);
    let left_out = "`listen_before_lead` of web has no place here and is left out";
    assert_eq!(conf.left_out, [left_out]);
    assert!(
        conf.text.contains(&format!("# {left_out}\n")),
        "{}",
        conf.text
    );
    let mut wanted = model("vipd.toml", toml);
    wanted.instances[0].protocol.listen_before_lead = false;
    assert_eq!(model("keepalived.conf", &conf.text), wanted);
}

#[test]
fn what_would_mean_something_else_is_refused() {
    let base = "interface = \"eth0\"\nvrid = 51\naddresses = [\"192.0.2.10/24\"]\n";
    let long = "x".repeat(1100);
    for (text, reason) in [
        (format!("[instance.'a\"b']\n{base}"), "a\"b"),
        (
            format!("[instance.web]\n{base}auth.password = 'se\"cret'\n"),
            "`auth_pass` of web",
        ),
        (
            format!("[instance.web]\n{base}notify = [\"/bin/x\", \"{long}\"]\n"),
            "`notify` of web",
        ),
        (
            format!("[global]\nrouter_id = 'x\"y z'\n[instance.web]\n{base}"),
            "global_defs",
        ),
    ] {
        match from("vipd.toml", &text) {
            Err(Refusal::Inexpressible(lines)) => {
                let lines = lines.join("\n");
                assert!(lines.contains(reason), "{reason}: {lines}");
                assert!(!lines.contains("se\"cret"), "{lines}");
            }
            other => panic!("{reason}: {other:?}"),
        }
    }
}

#[test]
fn defaults_and_includes_are_expanded() {
    let main = "include = \"vipd.d/*.toml\"\n\n# for all\n[defaults]\ninterface = \"eth0\"\n\
        # fast\ninterval = \"100ms\"\nversion = 3\n";
    let web = "# the shop\n[instance.web]\nvrid = 51\naddresses = [\"192.0.2.10/24\"] # www\n";
    let reader = Memory::default()
        .with("/etc/vipd.toml", main)
        .with("/etc/vipd.d/web.toml", web);
    let loaded = load("/etc/vipd.toml", &options(), &reader);
    let conf = convert("/etc/vipd.toml", &options(), &reader, |_| Vec::new()).unwrap();
    assert_eq!(model("keepalived.conf", &conf.text), loaded.config);
    insta::assert_snapshot!("expanded", conf.text);
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![
        root.join("tests/config"),
        root.join("examples"),
        root.join("../shared/corpus/keepalived"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "conf") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Every file that can run says the same after one conversion, and after two; and from then on
/// the text is always the same.
#[test]
fn every_file_means_the_same_in_the_other_language() {
    let (mut converted, mut refused, mut instances) = (0, 0, 0);
    let files = files();
    for path in &files {
        let shown = path.display();
        let path = path.to_str().unwrap();
        let conf = load(path, &options(), &Disk);
        if conf.is_refused() {
            refused += 1;
            continue;
        }
        let remarks = |loaded: &Loaded| {
            loaded
                .diagnostics
                .iter()
                .map(|d| d.message.clone())
                .collect()
        };
        let toml = convert(path, &options(), &Disk, remarks);
        let toml = toml.unwrap_or_else(|e| panic!("{shown}: {e:?}")).text;
        assert_eq!(model("vipd.toml", &toml), conf.config, "{shown}\n{toml}");
        let again = from("vipd.toml", &toml);
        let again = again.unwrap_or_else(|e| panic!("{shown}: {e:?}\n{toml}"));
        assert_eq!(again.left_out, [""; 0], "{shown}");
        let again = again.text;
        assert_eq!(
            model("keepalived.conf", &again),
            conf.config,
            "{shown}\n{again}"
        );
        assert_eq!(to_toml(&again), toml, "{shown}\n{again}");
        instances += conf.config.instances.len();
        converted += 1;
    }
    println!("{converted} files with {instances} instances, {refused} that cannot run");
    assert!(converted >= 6 && instances >= 6);
}

#[test]
fn a_quote_in_a_word_is_not_lost() {
    let instance =
        "[instance.web]\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"192.0.2.1/24\"]\n";
    for name in [r#"'""'"#, r#"'a"b'"#, r#"'"'"#] {
        let text = format!("[process]\nname = {name}\n{instance}");
        let files = Memory::default().with("vipd.toml", text);
        let refused = convert("vipd.toml", &Options::default(), &files, |_| Vec::new());
        let Err(Refusal::Inexpressible(why)) = refused else {
            unreachable!("{name} became {refused:?}");
        };
        assert_eq!(
            why,
            ["`global_defs` cannot be written: it would be another"]
        );
    }
}
