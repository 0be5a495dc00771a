//! Keywords and options that shape the process, beside keepalived's where both have them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Folder, Instance, SOON, VIP, has, host, installed, lab, no_errors, vipd, wait_for};
use vipd::lab::{Host, Process};

const VIPD: &str = env!("CARGO_BIN_EXE_vipd");

/// A quick instance after `globals`.
fn text(before: &str, globals: &str) -> String {
    let instance = Instance {
        version: 3,
        interval: "0.1",
        ..Instance::default()
    };
    let instance = instance.text();
    format!("{before}\nglobal_defs {{\n{globals}\n}}\n{instance}")
}

/// `program` with keepalived's own command line, on a host with an empty `/run` of its own.
fn start(host: &Host, program: &str, folder: &Folder, options: &[&str]) -> Process {
    let options = [&[program, "-n", "-l", "-D"], options].concat();
    start_in_empty_run(host, folder, "", &options)
}

/// A program whose `/run` has nothing but the host's own network namespace, under the name `blue`.
fn start_in_empty_run(host: &Host, folder: &Folder, with: &str, words: &[&str]) -> Process {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c"]).arg(format!(
        "mount -t tmpfs none /run && mkdir /run/netns && touch /run/netns/blue && \
         mount --bind /proc/self/ns/net /run/netns/blue && exec {with} \"$@\""
    ));
    command.arg("sh").args(words);
    command
        .env("TMPDIR", &folder.0)
        .env_remove("RUNTIME_DIRECTORY");
    host.spawn(&mut command).unwrap()
}

/// A script that writes down what it was given, under the name of its first argument.
fn witness(folder: &Folder) -> String {
    let path = folder.write(
        "witness",
        "#!/bin/sh\n{ umask; nice; taskset -p $$ | sed 's/.*: //'; id -G; } > \"$(dirname \"$0\")/$1.new\"\n\
         mv \"$(dirname \"$0\")/$1.new\" \"$(dirname \"$0\")/$1\"\n",
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What both daemons are told, and what their scripts see of it.
#[test]
fn scripts_have_the_umask_the_processors_and_the_niceness_that_keepalived_gives() {
    let Some(lab) = lab() else { return };
    let mut seen = Vec::new();
    for program in [VIPD, "keepalived"] {
        if program == "keepalived" && !installed(program) {
            continue;
        }
        let folder = Folder::new();
        let node = host(&lab, "node1", "192.168.1.1/24");
        let script = witness(&folder);
        let globals = format!(
            "script_user root\nstartup_script \"{script} startup\"\n\
             shutdown_script \"{script} shutdown\"\nvrrp_priority -5\nvrrp_cpu_affinity 0\n\
             umask 027\nprocess_names\nvrrp_process_name speaker"
        );
        let text = text("use_pid_dir", &globals).replace(
            "priority 100",
            &format!("priority 100\nnotify_master \"{script} notify\""),
        );
        let file = folder.write("k.conf", &text);
        let mut daemon = start(&node, program, &folder, &["-f", file.to_str().unwrap()]);
        wait_for("the node is active", SOON, || has(&node, VIP));
        wait_for("the script has run", SOON, || {
            folder.0.join("notify").exists()
        });
        let run = format!("/proc/{}/root/run/keepalived", daemon.id());
        let mut files: Vec<_> = fs::read_dir(run)
            .unwrap()
            .map(|f| f.unwrap().file_name())
            .collect();
        files.sort();
        daemon.terminate();
        assert_eq!(daemon.wait(SOON).and_then(|s| s.code()), Some(0));
        let scripts = ["startup", "notify", "shutdown"];
        let mut scripts = scripts.map(|name| read(folder.0.join(name)));
        // keepalived's parent, which runs these two, has every processor.
        for script in [0, 2] {
            let line = scripts[script]
                .lines()
                .nth(2)
                .unwrap_or_default()
                .to_owned();
            scripts[script] = scripts[script].replace(&format!("\n{line}\n"), "\nany\n");
        }
        seen.push((files, scripts));
    }
    println!("{seen:?}");
    let [umask, nice, processors, ..] = seen[0].1[1].lines().collect::<Vec<_>>()[..] else {
        panic!("the script says too little")
    };
    assert_eq!((umask, nice, processors), ("0027", "0", "1"));
    assert_eq!(seen[0].0, ["keepalived.pid", "vrrp.pid"]);
    assert!(seen.iter().all(|other| *other == seen[0]));
}

/// Field of `/proc/PID/task/TID/stat`, counted from the state as 3.
fn stat(task: &Path, field: usize) -> String {
    let stat = read(task.join("stat"));
    let rest = stat.rsplit(") ").next().unwrap_or_default();
    rest.split(' ')
        .nth(field - 3)
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn threads_have_the_names_and_the_precedence_that_the_file_gives() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", "192.168.1.1/24");
    let globals = |rest: &str| {
        text(
            "",
            &format!("process_name parent\nvrrp_process_name speaker\nvrrp_priority -3\n{rest}"),
        )
    };
    let file = folder.write(
        "v.conf",
        &globals("vrrp_rt_priority 20\nvrrp_rlimit_rttime 90000"),
    );
    let daemon = vipd(&node, &file);
    wait_for("the node is active", SOON, || has(&node, VIP));
    let process = format!("/proc/{}", daemon.id());
    assert_eq!(read(format!("{process}/comm")), "parent\n");
    let limits = read(format!("{process}/limits"));
    let limit = limits.lines().find(|l| l.contains("realtime timeout"));
    assert!(limit.is_some_and(|l| l.contains("90000 ")), "{limits}");
    let tasks = || {
        let tasks = fs::read_dir(format!("{process}/task")).unwrap();
        tasks.map(|task| task.unwrap().path())
    };
    let speaker = tasks().find(|task| read(task.join("comm")) == "speaker\n");
    let speaker = speaker.expect("the engine has its name");
    let (nice, priority, policy) = (19, 40, 41);
    assert_eq!(stat(&speaker, nice), "-3");
    let real_time = || (stat(&speaker, policy), stat(&speaker, priority));
    let round_robin = |n: &str| (libc::SCHED_RR.to_string(), n.to_owned());
    if daemon
        .wait_for_line("runs without SCHED_RR", Duration::ZERO)
        .is_some()
    {
        println!("skipped: real-time scheduling is refused here");
        return;
    }
    assert_eq!(real_time(), round_robin("20"));
    fs::write(&file, globals("max_auto_priority 0")).unwrap();
    daemon.signal(libc::SIGHUP);
    let ordinary = ("0".to_owned(), "0".to_owned());
    wait_for("the reload gives real time up", SOON, || {
        real_time() == ordinary
    });
    no_errors(&daemon);
}

#[test]
fn a_daemon_joins_the_network_namespace_that_it_is_told_of() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", "192.168.1.1/24");
    // Starts outside of the node's network, which is `blue` there.
    let elsewhere = |name: &str, before: &str, options: &[&str]| {
        let file = folder.write(name, &text(before, ""));
        let options = [&[VIPD, "-n", "-l", "-f", file.to_str().unwrap()], options].concat();
        start_in_empty_run(&node, &folder, "unshare -n", &options)
    };
    let mut named = elsewhere("named.conf", "net_namespace blue\ninstance x", &[]);
    wait_for("the address is there", SOON, || has(&node, VIP));
    let root = format!("/proc/{}/root/run/keepalived", named.id());
    let pid = read(format!("{root}/keepalived_x.pid"));
    assert_eq!(pid.trim(), named.id().to_string());
    let inside = Path::new(&root).join("blue");
    assert!(!inside.exists(), "{root} is the namespace's own folder");
    named.terminate();
    assert_eq!(named.wait(SOON).and_then(|s| s.code()), Some(0));
    let mut flag = elsewhere("flag.conf", "net_namespace red", &["-s", "blue"]);
    wait_for("the address is there", SOON, || has(&node, VIP));
    flag.terminate();
    assert!(flag.wait(SOON).is_some());
    let mut missing = elsewhere("missing.conf", "net_namespace red", &[]);
    assert_eq!(missing.wait(SOON).and_then(|s| s.code()), Some(1));
    let said = missing.wait_for_line("ip netns add red", SOON);
    assert!(said.is_some(), "{:?}", missing.output());
}

#[test]
fn options_leave_the_address_and_log_what_was_asked_for() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", "192.168.1.1/24");
    let text = text("", "log_unknown_vrids")
        .replace("version 3", "version 2")
        .replace(
            "priority 100",
            "priority 100\nauthentication {\nauth_type PASS\nauth_pass sw0rdfsh\n}",
        );
    let text = text.replace("advert_int 0.1", "advert_int 1");
    let file = folder.write("o.conf", &text);
    let log = folder.0.join("own.log");
    let log_option = format!("--log-file={}", log.display());
    let options = [
        "-V",
        "-a",
        "-d",
        "-S",
        "local3",
        &log_option,
        "-f",
        file.to_str().unwrap(),
    ];
    let mut daemon = start(&node, VIPD, &folder, &options);
    wait_for("the node is active", SOON, || has(&node, VIP));
    let line = format!("address {VIP}/32 added to eth0");
    assert!(
        daemon.wait_for_line(&line, SOON).is_some(),
        "{:?}",
        daemon.output()
    );
    daemon.terminate();
    assert_eq!(daemon.wait(SOON).and_then(|s| s.code()), Some(0));
    assert!(has(&node, VIP), "-V leaves the address");
    let logged = read(&log);
    assert!(
        logged.contains("virtual_router_id 51"),
        "-d dumps: {logged}"
    );
    assert!(logged.contains("auth_pass ********"), "{logged}");
    assert!(
        !logged.contains("sw0rdfsh") && logged.contains(&line),
        "{logged}"
    );
    assert_eq!(
        fs::metadata(&log).unwrap().permissions().mode() & 0o777,
        0o600
    );
    no_errors(&daemon);
}

#[test]
fn a_stranger_is_named_once_where_that_is_asked_for() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", "192.168.1.1/24");
    let other = host(&lab, "node2", "192.168.1.2/24");
    let one = vipd(
        &node,
        &folder.write("one.conf", &text("", "log_unknown_vrids")),
    );
    let stranger = text("", "").replace("virtual_router_id 51", "virtual_router_id 77");
    let stranger = stranger.replace(VIP, "192.168.1.177");
    let two = vipd(&other, &folder.write("two.conf", &stranger));
    let named = "advert of 192.168.1.2 for VRID 77, which is not ours";
    assert!(
        one.wait_for_line(named, SOON).is_some(),
        "{:?}",
        one.output()
    );
    wait_for("many adverts", SOON, || has(&other, "192.168.1.177"));
    let count = one
        .output()
        .iter()
        .filter(|line| line.contains(named))
        .count();
    assert_eq!(count, 1);
    no_errors(&two);
}

#[test]
fn a_reload_leaves_the_traces_that_the_file_asks_for() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", "192.168.1.1/24");
    let at = |name: &str| folder.0.join(name).display().to_string();
    let globals = format!(
        "config_save_dir {}\nreload_check_config {}\nreload_time_file {}\nreload_file {}",
        at("saved"),
        at("refused"),
        at("time"),
        at("mark"),
    );
    let good = text("$PRIO=100", &globals).replace("priority 100", "priority $PRIO");
    let file = folder.write("r.conf", &good);
    let daemon = vipd(&node, &file);
    wait_for("the node is active", SOON, || has(&node, VIP));
    let saved = |n: u32| {
        folder
            .0
            .join(format!("saved/keepalived.conf.{}.{n}", daemon.id()))
    };
    assert!(
        read(saved(0)).contains("\npriority 100\n"),
        "{}",
        read(saved(0))
    );
    assert_eq!(
        fs::metadata(at("saved")).unwrap().permissions().mode() & 0o777,
        0o700
    );

    // A warning is enough to refuse it.
    fs::write(&file, good.clone() + "no_such_keyword\n").unwrap();
    daemon.signal(libc::SIGHUP);
    assert!(daemon.wait_for_line("reload refused", SOON).is_some());
    assert!(read(at("refused")).contains("no_such_keyword"));
    assert!(!saved(1).exists() && has(&node, VIP));

    // At the time that the file names, once.
    fs::write(&file, good.replace("$PRIO=100", "$PRIO=120")).unwrap();
    let now = Command::new("date")
        .args(["-u", "-d", "2 seconds", "+%H:%M:%SZ"])
        .output()
        .unwrap();
    fs::write(at("time"), now.stdout).unwrap();
    assert!(
        daemon.wait_for_line("a reload is set for", SOON).is_some(),
        "{:?}",
        daemon.output()
    );
    wait_for("the reload at its time", SOON, || saved(1).exists());
    assert!(read(saved(1)).contains("\npriority 120\n"));
    wait_for("the file goes", SOON, || !Path::new(&at("time")).exists());
    assert!(
        !Path::new(&at("mark")).exists(),
        "the mark is there while files are read"
    );
    let errors = daemon.output();
    let errors = errors.iter().filter(|line| line.contains("ERROR"));
    assert_eq!(errors.count(), 2, "{:?}", daemon.output());
}

/// Exit status of a call in an empty network, and what it said. `-tf` writes to a file `f` in
/// `folder`.
fn call(folder: &Folder, program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new("timeout");
    command
        .current_dir(&folder.0)
        .args(["20", "unshare", "-n", program])
        .args(arguments);
    let output = command.output().unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said += &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

#[test]
fn calls_end_with_keepaliveds_exit_statuses() {
    if lab().is_none() || !installed("keepalived") {
        return;
    }
    let folder = Folder::new();
    let empty = folder.write("empty.conf", "").display().to_string();
    let wrong = folder
        .write("wrong.conf", "nonsense\n")
        .display()
        .to_string();
    let void = folder.write("void.conf", "vrrp_instance V {\ninterface\n}\n");
    let void = void.display().to_string();
    let mut table = String::new();
    let mut differ = Vec::new();
    for line in [
        "-t -f EMPTY",
        "-tf EMPTY",
        "-nltf EMPTY",
        "--config-test --use-file=EMPTY",
        "--config-test --use-fi=EMPTY",
        "-t -f WRONG",
        "-t -f VOID",
        "-t -f /no/such/file",
        "-t -S 9 -f EMPTY",
        "-t -u 999 -f EMPTY",
        "-t -u 0x12 -f EMPTY",
        "-t -P -C -f EMPTY",
        "-t -P -B -x -a -d -R -X -V -I -m -e -D -l -G -f EMPTY",
        "-t -i node -A udp:1.2.3.4:705 -s blue -p /p -r /r -c /c -b /b -f EMPTY",
        "-t --all --ignore-sigint -f EMPTY",
        "-t word -f EMPTY other",
        "-v",
        "-h",
        "--signum=STOP",
        "--signum=JSON",
        "--signum NONE",
        "-Z",
        "-f",
        "--foo",
        "--log",
        "-n -f /no/such/file",
        "-n -f VOID",
    ] {
        let line = line
            .replace("EMPTY", &empty)
            .replace("WRONG", &wrong)
            .replace("VOID", &void);
        let words: Vec<_> = line.split(' ').collect();
        // Not known to 2.2.7.
        let theirs: Vec<_> = words
            .iter()
            .copied()
            .filter(|w| *w != "--ignore-sigint")
            .collect();
        let (ours, said) = call(&folder, VIPD, &words);
        let (theirs, _) = call(&folder, "keepalived", &theirs);
        writeln!(table, "{ours:?} {theirs:?} {line}").unwrap();
        if ours != theirs {
            differ.push(format!("{line}: {ours:?}, keepalived {theirs:?}: {said}"));
        }
    }
    println!("{table}");
    assert_eq!(differ, Vec::<String>::new());
}
