//! The transitions, with real locks, stores and listeners, in this process.

use std::path::{Path, PathBuf};

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::config::ListenUri;

const PATIENCE: Duration = Duration::from_secs(10);

/// A broker that lives in a task.
struct Life {
    directory: tempfile::TempDir,
    asked: mpsc::Sender<&'static str>,
    ended: tokio::task::JoinHandle<Result<Ended, Error>>,
}

fn settings(data: PathBuf, port: u16) -> Settings {
    let host = "127.0.0.1".to_owned();
    Settings {
        name: "role-test".to_owned(),
        data,
        listen: vec![ListenUri { host, port }],
        ..Settings::default()
    }
}

impl Life {
    fn begin(port: u16) -> Life {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path().to_owned(), port);
        let (asked, mut wishes) = mpsc::channel(2);
        let ended = tokio::spawn(async move { live(settings, &mut wishes).await });
        Life {
            directory,
            asked,
            ended,
        }
    }

    async fn end(self) -> (Result<Ended, Error>, tempfile::TempDir) {
        let ended = timeout(PATIENCE, self.ended)
            .await
            .expect("in time")
            .unwrap();
        (ended, self.directory)
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap().port()
}

async fn connected(port: u16) -> TcpStream {
    let connecting = async {
        loop {
            match TcpStream::connect(("127.0.0.1", port)).await {
                Ok(stream) => return stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    timeout(PATIENCE, connecting).await.expect("a listener")
}

/// Reads until the broker closes the socket.
async fn closed(mut stream: TcpStream) {
    use tokio::io::AsyncReadExt;
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("closed in time");
}

fn held(dir: &Path) -> bool {
    lock::read_status(dir).unwrap().held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_broker_becomes_master_and_gives_the_lock_back_when_stopped() {
    let port = free_port();
    let life = Life::begin(port);
    let socket = connected(port).await;
    assert!(held(life.directory.path()));
    let Life {
        directory,
        asked,
        ended,
    } = life;
    asked.try_send("test").unwrap();
    let ended = timeout(PATIENCE, ended).await.expect("in time").unwrap();
    assert!(matches!(ended, Ok(Ended::Stopped)));
    closed(socket).await;
    let status = lock::read_status(directory.path()).unwrap();
    assert!(!status.held);
    assert!(status.holder.unwrap().released, "left in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_without_its_lock_file_drops_its_sockets_and_is_demoted() {
    let port = free_port();
    let life = Life::begin(port);
    let socket = connected(port).await;
    std::fs::remove_file(life.directory.path().join("lock")).unwrap();
    closed(socket).await;
    let (ended, _directory) = life.end().await;
    let Ok(Ended::Demoted(demoted)) = ended else {
        panic!("not demoted");
    };
    assert!(demoted.cause.contains("was removed"), "{}", demoted.cause);
}

/// Threads that hang in calls to a dead file server must not keep the sockets open: whatever ends a mastership cannot
/// wait for a runtime that stands still.
#[test]
fn a_demotion_does_not_wait_for_threads_that_hang() {
    let (port, directory) = (free_port(), tempfile::tempdir().unwrap());
    let settings = settings(directory.path().to_owned(), port);
    let (ended, end) = std::sync::mpsc::sync_channel(1);
    let (started, start) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        started.send(runtime.handle().clone()).unwrap();
        let (_nobody, mut wishes) = mpsc::channel(2);
        let ended_as = runtime.block_on(live(settings, &mut wishes));
        let demoted = matches!(ended_as, Ok(Ended::Demoted(_)));
        runtime.shutdown_background();
        ended.send(demoted)
    });
    let runtime = start.recv().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "no listener");
        std::thread::yield_now();
    }
    let (hang, hung) = std::sync::mpsc::sync_channel::<()>(1);
    let _hanging = runtime.spawn(async move { hung.recv() });
    std::fs::remove_file(directory.path().join("lock")).unwrap();
    assert_eq!(end.recv_timeout(PATIENCE), Ok(true));
    drop(hang);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slave_stops_at_once() {
    let life = Life::begin(free_port());
    // Whether it is still a slave by now or already master: it must stop.
    let Life {
        directory: _directory,
        asked,
        ended,
    } = life;
    asked.try_send("test").unwrap();
    let ended = timeout(PATIENCE, ended).await.expect("in time").unwrap();
    assert!(matches!(ended, Ok(Ended::Stopped)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_ends_the_start_and_frees_the_lock() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let life = Life::begin(taken.local_addr().unwrap().port());
    let (ended, directory) = life.end().await;
    let error = ended.err().expect("an error");
    assert!(error.is_address_in_use(), "{error}");
    assert!(!held(directory.path()));
}

#[test]
fn who_waited_tries_again_unless_it_is_pointless() {
    let full = || store::Error::Full {
        needed: 1,
        available: 0,
    };
    let damaged = || store::Error::Damaged {
        path: "journal/1".into(),
        offset: 7,
        what: "crc".to_owned(),
    };
    let outcome = |error, waited| {
        let error = Error::Store(error);
        not_promoted(Failed { error, waited })
    };
    assert!(outcome(full(), false).is_err());
    assert!(matches!(outcome(full(), true), Ok(Waited::Demoted(_))));
    assert!(outcome(damaged(), false).is_err());
    assert!(outcome(damaged(), true).is_err());
    // The file server did not answer right after it had given us the lock.
    let lock = |waited| {
        let error = Error::Lock(lock::Error::Io {
            what: "sync",
            path: "lock".into(),
            source: io::Error::from_raw_os_error(5),
        });
        not_promoted(Failed { error, waited })
    };
    assert!(lock(false).is_err());
    assert!(matches!(lock(true), Ok(Waited::Demoted(_))));
}

/// The lock has to go although no I/O thread does anything any more; and whoever asks twice does not wait for them.
#[test]
fn a_stop_does_not_wait_for_threads_that_hang() {
    let (port, directory) = (free_port(), tempfile::tempdir().unwrap());
    let settings = settings(directory.path().to_owned(), port);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let handle = runtime.handle().clone();
    let (asked, mut wishes) = mpsc::channel(2);
    let (ended, end) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let ended_as = runtime.block_on(live(settings, &mut wishes));
        runtime.shutdown_background();
        ended.send(matches!(ended_as, Ok(Ended::Stopped)))
    });
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "no listener");
        std::thread::yield_now();
    }
    let (hang, hung) = std::sync::mpsc::sync_channel::<()>(1);
    let (hangs, hanging) = std::sync::mpsc::sync_channel(1);
    let _hanging = handle.spawn(async move {
        hangs.send(()).unwrap();
        hung.recv()
    });
    hanging.recv_timeout(PATIENCE).unwrap();
    asked.try_send("one").unwrap();
    let deadline = Instant::now() + limits::SHUTDOWN_DEADLINE / 2;
    while held(directory.path()) {
        assert!(Instant::now() < deadline, "the lock is still held");
        std::thread::yield_now();
    }
    asked.try_send("two").unwrap();
    assert_eq!(end.recv_timeout(limits::SHUTDOWN_DEADLINE / 2), Ok(true));
    drop(hang);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_to_stop_is_not_forgotten_by_a_demotion() {
    let demoted = || Demoted {
        cause: "test".to_owned(),
        since: Instant::now(),
    };
    let (asked, mut wishes) = mpsc::channel(2);
    let quiet = demoted().settle(&mut wishes).await;
    assert!(matches!(quiet, Ended::Demoted(_)));
    asked.try_send("test").unwrap();
    let stopped = demoted().settle(&mut wishes).await;
    assert!(matches!(stopped, Ended::Stopped));
}
