//! `holdfast status DIR`: who is master of a data directory, asked of the lock
//! file alone. Works without the network and disturbs nobody.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lock::{Holder, Status};

use super::exit::exit;
use super::report;
use crate::error::Error;

/// Flags of `holdfast status`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// The data directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Prints who is master. Exit code 0 with a master, 69 without.
pub(super) fn run(args: StatusArgs) -> ExitCode {
    let status = match lock::read_status(&args.directory) {
        Ok(status) => status,
        Err(error) => return report::fail(&Error::Lock(error)),
    };
    let text = if args.json {
        json(&status)
    } else {
        people(&status)
    };
    // A reader that went away needs no answer.
    let _ = writeln!(io::stdout(), "{text}");
    exit(if status.held {
        exitcode::OK
    } else {
        exitcode::UNAVAILABLE
    })
}

fn json(status: &Status) -> String {
    serde_json::json!({
        "held": status.held,
        "holder": status.holder,
        "filesystem": status.filesystem.name,
        "refusals": status.filesystem.refusals,
        "warnings": status.filesystem.warnings,
    })
    .to_string()
}

fn people(status: &Status) -> String {
    let mut lines = match (&status.holder, status.held) {
        (Some(holder), true) => describe("master", holder),
        (None, true) => vec!["master    locked by a broker that has not said who it is".to_owned()],
        (Some(holder), false) => {
            let mut lines = vec!["master    none".to_owned()];
            lines.extend(describe("last", holder));
            lines
        }
        (None, false) => vec!["master    none, and there never was one".to_owned()],
    };
    let filesystem = &status.filesystem;
    lines.push(format!("storage   {}", filesystem.name));
    let remarks = filesystem.refusals.iter().chain(&filesystem.warnings);
    lines.extend(remarks.map(|remark| format!("warning   {remark}")));
    lines.join("\n")
}

fn describe(title: &str, holder: &Holder) -> Vec<String> {
    let left = if holder.released {
        ", left in order"
    } else {
        ""
    };
    vec![
        format!(
            "{title:<9} {} on {}, process {}{left}",
            holder.name, holder.host, holder.pid
        ),
        format!("since     {}", utc(holder.since_unix_ms)),
        format!("epoch     {}", holder.epoch),
        format!("uris      {}", holder.uris.join(", ")),
    ]
}

/// A time as `2026-11-21 20:37:00 UTC`.
fn utc(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in months {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!(
        "{year}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02} UTC",
        days + 1
    )
}

fn days_of(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    if leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_735_689_599_000), "2024-12-31 23:59:59 UTC");
        assert_eq!(utc(1_795_293_420_999), "2026-11-21 20:37:00 UTC");
    }
}
