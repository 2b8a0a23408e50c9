//! Matches answers to requests and deliveries to consumers, for one connection.
//!
//! Guarantees that every request gets exactly one outcome: its answer, or the cause of the connection's end; that
//! mailboxes are bounded, and that a broker which overfills one, answers nonsense or breaks the protocol loses the
//! connection and nothing else. It knows no sessions.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Semaphore, oneshot};
use wire::openwire::{BrokerInfo, Command, ConsumerId, MessageDispatch, Throwable};

use crate::delivery::Delivery;
use crate::error::Error;
use crate::limits::{MAX_KEPT_REFUSALS, MAX_UNANSWERED};
use crate::link::{Link, Sink, When};
use crate::mailbox::{Item, Mailbox};
use crate::receipt::{Receipt, Waiting};
use crate::requests;

/// One connection's requests and consumers.
pub(crate) struct Exchange {
    pub(crate) link: Arc<Link>,
    next_command: AtomicI32,
    waiting: Mutex<HashMap<i32, Waiting>>,
    unanswered: Arc<Semaphore>,
    mailboxes: Mutex<HashMap<ConsumerId, Arc<Mailbox>>>,
    refusals: Mutex<VecDeque<Error>>,
    broker: OnceLock<BrokerInfo>,
}

impl Exchange {
    pub(crate) fn new(link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self {
            link,
            next_command: AtomicI32::new(0),
            waiting: Mutex::default(),
            unanswered: Arc::new(Semaphore::new(MAX_UNANSWERED)),
            mailboxes: Mutex::default(),
            refusals: Mutex::default(),
            broker: OnceLock::new(),
        })
    }

    /// The receiving end, for the reader task.
    pub(crate) fn inbox(self: &Arc<Self>) -> impl Sink {
        Inbox {
            exchange: Arc::clone(self),
            addressee: None,
            burst: Vec::new(),
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn request(
        &self,
        what: &'static str,
        mut command: Command,
    ) -> Result<(), Error> {
        let receipt = self.submit(what, &mut command, When::Now).await?;
        receipt.answered().await
    }

    /// Sends a request; its answer is waited for elsewhere. The command gets its number and is otherwise unchanged.
    pub(crate) async fn submit(
        &self,
        what: &'static str,
        command: &mut Command,
        when: When,
    ) -> Result<Receipt, Error> {
        self.link.room().await;
        let permit = match Arc::clone(&self.unanswered).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let permit = Arc::clone(&self.unanswered).acquire_owned().await;
                permit.map_err(|_| self.link.cause())?
            }
        };
        let number = self.number(command, true);
        let (sender, answer) = oneshot::channel();
        // In the table before it can be answered, or failed by the end of the connection.
        lock(&self.waiting).insert(
            number,
            Waiting {
                answer: sender,
                _permit: permit,
            },
        );
        if let Err(error) = self.link.push(command, when) {
            lock(&self.waiting).remove(&number);
            return Err(error);
        }
        Ok(Receipt { what, answer })
    }

    /// Sends what nobody answers, once there is room.
    pub(crate) async fn tell(&self, command: &mut Command) -> Result<(), Error> {
        self.number(command, false);
        self.link.push_with_room(command, When::Soon).await
    }

    /// Sends what nobody answers, whatever waits already: for small commands that must not be overtaken.
    pub(crate) fn tell_now(&self, mut command: Command, when: When) -> Result<(), Error> {
        self.number(&mut command, false);
        self.link.push(&command, when)
    }

    /// A mailbox for a consumer that is about to be announced.
    pub(crate) fn open_mailbox(&self, consumer: &ConsumerId, prefetch: u16) -> Arc<Mailbox> {
        let mailbox = Mailbox::new(prefetch);
        lock(&self.mailboxes).insert(consumer.clone(), Arc::clone(&mailbox));
        mailbox
    }

    pub(crate) fn close_mailbox(&self, consumer: &ConsumerId) {
        let closed = lock(&self.mailboxes).remove(consumer);
        if let Some(mailbox) = closed {
            mailbox.close();
        }
    }

    /// What the broker said about itself.
    pub(crate) fn broker(&self) -> Option<&BrokerInfo> {
        self.broker.get()
    }

    /// Refusals of requests that asked for no answer, oldest first.
    pub(crate) fn take_refusals(&self) -> Vec<Error> {
        lock(&self.refusals).drain(..).collect()
    }

    /// Gives a command its number: positive and unique among the unanswered, even after two thousand million.
    fn number(&self, command: &mut Command, response_required: bool) -> i32 {
        let next = self.next_command.fetch_add(1, Ordering::Relaxed);
        let number = next.wrapping_add(1) & i32::MAX;
        if let Some(base) = command.base_mut() {
            (base.command_id, base.response_required) = (number, response_required);
        }
        number
    }

    fn answer(&self, correlation: i32, answer: Command) {
        // An unknown number is ignored, as by all clients.
        let Some(waiting) = lock(&self.waiting).remove(&correlation) else {
            return;
        };
        let outcome = match answer {
            Command::ExceptionResponse(refused) => Err(refusal(refused.exception.as_deref())),
            other => Ok(other),
        };
        // Whoever no longer waits does not want to know.
        let _ = waiting.answer.send(outcome);
    }

    fn keep_refusal(&self, error: Error) {
        let mut refusals = lock(&self.refusals);
        if refusals.len() == MAX_KEPT_REFUSALS {
            refusals.pop_front();
        }
        refusals.push_back(error);
    }
}

struct Inbox {
    exchange: Arc<Exchange>,
    /// For whom the deliveries in `burst` are; usually one consumer gets all of a read.
    addressee: Option<(ConsumerId, Arc<Mailbox>)>,
    burst: Vec<Item>,
}

impl Inbox {
    fn deliver(&mut self, dispatch: MessageDispatch) -> Result<(), String> {
        let Some(consumer) = &dispatch.consumer_id else {
            return Err("the broker sent a delivery for no consumer".to_owned());
        };
        if !matches!(&self.addressee, Some((known, _)) if known == consumer) {
            self.burst_over()?;
            // A consumer that has just closed may still be sent something.
            let Some(mailbox) = lock(&self.exchange.mailboxes).get(consumer).cloned() else {
                return Ok(());
            };
            self.addressee = Some((consumer.clone(), mailbox));
        }
        self.burst.push(match Delivery::of(dispatch) {
            None => Item::Nothing,
            Some(delivery) => Item::Delivery(delivery?),
        });
        Ok(())
    }
}

impl Sink for Inbox {
    fn take(&mut self, command: Command) -> Result<(), String> {
        let command = match command {
            Command::MessageDispatch(dispatch) => return self.deliver(dispatch),
            other => other,
        };
        // Nothing overtakes a delivery.
        self.burst_over()?;
        let exchange = &self.exchange;
        if let Some(correlation) = command.correlation_id() {
            exchange.answer(correlation, command);
            return Ok(());
        }
        match command {
            Command::KeepAliveInfo(info) if info.base.response_required => {
                // The answer repeats the number, so it bypasses the numbering.
                let mut answer = requests::keep_alive(false);
                if let Some(base) = answer.base_mut() {
                    base.command_id = info.base.command_id;
                }
                let _ = exchange.link.push(&answer, When::Soon);
            }
            Command::BrokerInfo(info) => {
                let _ = exchange.broker.set(*info);
            }
            Command::ConnectionError(error) => {
                exchange.keep_refusal(refusal(error.exception.as_deref()))
            }
            Command::ConsumerControl(control) if control.close => {
                if let Some(consumer) = &control.consumer_id {
                    exchange.close_mailbox(consumer);
                }
            }
            Command::WireFormatInfo(_) => return Err("the broker negotiates twice".to_owned()),
            // Everything else is for other kinds of clients.
            _ => {}
        }
        Ok(())
    }

    fn burst_over(&mut self) -> Result<(), String> {
        let Some((consumer, mailbox)) = self.addressee.take() else {
            return Ok(());
        };
        if mailbox.put(&mut self.burst) {
            return Ok(());
        }
        Err(format!(
            "the broker sent more than the prefetch of consumer {consumer}"
        ))
    }

    fn ended(&mut self, cause: &Error) {
        let waiting: Vec<Waiting> = lock(&self.exchange.waiting)
            .drain()
            .map(|(_, waiting)| waiting)
            .collect();
        for one in waiting {
            let _ = one.answer.send(Err(cause.clone()));
        }
        self.exchange.unanswered.close();
        for (_, mailbox) in lock(&self.exchange.mailboxes).drain() {
            mailbox.close();
        }
    }
}

fn refusal(exception: Option<&Throwable>) -> Error {
    let Some(exception) = exception else {
        return Error::Refused {
            class: "java.lang.Throwable".to_owned(),
            message: String::new(),
        };
    };
    Error::Refused {
        class: exception.class_name.to_string(),
        message: exception
            .message
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each critical section is one operation on a collection: a panic leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
