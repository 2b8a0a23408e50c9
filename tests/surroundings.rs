//! The promise of clear failures: each bad surrounding ends the start with one line that says what, where and what to
//! do, with an exit code that scripts know, and nothing foreign is touched.

use crate::support::broker_process::{BrokerProcess, scratch};
use crate::support::clients::{connect, put};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const USAGE: i32 = 64;
const DATA: i32 = 65;
const UNAVAILABLE: i32 = 69;
const CANNOT_CREATE: i32 = 73;
const PERMISSION: i32 = 77;
const CONFIGURATION: i32 = 78;

/// `nobody` on every Linux.
const NOBODY: u32 = 65_534;

/// Starts a broker with these arguments and checks how it fails: exit code, and one line with all these parts.
fn assert_fails(arguments: &[&str], code: i32, parts: &[&str]) {
    let mut broker = BrokerProcess::start_with("failing", arguments);
    let status = broker.wait_for_exit();
    let log = broker.log.text();
    assert_eq!(status.code(), Some(code), "{arguments:?}:\n{log}");
    // Log lines go to standard output as JSON; what is left is for people.
    let lines: Vec<String> = broker
        .log
        .lines()
        .into_iter()
        .filter(|line| !line.is_json())
        .map(|line| line.raw)
        .collect();
    assert_eq!(lines.len(), 1, "{arguments:?}: not one line:\n{log}");
    assert_parts(&lines[0], parts);
}

fn assert_parts(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "no `{part}` in: {line}");
    }
}

/// Arguments for a broker on `data`, with JSON logs.
fn on<'a>(data: &'a Path, listen: &'a str) -> Vec<&'a str> {
    let data = data.to_str().expect("test paths are text");
    vec!["--data", data, "--listen", listen, "--log-format", "json"]
}

const ANYWHERE: &str = "tcp://127.0.0.1:0";

#[test]
fn a_directory_without_a_parent_cannot_be_made() {
    let folder = scratch();
    let data = folder.path().join("not/there");
    assert_fails(
        &on(&data, ANYWHERE),
        CANNOT_CREATE,
        &["not/there", "parent"],
    );
}

#[test]
fn a_file_is_no_directory() {
    let folder = scratch();
    let data = folder.path().join("file");
    fs::write(&data, b"mine").expect("writable");
    assert_fails(&on(&data, ANYWHERE), CANNOT_CREATE, &["file", "directory"]);
    assert_eq!(fs::read(&data).expect("still there"), b"mine");
}

#[test]
fn a_read_only_directory_is_refused() {
    let folder = scratch();
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("writable");
    let mode = |path: &Path, bits| {
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).expect("our own file");
    };
    mode(folder.path(), 0o755);
    mode(&data, 0o555);
    let mut command = plain_command(&on(&data, ANYWHERE));
    if rustix::process::geteuid().is_root() {
        // Root may write anywhere, so be somebody who may not.
        std::os::unix::process::CommandExt::uid(&mut command, NOBODY);
    }
    let output = command.output().expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(PERMISSION), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert_parts(
        &error,
        &["data", "Permission denied", "read and write access"],
    );
    mode(&data, 0o755);
    assert_eq!(fs::read_dir(&data).expect("readable").count(), 0);
}

fn plain_command(arguments: &[&str]) -> Command {
    let mut command = crate::support::broker_process::command();
    command.arg("broker").args(arguments).stdin(Stdio::null());
    command
}

#[test]
fn the_directory_of_another_program_is_left_alone() {
    let folder = scratch();
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("writable");
    fs::write(data.join("PG_VERSION"), b"17\n").expect("writable");
    assert_fails(
        &on(&data, ANYWHERE),
        DATA,
        &["PG_VERSION", "empty directory"],
    );
    let names: Vec<_> = fs::read_dir(&data)
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert_eq!(names, ["PG_VERSION"]);
}

#[test]
fn a_lock_file_of_another_program_is_left_alone() {
    let folder = scratch();
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("writable");
    fs::write(data.join("lock"), b"#!/bin/sh\nexit 1\n").expect("writable");
    assert_fails(&on(&data, ANYWHERE), DATA, &["lock", "--data"]);
    assert_eq!(
        fs::read(data.join("lock")).expect("still there"),
        b"#!/bin/sh\nexit 1\n"
    );
}

/// Makes a data directory with something in it and hands out its only full journal file.
fn used_directory(folder: &Path) -> std::path::PathBuf {
    let mut broker = BrokerProcess::alone(folder, &[]);
    let uri = broker.uri();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let connection = connect(&uri).await;
        put(&connection, "q", &["1", "2", "3"]).await;
    });
    broker.signal(Signal::TERM);
    broker.wait_for_exit();
    let files = fs::read_dir(folder.join("data/journal")).expect("readable");
    let paths = files.map(|entry| entry.expect("readable").path());
    paths
        .filter(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"HOLDFSEG")))
        .min()
        .expect("a journal has a segment")
}

#[test]
fn another_format_is_refused_and_kept() {
    let folder = scratch();
    let segment = used_directory(folder.path());
    let mut bytes = fs::read(&segment).expect("readable");
    // FORMAT.md 2: the format is at 12, under the checksum at 8 of bytes 12..64.
    bytes[12..16].copy_from_slice(&99_u32.to_le_bytes());
    let crc = checksum(&bytes[12..64]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, &bytes).expect("writable");
    let data = folder.path().join("data");
    assert_fails(
        &on(&data, ANYWHERE),
        DATA,
        &["format 99", "version of holdfast"],
    );
    assert_eq!(fs::read(&segment).expect("still there"), bytes);
}

/// CRC-32 as FORMAT.md wants it, bit by bit: a second implementation, and it is only 52 bytes.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc = (crc >> 1) ^ (0xedb8_8320 * low);
        }
    }
    !crc
}

/// Flips a bit in the second batch of a used directory: what follows is intact, so it is damage and no torn tail.
/// Returns the segment and the batch's offset.
pub(crate) fn damaged_directory(folder: &Path) -> (std::path::PathBuf, usize) {
    let segment = used_directory(folder);
    let mut bytes = fs::read(&segment).expect("readable");
    let batches = bytes
        .windows(4)
        .enumerate()
        .filter(|(at, word)| at % 4096 == 0 && word == b"HFB1");
    let second = batches.map(|(at, _)| at).nth(1).expect("several batches");
    bytes[second + 60] ^= 0x40;
    fs::write(&segment, &bytes).expect("writable");
    // So little was never checkpointed: without an index the journal is read from the start.
    assert!(!folder.join("data/index").exists());
    (segment, second)
}

#[test]
fn damage_is_reported_with_file_and_offset() {
    let folder = scratch();
    let (segment, offset) = damaged_directory(folder.path());
    let before = fs::read(&segment).expect("readable");
    let data = folder.path().join("data");
    let name = segment
        .file_name()
        .expect("a file")
        .to_str()
        .expect("text")
        .to_owned();
    assert_fails(&on(&data, ANYWHERE), DATA, &[&name, &offset.to_string()]);
    assert_eq!(fs::read(&segment).expect("still there"), before);
}

#[test]
fn a_port_in_use_is_named() {
    let folder = scratch();
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let uri = format!("tcp://{}", taken.local_addr().expect("bound"));
    let data = folder.path().join("data");
    assert_fails(&on(&data, &uri), UNAVAILABLE, &[&uri, "--listen"]);
    // The lock is free again: with another port it starts.
    BrokerProcess::alone(folder.path(), &[]);
}

#[test]
fn a_bad_configuration_is_refused_before_anything_is_touched() {
    let folder = scratch();
    let data = folder.path().join("data");
    let file = folder.path().join("holdfast.toml");
    let file_name = file.to_str().expect("text");
    let cases: BTreeMap<&str, &[&str]> = BTreeMap::from([
        (
            "memory_limt = \"1GiB\"\n",
            &["memory_limt", "memory_limit"][..],
        ),
        ("memory_limit = \"much\"\n", &["memory_limit", "much"]),
        ("listen = \"http://h:1\"\n", &["listen", "http"]),
        ("max_frame = \n", &["holdfast.toml"]),
    ]);
    for (text, parts) in cases {
        fs::write(&file, text).expect("writable");
        let mut arguments = vec!["--config", file_name];
        arguments.extend(["--data", data.to_str().expect("text")]);
        assert_fails(&arguments, CONFIGURATION, parts);
    }
    assert_fails(
        &["--config", "/not/there.toml"],
        CONFIGURATION,
        &["/not/there.toml"],
    );
    assert!(
        !data.exists(),
        "the data directory was made for a bad configuration"
    );
}

#[test]
fn an_unknown_environment_variable_is_refused_like_a_key() {
    let folder = scratch();
    let data = folder.path().join("data");
    let mut command = plain_command(&on(&data, ANYWHERE));
    command.env("HOLDFAST_MAX_CONECTIONS", "5");
    let output = command.output().expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(CONFIGURATION), "{error}");
    assert_parts(
        &error.to_lowercase(),
        &["max_conections", "max_connections"],
    );
    assert!(!data.exists());
}

#[test]
fn wrong_usage_is_64() {
    for arguments in [&["--no-such-flag"][..], &["surplus"]] {
        let output = plain_command(arguments)
            .output()
            .expect("the program starts");
        assert_eq!(
            output.status.code(),
            Some(USAGE),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn a_broker_has_no_huge_pages() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    broker.wait_for("master.ready");
    assert_eq!(broker.status("THP_enabled:"), 0);
}
