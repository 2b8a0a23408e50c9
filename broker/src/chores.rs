//! One thread for what must not delay a connection or the committing thread:
//! reading pages of queues and browsers from the store, timers of pulls,
//! letting in those who waited for memory, searching for expired messages.
//!
//! Without it queues would stand still, so a panic here ends the mastership.
//!
//! Bounded by who may ask: a queue asks for one page at a time, a browser for
//! one step, a subscription for one timer.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::destination::{Queue, SubscriptionId};
use crate::effects::Effects;
use crate::engine::Engine;
use crate::message::StoredReader;

/// The list of what is to be done.
pub(crate) struct Chores {
    list: Mutex<List>,
    asked: Condvar,
    expiry_period: Duration,
}

#[derive(Default)]
struct List {
    jobs: VecDeque<Job>,
    timers: BinaryHeap<Reverse<Timer>>,
    let_in: bool,
    next_expiry: Option<Instant>,
    stopped: bool,
}

enum Job {
    Page(Arc<Queue>),
    Browse(Arc<Queue>),
    PullTimer(Weak<Queue>, SubscriptionId),
    LetIn,
    Expire,
}

struct Timer {
    at: Instant,
    job: Job,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Chores {
    pub(crate) fn new(expiry_period: Duration) -> Chores {
        Chores {
            list: Mutex::default(),
            asked: Condvar::new(),
            expiry_period,
        }
    }

    /// Starts the thread; it ends by `stop`, or when the engine is gone.
    pub(crate) fn start(engine: &Arc<Engine>) -> io::Result<()> {
        let chores = Arc::clone(&engine.chores);
        let engine = Arc::downgrade(engine);
        thread::Builder::new()
            .name("chores".to_owned())
            .spawn(move || run(&chores, &engine))?;
        Ok(())
    }

    pub(crate) fn page(&self, queue: Arc<Queue>) {
        self.ask(|list| list.jobs.push_back(Job::Page(queue)));
    }

    /// Tries a page again after a while.
    pub(crate) fn page_later(&self, queue: Arc<Queue>, wait: Duration) {
        let timer = Timer {
            at: Instant::now() + wait,
            job: Job::Page(queue),
        };
        self.ask(|list| list.timers.push(Reverse(timer)));
    }

    pub(crate) fn browse(&self, queue: Arc<Queue>) {
        self.ask(|list| list.jobs.push_back(Job::Browse(queue)));
    }

    /// Calls the subscription's pull timer then.
    pub(crate) fn pull_timer(&self, at: Instant, queue: &Arc<Queue>, id: SubscriptionId) {
        let job = Job::PullTimer(Arc::downgrade(queue), id);
        self.ask(|list| list.timers.push(Reverse(Timer { at, job })));
    }

    /// There is memory for those who wait.
    pub(crate) fn let_in(&self) {
        self.ask(|list| list.let_in = true);
    }

    pub(crate) fn stop(&self) {
        self.ask(|list| {
            list.stopped = true;
            list.jobs.clear();
            list.timers.clear();
        });
    }

    fn ask(&self, change: impl FnOnce(&mut List)) {
        change(&mut self.lock());
        self.asked.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, or `None` when nothing was asked for some time. `Err`: stopped.
    fn next(&self) -> Result<Option<Job>, ()> {
        let mut list = self.lock();
        let now = Instant::now();
        if list.stopped {
            return Err(());
        }
        if let Some(job) = list.due(now, self.expiry_period) {
            return Ok(Some(job));
        }
        let wait = list.until_next(now, self.expiry_period);
        let (mut list, _) = self
            .asked
            .wait_timeout(list, wait)
            .unwrap_or_else(PoisonError::into_inner);
        if list.stopped {
            return Err(());
        }
        Ok(list.due(Instant::now(), self.expiry_period))
    }
}

impl List {
    fn due(&mut self, now: Instant, expiry_period: Duration) -> Option<Job> {
        if self.timers.peek().is_some_and(|timer| timer.0.at <= now) {
            return self.timers.pop().map(|timer| timer.0.job);
        }
        if std::mem::take(&mut self.let_in) {
            return Some(Job::LetIn);
        }
        if let Some(job) = self.jobs.pop_front() {
            return Some(job);
        }
        let next_expiry = *self.next_expiry.get_or_insert(now + expiry_period);
        if next_expiry <= now {
            self.next_expiry = Some(now + expiry_period);
            return Some(Job::Expire);
        }
        None
    }

    fn until_next(&self, now: Instant, expiry_period: Duration) -> Duration {
        let timer = self.timers.peek().map(|timer| timer.0.at);
        let next = timer.into_iter().chain(self.next_expiry).min();
        next.map_or(expiry_period, |at| at.saturating_duration_since(now))
    }
}

/// What the thread works with.
pub(crate) struct Desk {
    pub(crate) reader: StoredReader,
    pub(crate) effects: Effects,
}

fn run(chores: &Chores, engine: &Weak<Engine>) {
    let worked = catch_unwind(AssertUnwindSafe(|| work(chores, engine)));
    if let (Err(panic), Some(engine)) = (worked, engine.upgrade()) {
        engine.store.give_up("chores", &*panic);
    }
}

fn work(chores: &Chores, engine: &Weak<Engine>) {
    let mut desk = Desk {
        reader: StoredReader::new(),
        effects: Effects::default(),
    };
    while let Ok(job) = chores.next() {
        match (job, engine.upgrade()) {
            (_, None) => return,
            (Some(job), Some(engine)) => engine.work_off(job, &mut desk),
            (None, Some(_)) => {}
        }
    }
}

impl Engine {
    fn work_off(&self, job: Job, desk: &mut Desk) {
        match job {
            Job::Page(queue) => self.load_page(&queue, desk),
            Job::Browse(queue) => self.show(&queue, desk),
            Job::PullTimer(queue, id) => self.ring(&queue, id, &mut desk.effects),
            Job::LetIn => self.let_in(),
            Job::Expire => self.expire(&mut desk.effects),
        }
        self.settle(&mut desk.effects);
        desk.effects.touched.flush();
    }

    fn ring(&self, queue: &Weak<Queue>, id: SubscriptionId, effects: &mut Effects) {
        let Some(queue) = queue.upgrade() else { return };
        let again = queue.lock().pull_timer(id, Instant::now(), effects);
        if let Some(at) = again {
            self.chores.pull_timer(at, &queue, id);
        }
    }

    fn let_in(&self) {
        for cell in self.memory.take_waiting() {
            if let Some(cell) = cell.upgrade() {
                cell.let_in();
            }
        }
    }

    fn expire(&self, effects: &mut Effects) {
        let now = self.now();
        for queue in self.registry.all() {
            let mut state = queue.lock();
            state.expire(now, effects);
            state.dispatch(now, effects);
            drop(state);
            self.settle(effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::boot::testing::held;
    use crate::engine::{Clock, EngineSettings};

    #[test]
    fn a_panic_ends_the_mastership_with_its_cause() {
        let dir = tempfile::tempdir().unwrap();
        let broken = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&broken);
        let clock = Clock::new(move || {
            let here = thread::current().name() == Some("chores");
            assert!(!(here && seen.load(Ordering::SeqCst)), "seeded");
            1_000_000
        });
        let settings = EngineSettings {
            clock,
            expiry_period: Duration::from_millis(1),
            ..EngineSettings::default()
        };
        let (lost, losses) = sync_channel(1);
        let on_lost = Box::new(move |cause: store::Error| lost.send(cause.to_string()).unwrap());
        let (engine, _) = Engine::start(dir.path(), held(dir.path()), settings, on_lost).unwrap();
        broken.store(true, Ordering::SeqCst);
        let cause = losses.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(cause, "thread chores: seeded");
        engine.close();
    }
}
