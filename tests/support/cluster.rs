//! Several brokers on one directory: one master, the others waiting.
//!
//! Members keep their address over their lives. A member that was killed is started again as a new process; logs of
//! dead processes are gone with them.

use super::broker_process::{BrokerProcess, scratch};
use super::history::{Event, History};
use super::log::LogLine;
use super::port::Port;
use super::wait;
use std::path::PathBuf;
use std::sync::Arc;

/// Brokers `b0`, `b1`, … on a directory of their own.
pub(crate) struct Cluster {
    members: Vec<Member>,
    history: Arc<History>,
    more: Vec<String>,
    // Dropped last: the members must be gone before their files.
    folder: tempfile::TempDir,
}

struct Member {
    process: BrokerProcess,
    port: Port,
    /// Log lines that were there when its present mastership had been noticed.
    mark: usize,
}

impl Cluster {
    /// Starts `size` brokers and returns when one is master and the others wait.
    pub(crate) fn start(size: usize, more: &[&str], history: &Arc<History>) -> Self {
        let mut cluster = Self {
            members: Vec::new(),
            history: Arc::clone(history),
            more: more.iter().map(|&argument| argument.to_owned()).collect(),
            folder: scratch(),
        };
        for index in 0..size {
            let port = Port::reserve();
            let process = cluster.launch(index, &port);
            cluster.members.push(Member {
                process,
                port,
                mark: 0,
            });
            if index == 0 {
                cluster.wait_for_master();
            } else {
                cluster.members[index].process.wait_for("slave.waiting");
            }
        }
        cluster
    }

    /// The shared directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// All addresses, for clients.
    pub(crate) fn uris(&self) -> Vec<String> {
        self.members
            .iter()
            .map(|member| member.port.uri())
            .collect()
    }

    /// A member.
    pub(crate) fn member(&mut self, index: usize) -> &mut BrokerProcess {
        &mut self.members[index].process
    }

    /// Waits for a mastership that was not noticed yet; records it and returns the member and its line.
    pub(crate) fn wait_for_master(&mut self) -> (usize, LogLine) {
        let found = wait::until(
            "a new master",
            || {
                self.members.iter().enumerate().find_map(|(index, member)| {
                    let line = member.process.log.find("master.ready", member.mark)?;
                    Some((index, line))
                })
            },
            || self.text(),
        );
        let (index, line) = found;
        let member = &mut self.members[index];
        member.mark = member.process.log.mark();
        self.history.record(Event::MasterReady {
            broker: member.process.name.clone(),
            epoch: line.number("epoch"),
        });
        (index, line)
    }

    /// Waits until a member other than `but` has the lock, however far it is with its takeover.
    pub(crate) fn wait_for_lock(&self, but: usize) -> usize {
        wait::until(
            "a new holder of the lock",
            || {
                self.members.iter().enumerate().find_map(|(index, member)| {
                    let line = member.process.log.find("lock.acquired", member.mark);
                    (index != but && line.is_some()).then_some(index)
                })
            },
            || self.text(),
        )
    }

    /// One more member, which is not waited for.
    pub(crate) fn add(&mut self) -> usize {
        let index = self.members.len();
        let port = Port::reserve();
        let process = self.launch(index, &port);
        self.members.push(Member {
            process,
            port,
            mark: 0,
        });
        index
    }

    /// A new process in the place of one that has ended.
    pub(crate) fn restart(&mut self, index: usize) {
        let process = self.launch(index, &self.members[index].port);
        self.members[index].process = process;
        self.members[index].mark = 0;
    }

    fn launch(&self, index: usize, port: &Port) -> BrokerProcess {
        let more: Vec<&str> = self.more.iter().map(String::as_str).collect();
        BrokerProcess::start(&format!("b{index}"), &self.data(), &port.uri(), &more)
    }

    /// All logs, for panics.
    pub(crate) fn text(&self) -> String {
        let logs = self
            .members
            .iter()
            .map(|member| format!("--- {}\n{}", member.process.name, member.process.log.text()));
        logs.collect::<Vec<_>>().join("\n")
    }
}
