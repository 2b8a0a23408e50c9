//! One `holdfast broker` in a process of its own.
//!
//! Guarantees that the process is killed and reaped when the value is dropped, by its own pid. Environment variables
//! of the product are kept out, so that a developer's settings change no test.

use super::log::{Log, LogLine};
use super::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

/// The built program.
pub(crate) const HOLDFAST: &str = env!("CARGO_BIN_EXE_holdfast");

/// A running or ended broker.
pub(crate) struct BrokerProcess {
    /// Its `--name`.
    pub(crate) name: String,
    /// What it printed.
    pub(crate) log: Arc<Log>,
    child: Child,
    ended: Option<ExitStatus>,
}

impl BrokerProcess {
    /// Starts `holdfast broker` with JSON logs on `data`, listening on `listen`.
    pub(crate) fn start(name: &str, data: &Path, listen: &str, more: &[&str]) -> Self {
        let data = data.to_str().expect("test paths are text");
        let mut arguments = vec![
            "--name",
            name,
            "--data",
            data,
            "--listen",
            listen,
            "--log-format",
            "json",
        ];
        arguments.extend(more);
        Self::start_with(name, &arguments)
    }

    /// Starts a broker of its own in `folder` on any port, and waits until it is master.
    pub(crate) fn alone(folder: &Path, more: &[&str]) -> Self {
        let broker = Self::start("alone", &folder.join("data"), "tcp://127.0.0.1:0", more);
        broker.wait_for("master.ready");
        broker
    }

    /// Starts `holdfast broker` with exactly these arguments.
    pub(crate) fn start_with(name: &str, arguments: &[&str]) -> Self {
        let mut child = command()
            .arg("broker")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the built program starts");
        let log = Arc::new(Log::default());
        log.follow(child.stdout.take().expect("standard output is piped"));
        log.follow(child.stderr.take().expect("standard error is piped"));
        Self {
            name: name.to_owned(),
            log,
            child,
            ended: None,
        }
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to it alone.
    pub(crate) fn signal(&self, signal: Signal) {
        assert!(
            self.ended.is_none(),
            "{} has ended: its pid may be another's",
            self.name
        );
        let raw = i32::try_from(self.child.id()).expect("a pid is positive");
        let pid = Pid::from_raw(raw).expect("a pid is not zero");
        kill_process(pid, signal).expect("our own child can be signalled");
    }

    /// SIGKILL, then reaps it.
    pub(crate) fn kill(&mut self) {
        if self.ended.is_none() {
            self.signal(Signal::KILL);
            self.ended = Some(self.child.wait().expect("our own child can be reaped"));
        }
    }

    /// Waits for the first line with `event`.
    pub(crate) fn wait_for(&self, event: &str) -> LogLine {
        self.log.wait_for(event, 0)
    }

    /// Waits until it ends by itself, with its whole output in the log.
    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        if let Some(status) = self.ended {
            return status;
        }
        let log = Arc::clone(&self.log);
        let child = &mut self.child;
        let status = wait::until(
            "the broker to end",
            || child.try_wait().expect("our own child can be asked"),
            || log.text(),
        );
        self.ended = Some(status);
        self.log.wait_for_end();
        status
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("our own child can be asked");
        }
        self.ended.is_none()
    }

    /// Resident memory in KiB, and its peak.
    pub(crate) fn memory_kib(&self) -> (u64, u64) {
        (self.status("VmRSS:"), self.status("VmHWM:"))
    }

    /// A number of /proc/PID/status.
    pub(crate) fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("a running child has a status");
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number
            .and_then(|number| number.parse().ok())
            .expect("the kernel writes a number")
    }

    /// Where it listens, as it said itself.
    pub(crate) fn uri(&self) -> String {
        format!("tcp://{}", self.wait_for("listener.bound").text("address"))
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("--- log of {}\n{}\n", self.name, self.log.text()).as_bytes(),
            );
        }
    }
}

/// The program without any of its environment variables.
pub(crate) fn command() -> Command {
    let mut command = Command::new(HOLDFAST);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HOLDFAST_") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG");
    command
}

/// A folder for one test on the disk that holds the build, removed afterwards.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the build folder is writable")
}
