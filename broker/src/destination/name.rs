//! What may be a destination, and what is refused with which words.
//!
//! Wildcards, composites and topics are refused until they are built; the
//! advisory topics are not destinations here, their consumers are served by
//! `advisory`.

use wire::openwire::{Destination, DestinationKind};

use crate::limits::NAME_BYTES;
use crate::outgoing::Refusal;

const ADVISORY_PREFIX: &[u8] = b"ActiveMQ.Advisory.";

/// Accepts what is, or can become, a queue.
pub(crate) fn check_queue(destination: &Destination) -> Result<(), Refusal> {
    let name = destination.physical_name.as_bytes();
    check_length(name, destination)?;
    match destination.kind {
        DestinationKind::Queue if name.contains(&b',') => Err(Refusal::unsupported(format!(
            "composite destinations are not supported: {destination}"
        ))),
        DestinationKind::Queue if name.iter().any(|byte| matches!(byte, b'*' | b'>')) => {
            Err(Refusal::unsupported(format!(
                "wildcard destinations are not supported: {destination}"
            )))
        }
        DestinationKind::Queue | DestinationKind::TempQueue => Ok(()),
        DestinationKind::Topic | DestinationKind::TempTopic => Err(no_topics(destination)),
    }
}

/// Accepts what a client may create as its own.
pub(crate) fn check_temporary(destination: &Destination) -> Result<(), Refusal> {
    check_length(destination.physical_name.as_bytes(), destination)?;
    match destination.kind {
        DestinationKind::TempQueue => Ok(()),
        DestinationKind::TempTopic => Err(no_topics(destination)),
        DestinationKind::Queue | DestinationKind::Topic => Err(Refusal::invalid_destination(
            format!("only temporary destinations are created by clients: {destination}"),
        )),
    }
}

fn check_length(name: &[u8], destination: &Destination) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::invalid_destination("the destination has no name"));
    }
    if name.len() > NAME_BYTES {
        return Err(Refusal::invalid_destination(format!(
            "the name of the {} has {} bytes, at most {NAME_BYTES} are allowed",
            destination.kind.scheme(),
            name.len()
        )));
    }
    Ok(())
}

fn no_topics(destination: &Destination) -> Refusal {
    Refusal::unsupported(format!("topics are not supported: {destination}"))
}

/// Which advisories a consumer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AdvisoryTopics {
    /// Of temporary queues that come and go.
    pub(crate) temporary_queues: bool,
}

/// The advisories behind a topic, when it is made of advisory topics only.
/// Those that this broker never raises are accepted and stay silent.
pub(crate) fn advisory_topics(destination: &Destination) -> Option<AdvisoryTopics> {
    if destination.kind != DestinationKind::Topic {
        return None;
    }
    let mut wanted = AdvisoryTopics {
        temporary_queues: false,
    };
    for part in destination
        .physical_name
        .as_bytes()
        .split(|byte| *byte == b',')
    {
        let part = part.trim_ascii();
        let part = part.strip_prefix(b"topic://").unwrap_or(part);
        let kind = part.strip_prefix(ADVISORY_PREFIX)?;
        wanted.temporary_queues |= matches!(kind, b"TempQueue" | b">" | b"*");
    }
    Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(destination: Destination) -> String {
        check_queue(&destination)
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn queues_pass_and_the_rest_is_named() {
        assert_eq!(check_queue(&Destination::queue("orders.in")), Ok(()));
        let temporary = Destination::new(DestinationKind::TempQueue, "ID:a->b-1:1");
        assert_eq!(
            check_queue(&temporary),
            Ok(()),
            "bridges have > in their names"
        );
        for (destination, words) in [
            (
                Destination::queue("a,b"),
                "composite destinations are not supported: queue://a,b",
            ),
            (
                Destination::queue("a.>"),
                "wildcard destinations are not supported: queue://a.>",
            ),
            (
                Destination::topic("t"),
                "topics are not supported: topic://t",
            ),
            (Destination::queue(""), "the destination has no name"),
            (
                Destination::queue("x".repeat(5_000)),
                "has 5000 bytes, at most 4096",
            ),
        ] {
            assert!(refusal(destination).contains(words), "{words}");
        }
    }

    #[test]
    fn only_temporary_queues_are_created_by_clients() {
        let temporary = Destination::new(DestinationKind::TempQueue, "ID:a:1");
        assert_eq!(check_temporary(&temporary), Ok(()));
        assert!(check_temporary(&Destination::queue("q")).is_err());
        assert!(check_temporary(&Destination::new(DestinationKind::TempTopic, "t")).is_err());
    }

    #[test]
    fn advisory_topics_are_told_from_topics() {
        let wants = |name: &str| advisory_topics(&Destination::topic(name));
        let yes = Some(AdvisoryTopics {
            temporary_queues: true,
        });
        let silent = Some(AdvisoryTopics {
            temporary_queues: false,
        });
        assert_eq!(
            wants("ActiveMQ.Advisory.TempQueue,ActiveMQ.Advisory.TempTopic"),
            yes
        );
        assert_eq!(wants("ActiveMQ.Advisory.>"), yes);
        assert_eq!(
            wants("ActiveMQ.Advisory.Consumer.>, topic://ActiveMQ.Advisory.TempQueue"),
            yes
        );
        assert_eq!(wants("ActiveMQ.Advisory.Connection"), silent);
        assert_eq!(wants("ActiveMQ.Advisory.TempQueue,prices"), None);
        assert_eq!(
            advisory_topics(&Destination::queue("ActiveMQ.Advisory.TempQueue")),
            None
        );
    }
}
