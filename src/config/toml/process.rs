//! `[process]`: its keys, the statements they stand for, and how they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::emit::Text;
use super::emit::values::{command, quote, time};
use super::value::{At, Number, Program, Time};
use super::writer::Writer;
use crate::config::keyword::Block;
use crate::config::model::{self, ERRAND_TIMEOUT, Errand, Mark, Precedence};
use crate::config::parse::{Body, Statement};
use crate::config::source::FileId;

/// How the process runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Process {
    /// Network namespace, made by `ip netns add`, that the daemon joins; default its own.
    pub(super) namespace: Option<At<String>>,
    /// Tells several daemons of one host apart in names of pid files and in the log.
    pub(super) instance: Option<At<String>>,
    /// Pid files lie in `/run/keepalived`; default false.
    pub(super) pid_folder: Option<At<bool>>,
    /// Name that `ps` shows, at most 15 bytes.
    pub(super) name: Option<At<String>>,
    /// Name of the thread that speaks VRRP, at most 15 bytes.
    pub(super) engine_name: Option<At<String>>,
    /// Nice value of the threads that must be on time.
    #[schemars(range(min = -20, max = 19))]
    pub(super) nice: Option<At<Number>>,
    /// Priority of the engine within `SCHED_RR`; default 50.
    #[schemars(range(min = 1, max = 99))]
    pub(super) real_time_priority: Option<At<Number>>,
    /// The most that the daemon takes of that by itself; 0 is none. Default 99.
    #[schemars(range(min = 0, max = 99))]
    pub(super) real_time_ceiling: Option<At<Number>>,
    /// Time that a real-time thread may run without a pause before the log says so.
    pub(super) real_time_limit: Option<At<Time>>,
    /// Processors that the daemon and its scripts may use; default all.
    pub(super) processors: Option<At<Vec<Number>>>,
    /// Mode bits, in octal, that files of the daemon and its scripts do not get; default 0177.
    pub(super) umask: Option<At<String>>,
    /// Run before anything else.
    pub(super) startup: Option<At<Program>>,
    /// `startup` is ended after that, 1s to 1000s; default 10s.
    pub(super) startup_timeout: Option<At<Time>>,
    /// Run when everything has ended.
    pub(super) shutdown: Option<At<Program>>,
    /// `shutdown` is ended after that, 1s to 1000s; default 10s.
    pub(super) shutdown_timeout: Option<At<Time>>,
    /// Log adverts for no instance of this host; default false.
    pub(super) log_strangers: Option<At<bool>>,
    /// What happens around a reload.
    pub(super) reload: Reload,
}

/// What happens around a reload.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reload {
    /// File that says when to reload: `HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, perhaps with a `Z`.
    pub(super) time_file: Option<At<String>>,
    /// A time without a date holds for every day; default false.
    pub(super) daily: Option<At<bool>>,
    /// `keepalived.reload` beside the pid files is there while files are read; default false.
    pub(super) mark: Option<At<bool>>,
    /// This file is there while files are read.
    pub(super) mark_file: Option<At<String>>,
    /// Warnings refuse a new file as well; default false.
    pub(super) strict: Option<At<bool>>,
    /// Where the complaints of a refused file go, besides the log; implies `strict`.
    pub(super) report: Option<At<String>>,
    /// Folder that gets a copy of each configuration that runs.
    pub(super) archive: Option<At<String>>,
}

impl Process {
    /// The keywords outside of blocks.
    pub(super) fn outside(&self, file: FileId) -> Vec<Statement> {
        let mut to = Writer::new(Block::Root, file);
        to.value("net_namespace", self.namespace.as_ref());
        to.value("instance", self.instance.as_ref());
        to.alone("use_pid_dir", self.pid_folder.as_ref(), true);
        to.statements
    }

    /// The keywords of `global_defs`.
    pub(super) fn globals(&self, to: &mut Writer) {
        to.value("process_name", self.name.as_ref());
        to.value("vrrp_process_name", self.engine_name.as_ref());
        to.value("vrrp_priority", self.nice.as_ref());
        to.value("vrrp_rt_priority", self.real_time_priority.as_ref());
        to.value("max_auto_priority", self.real_time_ceiling.as_ref());
        if let Some(limit) = &self.real_time_limit {
            let at = to.at(limit);
            let micros = limit.value.0.to_string();
            to.push("vrrp_rlimit_rttime", at, vec![(micros, at)], Body::None);
        }
        if let Some(processors) = &self.processors {
            let at = to.at(processors);
            let numbers = processors.value.iter();
            let numbers = numbers.map(|n| (n.to_string(), at)).collect();
            to.push("vrrp_cpu_affinity", at, numbers, Body::None);
        }
        to.value("umask", self.umask.as_ref());
        to.program("startup_script", self.startup.as_ref());
        to.time("startup_script_timeout", self.startup_timeout.as_ref());
        to.program("shutdown_script", self.shutdown.as_ref());
        to.time("shutdown_script_timeout", self.shutdown_timeout.as_ref());
        to.alone("log_unknown_vrids", self.log_strangers.as_ref(), true);
        let reload = &self.reload;
        to.value("reload_time_file", reload.time_file.as_ref());
        to.alone("reload_repeat", reload.daily.as_ref(), true);
        to.alone("reload_file", reload.mark.as_ref(), true);
        to.value("reload_file", reload.mark_file.as_ref());
        to.alone("reload_check_config", reload.strict.as_ref(), true);
        to.value("reload_check_config", reload.report.as_ref());
        to.value("config_save_dir", reload.archive.as_ref());
    }
}

impl Text {
    /// `[process]` and `[process.reload]`, without what is usual.
    pub(super) fn process(&mut self, process: &model::Process) {
        let model::Process {
            namespace,
            instance,
            pid_folder,
            name,
            engine_name,
            precedence,
            umask,
            startup,
            shutdown,
            reload,
            log_strangers,
        } = process;
        if *process == model::Process::default() {
            return;
        }
        self.header("process", None);
        let texts = [
            ("namespace", namespace),
            ("instance", instance),
            ("name", name),
            ("engine_name", engine_name),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                self.line(key, quote(text));
            }
        }
        self.unless("pid_folder", *pid_folder, &false);
        self.precedence(precedence);
        if let Some(mask) = umask {
            self.line("umask", quote(&format!("0{mask:o}")));
        }
        self.errand("startup", startup.as_ref());
        self.errand("shutdown", shutdown.as_ref());
        self.unless("log_strangers", *log_strangers, &false);
        self.reload(reload);
    }

    fn precedence(&mut self, precedence: &Precedence) {
        let Precedence {
            nice,
            real_time,
            ceiling,
            limit_micros,
            processors,
        } = precedence;
        if let Some(nice) = nice {
            self.line("nice", nice);
        }
        if let Some(priority) = real_time {
            self.line("real_time_priority", priority);
        }
        if let Some(ceiling) = ceiling {
            self.line("real_time_ceiling", ceiling);
        }
        if let Some(limit) = limit_micros {
            self.line("real_time_limit", quote(&Time((*limit).into()).text()));
        }
        if !processors.is_empty() {
            self.line("processors", format!("{processors:?}"));
        }
    }

    fn errand(&mut self, key: &str, errand: Option<&Errand>) {
        let Some(Errand {
            command: what,
            timeout,
        }) = errand
        else {
            return;
        };
        self.line(key, command(what));
        let usual = time(ERRAND_TIMEOUT);
        self.unless(&format!("{key}_timeout"), time(*timeout), &usual);
    }

    fn reload(&mut self, reload: &model::Reload) {
        let model::Reload {
            time_file,
            daily,
            mark,
            strict,
            report,
            archive,
        } = reload;
        if *reload == model::Reload::default() {
            return;
        }
        self.header("process.reload", None);
        let mark_file = match mark {
            Some(Mark::At(path)) => Some(path),
            Some(Mark::Usual) | None => None,
        };
        let paths = [
            ("time_file", time_file.as_ref()),
            ("mark_file", mark_file),
            ("report", report.as_ref()),
            ("archive", archive.as_ref()),
        ];
        for (key, path) in paths {
            if let Some(path) = path {
                self.line(key, quote(&path.to_string_lossy()));
            }
        }
        self.unless("daily", *daily, &false);
        self.unless("mark", *mark == Some(Mark::Usual), &false);
        self.unless("strict", *strict && report.is_none(), &false);
    }
}
