//! `vipd check` as an operator sees it: the founding pair, its correction, and wrong files.

use std::path::Path;
use std::process::Command;

/// Runs `vipd check` with `arguments` in `folder`: exit status, then what it prints.
fn check(folder: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vipd"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .arg("check")
        .args(arguments)
        .output()
        .expect("vipd starts");
    let printed = String::from_utf8(output.stdout).expect("the report is UTF-8");
    let complaint = String::from_utf8(output.stderr).expect("the complaint is UTF-8");
    let status = output.status.code().expect("vipd ends by itself");
    let report = format!("exit status {status}\n\n{printed}{complaint}");
    report.replace(env!("CARGO_MANIFEST_DIR"), "")
}

const PAIR: &str = "examples/nginx-pair";
const SEED: [&str; 2] = ["seed/keepalived-master.conf", "seed/keepalived-backup.conf"];

#[test]
fn the_founding_pair_does_not_move_when_nginx_dies() {
    let report = check(PAIR, &SEED);
    assert!(
        report.contains(
            "when check_nginx fails on node 1, the address does not move: 100 against 99"
        )
    );
    assert!(report.contains("weight -2 or lower"));
    insta::assert_snapshot!(report);
}

#[test]
fn the_corrected_pair_moves() {
    insta::assert_snapshot!(check(PAIR, &["node1.conf", "node2.conf"]));
}

#[test]
fn the_example_shows_what_check_really_prints() {
    let readme = include_str!("../examples/nginx-pair/README.md");
    for files in [SEED, ["node1.conf", "node2.conf"]] {
        let report = check(PAIR, &files);
        let (_, printed) = report
            .split_once("\n\n")
            .expect("a report follows the status");
        assert!(readme.contains(printed), "{printed}");
    }
}

#[test]
fn the_report_as_json_can_be_read_by_a_program() {
    let report = check(PAIR, &["--json", SEED[0], SEED[1]]);
    let (_, json) = report
        .split_once("\n\n")
        .expect("a report follows the status");
    let report: serde_json::Value = serde_json::from_str(json).expect("it is JSON");
    let failures = report["virtual_routers"][0]["failures"]
        .as_array()
        .expect("there is a table");
    let nginx = failures
        .iter()
        .find(|f| f["what"] == "check_nginx")
        .expect("nginx is tracked");
    assert_eq!(nginx["priorities"], serde_json::json!([100, 99]));
    assert_eq!(
        (&nginx["holders"], &nginx["stuck"]),
        (&serde_json::json!([1]), &true.into())
    );
}

#[test]
fn every_mistake_in_a_file_is_shown_with_its_place() {
    insta::assert_snapshot!(check("tests/check", &["wrong.conf"]));
}

#[test]
fn what_does_not_fit_between_two_files_is_an_error() {
    insta::assert_snapshot!(check("tests/check", &["disagree1.conf", "disagree2.conf"]));
}

#[test]
fn one_line_for_each_problem_is_enough_for_an_editor() {
    insta::assert_snapshot!(check(
        "tests/check",
        &["--short", "disagree1.conf", "disagree2.conf"]
    ));
}

#[test]
fn no_report_shows_a_password() {
    for files in [&["wrong.conf"][..], &["disagree1.conf", "disagree2.conf"]] {
        for format in [&[][..], &["--short"], &["--json"], &["--format", "sarif"]] {
            let report = check("tests/check", &[format, files].concat());
            assert!(
                !report.contains("swordf") && !report.contains("catfish"),
                "{report}"
            );
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_status_2() {
    insta::assert_snapshot!(check(PAIR, &["node1.conf", "node3.conf"]));
}

#[test]
fn a_code_is_explained_with_an_example_and_the_mend() {
    insta::assert_snapshot!(check(".", &["--explain", "K0203"]));
    assert!(check(".", &["--explain", "K0999"]).starts_with("exit status 2"));
}

#[test]
fn a_keyword_is_explained_in_each_block_that_has_it() {
    insta::assert_snapshot!(check(".", &["--explain", "weight"]));
    let slip = check(".", &["--explain", "vrrp_garp_master_dely"]);
    assert!(slip.starts_with("exit status 2"));
    assert!(
        slip.contains("did you mean vrrp_garp_master_delay?"),
        "{slip}"
    );
}

#[test]
fn each_file_is_read_as_its_node_reads_it() {
    let file = "tests/check/both.conf";
    let report = check(".", &["--short", "-i", "one", file, "-i", "two", file]);
    assert!(report.starts_with("exit status 0"), "{report}");
    let json = check(".", &["--json", "-i", "one", file, "-i", "two", file]);
    assert!(json.contains("both.conf (@one)") && json.contains("both.conf (@two)"));
    let members = json.matches("\"instance\": \"VI_1\"").count();
    assert_eq!(members, 2, "{json}");
    // Without the identities, both are the same node.
    let same = check(".", &["--short", file, file]);
    assert!(same.starts_with("exit status 1"), "{same}");
    let wrong = check(".", &[file, file, "-i", "one"]);
    assert!(wrong.contains("must stand before the file"), "{wrong}");
}

#[test]
fn the_report_as_sarif_has_rules_and_places() {
    let report = check("tests/check", &["--format=sarif", "wrong.conf"]);
    let (_, sarif) = report
        .split_once("\n\n")
        .expect("a report follows the status");
    let report: serde_json::Value = serde_json::from_str(sarif).expect("it is JSON");
    let run = &report["runs"][0];
    let results = run["results"].as_array().expect("there are results");
    assert!(!results.is_empty());
    for result in results {
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert!(region["startLine"].as_u64() >= Some(1), "{result}");
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]));
    }
}

#[test]
fn files_in_both_languages_are_compared() {
    let report = check("tests/toml", &["pair.toml", "pair.conf"]);
    insta::assert_snapshot!(report);
}

#[test]
fn no_report_shows_a_password_of_a_toml_file() {
    for format in [&[][..], &["--short"], &["--json"], &["--format", "sarif"]] {
        let report = check("tests/toml", &[format, &["secrets.toml"]].concat());
        assert!(!report.contains("swordf"), "{report}");
    }
}

#[test]
fn a_converted_file_says_what_was_left_out() {
    let output = Command::new(env!("CARGO_BIN_EXE_vipd"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config"))
        .args(["convert", "later.conf"])
        .output()
        .expect("vipd starts");
    assert!(output.status.success());
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_trap_of_an_editor_or_an_old_version_is_explained() {
    insta::assert_snapshot!(check("tests/check", &["traps.conf"]));
}

#[test]
fn eight_nodes_are_played_through_to_the_last_one() {
    let files: Vec<String> = (1..=8).map(|n| format!("node{n}.conf")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let report = check("tests/check/group", &files);
    assert!(report.contains("nodes 1 to 7 die"), "{report}");
    insta::assert_snapshot!(report);
}

#[test]
fn a_sync_group_moves_as_a_whole_in_the_table() {
    insta::assert_snapshot!(check("tests/check/group", &["edge1.conf", "edge2.conf"]));
}

#[test]
fn a_sync_group_that_its_priorities_tear_apart_is_found() {
    let report = check("tests/check/group", &["edge1.conf", "edge2-apart.conf"]);
    assert!(report.contains("K0616"), "{report}");
}

#[test]
fn notes_are_for_who_asks() {
    let plain = check(PAIR, &["node1.conf"]);
    assert!(plain.ends_with("no problems\n"), "{plain}");
    let notes = check(PAIR, &["--notes", "--short", "node1.conf"]);
    assert!(
        notes.contains("K0446") && notes.contains("K0448"),
        "{notes}"
    );
}

#[test]
fn this_host_is_asked_for_what_only_it_knows() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("vipd-here-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    let (program, file) = (folder.join("chk.sh"), folder.join("a.conf"));
    std::fs::write(&program, "#!/bin/sh\n").expect("a program");
    let mode = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&program, mode).expect("its mode");
    let text = format!(
        "vrrp_script chk {{\nscript {}\nuser root\n}}\nvrrp_instance V {{\ninterface \
         no-such-if\nvirtual_router_id 77\ntrack_script {{\nchk\n}}\nvirtual_ipaddress \
         {{\n192.0.2.1/24\n}}\n}}\n",
        program.display()
    );
    std::fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("a name");
    let (plain, here) = (check(".", &[file]), check(".", &["--here", file]));
    std::fs::remove_dir_all(&folder).expect("it was there");
    assert!(
        !plain.contains("K0460") && !plain.contains("K0430"),
        "{plain}"
    );
    assert!(here.contains("K0460"), "{here}");
    // Who runs this may not be root, and then owns the program.
    let bit = here.contains("chk.sh is writable by everybody (mode bit 002)");
    assert!(bit || here.contains("is owned by user"), "{here}");
}
