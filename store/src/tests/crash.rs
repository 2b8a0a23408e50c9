//! The crash explorer: a scripted life of a store on the simulated disk, stopped at every file operation, with several
//! choices of what had reached the disk; and the recovery from each of these, stopped in turn.
//!
//! After each: what was answered is there, nothing else than a prefix of what was submitted is there, transactions are
//! whole, what was acknowledged stays away. `HOLDFAST_CRASH_STATES` sets how many states are looked at.

use std::path::Path;
use std::sync::Arc;

use super::model::{Contents, Model, Unit, contents_of, work_of};
use super::script::{Ids, Script};
use super::support::{Collected, disk_with, hold, small};
use crate::index::{Backend, Opening};
use crate::journal::{Prepare, Reader, WriterSettings};
use crate::open::{self, Recovered};
use crate::sim::{Choice, Op, SimFs};
use crate::{Fs, Outlet, Result, Settings, Store};

const CHOICES: [Choice; 4] = [Choice::Lost, Choice::Kept, Choice::Seed(1), Choice::Seed(2)];

/// Tokens become marks in the record of file operations.
struct Marks {
    sim: SimFs,
    collected: Box<dyn Outlet<u64>>,
}

impl Outlet<u64> for Marks {
    fn durable(&mut self, tokens: &mut Vec<u64>) {
        for token in tokens.iter() {
            self.sim.mark(*token);
        }
        self.collected.durable(tokens);
    }
    fn lost(&mut self, cause: crate::Error) {
        self.collected.lost(cause);
    }
    fn busy(&mut self, busy: bool) {
        self.collected.busy(busy);
    }
    fn full(&mut self, full: bool) {
        self.collected.full(full);
    }
}

/// A store's life: the disk with its record, and the model after every unit of work.
struct Life {
    sim: SimFs,
    states: Vec<Contents>,
}

/// Two masters, one after the other, so that seals and reopened indexes are in the record.
fn live(dir: &Path, seed: u64, units: usize) -> Life {
    let sim = disk_with(dir);
    let mut script = Script::new(seed);
    let mut model = Model::default();
    let mut states = vec![model.contents().clone()];
    for _ in 0..2 {
        let (collected, collector) = Collected::new();
        let fs: Arc<dyn Fs> = Arc::new(sim.clone());
        let outlet = Marks {
            sim: sim.clone(),
            collected: Box::new(collector),
        };
        let (store, _) = Store::open_with(&fs, dir, hold(dir), small(), outlet).expect("open");
        let ids = Ids {
            queue: &|| store.new_queue(),
            staged: &|| store.new_staged(),
        };
        for _ in 0..units {
            let unit = script.next(&ids);
            model.apply(&unit);
            let token = states.len() as u64;
            states.push(model.contents().clone());
            match &unit {
                Unit::Work(steps) => store.submit(work_of(steps), token).expect("submit"),
                Unit::Stage(id, steps) => {
                    store.stage(*id, work_of(steps)).expect("stage");
                    store.submit(crate::Work::new(), token).expect("submit");
                }
            }
            if script.random().below(3) == 0 {
                collected.wait_for(token);
            }
        }
        store.close().expect("close");
        script.restart();
        model.restart();
    }
    Life { sim, states }
}

/// A life whose disk dies at operation number `op`; ends when the store does.
fn live_until(dir: &Path, seed: u64, op: usize) -> Life {
    let sim = disk_with(dir);
    sim.die_at(op);
    let mut states = vec![Contents::default()];
    let (collected, collector) = Collected::new();
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    let outlet = Marks {
        sim: sim.clone(),
        collected: Box::new(collector),
    };
    let Ok((store, _)) = Store::open_with(&fs, dir, hold(dir), small(), outlet) else {
        return Life { sim, states };
    };
    let (mut script, mut model) = (Script::new(seed), Model::default());
    let ids = Ids {
        queue: &|| store.new_queue(),
        staged: &|| store.new_staged(),
    };
    for token in 1..200 {
        let unit = script.next(&ids);
        model.apply(&unit);
        states.push(model.contents().clone());
        let (Unit::Work(steps) | Unit::Stage(_, steps)) = &unit;
        let submitted = match &unit {
            Unit::Work(_) => store.submit(work_of(steps), token),
            Unit::Stage(id, _) => store
                .stage(*id, work_of(steps))
                .and_then(|()| store.submit(crate::Work::new(), token)),
        };
        if submitted.is_err() || (script.random().below(3) == 0 && !collected.came(token)) {
            break;
        }
    }
    drop(store.close());
    Life { sim, states }
}

fn recover(sim: &SimFs, dir: &Path, epoch: u64) -> Result<Recovered> {
    let settings = small();
    let opening = Opening {
        epoch,
        boot_id: format!("boot {epoch}"),
        network: false,
        previous_clean: false,
        oldest_segment: None,
        backend: Backend::File,
        settings: &settings,
    };
    let writing = WriterSettings {
        prepare: Prepare::Inline,
        ..WriterSettings::from(&Settings { ..settings.clone() })
    };
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    open::recover(&fs, dir, opening, &writing, &|| Ok(()))
}

/// Recovers and compares with every state from the last answered one on.
fn check(life: &Life, sim: &SimFs, dir: &Path, marks: &[u64], epoch: u64, what: &str) -> Recovered {
    let mut recovered = recover(sim, dir, epoch).unwrap_or_else(|error| panic!("{what}: {error}"));
    let reader = Reader::new(Arc::clone(&recovered.directory));
    let found = contents_of(&mut recovered.applied.index, &reader);
    let answered = usize::try_from(marks.iter().copied().max().unwrap_or(0)).expect("few");
    let is_prefix = life.states[answered..].contains(&found);
    let before = life.states[..answered]
        .iter()
        .rposition(|state| *state == found);
    assert!(
        is_prefix,
        "{what}: answered up to {answered}, found the state after {before:?} (None: no state at all)"
    );
    recovered
}

fn budget() -> usize {
    std::env::var("HOLDFAST_CRASH_STATES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(2_000)
}

#[test]
fn nothing_answered_is_lost_at_any_crash() {
    let dir = tempfile::tempdir().expect("temp dir");
    let budget = budget();
    let life = live(dir.path(), 7, 150);
    let all = (life.sim.op_count() + 1) * CHOICES.len();
    let every = all.div_ceil(budget).max(1);
    let (mut seen, mut looked) = (0, 0);
    life.sim.for_each_crash(&CHOICES, |at, marks, crashed| {
        seen += 1;
        if seen % every != 0 {
            return;
        }
        looked += 1;
        let what = format!("crash {seen} at operation {at} of {}", life.sim.op_count());
        drop(check(&life, &crashed, dir.path(), marks, 1_000, &what));
        // Every so often, crash during that recovery and recover again; and once more from what that one left.
        if looked % 16 == 0 {
            for second in 0..=crashed.op_count() {
                for choice in [Choice::Lost, Choice::Seed(second as u64)] {
                    let again = crashed.crash_at(second, choice);
                    let what = format!("{what}, then at operation {second} of its recovery");
                    drop(check(&life, &again, dir.path(), marks, 2_000, &what));
                }
            }
        }
    });
    assert!(
        looked >= budget.min(all) / 2,
        "{looked} of {all} states were looked at"
    );
}

#[test]
fn different_lives_end_well_too() {
    for seed in 1..=6 {
        let dir = tempfile::tempdir().expect("temp dir");
        let life = live(dir.path(), seed, 120);
        let mut seen = 0_u64;
        life.sim
            .for_each_crash(&[Choice::Seed(seed)], |at, marks, crashed| {
                seen += 1;
                if seen % 8 == seed % 8 {
                    let what = format!("life {seed}, crash at operation {at}");
                    drop(check(&life, &crashed, dir.path(), marks, 1_000, &what));
                }
            });
    }
}

#[test]
fn a_disk_that_dies_anywhere_loses_nothing_that_was_answered() {
    for op in (0..400).step_by(7) {
        let dir = tempfile::tempdir().expect("temp dir");
        let life = live_until(dir.path(), 3, op);
        let marks: Vec<_> = life
            .sim
            .ops()
            .iter()
            .filter_map(|op| {
                if let Op::Mark(mark) = op {
                    Some(*mark)
                } else {
                    None
                }
            })
            .collect();
        for choice in CHOICES {
            let crashed = life.sim.crash(choice);
            let what = format!("the disk died at operation {op}, {choice:?}");
            drop(check(&life, &crashed, dir.path(), &marks, 1_000, &what));
        }
    }
}
