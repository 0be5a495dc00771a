//! Loading and checking a long file: `keepalived -t` and `vipd -t` in turns, as processes.
//!
//! `cargo bench --bench load`, in a namespace of its own. Lines: 10,000 and 100,000, or those of
//! `VIPD_BENCH_LINES`. The target is half of keepalived's time.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench reads the clock"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 15;
/// Set where the namespace has been made.
const INSIDE: &str = "VIPD_BENCH_INSIDE";

fn main() {
    if std::env::var_os(INSIDE).is_none() {
        let me = std::env::current_exe().unwrap();
        let mut inside = Command::new("unshare");
        inside.args(["-rn", "--"]).arg(me).env(INSIDE, "1");
        match inside.status() {
            Ok(status) => std::process::exit(status.code().unwrap_or(1)),
            Err(error) => return println!("skipped: no namespace: {error}"),
        }
    }
    let lines = std::env::var("VIPD_BENCH_LINES").ok();
    let lines = lines.and_then(|lines| lines.parse().ok());
    println!(
        "{:<10}{:>14}{:>12}{:>10}",
        "lines", "keepalived", "vipd", "ratio"
    );
    for lines in lines.map_or(vec![10_000, 100_000], |lines| vec![lines]) {
        compare(lines);
    }
}

fn compare(lines: usize) {
    let instances = lines / LINES_OF_ONE;
    for n in 0..=instances / 255 {
        // A link that is there already is as good.
        let made = ["link", "add", &format!("eth{n}"), "type", "veth"];
        let _ = Command::new("ip").args(made).stderr(Stdio::null()).status();
    }
    let path = std::env::temp_dir().join(format!("vipd-load-{}.conf", std::process::id()));
    std::fs::write(&path, text(instances)).unwrap();
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        theirs.push(time(Path::new("keepalived"), &path));
        ours.push(time(Path::new(env!("CARGO_BIN_EXE_vipd")), &path));
    }
    std::fs::remove_file(&path).unwrap();
    let (theirs, ours) = (median(theirs), median(ours));
    println!(
        "{lines:<10}{:>11.1} ms{:>9.1} ms{:>10.2}",
        theirs.as_secs_f64() * 1e3,
        ours.as_secs_f64() * 1e3,
        ours.as_secs_f64() / theirs.as_secs_f64(),
    );
}

const LINES_OF_ONE: usize = 18;

/// Instances with all that is usual in one, and nothing to complain of.
fn text(instances: usize) -> String {
    let mut text = "global_defs {\n    enable_script_security\n    script_user root\n}\n\
         vrrp_script chk {\n    script /bin/true\n    interval 2\n    weight -20\n}\n"
        .to_owned();
    for n in 0..instances {
        write!(
            text,
            "vrrp_instance VI_{n} {{\n    interface eth{}\n    state BACKUP\n    \
             virtual_router_id {}\n    priority 100\n    advert_int 1\n    authentication {{\n        \
             auth_type PASS\n        auth_pass secret\n    }}\n    track_script {{\n        chk\n    \
             }}\n    virtual_ipaddress {{\n        10.{}.{}.1/24\n        10.{}.{}.2/24\n    }}\n}}\n",
            n / 255,
            n % 255 + 1,
            n / 250,
            n % 250,
            n / 250,
            n % 250,
        )
        .unwrap();
    }
    text
}

fn time(program: &Path, file: &Path) -> Duration {
    let start = Instant::now();
    let mut run = Command::new(program);
    run.arg("-t").arg("-f").arg(file);
    let status = run
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let took = start.elapsed();
    assert_eq!(status.code(), Some(0), "{} complains", program.display());
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.swap_remove(times.len() / 2)
}
