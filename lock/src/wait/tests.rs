//! Contending for the lock, in one process and between processes that are killed.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Progress, WaitReason, acquire};
use crate::{
    Epoch, Error, FilesystemKind, Held, Identity, Lost, Settings, Stop, Waiting, read_status, watch,
};

const LIMIT: Duration = Duration::from_secs(20);

fn me() -> Identity {
    Identity {
        broker_name: "test".into(),
        uris: vec![],
    }
}

fn none_seen(_: &Path) -> Result<Epoch, std::io::Error> {
    Ok(Epoch::new(0))
}

fn take(dir: &Path, settings: &Settings) -> Result<Held, Error> {
    acquire(dir, &me(), settings, none_seen, &Stop::new(), &mut |_| {})
}

/// A second process that holds the lock; killed when dropped.
struct Other(Child);

impl Other {
    fn hold(dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "wait::tests::a_process_that_holds_the_lock",
                "--nocapture",
            ])
            .env("HOLDFAST_LOCK_DIR", dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let held = output
            .lines()
            .map_while(Result::ok)
            .any(|line| line.contains("HELD"));
        assert!(held, "the other process did not get the lock");
        Self(child)
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Does nothing in a normal run; [`Other`] runs it in a process of its own.
#[test]
fn a_process_that_holds_the_lock() {
    let Ok(dir) = std::env::var("HOLDFAST_LOCK_DIR") else {
        return;
    };
    let _held = take(Path::new(&dir), &Settings::default()).unwrap();
    println!("\nHELD");
    std::io::stdout().flush().unwrap();
    // Ends when the parent is gone.
    let _ = std::io::stdin().read_line(&mut String::new());
}

fn waits_and_gets_it(settings: &Settings, kill: impl FnOnce(&mut Other)) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let mut other = Other::hold(dir.path());
    let (progress, waiting) = mpsc::sync_channel(100);
    let (path, settings) = (dir.path().to_owned(), settings.clone());
    let slave = std::thread::spawn(move || {
        let mut notify = |said: Progress| drop(progress.try_send(said));
        let held = acquire(
            &path,
            &me(),
            &settings,
            none_seen,
            &Stop::new(),
            &mut notify,
        )
        .unwrap();
        (Instant::now(), held.epoch(), held.previous().unwrap().epoch)
    });
    let Ok(Progress::Waiting { holder, reason, .. }) = waiting.recv_timeout(LIMIT) else {
        panic!("said nothing")
    };
    assert_eq!(reason, WaitReason::Locked);
    assert_eq!(holder.unwrap().pid, other.0.id());
    assert!(read_status(dir.path()).unwrap().held);
    let killed = Instant::now();
    kill(&mut other);
    let (when, epoch, previous) = slave.join().unwrap();
    assert_eq!((previous, epoch), (Epoch::new(1), Epoch::new(2)));
    when.saturating_duration_since(killed)
}

#[test]
fn a_blocked_slave_gets_the_lock_of_a_killed_master() {
    let took = waits_and_gets_it(&Settings::default(), Other::kill);
    println!("takeover of the lock, blocked: {took:?}");
}

#[test]
fn a_polling_slave_gets_the_lock_of_a_killed_master() {
    let poll = Settings {
        waiting: Waiting::Poll,
        poll_interval: Duration::from_millis(20),
        ..Settings::default()
    };
    let took = waits_and_gets_it(&poll, Other::kill);
    println!("takeover of the lock, polled: {took:?}");
}

#[test]
fn stop_wakes_a_waiting_slave() {
    for waiting in [Waiting::Block, Waiting::Poll] {
        let dir = tempfile::tempdir().unwrap();
        let _other = Other::hold(dir.path());
        let stop = Stop::new();
        let stopper = stop.clone();
        let mut notify = |_| stopper.stop();
        let settings = Settings {
            waiting,
            ..Settings::default()
        };
        let result = acquire(dir.path(), &me(), &settings, none_seen, &stop, &mut notify);
        assert!(matches!(result, Err(Error::Stopped)));
    }
}

#[test]
fn the_epoch_rises_above_everything_seen() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings::default();
    let first = take(dir.path(), &settings).unwrap();
    assert_eq!((first.epoch(), first.previous()), (Epoch::new(1), None));
    drop(first);
    let seen = |_: &Path| Ok(Epoch::new(41));
    let second = acquire(
        dir.path(),
        &me(),
        &settings,
        seen,
        &Stop::new(),
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(second.epoch(), Epoch::new(42));
    assert!(!second.previous().unwrap().released);
    second.release().unwrap();
    let third = take(dir.path(), &settings).unwrap();
    assert_eq!(third.epoch(), Epoch::new(43));
    assert!(third.previous().unwrap().released);
}

#[test]
fn a_torn_record_costs_an_epoch_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    drop(take(dir.path(), &Settings::default()).unwrap());
    let path = dir.path().join("lock");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let seen = |_: &Path| Ok(Epoch::new(5));
    let held = acquire(
        dir.path(),
        &me(),
        &Settings::default(),
        seen,
        &Stop::new(),
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(held.epoch(), Epoch::new(7));
    assert!(held.previous().is_none());
}

#[test]
fn a_file_of_another_program_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    for content in [&b"pid 17"[..], b"\0\0\x01\x8f\0\0\0\0"] {
        fs::write(&path, content).unwrap();
        let error = take(dir.path(), &Settings::default()).unwrap_err();
        assert!(matches!(&error, Error::Foreign { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    assert!(read_status(dir.path()).is_err());
}

#[test]
fn one_process_opens_the_lock_file_once() {
    let dir = tempfile::tempdir().unwrap();
    let held = take(dir.path(), &Settings::default()).unwrap();
    assert!(matches!(
        take(dir.path(), &Settings::default()),
        Err(Error::AlreadyOpen { .. })
    ));
    drop(held);
}

/// The reason that a slave gives first for what it waits for; it is stopped then.
fn first_reason(dir: &Path) -> WaitReason {
    let stop = Stop::new();
    let stopper = stop.clone();
    let mut first = None;
    let mut notify = |said: Progress| {
        if let Progress::Waiting { reason, .. } = said {
            first.get_or_insert(reason);
            stopper.stop();
        }
    };
    let result = acquire(
        dir,
        &me(),
        &Settings::default(),
        none_seen,
        &stop,
        &mut notify,
    );
    assert!(matches!(result, Err(Error::Stopped)));
    first.unwrap()
}

#[test]
fn causes_of_waiting_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        first_reason(&dir.path().join("missing")),
        WaitReason::NotFound
    );
    let lock = dir.path().join("lock");
    fs::create_dir(&lock).unwrap();
    assert!(matches!(first_reason(dir.path()), WaitReason::Io(_)));
    // Root may write anywhere, so this part says something only for other users.
    if !rustix::process::geteuid().is_root() {
        fs::remove_dir(&lock).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
        assert_eq!(first_reason(dir.path()), WaitReason::PermissionDenied);
    }
}

fn forced(kind: FilesystemKind) -> Settings {
    Settings {
        assume: Some(kind),
        ..Settings::default()
    }
}

#[test]
fn a_removed_or_replaced_lock_file_is_a_loss_for_good() {
    for kind in [FilesystemKind::Local, FilesystemKind::Network] {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("lock"), dir.path().join("aside"));
        let held = take(dir.path(), &forced(kind)).unwrap();
        let verifier = held.verifier();
        verifier.verify().unwrap();
        fs::rename(&path, &aside).unwrap();
        assert!(matches!(verifier.verify(), Err(Lost::Removed { .. })));
        fs::rename(&aside, &path).unwrap();
        assert!(
            matches!(verifier.verify(), Err(Lost::Removed { .. })),
            "a loss was taken back"
        );
        drop(held);
        let held = take(dir.path(), &forced(kind)).unwrap();
        fs::copy(&path, &aside).unwrap();
        fs::rename(&aside, &path).unwrap();
        assert!(matches!(
            held.verifier().verify(),
            Err(Lost::Replaced { .. })
        ));
        assert!(held.release().is_err());
    }
}

#[test]
fn across_hosts_another_holder_in_the_record_is_a_loss() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let held = take(dir.path(), &forced(FilesystemKind::Network)).unwrap();
    held.verifier().verify().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let other = crate::holder::Holder::new(
        &Identity {
            broker_name: "b".into(),
            uris: vec![],
        },
        Epoch::new(9),
    )
    .unwrap();
    bytes[..4096].copy_from_slice(&other.encode());
    // Written in place, as a host would whose lock voided ours.
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .write_all(&bytes)
        .unwrap();
    let lost = held.verifier().verify().unwrap_err();
    assert!(
        matches!(&lost, Lost::HolderChanged { found, .. } if found.contains("epoch 9")),
        "{lost}"
    );
    assert!(held.release().is_err());
    assert_eq!(
        fs::read(&path).unwrap(),
        bytes,
        "a master that lost wrote to the lock file"
    );
}

#[test]
fn the_watcher_tells_once() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        verify_interval: Duration::from_millis(10),
        ..Settings::default()
    };
    let held = take(dir.path(), &settings).unwrap();
    let (tell, told) = mpsc::sync_channel(10);
    let _watcher = watch(held.verifier(), &settings, move |lost| {
        tell.send(lost).unwrap()
    });
    fs::remove_file(dir.path().join("lock")).unwrap();
    assert!(matches!(told.recv_timeout(LIMIT), Ok(Lost::Removed { .. })));
    assert!(held.verifier().is_lost());
}

#[test]
fn the_deadline_fires_without_a_look_at_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let quick = Duration::from_millis(50);
    let settings = Settings {
        verify_interval: Duration::from_millis(10),
        verify_deadline: quick,
        ..Settings::default()
    };
    let held = take(dir.path(), &settings).unwrap();
    // The looking thread sleeps for a minute: as good as one that hangs in the kernel.
    let hanging = Settings {
        verify_interval: Duration::from_secs(60),
        ..settings
    };
    let (tell, told) = mpsc::sync_channel(10);
    let _watcher = watch(held.verifier(), &hanging, move |lost| {
        tell.send(lost).unwrap()
    });
    assert!(matches!(told.recv_timeout(LIMIT), Ok(Lost::Overdue { .. })));
    assert!(
        held.verifier().verify().is_err(),
        "late is lost, even if the file is still ours"
    );
}

#[test]
fn a_dropped_holder_can_prove_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let held = take(dir.path(), &Settings::default()).unwrap();
    let verifier = held.verifier();
    drop(held);
    assert_eq!(verifier.verify(), Err(Lost::Released));
    // A verifier that lives on is in nobody's way.
    drop(take(dir.path(), &Settings::default()).unwrap());
    assert_eq!(verifier.verify(), Err(Lost::Released));
    assert!(!read_status(dir.path()).unwrap().held);
}
