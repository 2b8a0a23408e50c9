//! What a consumer says about the messages it holds: finds them, takes them
//! out of its window. What becomes of them then is the caller's business.

use std::ops::RangeInclusive;
use std::sync::Arc;

use store::Seq;
use wire::openwire::MessageId;

use super::queue::QueueState;
use super::subscription::{Pending, Subscription, SubscriptionId};
use crate::dead_letter::DeadLetter;
use crate::effects::Effects;
use crate::limits::{STALE_ACK_SEARCH, STALE_ACKS};
use crate::message::has_id;
use crate::peer::{Ack, AckKind};

/// What an acknowledgement came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acked {
    /// Its messages are in the hands of the caller.
    Claimed,
    /// It changes no message.
    Noted,
    /// Its messages are not held here, and that is no error.
    Ignored,
    /// It names messages that this consumer does not hold.
    Unmatched,
}

impl QueueState {
    /// Finds what the acknowledgement is about and moves it to `claimed`.
    pub(crate) fn ack(
        &mut self,
        id: SubscriptionId,
        ack: &Ack,
        claimed: &mut Vec<Pending>,
    ) -> Acked {
        if let Some(browser) = self.browsers.iter_mut().find(|browser| browser.id == id) {
            browser.ack(ack.count);
            return Acked::Noted;
        }
        let Some(subscription) = self.subscription(id) else {
            return Acked::Ignored;
        };
        match ack.kind {
            AckKind::Delivered => {
                subscription.widen(ack);
                return Acked::Noted;
            }
            AckKind::Redelivered | AckKind::Unmatched => return Acked::Noted,
            AckKind::Poison | AckKind::Standard | AckKind::Individual | AckKind::Expired => {}
        }
        if let Some(range) = subscription.range_of(ack) {
            let count = range.end() - range.start() + 1;
            claimed.extend(subscription.pending.drain(range));
            if ack.transaction.is_none() {
                subscription.shrink(count);
            }
            return Acked::Claimed;
        }
        self.ack_stale(id, ack, claimed)
    }

    /// An acknowledgement of a delivery before a failover: honoured when the
    /// message is still here and nobody else holds it, since the client did
    /// consume it and will refuse to see it again.
    fn ack_stale(&mut self, id: SubscriptionId, ack: &Ack, claimed: &mut Vec<Pending>) -> Acked {
        let served = self
            .subscription(id)
            .is_some_and(|subscription| subscription.served);
        let consumed = matches!(ack.kind, AckKind::Standard | AckKind::Individual);
        if consumed && ack.transaction.is_none() {
            self.claim_stale(ack, claimed);
        }
        match (claimed.is_empty(), served) {
            (false, _) => Acked::Claimed,
            (true, true) => Acked::Unmatched,
            (true, false) => {
                let hope = consumed && ack.transaction.is_none() && !self.cursor.caught_up();
                if hope && self.stale.len() < STALE_ACKS {
                    self.stale.push(ack.clone());
                }
                Acked::Ignored
            }
        }
    }

    /// A page has come: takes out what was acknowledged before it was loaded.
    pub(super) fn apply_stale(&mut self, effects: &mut Effects) {
        let mut claimed = Vec::new();
        for ack in std::mem::take(&mut self.stale) {
            self.claim_stale(&ack, &mut claimed);
        }
        let mut seqs = Vec::new();
        self.consume(claimed.into_iter(), &mut seqs, effects);
        if let Some(id) = self.this().and_then(|queue| queue.store_id()) {
            effects
                .removed
                .extend(seqs.into_iter().map(|seq| (id, seq)));
        }
    }

    fn claim_stale(&mut self, ack: &Ack, claimed: &mut Vec<Pending>) {
        for seq in self.stale_matches(ack) {
            if let Some(entry) = self.ready.remove(&seq) {
                self.ready_bytes -= entry.size;
                claimed.push(Pending { order: 0, entry });
            }
        }
    }

    /// Waiting messages that a stale acknowledgement certainly covers: the
    /// whole range if it holds exactly as many as the client counted, else
    /// the two that it names.
    fn stale_matches(&self, ack: &Ack) -> Vec<Seq> {
        let find = |id: &Option<_>| {
            let id = id.as_ref()?;
            let mut waiting = self.ready.values().take(STALE_ACK_SEARCH);
            waiting
                .find(|entry| has_id(&entry.message, id))
                .map(|entry| entry.seq)
        };
        let last = find(&ack.last);
        let first = if ack.kind == AckKind::Individual {
            None
        } else {
            find(&ack.first)
        };
        if let (Some(first), Some(last)) = (first, last)
            && first <= last
        {
            let range: Vec<Seq> = self
                .ready
                .range(first..=last)
                .map(|(seq, _)| *seq)
                .collect();
            if i32::try_from(range.len()) == Ok(ack.count) {
                return range;
            }
        }
        let mut named: Vec<Seq> = first.into_iter().chain(last).collect();
        named.dedup();
        named
    }

    /// Messages were consumed: they are gone from here. Collects the
    /// sequences that the store must be told about.
    pub(crate) fn consume(
        &mut self,
        claimed: impl Iterator<Item = Pending>,
        seqs: &mut Vec<Seq>,
        effects: &mut Effects,
    ) {
        for Pending { entry, .. } in claimed {
            self.counts.messages -= 1;
            self.counts.dequeued += 1;
            effects.released += entry.size;
            if entry.stored {
                seqs.push(entry.seq);
            }
        }
    }

    /// Messages nobody can consume: they are gone from here and go to the
    /// dead letter queue.
    pub(crate) fn give_up(
        &mut self,
        claimed: impl Iterator<Item = Pending>,
        cause: &str,
        effects: &mut Effects,
    ) {
        let Some(source) = self.this() else { return };
        for Pending { entry, .. } in claimed {
            self.counts.messages -= 1;
            effects.released += entry.size;
            let source = Arc::clone(&source);
            effects.dead.push(DeadLetter {
                source,
                entry,
                cause: cause.to_owned(),
            });
        }
    }

    /// A transaction that had acknowledged so many messages committed.
    pub(crate) fn committed(&mut self, id: SubscriptionId, messages: usize) {
        if let Some(subscription) = self.subscription(id) {
            subscription.shrink(messages);
        }
    }
}

impl Subscription {
    /// DELIVERED: the window reaches past the last one that arrived.
    fn widen(&mut self, ack: &Ack) {
        let Some(last) = &ack.last else { return };
        let counted = usize::try_from(ack.count).ok().filter(|count| *count > 0);
        let guess = counted.map(|count| self.extension + count - 1);
        let place = guess
            .filter(|place| self.is_held_at(*place, last))
            .or_else(|| {
                let mut held = self.pending.iter();
                held.position(|held| has_id(&held.entry.message, last))
            });
        if let Some(place) = place
            && self.prefetch > 0
        {
            self.extension = self.extension.max(place + 1);
        }
    }

    fn is_held_at(&self, place: usize, id: &MessageId) -> bool {
        let held = self.pending.get(place);
        held.is_some_and(|held| has_id(&held.entry.message, id))
    }

    /// Where in the window the acknowledged messages are.
    fn range_of(&self, ack: &Ack) -> Option<RangeInclusive<usize>> {
        let last = ack.last.as_ref()?;
        let single = ack.kind == AckKind::Individual || ack.first.as_ref() == Some(last);
        let mut places = self.pending.iter();
        let first = match (&ack.first, single) {
            (None, false) => 0,
            (Some(first), false) => places.position(|held| has_id(&held.entry.message, first))?,
            (_, true) => places.position(|held| has_id(&held.entry.message, last))?,
        };
        if single {
            return Some(first..=first);
        }
        // Mostly the count says where the last one is; looking at all of them would fetch each from memory.
        let counted = usize::try_from(ack.count).ok().filter(|count| *count > 0);
        if let Some(end) = counted.map(|count| first + count - 1)
            && self.is_held_at(end, last)
        {
            return Some(first..=end);
        }
        let after = self.pending.iter().skip(first);
        let length = after
            .take_while(|held| !has_id(&held.entry.message, last))
            .count();
        let end = first + length;
        (end < self.pending.len()).then_some(first..=end)
    }
}
