//! TCP ports that stay ours while brokers come and go.
//!
//! A slave binds its port only when it becomes master, long after its clients were told the address. So the test binds
//! the port itself and never listens: the kernel then gives it to nobody who asks for any port, while a broker, which
//! sets SO_REUSEADDR as the test does, may listen on it, and a client is refused until one does.

use tokio::net::TcpSocket;

/// A reserved port of the loopback interface.
pub(crate) struct Port {
    number: u16,
    /// Holds the reservation.
    _socket: TcpSocket,
}

impl Port {
    /// Reserves a free one.
    pub(crate) fn reserve() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket.set_reuseaddr(true).expect("SO_REUSEADDR can be set");
        let any = "127.0.0.1:0".parse().expect("a valid address");
        socket.bind(any).expect("some port is free");
        let number = socket
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        Self {
            number,
            _socket: socket,
        }
    }

    /// As a listener or client address.
    pub(crate) fn uri(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.number)
    }
}
