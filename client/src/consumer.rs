//! Receives messages from one destination.
//!
//! Guarantees that after the connection is lost nothing more is handed out: what was prefetched belongs to whoever the
//! next broker gives it to. Acknowledging is the session's [`AckMode`]; calls that do not fit it are errors.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wire::openwire::{ConsumerId, Destination, ObjectId};

use crate::delivery::Delivery;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::ledger::{self, Shared};
use crate::limits::PULL_GRACE;
use crate::link::When;
use crate::mailbox::{Item, Mailbox};
use crate::requests;
use crate::session::AckMode;
use crate::unit::Unit;

/// On the wire: wait for ever.
const PULL_FOREVER: i64 = 0;
/// On the wire: do not wait.
const PULL_AT_ONCE: i64 = -1;

/// A consumer of one session.
pub struct Consumer {
    exchange: Arc<Exchange>,
    mailbox: Arc<Mailbox>,
    /// Taken out of the mailbox and not yet handed out.
    at_hand: VecDeque<Item>,
    ledger: Shared,
    mode: AckMode,
    /// Present in a transacted session.
    unit: Option<Arc<Unit>>,
    id: ConsumerId,
    destination: Destination,
    /// Without prefetch each message is asked for.
    pulls: bool,
}

impl Consumer {
    #[expect(clippy::too_many_arguments, reason = "one caller, and each is a field")]
    pub(crate) fn new(
        exchange: Arc<Exchange>,
        mailbox: Arc<Mailbox>,
        ledger: Shared,
        mode: AckMode,
        unit: Option<Arc<Unit>>,
        id: ConsumerId,
        destination: Destination,
        prefetch: u16,
    ) -> Self {
        Self {
            exchange,
            mailbox,
            at_hand: VecDeque::new(),
            ledger,
            mode,
            unit,
            id,
            destination,
            pulls: prefetch == 0,
        }
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// The connection is lost, or the consumer was closed by the broker.
    pub async fn receive(&mut self) -> Result<Delivery, Error> {
        loop {
            if let Some(delivery) = self.take_at_hand()? {
                return Ok(delivery);
            }
            self.acknowledge_range()?;
            self.pull(PULL_FOREVER).await?;
            if let Some(delivery) = self.next_item().await? {
                return self.hand_out(delivery);
            }
        }
    }

    /// Waits for a message for at most `limit`.
    ///
    /// # Errors
    /// As for [`Consumer::receive`].
    pub async fn receive_within(&mut self, limit: Duration) -> Result<Option<Delivery>, Error> {
        if let Some(delivery) = self.take_at_hand()? {
            return Ok(Some(delivery));
        }
        self.acknowledge_range()?;
        if self.pulls {
            let milliseconds = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
            return self.pulled(milliseconds.max(1), limit).await;
        }
        match tokio::time::timeout(limit, self.next_item()).await {
            Ok(Ok(Some(delivery))) => self.hand_out(delivery).map(Some),
            Ok(Ok(None)) | Err(_) => Ok(None),
            Ok(Err(error)) => Err(error),
        }
    }

    /// A message if there is one. With prefetch 0 the broker is asked, and none means that the queue has none for us;
    /// otherwise it only means that none has arrived yet.
    ///
    /// # Errors
    /// As for [`Consumer::receive`].
    pub async fn receive_now(&mut self) -> Result<Option<Delivery>, Error> {
        if let Some(delivery) = self.take_at_hand()? {
            return Ok(Some(delivery));
        }
        self.acknowledge_range()?;
        if self.pulls {
            return self.pulled(PULL_AT_ONCE, Duration::ZERO).await;
        }
        Ok(None)
    }

    /// Acknowledges all that this consumer was given, and waits until that is safe: none of it comes back then.
    ///
    /// # Errors
    /// Not a [`AckMode::Client`] session, a refusal, or a lost connection: then it may come back.
    pub async fn acknowledge(&mut self) -> Result<(), Error> {
        self.require(
            AckMode::Client,
            "acknowledge needs a session of mode Client",
        )?;
        let Some(ack) = ledger::lock(&self.ledger).everything() else {
            return Ok(());
        };
        self.exchange.request("acknowledgement", ack.into()).await?;
        ledger::lock(&self.ledger).clear();
        Ok(())
    }

    /// Acknowledges one message and waits until that is safe.
    ///
    /// # Errors
    /// As for [`Consumer::acknowledge`], with [`AckMode::Individual`].
    pub async fn acknowledge_one(&mut self, delivery: &Delivery) -> Result<(), Error> {
        self.require(
            AckMode::Individual,
            "acknowledge_one needs a session of mode Individual",
        )?;
        let ack = ledger::lock(&self.ledger).single(delivery.id());
        self.exchange.request("acknowledgement", ack.into()).await
    }

    /// Gives one message up: the broker moves it to the dead letter queue. Waits until that is safe.
    ///
    /// # Errors
    /// An automatic session (the message is acknowledged already), a refusal, or a lost connection.
    pub async fn give_up(&mut self, delivery: &Delivery, cause: &str) -> Result<(), Error> {
        if matches!(self.mode, AckMode::Auto | AckMode::DupsOk) {
            return Err(Error::Misuse {
                what: "give_up needs a session that does not acknowledge by itself",
            });
        }
        let ack = ledger::lock(&self.ledger).poison(delivery.id(), cause);
        self.exchange.request("acknowledgement", ack.into()).await
    }

    /// Ends the consumer. What was not acknowledged goes back to the queue, in a transacted session unless the
    /// transaction is committed.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn close(self) -> Result<(), Error> {
        self.acknowledge_range()?;
        let (staged, last) = {
            let ledger = ledger::lock(&self.ledger);
            (ledger.everything(), ledger.last_sequence())
        };
        if let (Some(unit), Some(mut ack)) = (&self.unit, staged) {
            ack.transaction_id = Some(unit.join()?);
            self.exchange.tell_now(ack.into(), When::Soon)?;
        }
        let mut end = requests::remove(ObjectId::Consumer(self.id.clone()), last);
        self.exchange.tell(&mut end).await
    }

    /// What can be handed out without waiting and without asking the broker: the way to empty a burst quickly.
    /// Unlike [`Consumer::receive_now`] it is no sign of the end of anything when there is none.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn take_at_hand(&mut self) -> Result<Option<Delivery>, Error> {
        if self.exchange.link.is_over() {
            return Err(self.exchange.link.cause());
        }
        if self.mode == AckMode::Transacted {
            let returned = ledger::lock(&self.ledger).take_returned();
            if let Some(delivery) = returned {
                return self.hand_out(delivery).map(Some);
            }
        }
        if self.at_hand.is_empty() {
            self.mailbox.take(&mut self.at_hand);
        }
        // A late answer to an earlier pull may say "nothing"; that is over.
        while let Some(item) = self.at_hand.pop_front() {
            if let Item::Delivery(delivery) = item {
                return self.hand_out(delivery).map(Some);
            }
        }
        Ok(None)
    }

    /// Nothing is at hand: waits for an item.
    async fn next_item(&mut self) -> Result<Option<Delivery>, Error> {
        let more = self.mailbox.wait().await;
        if self.exchange.link.is_over() {
            return Err(self.exchange.link.cause());
        }
        if !more {
            return Err(Error::Closed { what: "consumer" });
        }
        self.mailbox.take(&mut self.at_hand);
        match self.at_hand.pop_front() {
            Some(Item::Delivery(delivery)) => Ok(Some(delivery)),
            _ => Ok(None),
        }
    }

    /// Acknowledges what was handed out, in a session that does so in ranges.
    fn acknowledge_range(&self) -> Result<(), Error> {
        if self.mode != AckMode::DupsOk {
            return Ok(());
        }
        let due = ledger::lock(&self.ledger).take_range();
        match due {
            // At once: we are about to wait for what the broker sends in return.
            Some(ack) => self.exchange.tell_now(ack.into(), When::Now),
            None => Ok(()),
        }
    }

    async fn pull(&self, timeout: i64) -> Result<(), Error> {
        if self.pulls {
            let mut pull = requests::pull(&self.id, &self.destination, timeout);
            self.exchange.tell(&mut pull).await?;
        }
        Ok(())
    }

    async fn pulled(&mut self, timeout: i64, limit: Duration) -> Result<Option<Delivery>, Error> {
        self.pull(timeout).await?;
        let limit = limit.saturating_add(PULL_GRACE);
        match tokio::time::timeout(limit, self.next_item()).await {
            Ok(Ok(Some(delivery))) => self.hand_out(delivery).map(Some),
            Ok(other) => other,
            Err(_) => {
                let uri = self.exchange.link.uri().to_owned();
                Err(Error::Handshake {
                    uri,
                    what: "answer a pull",
                    after: limit,
                })
            }
        }
    }

    /// Accounts for a delivery on its way to the application.
    fn hand_out(&self, delivery: Delivery) -> Result<Delivery, Error> {
        let due = {
            let mut ledger = ledger::lock(&self.ledger);
            match self.mode {
                AckMode::Auto => {
                    ledger.give_acknowledged(&delivery);
                    Some(ledger.only(delivery.id()))
                }
                AckMode::DupsOk => ledger.give_in_range(&delivery),
                AckMode::Client | AckMode::Transacted => {
                    ledger.give(&delivery);
                    ledger.arrival()
                }
                AckMode::Individual => {
                    ledger.give(&delivery);
                    None
                }
            }
        };
        if let Some(ack) = due {
            self.exchange.tell_now(ack.into(), When::Soon)?;
        }
        Ok(delivery)
    }

    fn require(&self, mode: AckMode, what: &'static str) -> Result<(), Error> {
        if self.mode == mode {
            Ok(())
        } else {
            Err(Error::Misuse { what })
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.exchange.close_mailbox(&self.id);
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("id", &self.id)
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}
