//! Finds a live broker among several addresses, again and again.
//!
//! The addresses are tried in turn, beginning with the one that worked last; when all have failed there is a pause that
//! doubles. Every connection carries the same identity, so that brokers recognise who comes back. It replays nothing:
//! what to do on a new connection is the caller's ([`crate::Resender`] is one).

use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::error::Error;
use crate::limits::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::options::ConnectOptions;
use crate::uri::BrokerUri;

/// A way to a broker, however often it moves.
#[derive(Debug)]
pub struct Reconnect {
    uris: Vec<BrokerUri>,
    options: ConnectOptions,
    give_up_after: Option<Duration>,
    /// The address to try first.
    next: usize,
    connections: u64,
}

impl Reconnect {
    /// A way to one of these addresses. Without `give_up_after` it tries for ever.
    ///
    /// # Errors
    /// There are no addresses.
    pub fn new(
        uris: Vec<BrokerUri>,
        options: ConnectOptions,
        give_up_after: Option<Duration>,
    ) -> Result<Self, Error> {
        if uris.is_empty() {
            return Err(Error::Uri {
                uri: String::new(),
                why: "no address given".to_owned(),
            });
        }
        let options = ConnectOptions {
            fault_tolerant: true,
            ..options
        };
        Ok(Self {
            uris,
            options,
            give_up_after,
            next: 0,
            connections: 0,
        })
    }

    /// How many connections it has made.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// The options, and with them the identity, of all its connections.
    #[must_use]
    pub fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// A new connection.
    ///
    /// # Errors
    /// A broker refused us, or the time to give up has come.
    pub async fn connect(&mut self) -> Result<Connection, Error> {
        let started = Instant::now();
        let mut attempts = 0_u64;
        let mut pause = FIRST_PAUSE;
        loop {
            let mut last = None;
            for _ in 0..self.uris.len() {
                attempts += 1;
                match Connection::connect(&self.uris[self.next], &self.options).await {
                    Ok(connection) => {
                        self.connections += 1;
                        return Ok(connection);
                    }
                    Err(error) if error.is_retry() => last = Some(error),
                    Err(error) => return Err(error),
                }
                self.next = (self.next + 1) % self.uris.len();
            }
            let after = started.elapsed();
            if let Some(last) = last
                && self.give_up_after.is_some_and(|limit| after >= limit)
            {
                return Err(Error::GaveUp {
                    attempts,
                    after,
                    last: Box::new(last),
                });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
