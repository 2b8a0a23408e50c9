//! The promise of the load generator: what it counts is what happened, and a broken promise shows in its exit code.

use crate::support::broker_process::{BrokerProcess, command, scratch};
use serde_json::Value;
use std::process::{Output, Stdio};

/// Runs `holdfast bench --json` with a line of flags: exit code, result and standard error.
fn bench(uri: &str, flags: &str) -> (i32, Value, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command()
        .args(["bench", "--json", "--url", uri])
        .args(flags.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let error = String::from_utf8(stderr).expect("it prints text");
    let text = String::from_utf8(stdout).expect("it prints text");
    let result = match text.lines().count() {
        0 => Value::Null,
        1 => serde_json::from_str(&text).expect("one JSON object"),
        _ => panic!("more than one line: {text}"),
    };
    (status.code().expect("not killed"), result, error)
}

/// The numbers under these keys.
fn numbers(result: &Value, keys: &[&str]) -> Vec<u64> {
    let number = |key: &&str| result[*key].as_u64().expect("a whole number");
    keys.iter().map(number).collect()
}

/// Asserts that all was sent and received, and nothing was broken.
fn assert_clean(flags: &str, messages: u64, (code, result, error): &(i32, Value, String)) {
    assert_eq!(*code, 0, "{flags}: {error} {result}");
    let counts = ["sent", "received", "foreign", "errors"];
    assert_eq!(
        numbers(result, &counts),
        [messages, messages, 0, 0],
        "{flags}: {result}"
    );
    assert_faultless(flags, result);
    assert!(
        result["receive_per_second"].as_f64().expect("a rate") > 0.0,
        "{flags}: {result}"
    );
    let end_to_end = &result["end_to_end_us"];
    assert!(
        end_to_end["p50"].as_f64() <= end_to_end["max"].as_f64(),
        "{flags}: {result}"
    );
}

fn assert_faultless(flags: &str, result: &Value) {
    let faults = ["lost", "duplicates", "redelivered", "out_of_order"];
    assert_eq!(numbers(result, &faults), [0; 4], "{flags}: {result}");
}

#[test]
fn every_way_to_send_and_to_acknowledge_is_counted_right() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    for (flags, messages) in [
        ("--messages 100", 100),
        (
            "--messages 601 --producers 3 --consumers 2 --queues 2 --window 16",
            601,
        ),
        (
            "--messages 6000 --producers 4 --consumers 4 --size 16 --non-persistent --threads 2",
            6000,
        ),
        (
            "--messages 1005 --producers 2 --transaction 10 --ack transaction:7 --prefetch 3",
            1005,
        ),
        (
            "--messages 701 --producers 7 --connections 3 --threads 2",
            701,
        ),
        (
            "--messages 800 --producers 8 --connections 1 --transaction 10",
            800,
        ),
        (
            "--messages 6000 --producers 4 --connections 2 --non-persistent",
            6000,
        ),
        ("--messages 200 --window 20 --ack client", 200),
        ("--messages 50 --window 5 --ack individual", 50),
        ("--messages 200 --window 20 --ack each --prefetch 1", 200),
        ("--messages 50 --window 5 --prefetch 0", 50),
        ("--duration 100ms --warmup 0ms --rate 500 --window 5", 50),
    ] {
        let run = bench(&broker.uri(), flags);
        assert_clean(flags, messages, &run);
        let answered = run.1["send_latency_us"]["p99.99"].as_f64();
        assert_eq!(
            answered.is_none(),
            flags.contains("--non-persistent"),
            "{flags}: {}",
            run.1
        );
        assert_counted(flags, &run.1);
    }
}

/// The counts say what the percentiles say, to a hundredth.
fn assert_counted(flags: &str, result: &Value) {
    let counts = result["send_latency_counts"].as_array().expect(flags);
    let of = |pair: &Value| {
        (
            pair[0].as_f64().expect(flags),
            pair[1].as_u64().expect(flags),
        )
    };
    let counts: Vec<(f64, u64)> = counts.iter().map(of).collect();
    assert!(counts.is_sorted_by(|a, b| a.0 < b.0), "{flags}: {counts:?}");
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let Some(p50) = result["send_latency_us"]["p50"].as_f64() else {
        return assert_eq!(total, 0, "{flags}");
    };
    let below = |limit: f64| -> u64 {
        let some = counts.iter().take_while(|(most, _)| *most < limit);
        some.map(|(_, count)| count).sum()
    };
    assert!(
        total > 0 && below(p50 * 0.98) <= total / 2,
        "{flags}: {result}"
    );
    assert!(below(p50 * 1.02) >= total / 2, "{flags}: {result}");
}

#[test]
fn producers_share_connections() {
    let folder = scratch();
    // Two for producers, one for the consumer.
    let broker = BrokerProcess::alone(folder.path(), &["--max-connections", "3"]);
    let flags = "--messages 640 --producers 8 --connections 2";
    assert_clean(flags, 640, &bench(&broker.uri(), flags));
}

#[test]
fn a_backlog_is_filled_drained_and_missed_when_it_is_gone() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let uri = broker.uri();
    let fill = "--messages 500 --window 50 --consumers 0";
    let (code, result, error) = bench(&uri, fill);
    assert_eq!(code, 0, "{error} {result}");
    assert_eq!(numbers(&result, &["sent", "received", "lost"]), [500, 0, 0]);
    assert!(result["first_message_ms"].is_null() && result["end_to_end_us"].is_null());

    let (code, result, error) = bench(&uri, "--messages 400 --producers 0 --prefetch 10");
    assert_eq!(code, 0, "{error} {result}");
    assert_eq!(numbers(&result, &["sent", "foreign"]), [0, 0]);
    // What had come before the end was noticed is counted as well.
    let drained = numbers(&result, &["received"])[0];
    assert!((400..=420).contains(&drained), "{result}");
    assert_faultless("drain", &result);
    assert!(result["first_message_ms"].as_f64() > Some(0.0), "{result}");

    // The next run's own messages come behind what is left, which is not its own.
    let (code, result, error) = bench(&uri, "--messages 10");
    assert_eq!(code, 0, "{error} {result}");
    assert_eq!(
        numbers(&result, &["sent", "received", "foreign", "lost"]),
        [10, 10, 500 - drained, 0]
    );

    let nothing = "--messages 3 --producers 0 --idle-timeout 100ms";
    let (code, result, error) = bench(&uri, nothing);
    assert_eq!(code, 65, "{error} {result}");
    assert_eq!(numbers(&result, &["received", "lost"]), [0, 3]);
}

#[test]
fn a_run_that_cannot_be_ends_as_scripts_expect() {
    for (flags, code, part) in [
        ("--messages 1", 69, "Connection refused"),
        ("--producers 0 --consumers 0", 64, "nothing to do"),
        ("--size 15", 64, "16 bytes"),
    ] {
        let (found, result, error) = bench("tcp://127.0.0.1:1", flags);
        assert_eq!((found, result), (code, Value::Null), "{flags}: {error}");
        assert!(error.contains(part), "{flags}: {error}");
    }
}
