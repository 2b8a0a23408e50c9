//! The engine.

use std::path::Path;
use std::sync::Arc;

use crate::engine::{EngineSettings, EngineUsage, Hello, QueueFigures};
use crate::error::Error;
use crate::outbox::Outbox;
use crate::outgoing::Refusal;
use crate::peer::Peer;

/// The engine.
pub struct Engine {}

#[allow(unused_variables, clippy::todo)]
impl Engine {
    /// Opens the store and knows every queue in it; from here on this is the master.
    pub fn start(
        dir: &Path,
        held: lock::Held,
        settings: EngineSettings,
        on_lost: Box<dyn FnOnce(store::Error) + Send>,
    ) -> Result<(Arc<Engine>, store::Recovery), Error> { todo!() }
    /// A client connects. `evict` closes its socket.
    pub fn connect(self: &Arc<Self>, hello: Hello, outbox: Arc<Outbox>, evict: Box<dyn Fn() + Send + Sync>) -> Result<Peer, Refusal> { todo!() }
    /// Clean stop.
    pub fn close(&self) { todo!() }
    /// Id of this broker.
    pub fn broker_id(&self) -> &str { todo!() }
    /// Name of this broker.
    pub fn name(&self) -> &str { todo!() }
    /// Epoch of this mastership.
    pub fn epoch(&self) -> u64 { todo!() }
    /// What is used.
    pub fn usage(&self) -> EngineUsage { todo!() }
    /// Every queue.
    pub fn queues(&self) -> Vec<QueueFigures> { todo!() }
}
