//! The promise of takeover: masters are killed at random points under load, and no promise is broken.
//!
//! 20 kills by default; `HOLDFAST_KILL_CYCLES` asks for more.

use crate::support::checker::assert_kept;
use crate::support::cluster::Cluster;
use crate::support::history::{Event, History};
use crate::support::load::Load;
use crate::support::random::Random;
use crate::support::wait;
use std::sync::Arc;

/// Kills in a usual run.
const CYCLES: u64 = 20;

#[test]
fn kills_at_random_points_break_no_promise() {
    let cycles = match std::env::var("HOLDFAST_KILL_CYCLES") {
        Ok(text) => text.parse().expect("HOLDFAST_KILL_CYCLES is a number"),
        Err(_) => CYCLES,
    };
    let history = Arc::new(History::default());
    let mut random = Random::new();
    let mut cluster = Cluster::start(3, &[], &history);
    let mut load = Load::new(cluster.uris(), 3, &history);
    start_everything(&mut load);
    let mut master = 0;
    for cycle in 0..cycles {
        // Mostly early deaths, where everything is still flagged and in doubt; now and then a long life.
        let life = if cycle % 5 == 4 {
            2_500
        } else {
            1 + random.below(300)
        };
        wait_for_answers(&history, &cluster, life);
        master = kill(&mut cluster, master, cycle, &mut random);
    }
    wait_for_answers(&history, &cluster, 50);
    load.finish();
    load.drain(1);
    // What was acknowledged must stay away from the next master too.
    kill(&mut cluster, master, 1, &mut random);
    load.drain(2);
    assert_kept(&history.events());
    assert_something_happened(&history, cycles);
}

/// A history in which nothing was at stake proves nothing.
fn assert_something_happened(history: &History, cycles: u64) {
    let cycles = usize::try_from(cycles).expect("few cycles");
    let lives = history.count(|event| matches!(event, Event::Opened { .. }));
    let received = history.count(|event| matches!(event, Event::Received { .. }));
    let again = history.count(|event| {
        matches!(
            event,
            Event::Received {
                redelivered: true,
                ..
            }
        )
    });
    let committed = history.count(|event| matches!(event, Event::Committed { .. }));
    let rolled_back = history.count(|event| matches!(event, Event::RolledBack { .. }));
    let line = format!(
        "{cycles} kills, {lives} consumer lives, {received} deliveries ({again} flagged), {committed} commits, \
         {rolled_back} rollbacks"
    );
    assert!(
        lives > cycles && received > 20 * cycles && again > cycles,
        "{line}"
    );
    assert!(committed > cycles && rolled_back > 0, "{line}");
    println!("{line}");
}

/// Queue 0: many producers, two consumers. Queue 1: transactions on both sides. Queue 2: one of each, for order.
fn start_everything(load: &mut Load) {
    load.producer(1, 0);
    load.producer(2, 0);
    load.producer(3, 0);
    load.consumer(1, 0, 5);
    load.consumer(2, 0, 1);
    load.transacted_producer(4, 1);
    load.transacted_producer(5, 1);
    load.regretful_producer(6, 1);
    load.transacted_consumer(3, 1, 4);
    load.consumer(4, 1, 10);
    load.producer(7, 2);
    load.consumer(5, 2, 3);
}

fn wait_for_answers(history: &History, cluster: &Cluster, count: u64) {
    let wanted = history.answers() + count;
    wait::until(
        "clients to get answers",
        || (history.answers() >= wanted).then_some(()),
        || cluster.text(),
    );
}

/// Kills the master; now and then also the next one in the middle of its takeover. Returns the new master.
fn kill(cluster: &mut Cluster, master: usize, cycle: u64, random: &mut Random) -> usize {
    cluster.member(master).kill();
    if cycle % 4 == 3 {
        let heir = cluster.wait_for_lock(master);
        if random.below(2) == 0 {
            cluster.member(heir).log.wait_for("recovery.finished", 0);
        }
        cluster.member(heir).kill();
        let (next, _) = cluster.wait_for_master();
        cluster.restart(heir);
        cluster.restart(master);
        return next;
    }
    let (next, _) = cluster.wait_for_master();
    cluster.restart(master);
    next
}
