//! Order, back-pressure and closing over a real socket.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::outgoing::Reply;
use crate::touched::Touched;

const PATIENCE: Duration = Duration::from_secs(10);

/// Each answer becomes its number and so many bytes of padding.
struct Numbers {
    padding: usize,
}

impl Format for Numbers {
    fn encode(&mut self, item: Outgoing, buffer: &mut BytesMut) -> Result<(), String> {
        let Outgoing::Answer { correlation, .. } = item else {
            return Err("not a number".to_owned());
        };
        buffer.extend_from_slice(&correlation.to_be_bytes());
        buffer.resize(buffer.len() + self.padding, 0);
        Ok(())
    }
}

fn number(correlation: i32) -> Outgoing {
    Outgoing::Answer {
        correlation,
        result: Ok(Reply::Ok),
    }
}

/// An outbox with its writer task, and the other end of its socket.
async fn pair(padding: usize) -> (Arc<Outbox>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let socket = near.unwrap().into_split().1;
    let over = CancellationToken::new();
    let outbox = Outbox::new(socket, Box::new(Numbers { padding }), over);
    let writing = Arc::clone(&outbox);
    tokio::spawn(async move { writing.run_writer().await });
    (outbox, far.unwrap().0)
}

async fn read_number(far: &mut TcpStream, padding: usize) -> i32 {
    let mut bytes = vec![0; 4 + padding];
    timeout(PATIENCE, far.read_exact(&mut bytes))
        .await
        .unwrap()
        .unwrap();
    i32::from_be_bytes(bytes[..4].try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_of_many_threads_all_arrive_each_threads_in_order() {
    const EACH: i32 = 5_000;
    let (outbox, mut far) = pair(0).await;
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let outbox = Arc::clone(&outbox);
            std::thread::spawn(move || {
                for count in 0..EACH {
                    outbox.push(number(thread * EACH + count));
                    outbox.flush();
                }
            })
        })
        .collect();
    let mut next: Vec<i32> = (0..4).map(|thread| thread * EACH).collect();
    for _ in 0..4 * EACH {
        let got = read_number(&mut far, 0).await;
        let thread = usize::try_from(got / EACH).unwrap();
        assert_eq!(got, next[thread]);
        next[thread] += 1;
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    timeout(PATIENCE, outbox.until_below(0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_fills_the_outbox_and_frees_it_again() {
    const PADDING: usize = 100_000;
    let (outbox, mut far) = pair(PADDING).await;
    let room = Arc::new(Notify::new());
    let told = Arc::clone(&room);
    outbox.set_on_room(Box::new(move || told.notify_one()));
    let mut pushed = 0;
    while outbox.has_room() {
        // Weights are known before, bytes only after encoding: one at a time.
        outbox.push(number(pushed));
        pushed += 1;
        outbox.flush();
        assert!(pushed < 10_000, "the socket swallows everything");
        tokio::task::yield_now().await;
        if pushed % 8 == 0 && outbox.load() > 0 {
            // Fill up with waiting items once the socket is full.
            (0..5_000).for_each(|_| {
                outbox.push(number(pushed));
                pushed += 1;
            });
        }
    }
    for _ in 0..pushed {
        read_number(&mut far, PADDING).await;
    }
    timeout(PATIENCE, room.notified())
        .await
        .expect("told of the room");
    assert!(outbox.has_room());
}

#[tokio::test]
async fn nothing_is_said_after_close() {
    let (outbox, mut far) = pair(0).await;
    outbox.push(number(1));
    outbox.flush();
    timeout(PATIENCE, outbox.until_below(0)).await.unwrap();
    outbox.push(number(2));
    outbox.close();
    outbox.push(number(3));
    outbox.flush();
    assert!(outbox.is_closed());
    drop(outbox);
    assert_eq!(read_number(&mut far, 0).await, 1);
    let mut rest = Vec::new();
    timeout(PATIENCE, far.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn who_was_woken_before_the_connection_was_over_is_still_written() {
    let (outbox, mut far) = pair(0).await;
    // The writer task waits by now.
    tokio::task::yield_now().await;
    outbox.push(number(7));
    outbox.wake();
    outbox.over.cancel();
    assert_eq!(read_number(&mut far, 0).await, 7);
}

#[tokio::test]
async fn what_cannot_be_encoded_ends_the_connection_with_its_reason() {
    let (outbox, _far) = pair(0).await;
    outbox.push(Outgoing::AsyncError(crate::Refusal::general("x")));
    outbox.flush();
    timeout(PATIENCE, outbox.over.cancelled()).await.unwrap();
    assert_eq!(outbox.cause(), Some("not a number"));
}

#[test]
fn a_recording_outbox_keeps_what_is_pushed() {
    let outbox = Outbox::recording();
    outbox.push(number(7));
    outbox.flush();
    assert!(matches!(
        outbox.take_recorded()[..],
        [Outgoing::Answer { correlation: 7, .. }]
    ));
    assert_eq!(outbox.load(), 0);
}

/// On one thread no writer task runs until this one waits.
#[tokio::test]
async fn the_first_touched_are_written_at_once_and_the_rest_by_their_tasks() {
    let mut touched = Touched::default();
    let mut pairs = Vec::new();
    for correlation in 0..5 {
        let (outbox, far) = pair(0).await;
        outbox.push(number(correlation));
        touched.add(&outbox);
        pairs.push((outbox, far));
    }
    touched.flush_first(3);
    let waiting: Vec<bool> = pairs.iter().map(|(near, _)| near.load() > 0).collect();
    assert_eq!(waiting, [false, false, false, true, true]);
    for (correlation, (_, far)) in (0..).zip(&mut pairs) {
        assert_eq!(read_number(far, 0).await, correlation);
    }
}
