//! Odd corners of the language: `vipd -t` answers as the keepalived that is installed (2.2.7 here).
//!
//! Each row is a file, and where 2.4.3 answers otherwise, why. keepalived-syntax.md.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::process::Command;

use common::{Folder, host, installed, lab};
use vipd::lab::Host;

/// How both should answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// As keepalived does.
    Same,
    /// vipd's status; the reason stands in the row.
    Ours(i32, &'static str),
}
use Verdict::{Ours, Same};

/// A whole instance with `{}` in it.
macro_rules! instance {
    ($inside:literal) => {
        concat!(
            "vrrp_instance V {\ninterface eth0\nvirtual_router_id 5\n",
            $inside,
            "\nvirtual_ipaddress {\n192.168.1.100\n}\n}\n"
        )
    };
}

#[rustfmt::skip]
const ROWS: &[(&str, &str, Verdict)] = &[
    // 1. Reading and lines.
    ("an empty file", "", Same),
    ("a plain instance", instance!("priority 100"), Same),
    ("CRLF", "global_defs {\r\nrouter_id a\r\n}\r\n", Same),
    ("keywords are case-sensitive", "Global_defs {\n}\n", Same),
    ("a comment in the middle of a word", instance!("priority 100#x"), Same),
    ("`!` begins a comment", instance!("priority 100!x"), Same),
    ("an escaped `#`", "global_defs {\nrouter_id a\\#b\n}\n", Same),
    ("a `#` in quotes", "global_defs {\nrouter_id \"a#b\"\n}\n", Same),
    ("a `\\` at the end continues nothing", "global_defs {\nrouter_id a \\\nvrrp_version 2\n}\n", Same),
    ("extra words", instance!("priority 100 5 6"), Same),
    ("two keywords on a line", instance!("priority 100 advert_int 5"), Same),
    ("a line without a vrid", "vrrp_instance V {\ninterface eth0 virtual_router_id 5\nvirtual_ipaddress {\n192.168.1.100\n}\n}\n", Ours(4, "2.2.7 says nothing and ends with 5, 2.4.3 with 4")),
    ("blanks and tabs", "\t global_defs\t{\n \t router_id\t a \n}\n", Same),
    // 2. Quoting.
    ("a quoted word", "global_defs {\nrouter_id \"a b\"\n}\n", Same),
    ("an empty word", "global_defs {\nrouter_id \"\"\n}\n", Same),
    ("a quote in the middle of a word", "global_defs {\nrouter_id ab\"c d\"e\n}\n", Same),
    ("an unterminated quote", "global_defs {\nrouter_id \"a b\n}\n", Same),
    // 3. Braces and blocks.
    ("a block on one line", "global_defs { router_id a }\n", Same),
    ("a brace on the next line", "global_defs\n{\nrouter_id a\n}\n", Same),
    ("a brace glued to its name", "vrrp_instance V{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress{\n192.168.1.100\n}\n}\n", Same),
    ("something after a closing brace", "global_defs {\n} vrrp_version 2\n", Same),
    ("an unknown keyword", "nonsense\n", Same),
    ("an unknown block", "nonsense {\npriority 5\n}\n", Same),
    ("an unknown block in a block", instance!("nonsense {\npriority 5\n}"), Same),
    ("a missing brace", "global_defs\nrouter_id a\n}\n", Same),
    ("an extra brace", "global_defs {\n}\n}\n", Same),
    ("a block that is not closed", "global_defs {\nrouter_id a\n", Same),
    ("an instance without a name", "vrrp_instance {\ninterface eth0\n}\n", Same),
    ("a keyword without its value", "vrrp_instance V {\ninterface\n}\n", Same),
    ("an instance twice", concat!(instance!("priority 100"), instance!("priority 100")), Same),
    ("a keyword twice", instance!("priority 100\npriority 101"), Same),
    ("an empty block", "global_defs {\n}\n", Same),
    // 4. Order.
    ("a script that comes later", concat!(instance!("track_script {\nlate\n}"), "vrrp_script late {\nscript /bin/true\n}\n"), Same),
    ("a script that comes before", concat!("global_defs {\nscript_user root\nenable_script_security\n}\nvrrp_script early {\nscript /bin/true\n}\n", instance!("track_script {\nearly\n}")), Same),
    ("global_defs after an instance", concat!(instance!("priority 100"), "global_defs {\nvrrp_version 3\n}\n"), Same),
    // 5. Includes.
    ("an include that is missing", "include /no/such/file\n", Same),
    ("an includer that is missing", "includer /no/such/file\n", Same),
    ("an includem that is missing", "includem /no/such/file\n", Ours(6, "2.2.7 knows no such word; 2.4.3 ends with 6")),
    ("a pattern without a match", "include /no/such/*\n", Same),
    // 6. Parameters.
    ("a definition", concat!("$P=100\n", instance!("priority $P")), Same),
    ("a definition in braces", concat!("$P=10\n", instance!("priority ${P}0")), Same),
    ("a blank before `=`", "$P =100\n", Same),
    ("a name in the middle of a word", concat!("$P=1\n", instance!("priority $P-0")), Same),
    ("an undefined name", instance!("priority $NONE"), Same),
    ("a definition that comes later", concat!(instance!("priority $P"), "$P=100\n"), Same),
    ("expanded at its use", concat!("$A=1\n$B=${A}00\n$A=2\n", instance!("priority ${B}")), Same),
    ("several lines", "$B=router_id a \\\nvrrp_version 2\nglobal_defs {\n$B\n}\n", Same),
    ("a block in a parameter", "$B=global_defs { \\\nrouter_id a \\\n}\n$B\n", Same),
    ("in quotes", "$A=x\nglobal_defs {\nrouter_id \"$A b\"\n}\n", Same),
    ("`$_PWD`", "global_defs {\nrouter_id ${_PWD}\n}\n", Same),
    ("`$_HASH` and `$_BANG`", "global_defs {\nrouter_id a${_HASH}b${_BANG}\n}\n", Same),
    ("a definition of itself", "$A=$A\nglobal_defs {\nrouter_id $A\n}\n", Ours(5, "keepalived hangs or crashes")),
    ("definitions of each other", "$A=${B}\n$B=${A}\nglobal_defs {\nrouter_id $A\n}\n", Ours(5, "keepalived hangs or crashes")),
    // 7. Conditions.
    ("a line for another node", "@other nonsense\n", Same),
    ("a line for this node", "@me nonsense\n", Same),
    ("a line for all others", "@^me nonsense\n", Same),
    ("an empty marker", "@ nonsense\n", Same),
    ("an empty marker for others", "@^ nonsense\n", Same),
    ("a marker without a blank", "@menonsense\n", Same),
    ("two markers", "@me @me nonsense\n", Same),
    ("a definition for this node", concat!("@me $P=100\n", instance!("priority $P")), Same),
    // 8. Generators.
    ("a sequence", "virtual_server_group G {\n~SEQ(I, 1, 3) 10.0.0.$I 80\n}\n", Same),
    ("a list", "virtual_server_group G {\n~LST(I, 1, 2) 10.0.0.$I 80\n}\n", Same),
    ("a sequence that never ends", "~SEQ(I, 1, -1, 3) x\n", Same),
    ("a sequence without its bracket", "~SEQ(I, 1, 3 x\n", Same),
    ("a sequence without numbers", "~SEQ(I, a, b) x\n", Same),
    // 9. Values.
    ("a boolean in capitals", "global_defs {\nvrrp_strict YES\n}\n", Ours(5, "2.2.7 takes any word for vrrp_strict")),
    ("a boolean", "global_defs {\nvrrp_skip_check_adv_addr off\n}\n", Same),
    ("a number out of range", instance!("priority 256"), Same),
    ("a number with a tail", instance!("priority 100x"), Same),
    ("a negative number", instance!("priority -1"), Same),
    ("a hexadecimal number", instance!("priority 0x10"), Same),
    ("a decimal interval", instance!("version 3\nadvert_int 0.5"), Same),
    ("an interval of nothing", instance!("advert_int 0"), Same),
    ("an interface that is not there", "vrrp_instance V {\ninterface nosuch0\nvirtual_router_id 5\nvirtual_ipaddress {\n192.168.1.100\n}\n}\n", Ours(5, "a fault of one instance, not the end of the daemon")),
    ("an address that is none", instance!("mcast_src_ip 1.2.3"), Same),
    // 10. What has nothing to run.
    ("an instance without addresses", "vrrp_instance V {\ninterface eth0\nvirtual_router_id 5\n}\n", Same),
    ("version 3 without addresses", "vrrp_instance V {\ninterface eth0\nvirtual_router_id 5\nversion 3\n}\n", Same),
    ("a group of one", concat!(instance!("priority 100"), "vrrp_sync_group G {\ngroup {\nV\n}\n}\n"), Same),
    ("a group of none", "vrrp_sync_group G {\ngroup {\n}\n}\n", Same),
    ("a long password", instance!("authentication {\nauth_type PASS\nauth_pass 123456789\n}"), Same),
    ("no password", instance!("authentication {\nauth_type PASS\n}"), Same),
    // The process.
    ("a long process name", "global_defs {\nprocess_name abcdefghijklmnopqrstuvwxyz\n}\n", Same),
    ("umask in octal", "global_defs {\numask 027\n}\n", Same),
    ("umask with a wrong digit", "global_defs {\numask 0999\n}\n", Same),
    ("umask out of range", "global_defs {\numask 01000\n}\n", Same),
    ("umask by bits", "global_defs {\numask IRUSR|IWGRP\n}\n", Same),
    ("umask by bits with blanks", "global_defs {\numask IRUSR | IWGRP\n}\n", Same),
    ("umask with an unknown bit", "global_defs {\numask FOO\n}\n", Same),
    ("umask with two numbers", "global_defs {\numask 022 33\n}\n", Same),
    ("umask without a value", "global_defs {\numask\n}\n", Same),
    ("a processor twice", "global_defs {\nvrrp_cpu_affinity 0 0\n}\n", Same),
    ("a processor that is none", "global_defs {\nvrrp_cpu_affinity x\n}\n", Same),
    ("a real-time priority too low", "global_defs {\nvrrp_rt_priority 0\n}\n", Same),
    ("a real-time priority too high", "global_defs {\nvrrp_rt_priority 200\n}\n", Same),
    ("a real-time priority that is none", "global_defs {\nvrrp_rt_priority x\n}\n", Same),
    ("a nice value out of range", "global_defs {\nvrrp_priority 30\n}\n", Same),
    ("no nice value", "global_defs {\nvrrp_priority\n}\n", Same),
    ("a ceiling", "global_defs {\nmax_auto_priority\n}\n", Same),
    ("no ceiling", "global_defs {\nmax_auto_priority -1\n}\n", Same),
    ("a ceiling out of range", "global_defs {\nmax_auto_priority 200\n}\n", Same),
    ("a limit of nothing", "global_defs {\nvrrp_rlimit_rttime 0\n}\n", Same),
    ("a limit of one", "global_defs {\nvrrp_rlimit_rttime 1\n}\n", Same),
    ("the old name of the limit", "global_defs {\nvrrp_rlimit_rtime 100\n}\n", Ours(5, "2.2.7 does not say that it is deprecated")),
    ("a startup script", "global_defs {\nscript_user root\nenable_script_security\nstartup_script /bin/true\n}\n", Same),
    ("two startup scripts", "global_defs {\nscript_user root\nenable_script_security\nstartup_script /bin/true\nstartup_script /bin/false\n}\n", Same),
    ("a startup time of nothing", "global_defs {\nstartup_script_timeout 0\n}\n", Same),
    ("a startup time too long", "global_defs {\nshutdown_script_timeout 2000\n}\n", Same),
    ("a relative time file", "global_defs {\nreload_time_file relative\n}\n", Same),
    ("a relative mark", "global_defs {\nreload_file relative\n}\n", Same),
    ("reload options", "global_defs {\nreload_repeat\nreload_check_config\nreload_file\n}\n", Same),
    ("a process keyword in the wrong place", "global_defs {\nuse_pid_dir\n}\n", Same),
    ("a namespace without a name", "net_namespace\n", Same),
    ("a namespace twice", "net_namespace a\nnet_namespace b\n", Same),
    ("an instance without a name", "instance\n", Same),
    ("an instance name twice", "instance a\ninstance b\n", Same),
    ("a seed", "global_defs {\nrandom_seed 5\n}\n", Same),
    ("a seed that is none", "global_defs {\nrandom_seed abc\n}\n", Same),
    ("a boolean that is none", "global_defs {\ndata_use_instance maybe\n}\n", Same),
    ("a wait that is none", "child_wait_time x\n", Same),
];

fn status(host: &Host, program: &str, file: &str) -> (i32, String) {
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "5", program, "-t", "-i", "me", "-f", file]);
    let mut process = host.spawn(&mut command).unwrap();
    let status = process.wait(common::SOON).expect("timeout ends it");
    (status.code().unwrap_or(-1), process.output().join("\n"))
}

#[test]
fn odd_corners_of_the_language_are_answered_alike() {
    let Some(lab) = lab() else { return };
    let with_keepalived = installed("keepalived");
    let folder = Folder::new();
    let node = host(&lab, "node1", "192.168.1.1/24");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (name, text, verdict) in ROWS {
        let file = folder.write("twin.conf", text).display().to_string();
        let (ours, said) = status(&node, env!("CARGO_BIN_EXE_vipd"), &file);
        let expected = match verdict {
            Ours(status, _) => *status,
            Same if with_keepalived => {
                compared += 1;
                status(&node, "keepalived", &file).0
            }
            Same => continue,
        };
        if ours != expected {
            wrong.push(format!("{name}: {ours}, not {expected}\n{said}"));
        }
    }
    println!("{compared} of {} compared with keepalived", ROWS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
