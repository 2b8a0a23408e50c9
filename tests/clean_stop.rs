//! The promise of a clean stop: a master that is told to go hands over at once, loses nothing, and says so.

use crate::support::broker_process::{BrokerProcess, scratch};
use crate::support::checker::assert_kept;
use crate::support::cluster::Cluster;
use crate::support::history::History;
use crate::support::load::Load;
use crate::support::wait;
use rustix::process::Signal;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Stops in the test under load.
const STOPS: usize = 6;

/// From the signal to the next master being ready. Milliseconds on a quiet machine; this is for a busy one, and still
/// far below what waiting for clients or timeouts would take.
const HAND_OVER: Duration = Duration::from_secs(3);

#[test]
fn masters_that_stop_under_load_break_no_promise() {
    let history = Arc::new(History::default());
    let mut cluster = Cluster::start(2, &[], &history);
    let mut load = Load::new(cluster.uris(), 2, &history);
    load.producer(1, 0);
    load.producer(2, 0);
    load.consumer(1, 0, 3);
    load.transacted_producer(3, 1);
    load.transacted_consumer(2, 1, 4);
    let mut master = 0;
    for stop in 0..STOPS {
        let wanted = history.answers() + 60;
        wait::until(
            "clients to get answers",
            || (history.answers() >= wanted).then_some(()),
            || cluster.text(),
        );
        let signal = if stop % 2 == 0 {
            Signal::TERM
        } else {
            Signal::INT
        };
        master = stop_one(&mut cluster, master, signal);
    }
    load.finish();
    load.drain(1);
    assert_kept(&history.events());
}

/// Stops the master with a signal, checks how it goes, and puts a new process in its place. Returns the new master.
fn stop_one(cluster: &mut Cluster, master: usize, signal: Signal) -> usize {
    let asked = Instant::now();
    cluster.member(master).signal(signal);
    let (next, _) = cluster.wait_for_master();
    let took = asked.elapsed();
    assert!(
        took < HAND_OVER,
        "the next master took {took:?}\n{}",
        cluster.text()
    );
    let status = cluster.member(master).wait_for_exit();
    assert_eq!(status.code(), Some(0), "{}", cluster.text());
    let log = Arc::clone(&cluster.member(master).log);
    for event in ["shutdown.started", "shutdown.finished"] {
        assert!(log.find(event, 0).is_some(), "no {event}:\n{}", log.text());
    }
    cluster.restart(master);
    cluster.member(master).wait_for("slave.waiting");
    next
}

#[test]
fn a_slave_stops_at_once_and_its_master_goes_on() {
    let history = Arc::new(History::default());
    let mut cluster = Cluster::start(2, &[], &history);
    cluster.member(1).signal(Signal::TERM);
    assert_eq!(cluster.member(1).wait_for_exit().code(), Some(0));
    assert!(cluster.member(1).log.find("shutdown.finished", 0).is_some());
    assert!(cluster.member(0).is_running());
    assert!(cluster.member(0).log.find("master.demoted", 0).is_none());
}

#[test]
fn a_master_with_idle_clients_stops_without_waiting_for_them() {
    let folder = scratch();
    let mut broker = BrokerProcess::alone(folder.path(), &[]);
    let address = broker.uri().replace("tcp://", "");
    let idle: Vec<_> = (0..5)
        .map(|_| std::net::TcpStream::connect(&address).expect("the master listens"))
        .collect();
    let asked = Instant::now();
    broker.signal(Signal::TERM);
    assert_eq!(broker.wait_for_exit().code(), Some(0));
    assert!(asked.elapsed() < HAND_OVER, "{:?}", asked.elapsed());
    drop(idle);
}
