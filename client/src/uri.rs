//! Addresses of brokers: `tcp://host:port`, parsed once at the edge.
//!
//! Only tcp for now; `failover:`, `discovery:` and options after `?` are refused by name rather than ignored, so that
//! nobody believes to have switched something on.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::limits::DEFAULT_PORT;

/// Where one broker listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokerUri {
    host: String,
    port: u16,
}

impl BrokerUri {
    /// Host name or address, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for BrokerUri {
    type Err = Error;

    fn from_str(uri: &str) -> Result<Self, Error> {
        parse(uri).map_err(|why| Error::Uri {
            uri: uri.to_owned(),
            why,
        })
    }
}

impl fmt::Display for BrokerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "tcp://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "tcp://{}:{}", self.host, self.port)
        }
    }
}

fn parse(uri: &str) -> Result<BrokerUri, String> {
    let Some((scheme, rest)) = uri.trim().split_once(':') else {
        return Err("no scheme: write tcp://host:port".to_owned());
    };
    if !scheme.eq_ignore_ascii_case("tcp") {
        return Err(format!("scheme {scheme:?} is not supported, only tcp"));
    }
    let Some(authority) = rest.strip_prefix("//") else {
        return Err("no // after the scheme: write tcp://host:port".to_owned());
    };
    if let Some((_, options)) = authority.split_once('?') {
        return Err(format!("options are not supported: {options:?}"));
    }
    let (host, port) = split_port(authority.trim_end_matches('/'))?;
    if host.is_empty() || host.contains(['/', '@', ' ', '[', ']', ',']) {
        return Err(format!("{host:?} is not a host name"));
    }
    Ok(BrokerUri {
        host: host.to_owned(),
        port,
    })
}

fn split_port(authority: &str) -> Result<(&str, u16), String> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((host, after)) = bracketed.split_once(']') else {
            return Err("[ without ]".to_owned());
        };
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, parse_port(port)?)),
            None if after.is_empty() => Ok((host, DEFAULT_PORT)),
            None => Err(format!("{after:?} after ]")),
        };
    }
    match authority.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => {
            Err("an IPv6 address needs brackets: tcp://[::1]:61616".to_owned())
        }
        Some((host, port)) => Ok((host, parse_port(port)?)),
        None => Ok((authority, DEFAULT_PORT)),
    }
}

fn parse_port(port: &str) -> Result<u16, String> {
    match port.parse() {
        Ok(0) | Err(_) => Err(format!("{port:?} is not a port, 1 to 65535")),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_addresses_parse_and_print() {
        for (given, printed) in [
            ("tcp://localhost:61616", "tcp://localhost:61616"),
            ("tcp://localhost", "tcp://localhost:61616"),
            ("TCP://10.0.0.1:1/", "tcp://10.0.0.1:1"),
            ("tcp://[::1]:7", "tcp://[::1]:7"),
            ("tcp://[::1]", "tcp://[::1]:61616"),
        ] {
            let uri: BrokerUri = given.parse().expect(given);
            assert_eq!(uri.to_string(), printed);
        }
    }

    #[test]
    fn bad_addresses_say_why() {
        for (given, why) in [
            ("localhost", "no scheme"),
            ("failover:(tcp://a,tcp://b)", "scheme \"failover\""),
            ("ssl://a:1", "scheme \"ssl\""),
            ("tcp:a", "no //"),
            ("tcp://a:0", "not a port"),
            ("tcp://a:65536", "not a port"),
            ("tcp://:1", "not a host"),
            ("tcp://::1:7", "needs brackets"),
            ("tcp://[::1", "[ without ]"),
            ("tcp://[::1]x", "after ]"),
            ("tcp://a:1?x=y", "options are not supported"),
            ("tcp://user@a:1", "not a host"),
        ] {
            let error = given.parse::<BrokerUri>().expect_err(given);
            assert!(error.to_string().contains(why), "{given}: {error}");
            assert_eq!(error.action(), crate::Action::Exit);
        }
    }
}
