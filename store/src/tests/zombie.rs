//! A master that is stopped in the middle of anything, replaced, and set going again: every one of its threads still
//! carries out the file operation it was about to begin.
//!
//! Whatever that was, its successor finds all that was answered, loses nothing of its own, and so does the one after it,
//! with the index and without.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::model::{Contents, Model, Unit, contents_of, work_of};
use super::script::{Ids, Random, Script};
use super::support::{Collected, disk_with, eventually, small};
use crate::sim::SimFs;
use crate::sync::locked;
use crate::{Fs, ReadFile, Remains, SegmentFile, Store, Work};

/// Lets so many file operations through, then none until it is opened.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    left: Option<usize>,
    held_up: usize,
}

impl Gate {
    fn closing_after(operations: usize) -> Arc<Self> {
        let gate = Self::default();
        locked(&gate.state).left = Some(operations);
        Arc::new(gate)
    }

    fn pass(&self) {
        let mut state = locked(&self.state);
        state.left = state.left.map(|left| left.saturating_sub(1));
        state.held_up += 1;
        while state.left == Some(0) {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.held_up -= 1;
    }

    fn close(&self) {
        locked(&self.state).left = Some(0);
    }

    fn open(&self) {
        locked(&self.state).left = None;
        self.changed.notify_all();
    }

    fn is_closed(&self) -> bool {
        locked(&self.state).left == Some(0)
    }
}

/// A disk behind a gate.
struct Gated {
    fs: SimFs,
    gate: Arc<Gate>,
}

impl Gated {
    fn pass(&self) -> &SimFs {
        self.gate.pass();
        &self.fs
    }
}

impl Fs for Gated {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.pass().list(dir)
    }

    fn refresh_dir(&self, dir: &Path) -> io::Result<()> {
        self.pass().refresh_dir(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.pass().create_dir_all(dir)
    }

    fn create(&self, path: &Path, len: u64) -> io::Result<Box<dyn SegmentFile>> {
        let file = self.pass().create(path, len)?;
        let gate = Arc::clone(&self.gate);
        Ok(Box::new(GatedFile { file, gate }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        self.pass().open_read(path)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.pass().file_len(path)
    }

    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.pass().read_small(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.pass().replace(path, bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<Box<dyn Remains>> {
        self.pass().remove(path)
    }

    fn settle(&self, path: &Path) -> io::Result<()> {
        self.pass().settle(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.pass().sync_dir(dir)
    }

    fn available_space(&self, dir: &Path) -> io::Result<u64> {
        self.pass().available_space(dir)
    }
}

struct GatedFile {
    file: Box<dyn SegmentFile>,
    gate: Arc<Gate>,
}

impl SegmentFile for GatedFile {
    fn fill(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.gate.pass();
        self.file.fill(offset, len)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.gate.pass();
        self.file.finish()
    }

    fn lock(&mut self) -> io::Result<()> {
        self.gate.pass();
        self.file.lock()
    }

    fn write_durable(&mut self, offset: u64, aligned: &[u8]) -> io::Result<()> {
        self.gate.pass();
        self.file.write_durable(offset, aligned)
    }

    fn grow(&mut self, from: u64, to: u64) -> io::Result<()> {
        self.gate.pass();
        self.file.grow(from, to)
    }
}

/// A lock of its own for each master, since none of them keeps the others out: as if their locks were void.
struct Master {
    lock: tempfile::TempDir,
    store: Store<u64>,
    collected: Arc<Collected>,
}

impl Master {
    fn start(fs: &Arc<dyn Fs>, dir: &Path, above: u64) -> Self {
        let lock = tempfile::tempdir().expect("temp dir");
        let settings = lock::Settings {
            assume: Some(lock::FilesystemKind::Network),
            ..lock::Settings::default()
        };
        let held = lock::acquire(
            lock.path(),
            &lock::Identity::default(),
            &settings,
            |_| Ok(lock::Epoch::new(above)),
            &lock::Stop::new(),
            &mut |_| {},
        );
        let held = held.expect("nobody else knows this lock");
        let (collected, collector) = Collected::new();
        let opened = Store::open_with(fs, dir, held, small(), collector);
        let (store, _) = opened.unwrap_or_else(|error| panic!("epoch {}: {error}", above + 1));
        Self {
            lock,
            store,
            collected,
        }
    }

    /// What its next look at the lock finds: another holder has it.
    fn replace(&self) {
        let lock = self.lock.path().join("lock");
        Fs::remove(&crate::RealFs::new(None), &lock).expect("it is there");
    }

    fn next(&self, script: &mut Script) -> Unit {
        script.next(&Ids {
            queue: &|| self.store.new_queue(),
            staged: &|| self.store.new_staged(),
        })
    }

    fn submit(&self, unit: &Unit, token: u64) -> crate::Result<()> {
        match unit {
            Unit::Work(steps) => self.store.submit(work_of(steps), token),
            Unit::Stage(id, steps) => {
                self.store.stage(*id, work_of(steps))?;
                self.store.submit(Work::new(), token)
            }
        }
    }

    fn contents(&self) -> Contents {
        let core = self.store.core();
        core.with_index(|applied| Ok(contents_of(&mut applied.index, &core.reader)))
            .expect("open")
    }

    /// Works on, answered now and then.
    fn work(&self, script: &mut Script, model: &mut Model, tokens: std::ops::Range<u64>) {
        for token in tokens.clone() {
            let unit = self.next(script);
            model.apply(&unit);
            self.submit(&unit, token).expect("submit");
            if script.random().below(3) == 0 || token + 1 == tokens.end {
                self.collected.wait_for(token);
            }
        }
    }
}

/// Works until the gate closes, and a little more into the inbox; answers what it held after every unit.
fn work_until_stopped(master: &Master, gate: &Gate, seed: u64) -> Vec<Contents> {
    let (mut script, mut model) = (Script::new(seed), Model::default());
    let mut states = vec![model.contents().clone()];
    let mut more = 5;
    while more > 0 {
        if states.len() == 400 {
            gate.close();
        }
        if gate.is_closed() {
            more -= 1;
        }
        let unit = master.next(&mut script);
        model.apply(&unit);
        let token = states.len() as u64;
        states.push(model.contents().clone());
        master.submit(&unit, token).expect("submit");
        if script.random().below(3) == 0 {
            eventually("an answer, or the pause", || {
                gate.is_closed() || master.collected.tokens().contains(&token)
            });
        }
    }
    states
}

fn live(seed: u64) {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let gate = Gate::closing_after(usize::MAX);
    let fs: Arc<dyn Fs> = Arc::new(Gated {
        fs: sim.clone(),
        gate: Arc::clone(&gate),
    });
    let zombie = Master::start(&fs, dir.path(), 0);
    let operations = 1 + Random::new(seed).below(600);
    locked(&gate.state).left = Some(usize::try_from(operations).expect("few"));
    let states = work_until_stopped(&zombie, &gate, seed);

    zombie.replace();
    let plain: Arc<dyn Fs> = Arc::new(sim.clone());
    let master = Master::start(&plain, dir.path(), zombie.store.epoch());
    let found = master.contents();
    let (mut script, mut model) = (Script::new(seed + 1_000), Model::of(found.clone()));
    master.work(&mut script, &mut model, 1..150);
    gate.open();
    // Half of the masters do nothing more that could mend what the zombie does.
    let busy = seed.is_multiple_of(2);
    if busy {
        master.work(&mut script, &mut model, 150..220);
    }
    zombie.store.clone().close().expect_err("it lost the lock");
    if busy {
        master.work(&mut script, &mut model, 220..300);
    }

    let answered = zombie.collected.tokens();
    let answered = usize::try_from(answered.into_iter().max().unwrap_or(0)).expect("few");
    assert!(
        states[answered..].contains(&found),
        "seed {seed}: {answered} were answered"
    );
    model.restart();
    master.contents().assert_is(model.contents(), "the master");
    master.store.clone().close().expect("still the holder");
    let next = Master::start(&plain, dir.path(), master.store.epoch());
    next.contents()
        .assert_is(model.contents(), "the next master");
    next.store.clone().close().expect("still the holder");
    Fs::remove(&sim, &dir.path().join("index").join("control")).expect("it is there");
    let last = Master::start(&plain, dir.path(), next.store.epoch());
    last.contents().assert_is(model.contents(), "a rebuild");
    last.store.close().expect("still the holder");
}

#[test]
fn a_master_that_was_stopped_anywhere_changes_nothing_afterwards() {
    let lives = std::env::var("HOLDFAST_ZOMBIES").ok();
    let lives = lives.and_then(|lives| lives.parse().ok()).unwrap_or(25);
    for seed in 1..=lives {
        live(seed);
    }
}
