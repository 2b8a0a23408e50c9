//! The acknowledgement command.

use std::sync::Arc;

use store::{Seq, Work};

use super::ack::{Ack, AckKind};
use super::burst::UnackedAck;
use super::cell::Cell;
use super::state::{Listener, PeerState};
use crate::committer::{Receipt, Token};
use crate::destination::{Acked, Pending, Queue, QueueState, SubscriptionId};
use crate::limits::BURST_COMMANDS;
use crate::outgoing::{Refusal, Reply};

impl PeerState {
    pub(super) fn ack(&mut self, cell: &Arc<Cell>, mut ack: Ack, answer: Option<i32>) {
        let Some(Listener::Queue(queue, subscription)) = self.consumers.get(&ack.consumer) else {
            // Of a consumer that is gone, or of advisories: nothing to do.
            return self.answer_now(cell, answer);
        };
        let (queue, subscription) = (Arc::clone(queue), *subscription);
        let consumed = matches!(ack.kind, AckKind::Standard | AckKind::Individual);
        if !consumed {
            // Only consuming is part of a transaction.
            ack.transaction = None;
        }
        if ack.transaction.is_some() {
            return self.ack_in_transaction(cell, &queue, subscription, &ack, answer);
        }
        let other = self
            .burst
            .acked
            .as_ref()
            .is_some_and(|acked| !Arc::ptr_eq(acked, &queue));
        if other || self.burst.acks.len() >= BURST_COMMANDS {
            self.apply(cell);
        }
        self.burst.acked = Some(queue);
        self.burst.acks.push(UnackedAck {
            subscription,
            ack,
            answer,
        });
    }

    /// Gathered acknowledgements take effect, and become one unit of work.
    pub(super) fn apply_acks(&mut self, cell: &Arc<Cell>) {
        let Some(queue) = self.burst.acked.take() else {
            return;
        };
        let mut acks = std::mem::take(&mut self.burst.acks);
        let mut claimed = Vec::new();
        let mut seqs = Vec::new();
        let mut state = queue.lock();
        for UnackedAck {
            subscription,
            ack,
            answer,
        } in &mut acks
        {
            let acked = state.ack(*subscription, ack, &mut claimed);
            self.dispose(&mut state, ack, &mut claimed, &mut seqs);
            if acked == Acked::Unmatched {
                // Taken, so that it is not answered again below.
                cell.refuse(answer.take(), unmatched(ack), &mut self.effects);
            }
        }
        state.dispatch(cell.engine.now(), &mut self.effects);
        drop(state);
        let mut receipts = Vec::new();
        let mut buried = Vec::new();
        for UnackedAck { answer, ack, .. } in acks.drain(..) {
            let Some(answer) = answer else { continue };
            let of = if ack.gives_up() {
                &mut buried
            } else {
                &mut receipts
            };
            of.push(receipt(cell, answer));
        }
        self.burst.acks = acks;
        self.remove(cell, &queue, &seqs, receipts);
        cell.engine.settle(&mut self.effects);
        if !buried.is_empty() {
            // The dead letters were submitted just now: the answer follows them.
            cell.engine.submit(Work::new(), Token::Acked(buried));
        }
    }

    /// What becomes of messages that a consumer is done with.
    fn dispose(
        &mut self,
        state: &mut QueueState,
        ack: &Ack,
        claimed: &mut Vec<Pending>,
        seqs: &mut Vec<Seq>,
    ) {
        let claimed = claimed.drain(..);
        match ack.kind {
            AckKind::Poison | AckKind::Expired => {
                let cause = ack.cause.as_deref().unwrap_or(match ack.kind {
                    AckKind::Expired => "java.lang.Throwable: Message Expired",
                    _ => "java.lang.Throwable: given up by the client",
                });
                state.give_up(claimed, cause, &mut self.effects);
            }
            _ => state.consume(claimed, seqs, &mut self.effects),
        }
    }

    /// Submits the removals, with the answers that wait for them: while the store is full removals overtake
    /// messages, and so must their answers. What nobody had to store is answered at once.
    fn remove(&mut self, cell: &Cell, queue: &Queue, seqs: &[Seq], receipts: Vec<Receipt>) {
        let Some(id) = queue.store_id().filter(|_| !seqs.is_empty()) else {
            for receipt in receipts {
                receipt.settle(Ok(Reply::Ok), &mut self.effects.touched);
            }
            return;
        };
        self.scratch.work.removed(id, seqs);
        if receipts.is_empty() {
            cell.engine.submit_unawaited(&mut self.scratch.work);
            return;
        }
        // A lost store: the messages come again from the next master.
        let store = &cell.engine.store;
        if store
            .submit_from(&mut self.scratch.work, Token::Acked(receipts))
            .is_err()
        {
            self.scratch.work.clear();
        }
    }

    /// Answers what changed nothing that has to be stored.
    fn answer_now(&mut self, cell: &Arc<Cell>, answer: Option<i32>) {
        if let Some(answer) = answer {
            receipt(cell, answer).settle(Ok(Reply::Ok), &mut self.effects.touched);
        }
    }

    fn ack_in_transaction(
        &mut self,
        cell: &Arc<Cell>,
        queue: &Arc<Queue>,
        subscription: SubscriptionId,
        ack: &Ack,
        answer: Option<i32>,
    ) {
        self.apply(cell);
        let Some(id) = &ack.transaction else { return };
        let Some(transaction) = self.transactions.get_mut(id) else {
            let refusal = super::transacting::not_started(id);
            return cell.refuse(answer, refusal, &mut self.effects);
        };
        let mut claimed = Vec::new();
        let mut state = queue.lock();
        let acked = state.ack(subscription, ack, &mut claimed);
        state.dispatch(cell.engine.now(), &mut self.effects);
        drop(state);
        transaction.acknowledge(queue, subscription, claimed);
        if acked == Acked::Unmatched || acked == Acked::Ignored {
            // What it consumed is no longer its own: it must not commit.
            transaction.spoil(&unmatched(ack));
        }
        cell.engine.settle(&mut self.effects);
        if acked == Acked::Unmatched {
            return cell.refuse(answer, unmatched(ack), &mut self.effects);
        }
        self.answer_now(cell, answer);
    }
}

fn receipt(cell: &Arc<Cell>, answer: i32) -> Receipt {
    Receipt {
        answer: Some(answer),
        ..Receipt::silent(cell, 0)
    }
}

fn unmatched(ack: &Ack) -> Refusal {
    let id = |id: &Option<wire::openwire::MessageId>| {
        id.as_ref()
            .map_or_else(|| "null".to_owned(), ToString::to_string)
    };
    Refusal::general(format!(
        "Unmatched acknowledge: {:?} of {} messages from {} to {} by consumer {}: they are not held by it",
        ack.kind,
        ack.count,
        id(&ack.first),
        id(&ack.last),
        ack.consumer
    ))
}
