//! What a client asks of a consumer.

use wire::openwire::{ConsumerId, Destination, Text};

/// A consumer as asked for.
#[derive(Debug, Clone)]
pub struct ConsumerSpec {
    /// Its id, unique for ever.
    pub id: ConsumerId,
    /// Where it listens.
    pub destination: Destination,
    /// Messages it takes before it acknowledges; 0: only when it pulls.
    pub prefetch: i32,
    /// Looks without taking.
    pub browser: bool,
    /// Wants to be the only one served.
    pub exclusive: bool,
    /// Higher ones are served first.
    pub priority: i8,
    /// Does not want what its own connection sent. Topics only: on a queue
    /// such a message would be stuck, JMS leaves it undefined.
    pub no_local: bool,
    /// Wants only what matches; refused until selectors are built.
    pub selector: Option<Text>,
    /// Name of a durable subscription; refused until topics are built.
    pub subscription_name: Option<Text>,
}
