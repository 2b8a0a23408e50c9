//! What all sockets of one mastership share.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::config::Settings;
use crate::engine::Engine;
use crate::logs::Gate;
use crate::{descriptors, limits};

/// Bounds of a socket, as configured.
#[derive(Debug, Clone)]
pub(crate) struct EdgeSettings {
    /// The broker's name, for BrokerInfo.
    pub(crate) name: String,
    /// Where clients reach it, for BrokerInfo.
    pub(crate) url: String,
    /// Largest frame of a connected client.
    pub(crate) max_frame: usize,
    /// Inactivity limit that we offer; zero is none.
    pub(crate) max_inactivity: Duration,
    /// Delay before the first inactivity check that we offer.
    pub(crate) initial_delay: Duration,
    /// Time to say which format one speaks.
    pub(crate) handshake_timeout: Duration,
    /// Clients at once.
    pub(crate) max_connections: usize,
    /// Sockets that are no clients yet, at once.
    pub(crate) max_waiting: usize,
}

impl EdgeSettings {
    /// The part of the broker's settings that concerns sockets.
    pub(crate) fn of(settings: &Settings) -> EdgeSettings {
        let initial_delay = limits::INACTIVITY_INITIAL_DELAY;
        let places = descriptors::places(settings.max_connections);
        EdgeSettings {
            name: settings.name.clone(),
            url: settings.advertised().into_iter().next().unwrap_or_default(),
            // The check of the settings keeps it within an i32.
            max_frame: usize::try_from(settings.max_frame).unwrap_or(limits::MAX_FRAME_BYTES),
            max_inactivity: settings.max_inactivity,
            initial_delay,
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
            max_connections: places.clients,
            max_waiting: places.waiting,
        }
    }
}

/// Shared by the listeners and sockets of one mastership.
pub(crate) struct Edge {
    pub(crate) engine: Arc<Engine>,
    pub(crate) settings: EdgeSettings,
    pub(crate) admission: Arc<Admission>,
    /// Limits `connection.refused` lines.
    pub(crate) refused: Arc<Gate>,
    /// Limits `connection.failed` lines.
    pub(crate) failed: Gate,
    /// Cancelled when every socket must go.
    pub(crate) stop: CancellationToken,
}

impl Edge {
    /// An edge in front of `engine`; `stop` drops all of its sockets.
    pub(crate) fn new(
        engine: Arc<Engine>,
        settings: EdgeSettings,
        stop: CancellationToken,
    ) -> Arc<Edge> {
        let (clients, waiting) = (settings.max_connections, settings.max_waiting);
        let admission = Admission::new(clients, waiting, stop.clone());
        Arc::new(Edge {
            engine,
            settings,
            admission,
            refused: Arc::new(Gate::new(1, limits::REFUSED_LOG_PERIOD)),
            failed: Gate::new(limits::FAILED_LOG_LINES, limits::REFUSED_LOG_PERIOD),
            stop,
        })
    }
}
