//! Where to listen: `tcp://host:port`.

use std::fmt;
use std::str::FromStr;

/// The port of ActiveMQ clients' default URI.
const DEFAULT_PORT: u16 = 61616;

/// A parsed listener URI. Host names are resolved when the listener opens,
/// not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenUri {
    /// Name or address, without brackets.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
}

impl fmt::Display for ListenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "tcp://[{}]:{}", self.host, self.port);
        }
        write!(f, "tcp://{}:{}", self.host, self.port)
    }
}

impl FromStr for ListenUri {
    type Err = String;

    fn from_str(uri: &str) -> Result<ListenUri, String> {
        let uri = uri.trim();
        let Some((scheme, rest)) = uri.split_once("://") else {
            return Err(format!("'{uri}' is no URI; write tcp://host:port"));
        };
        if scheme != "tcp" && scheme != "nio" && scheme != "openwire" {
            return Err(format!("'{uri}': only tcp:// is served"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if let Some((_, options)) = rest.split_once('?') {
            return Err(format!(
                "'{uri}': listener option '{options}' is unknown; limits are settings of their own"
            ));
        }
        let (host, port) = host_and_port(rest);
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port
                .parse()
                .map_err(|_| format!("'{uri}': port '{port}' is not between 0 and 65535"))?,
        };
        if host.is_empty() || host.contains(['/', ' ', '@']) {
            return Err(format!("'{uri}': host missing or malformed"));
        }
        Ok(ListenUri {
            host: host.to_owned(),
            port,
        })
    }
}

/// Splits `host:port`, `[v6]:port` and both without a port.
fn host_and_port(text: &str) -> (&str, Option<&str>) {
    if let Some(bracketed) = text.strip_prefix('[')
        && let Some((host, rest)) = bracketed.split_once(']')
    {
        return (host, rest.strip_prefix(':'));
    }
    match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    }
}
