//! The promise of the command line: `send` and `receive` do what the demonstration shows, and end as scripts expect.

use crate::support::broker_process::{BrokerProcess, command, scratch};
use crate::support::cluster::Cluster;
use crate::support::history::History;
use crate::support::wait;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

/// Arguments for a command that talks to these brokers.
fn with_urls(words: &[&str], uris: &[String]) -> Command {
    let mut command = command();
    command.args(words);
    for uri in uris {
        command.args(["--url", uri]);
    }
    command.stdin(Stdio::null());
    command
}

fn start(mut command: Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn finish(child: Child) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().expect("our child ends");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    (
        status.code().expect("not killed"),
        text(stdout),
        text(stderr),
    )
}

fn run(words: &[&str], uris: &[String]) -> (i32, String, String) {
    finish(start(with_urls(words, uris)))
}

/// A number such as `sent=5` in a line of counts.
fn count(text: &str, key: &str) -> u64 {
    let last = text.lines().last().unwrap_or_default();
    let word = last
        .split(' ')
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    word.and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no {key} in {text}"))
}

#[test]
fn what_is_sent_is_received() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let uris = [broker.uri()];
    let sent = run(
        &[
            "send",
            "q",
            "--count",
            "3",
            "--body",
            "m{n}",
            "--property",
            "k=v",
        ],
        &uris,
    );
    assert_eq!((sent.0, count(&sent.1, "sent")), (0, 3), "{sent:?}");
    let received = run(
        &[
            "receive",
            "q",
            "--count",
            "3",
            "--timeout",
            "20s",
            "--ack",
            "client",
        ],
        &uris,
    );
    assert_eq!(
        (received.0, received.1.as_str()),
        (0, "m1\nm2\nm3\n"),
        "{received:?}"
    );
    let empty = run(&["receive", "q", "--timeout", "100ms"], &uris);
    assert_eq!((empty.0, empty.1.as_str()), (0, ""), "{empty:?}");
}

#[test]
fn standard_input_is_a_message_a_line_and_transactions_hold_all_of_them() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let uris = [broker.uri()];
    let mut sending = with_urls(&["send", "q", "--transaction", "2"], &uris);
    sending.stdin(Stdio::piped());
    let mut child = start(sending);
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(b"a\nb\nc\n")
        .expect("it reads");
    let sent = finish(child);
    assert_eq!((sent.0, count(&sent.1, "sent")), (0, 3), "{sent:?}");
    let words = [
        "receive",
        "q",
        "--count",
        "3",
        "--timeout",
        "20s",
        "--ack",
        "transaction",
        "--format",
        "json",
    ];
    let (code, lines, rest) = run(&words, &uris);
    assert_eq!(code, 0, "{rest}");
    let bodies: Vec<String> = lines
        .lines()
        .map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).expect("an object a line");
            assert_eq!(object["redelivered"], false);
            object["body"].as_str().expect("text").to_owned()
        })
        .collect();
    assert_eq!(bodies, ["a", "b", "c"]);
}

#[test]
fn masters_may_die_while_messages_are_sent_and_received() {
    let history = Arc::new(History::default());
    let mut cluster = Cluster::start(2, &[], &history);
    let uris = cluster.uris();
    let receive = [
        "receive",
        "q",
        "--count",
        "400",
        "--timeout",
        "20s",
        "--ack",
        "client",
        "--format",
        "none",
    ];
    let receiving = start(with_urls(&receive, &uris));
    let sending = start(with_urls(
        &[
            "send", "q", "--count", "400", "--rate", "400", "--size", "200",
        ],
        &uris,
    ));
    let mut master = 0;
    for _ in 0..2 {
        // Some messages in each life: the journal grows with every answer.
        wait_for_growth(&cluster);
        cluster.member(master).kill();
        let (next, _) = cluster.wait_for_master();
        cluster.restart(master);
        master = next;
    }
    let sent = finish(sending);
    assert_eq!((sent.0, count(&sent.1, "sent")), (0, 400), "{sent:?}");
    let received = finish(receiving);
    assert_eq!(received.0, 0, "{received:?}");
    for (key, expected) in [
        ("received", 400),
        ("duplicates_unflagged", 0),
        ("order_violations", 0),
    ] {
        assert_eq!(count(&received.2, key), expected, "{received:?}");
    }
    assert!(count(&received.2, "connections") >= 2, "{received:?}");
}

/// Waits until a client of the set has brought some messages: the durable length of the journal cannot be seen from
/// outside, but `holdfast receive` on another queue can be answered only by a living master.
fn wait_for_growth(cluster: &Cluster) {
    let uris = cluster.uris();
    let mut rounds = 0;
    wait::until_true("a working master", || {
        let sent = run(&["send", "other", "--body", "x"], &uris);
        rounds += u32::from(sent.0 == 0);
        rounds >= 3
    });
}

#[test]
fn commands_end_as_scripts_expect() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let uris = [broker.uri()];
    let nobody = ["tcp://127.0.0.1:1".to_owned()];
    for (words, uris, code, part) in [
        (
            &["send", "q", "--body", "x", "--give-up", "50ms"][..],
            &nobody,
            69,
            "no broker after",
        ),
        (
            &["receive", "q", "--give-up", "50ms"][..],
            &nobody,
            69,
            "no broker after",
        ),
        (
            &["receive", "q", "--count", "2", "--timeout", "50ms"][..],
            &uris,
            75,
            "received 0 of 2",
        ),
        (
            &["send", "q", "--body", "x", "--url", "http://h"][..],
            &nobody,
            64,
            "only tcp",
        ),
        (
            &["send", "q", "--size", "1", "--body", "x"][..],
            &nobody,
            64,
            "cannot be used with",
        ),
        (&["send"][..], &nobody, 64, "required"),
    ] {
        let (found, _, error) = run(words, uris);
        assert_eq!(found, code, "{words:?}: {error}");
        assert!(error.contains(part), "{words:?}: {error}");
    }
}
