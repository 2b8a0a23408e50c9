//! Random work with closing, crashing and losing the index as operations: after each, the store is what the model says.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::model::{Contents, Model, Unit, contents_of, work_of};
use super::script::{Ids, Script};
use super::support::{Collected, disk_with, hold, small};
use crate::sim::{Choice, SimFs};
use crate::{Fs, Store};

#[derive(Clone, Debug)]
enum Action {
    /// Submit so many units of work.
    Run(u64),
    /// Stop in order and start again.
    Close,
    /// The host goes down once everything submitted is durable; unsynced bytes go as the seed says.
    Crash(u64),
    /// Stop in order, lose the control file, start again.
    LoseIndex,
    /// Ask for a checkpoint now.
    Checkpoint,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        4 => (1..120_u64).prop_map(Action::Run),
        2 => Just(Action::Close),
        2 => (0..1_000_u64).prop_map(Action::Crash),
        1 => Just(Action::LoseIndex),
        1 => Just(Action::Checkpoint),
    ];
    prop::collection::vec(action, 1..12)
}

struct Running {
    sim: SimFs,
    store: Store<u64>,
    collected: Arc<Collected>,
    token: u64,
}

impl Running {
    fn open(sim: SimFs, dir: &Path) -> Self {
        let (collected, collector) = Collected::new();
        let fs: Arc<dyn Fs> = Arc::new(sim.clone());
        let (store, _) = Store::open_with(&fs, dir, hold(dir), small(), collector).expect("open");
        Self {
            sim,
            store,
            collected,
            token: 0,
        }
    }

    fn submit(&mut self, unit: &Unit) {
        self.token += 1;
        match unit {
            Unit::Work(steps) => self
                .store
                .submit(work_of(steps), self.token)
                .expect("submit"),
            Unit::Stage(id, steps) => self.store.stage(*id, work_of(steps)).expect("stage"),
        }
    }

    /// Until everything submitted is durable.
    fn settle(&mut self) {
        self.submit(&Unit::Work(Vec::new()));
        self.collected.wait_for(self.token);
    }

    fn contents(&self) -> Contents {
        let core = self.store.core();
        core.with_index(|applied| Ok(contents_of(&mut applied.index, &core.reader)))
            .expect("open")
    }
}

fn run(seed: u64, actions: &[Action]) {
    let dir = tempfile::tempdir().expect("temp dir");
    let (mut script, mut model) = (Script::new(seed), Model::default());
    let mut running = Running::open(disk_with(dir.path()), dir.path());
    for action in actions {
        match action {
            Action::Run(units) => {
                let store = running.store.clone();
                let ids = Ids {
                    queue: &|| store.new_queue(),
                    staged: &|| store.new_staged(),
                };
                for _ in 0..*units {
                    let unit = script.next(&ids);
                    running.submit(&unit);
                    model.apply(&unit);
                    if script.random().below(4) == 0 {
                        running.settle();
                    }
                }
                running.settle();
                running.contents().assert_is(model.contents(), "live");
                continue;
            }
            Action::Checkpoint => {
                running.store.core().signals.ask();
                continue;
            }
            Action::Close => {
                running.store.close().expect("close");
                running = Running::open(running.sim, dir.path());
            }
            Action::LoseIndex => {
                running.store.close().expect("close");
                let fs: &dyn Fs = &running.sim;
                let control = dir.path().join("index/control");
                if fs.file_len(&control).is_ok() {
                    fs.remove(&control).expect("remove");
                }
                running = Running::open(running.sim, dir.path());
            }
            Action::Crash(seed) => {
                running.settle();
                let crashed = running.sim.crash(Choice::Seed(*seed));
                // The process of before goes too; what it still writes goes to a disk that nobody looks at again.
                drop(running.store.close());
                running = Running::open(crashed, dir.path());
            }
        }
        script.restart();
        model.restart();
        running
            .contents()
            .assert_is(model.contents(), &format!("after {action:?}"));
    }
    running.store.close().expect("close");
}

/// Enough for every build; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_what_the_model_says(seed in 0..u64::MAX, actions in actions()) {
        run(seed, &actions);
    }
}
