//! Matches answers to requests and deliveries to consumers, for one connection.
//!
//! Guarantees that every request gets exactly one outcome: its answer, or the cause of the connection's end; that
//! mailboxes are bounded, and that a broker which overfills one, answers nonsense or breaks the protocol loses the
//! connection and nothing else. It knows no sessions.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Semaphore, mpsc, oneshot};
use wire::openwire::{BrokerInfo, Command, ConsumerId, MessageDispatch, Throwable};

use crate::delivery::Delivery;
use crate::error::Error;
use crate::limits::{MAILBOX_SLACK, MAX_KEPT_REFUSALS, MAX_UNANSWERED};
use crate::link::{Link, Sink};
use crate::receipt::{Receipt, Waiting};
use crate::requests;

/// What arrives for a consumer.
pub(crate) enum Item {
    Delivery(Box<Delivery>),
    /// The broker has nothing: the answer to a pull.
    Nothing,
}

/// One connection's requests and consumers.
pub(crate) struct Exchange {
    pub(crate) link: Arc<Link>,
    next_command: AtomicI32,
    waiting: Mutex<HashMap<i32, Waiting>>,
    unanswered: Arc<Semaphore>,
    mailboxes: Mutex<HashMap<ConsumerId, mpsc::Sender<Item>>>,
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
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn request(&self, what: &'static str, command: Command) -> Result<(), Error> {
        let receipt = self.submit(what, command).await?;
        self.link.flush();
        receipt.answered().await
    }

    /// Sends a request; its answer is waited for elsewhere.
    pub(crate) async fn submit(
        &self,
        what: &'static str,
        mut command: Command,
    ) -> Result<Receipt, Error> {
        self.link.room().await;
        let permit = Arc::clone(&self.unanswered).acquire_owned().await;
        let Ok(permit) = permit else {
            return Err(self.link.cause());
        };
        let number = self.next_number();
        if let Some(base) = command.base_mut() {
            (base.command_id, base.response_required) = (number, true);
        }
        let (sender, answer) = oneshot::channel();
        // In the table before it can be answered, or failed by the end of the connection.
        lock(&self.waiting).insert(
            number,
            Waiting {
                answer: sender,
                _permit: permit,
            },
        );
        if let Err(error) = self.link.push(&command) {
            lock(&self.waiting).remove(&number);
            return Err(error);
        }
        self.link.wake_writer();
        Ok(Receipt { what, answer })
    }

    /// Sends what nobody answers, once there is room.
    pub(crate) async fn tell(&self, command: Command) -> Result<(), Error> {
        self.link.room().await;
        self.tell_now(command)
    }

    /// Sends what nobody answers, whatever waits already: for small commands that must not be overtaken.
    pub(crate) fn tell_now(&self, mut command: Command) -> Result<(), Error> {
        let number = self.next_number();
        if let Some(base) = command.base_mut() {
            (base.command_id, base.response_required) = (number, false);
        }
        self.link.push(&command)?;
        self.link.wake_writer();
        Ok(())
    }

    /// A mailbox for a consumer that is about to be announced.
    pub(crate) fn open_mailbox(
        &self,
        consumer: &ConsumerId,
        prefetch: u16,
    ) -> mpsc::Receiver<Item> {
        let room = usize::from(prefetch) * 2 + MAILBOX_SLACK;
        let (sender, receiver) = mpsc::channel(room);
        lock(&self.mailboxes).insert(consumer.clone(), sender);
        receiver
    }

    pub(crate) fn close_mailbox(&self, consumer: &ConsumerId) {
        lock(&self.mailboxes).remove(consumer);
    }

    /// What the broker said about itself.
    pub(crate) fn broker(&self) -> Option<&BrokerInfo> {
        self.broker.get()
    }

    /// Refusals of requests that asked for no answer, oldest first.
    pub(crate) fn take_refusals(&self) -> Vec<Error> {
        lock(&self.refusals).drain(..).collect()
    }

    /// Positive and unique among the unanswered, even after two thousand million commands.
    fn next_number(&self) -> i32 {
        self.next_command
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1)
            & i32::MAX
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

    fn deliver(&self, dispatch: MessageDispatch) -> Result<(), String> {
        let Some(consumer) = &dispatch.consumer_id else {
            return Err("the broker sent a delivery for no consumer".to_owned());
        };
        // A consumer that has just closed may still be sent something.
        let Some(mailbox) = lock(&self.mailboxes).get(consumer).cloned() else {
            return Ok(());
        };
        let item = match Delivery::of(&dispatch) {
            None => Item::Nothing,
            Some(delivery) => Item::Delivery(Box::new(delivery?)),
        };
        match mailbox.try_send(item) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(format!(
                "the broker sent more than the prefetch of consumer {consumer}"
            )),
            _ => Ok(()),
        }
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
}

impl Sink for Inbox {
    fn take(&mut self, command: Command) -> Result<(), String> {
        let exchange = &self.exchange;
        if let Some(correlation) = command.correlation_id() {
            exchange.answer(correlation, command);
            return Ok(());
        }
        match command {
            Command::MessageDispatch(dispatch) => return exchange.deliver(dispatch),
            Command::KeepAliveInfo(info) if info.base.response_required => {
                // The answer repeats the number, so it bypasses the numbering.
                let mut answer = requests::keep_alive(false);
                if let Some(base) = answer.base_mut() {
                    base.command_id = info.base.command_id;
                }
                let _ = exchange.link.push(&answer);
                exchange.link.wake_writer();
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

    fn ended(&mut self, cause: &Error) {
        let waiting: Vec<Waiting> = lock(&self.exchange.waiting)
            .drain()
            .map(|(_, waiting)| waiting)
            .collect();
        for one in waiting {
            let _ = one.answer.send(Err(cause.clone()));
        }
        self.exchange.unanswered.close();
        lock(&self.exchange.mailboxes).clear();
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
