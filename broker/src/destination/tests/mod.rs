//! Tests of queues without a store.
