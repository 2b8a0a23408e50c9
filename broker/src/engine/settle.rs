//! Carries out what follows from changes of queues, without their locks.

use store::{Seq, Work};

use crate::committer::Token;
use crate::effects::Effects;
use crate::engine::Engine;

impl Engine {
    /// Does everything but the flushing, which is the caller's.
    pub(crate) fn settle(&self, effects: &mut Effects) {
        if effects.is_settled() {
            return;
        }
        for dead in effects.dead.drain(..) {
            self.bury(&dead);
        }
        for (queue, mark) in effects.marks.drain(..) {
            if let Some(id) = queue.store_id() {
                let mut work = Work::new();
                work.dispatch_mark(id, mark);
                self.submit(work, Token::Marked { queue, mark });
            }
        }
        self.write_down(effects);
        for queue in effects.pages.drain(..) {
            self.chores.page(queue);
        }
        for queue in effects.browsers.drain(..) {
            self.chores.browse(queue);
        }
        let loaded = std::mem::take(&mut effects.loaded);
        let released = std::mem::take(&mut effects.released);
        if self.memory.book(loaded, released) {
            self.chores.let_in();
        }
    }

    fn write_down(&self, effects: &mut Effects) {
        if effects.removed.is_empty() && effects.redelivered.is_empty() {
            return;
        }
        let mut work = Work::new();
        effects.removed.sort_unstable();
        for run in effects.removed.chunk_by(|a, b| a.0 == b.0) {
            let seqs: Vec<Seq> = run.iter().map(|(_, seq)| *seq).collect();
            work.removed(run[0].0, &seqs);
        }
        for (queue, seq, count) in effects.redelivered.drain(..) {
            work.redelivered(queue, seq, u16::try_from(count).unwrap_or(u16::MAX));
        }
        effects.removed.clear();
        self.submit_unawaited(&mut work);
    }
}
