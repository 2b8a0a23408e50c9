//! The commands of consumers: add, acknowledge, pull, change the window.

use wire::openwire::{ConsumerControl, ConsumerInfo, MessageAck, MessagePull, RemoveInfo};

use super::session::{Session, wanted};
use crate::connection::End;
use crate::outgoing::Refusal;
use crate::peer::{Ack, AckKind, ConsumerSpec};

impl Session {
    pub(super) fn add_consumer(&mut self, info: ConsumerInfo) -> Result<(), End> {
        let (Some(id), Some(destination)) = (info.consumer_id, info.destination) else {
            return Err(End::Unexpected("ConsumerInfo without id or destination"));
        };
        let spec = ConsumerSpec {
            id,
            destination,
            prefetch: info.prefetch_size,
            browser: info.browser,
            exclusive: info.exclusive,
            priority: info.priority,
            no_local: info.no_local,
            // activemq-cpp says null where it means none, others say "".
            selector: info.selector.filter(|text| !text.is_empty()),
            subscription_name: info.subscription_name.filter(|text| !text.is_empty()),
        };
        let result = self.peer()?.add_consumer(spec);
        self.answer(&info.base, result);
        Ok(())
    }

    pub(super) fn acknowledge(&mut self, ack: MessageAck) -> Result<(), End> {
        let Some(kind) = AckKind::from_wire(ack.ack_type) else {
            let text = format!("acknowledgement type {} is unknown", ack.ack_type);
            self.answer(&ack.base, Err(Refusal::general(text)));
            return Ok(());
        };
        let Some(consumer) = ack.consumer_id else {
            return Err(End::Unexpected("MessageAck without a consumer"));
        };
        let answer = wanted(&ack.base);
        let cause = ack.poison_cause.map(|cause| match &cause.message {
            Some(message) => format!("{}: {message}", cause.class_name),
            None => cause.class_name.to_string(),
        });
        let ack = Ack {
            consumer,
            kind,
            transaction: ack.transaction_id,
            first: ack.first_message_id,
            last: ack.last_message_id,
            count: ack.message_count,
            cause,
            destination: ack.destination,
        };
        self.peer()?.ack(ack, answer);
        Ok(())
    }

    pub(super) fn pull(&mut self, pull: &MessagePull) -> Result<(), End> {
        if let Some(consumer) = &pull.consumer_id {
            self.peer()?.pull(consumer, pull.timeout);
        }
        self.answer(&pull.base, Ok(()));
        Ok(())
    }

    pub(super) fn control_consumer(&mut self, control: &ConsumerControl) -> Result<(), End> {
        if let Some(consumer) = &control.consumer_id {
            let peer = self.peer()?;
            if control.close {
                // Without a word about its messages any may have been seen.
                peer.remove_consumer(consumer, RemoveInfo::UNKNOWN);
            } else {
                peer.set_prefetch(consumer, control.prefetch);
            }
        }
        self.answer(&control.base, Ok(()));
        Ok(())
    }
}
