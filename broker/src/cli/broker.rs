//! `holdfast broker`: the flags of the daemon, and its start.

use std::path::PathBuf;
use std::process::ExitCode;

use super::report;
use crate::config::{self, Sources};
use crate::{logs, role};

/// Flags of `holdfast broker`. Each is also a key of the configuration file
/// (with underscores) and an environment variable (`HOLDFAST_` and capitals).
#[derive(Debug, clap::Args)]
pub(crate) struct BrokerArgs {
    /// TOML configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Name of this broker [default: the host name].
    #[arg(long)]
    name: Option<String>,
    /// Data directory shared by all brokers of the set [default: ./holdfast-data].
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Where the master listens; may be repeated [default: tcp://127.0.0.1:61616].
    #[arg(long, value_name = "URI")]
    listen: Vec<String>,
    /// URI written into the lock file for people and tools; may be repeated.
    #[arg(long, value_name = "URI")]
    advertise: Vec<String>,
    /// Log lines as text or json [default: text].
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// error, warn, info, debug, trace or a tracing filter [default: info].
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Clients served at once [default: 1000].
    #[arg(long, value_name = "N")]
    max_connections: Option<String>,
    /// Largest frame taken from a client [default: 100MiB].
    #[arg(long, value_name = "SIZE")]
    max_frame: Option<String>,
    /// A client silent for this long is dropped; 0 means never [default: 30s].
    #[arg(long, value_name = "TIME")]
    max_inactivity: Option<String>,
    /// Message bodies held in memory [default: 256MiB].
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<String>,
    /// Bytes the journal may take on disk [default: what the disk has].
    #[arg(long, value_name = "SIZE")]
    store_limit: Option<String>,
    /// How a slave waits: auto, block or poll [default: auto].
    #[arg(long, value_name = "MODE")]
    lock_mode: Option<String>,
    /// Time between two tries of a polling slave [default: 250ms].
    #[arg(long, value_name = "TIME")]
    lock_poll: Option<String>,
    /// Size of a journal file [default: 32MiB].
    #[arg(long, value_name = "SIZE")]
    segment_size: Option<String>,
    /// Journal bytes between two checkpoints [default: 16MiB].
    #[arg(long, value_name = "SIZE")]
    checkpoint_size: Option<String>,
    /// Whether processors are kept from sleeping while messages come quickly, at the price of power: auto or never
    /// [default: auto, where /dev/cpu_dma_latency may be written].
    #[arg(long, value_name = "WHEN")]
    keep_awake: Option<String>,
    /// Wait after each sync, to see how a slower disk behaves.
    #[arg(long, value_name = "TIME", hide = true)]
    sync_delay: Option<String>,
    /// How often a long recovery says how far it is; 0 means after every batch [default: 1s].
    #[arg(long, value_name = "TIME")]
    recovery_progress: Option<String>,
}

/// Runs the broker until it is told to stop.
pub(super) fn run(args: BrokerArgs) -> ExitCode {
    let sources = Sources {
        file: args.config.clone(),
        environment: environment(),
        flags: args.flags(),
    };
    let outcome = config::load(&sources).and_then(|settings| {
        logs::start(&settings)?;
        role::run(settings)
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::fail(&error),
    }
}

/// Variables that are not Unicode cannot be ours.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl BrokerArgs {
    /// What was given, under the keys of `Settings`.
    fn flags(self) -> Vec<(&'static str, String)> {
        let list = |values: Vec<String>| (!values.is_empty()).then(|| values.join(","));
        let given = [
            ("name", self.name),
            ("data", self.data),
            ("listen", list(self.listen)),
            ("advertise", list(self.advertise)),
            ("log_format", self.log_format),
            ("log_level", self.log_level),
            ("max_connections", self.max_connections),
            ("max_frame", self.max_frame),
            ("max_inactivity", self.max_inactivity),
            ("memory_limit", self.memory_limit),
            ("store_limit", self.store_limit),
            ("lock_mode", self.lock_mode),
            ("lock_poll", self.lock_poll),
            ("segment_size", self.segment_size),
            ("checkpoint_size", self.checkpoint_size),
            ("keep_awake", self.keep_awake),
            ("sync_delay", self.sync_delay),
            ("recovery_progress", self.recovery_progress),
        ];
        given
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches, Parser};

    use crate::config::KEYS;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        args: super::BrokerArgs,
    }

    #[test]
    fn every_key_has_a_flag_that_arrives() {
        let mut line = vec!["broker".to_owned()];
        for key in KEYS {
            line.push(format!("--{}", key.replace('_', "-")));
            line.push("x".to_owned());
        }
        let matches = Only::command().get_matches_from(line);
        let only = Only::from_arg_matches(&matches).unwrap();
        let keys: Vec<&str> = only.args.flags().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, KEYS);
    }
}
