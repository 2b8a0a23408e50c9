//! A session: one way of acknowledging, and in a transacted one the unit of commit and rollback.

use std::fmt;
use std::sync::{Arc, Weak};

use wire::openwire::{
    Command, ConsumerId, Destination, ObjectId, ProducerId, RemoveInfo, SessionId, TransactionKind,
};

use crate::consumer::Consumer;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::identity::Identity;
use crate::ledger::{self, Ledger};
use crate::link::When;
use crate::producer::Producer;
use crate::requests;
use crate::unit::Unit;

/// How a session's consumers acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckMode {
    /// Each message by itself when it is handed to the application, without waiting for an answer.
    Auto,
    /// What the application was handed, in ranges, without waiting for an answer: when it asks for another message and
    /// none is at hand, when it has been handed half of the prefetch, and when the consumer is closed. Far cheaper than
    /// [`AckMode::Auto`]; in return up to half of the prefetch comes again, flagged, when the connection is lost or the
    /// consumer dropped. JMS calls it DUPS_OK_ACKNOWLEDGE.
    DupsOk,
    /// When [`Consumer::acknowledge`] is called, all that the consumer was given.
    Client,
    /// When [`Consumer::acknowledge_one`] is called, that message.
    Individual,
    /// With the session's transaction, as are its sends.
    Transacted,
}

/// A session of one connection.
pub struct Session {
    exchange: Arc<Exchange>,
    identity: Arc<Identity>,
    id: SessionId,
    mode: AckMode,
    unit: Arc<Unit>,
    ledgers: Vec<Weak<std::sync::Mutex<Ledger>>>,
    next_producer: i64,
    next_consumer: i64,
}

impl Session {
    pub(crate) fn new(
        exchange: Arc<Exchange>,
        identity: Arc<Identity>,
        id: SessionId,
        mode: AckMode,
    ) -> Self {
        let unit = Unit::new(Arc::clone(&exchange), Arc::clone(&identity));
        Self {
            exchange,
            identity,
            id,
            mode,
            unit,
            ledgers: Vec::new(),
            next_producer: 0,
            next_consumer: 0,
        }
    }

    /// How its consumers acknowledge.
    #[must_use]
    pub fn mode(&self) -> AckMode {
        self.mode
    }

    /// A producer for one destination.
    ///
    /// # Errors
    /// The broker refuses, or the connection is lost.
    pub async fn producer(&mut self, destination: &Destination) -> Result<Producer, Error> {
        self.next_producer += 1;
        let id = ProducerId {
            connection_id: self.id.connection_id.clone(),
            value: self.next_producer,
            session_id: self.id.value,
        };
        self.exchange
            .request("producer", requests::producer(&id, destination))
            .await?;
        let unit = self.transacted();
        Ok(Producer::new(
            Arc::clone(&self.exchange),
            unit,
            id,
            destination.clone(),
        ))
    }

    /// A consumer of one destination that takes up to `prefetch` messages ahead; with 0 it asks for each.
    ///
    /// # Errors
    /// The broker refuses, or the connection is lost.
    pub async fn consumer(
        &mut self,
        destination: &Destination,
        prefetch: u16,
    ) -> Result<Consumer, Error> {
        self.next_consumer += 1;
        let id = ConsumerId {
            connection_id: self.id.connection_id.clone(),
            session_id: self.id.value,
            value: self.next_consumer,
        };
        // First the mailbox: deliveries may come before the answer.
        let mailbox = self.exchange.open_mailbox(&id, prefetch);
        let announced = self
            .exchange
            .request("consumer", requests::consumer(&id, destination, prefetch))
            .await;
        if let Err(error) = announced {
            self.exchange.close_mailbox(&id);
            return Err(error);
        }
        let ledger = Ledger::new(id.clone(), destination.clone(), prefetch);
        self.ledgers.retain(|known| known.strong_count() > 0);
        self.ledgers.push(Arc::downgrade(&ledger));
        let unit = self.transacted();
        Ok(Consumer::new(
            Arc::clone(&self.exchange),
            mailbox,
            ledger,
            self.mode,
            unit,
            id,
            destination.clone(),
            prefetch,
        ))
    }

    /// Commits all sends and deliveries since the last commit or rollback.
    ///
    /// # Errors
    /// [`Error::InDoubt`] when the connection was lost after the request had left; [`Error::Lost`] when it was lost
    /// before, so that nothing happened; [`Error::Refused`] when the broker rolled back.
    pub async fn commit(&mut self) -> Result<(), Error> {
        self.require_transacted()?;
        let ledgers = self.live_ledgers();
        self.stage_acks(&ledgers)?;
        let Some(transaction) = self.unit.take() else {
            return Ok(());
        };
        let mut command = self.step(&transaction, TransactionKind::CommitOnePhase);
        let submitted = self.exchange.submit("commit", &mut command, When::Now);
        let receipt = match submitted.await {
            Ok(receipt) => receipt,
            Err(error) => {
                ledgers.iter().for_each(|one| ledger::lock(one).roll_back());
                return Err(error);
            }
        };
        match receipt.answered().await {
            Ok(()) => {
                ledgers.iter().for_each(|one| ledger::lock(one).clear());
                Ok(())
            }
            Err(refused @ Error::Refused { .. }) => {
                ledgers.iter().for_each(|one| ledger::lock(one).roll_back());
                Err(refused)
            }
            Err(cause) => Err(Error::InDoubt {
                transaction: Box::new(transaction),
                cause: Box::new(cause),
            }),
        }
    }

    /// Takes all sends back; what was delivered since the last commit is delivered again, from memory and flagged.
    ///
    /// # Errors
    /// The connection was lost, which rolls back as well.
    pub async fn rollback(&mut self) -> Result<(), Error> {
        self.require_transacted()?;
        let ledgers = self.live_ledgers();
        let staged = self.stage_acks(&ledgers);
        ledgers.iter().for_each(|one| ledger::lock(one).roll_back());
        staged?;
        let Some(transaction) = self.unit.take() else {
            return Ok(());
        };
        let command = self.step(&transaction, TransactionKind::Rollback);
        self.exchange.request("rollback", command).await
    }

    /// Ends the session with its producers and consumers.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn close(self) -> Result<(), Error> {
        let mut last = RemoveInfo::NOTHING;
        for one in self.live_ledgers() {
            let range = {
                let mut ledger = ledger::lock(&one);
                last = last.max(ledger.last_sequence());
                ledger.take_range()
            };
            if let Some(ack) = range {
                self.exchange.tell_now(ack.into(), When::Soon)?;
            }
        }
        let mut end = requests::remove(ObjectId::Session(self.id), last);
        self.exchange.tell(&mut end).await
    }

    fn transacted(&self) -> Option<Arc<Unit>> {
        (self.mode == AckMode::Transacted).then(|| Arc::clone(&self.unit))
    }

    fn require_transacted(&self) -> Result<(), Error> {
        match self.mode {
            AckMode::Transacted => Ok(()),
            _ => Err(Error::Misuse {
                what: "commit and rollback need a transacted session",
            }),
        }
    }

    fn live_ledgers(&self) -> Vec<ledger::Shared> {
        self.ledgers.iter().filter_map(Weak::upgrade).collect()
    }

    /// Acknowledges within the transaction what the consumers were given, as all clients do before either end of it.
    fn stage_acks(&self, ledgers: &[ledger::Shared]) -> Result<(), Error> {
        for one in ledgers {
            let Some(mut ack) = ledger::lock(one).everything() else {
                continue;
            };
            ack.transaction_id = Some(self.unit.join()?);
            self.exchange.tell_now(ack.into(), When::Soon)?;
        }
        Ok(())
    }

    fn step(&self, transaction: &wire::openwire::TransactionId, step: TransactionKind) -> Command {
        requests::transaction(self.identity.connection_id(), transaction, step)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
