//! Connections: introduction, good end, keep-alives, silence.

use std::time::Duration;

use wire::openwire::{Command, ObjectId};

use crate::connection::Connection;
use crate::error::{Action, Error};
use crate::fake_broker::{DEADLINE, FakeBroker};
use crate::options::ConnectOptions;

#[tokio::test]
async fn a_connection_introduces_itself_and_says_good_bye() {
    let broker = FakeBroker::agreeable().await;
    let options = ConnectOptions {
        user_name: Some("u".to_owned()),
        password: Some("p".to_owned()),
        ..ConnectOptions::default()
    };
    let connection = Connection::connect(&broker.uri, &options).await.unwrap();
    assert_eq!(
        (connection.broker_name(), connection.broker_id()),
        ("fake".to_owned(), "ID:fake".to_owned())
    );
    connection.close().await.unwrap();
    broker
        .saw("ShutdownInfo", |command| {
            matches!(command, Command::ShutdownInfo(_)).then_some(())
        })
        .await;
    assert_eq!(
        broker.names(),
        ["ConnectionInfo", "RemoveInfo", "ShutdownInfo"]
    );
    let commands = broker.commands();
    let Command::ConnectionInfo(info) = &commands[0] else {
        panic!("{commands:?}")
    };
    assert_eq!(
        info.connection_id.as_ref(),
        Some(options.identity.connection_id())
    );
    assert_eq!(
        info.client_id,
        Some(options.identity.connection_id().value.clone())
    );
    assert_eq!(info.password.as_ref().unwrap(), &"p");
    assert!(info.base.response_required && info.client_master && !info.failover_reconnect);
    let Command::RemoveInfo(remove) = &commands[1] else {
        panic!("{commands:?}")
    };
    assert!(matches!(remove.object_id, Some(ObjectId::Connection(_))));
}

#[tokio::test]
async fn a_refused_introduction_is_an_exception() {
    let broker = FakeBroker::start(|_, command, replies| {
        replies.no(
            command,
            "java.lang.SecurityException",
            "User name [u] or password is invalid.",
        );
    })
    .await;
    let error = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "java.lang.SecurityException: User name [u] or password is invalid."
    );
    assert_eq!(error.action(), Action::Reject);
}

#[tokio::test]
async fn nobody_there_is_worth_another_try() {
    let broker = FakeBroker::agreeable().await;
    let taken: crate::BrokerUri = "tcp://127.0.0.1:1".parse().unwrap();
    let error = Connection::connect(&taken, &ConnectOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!(error.is_retry());
    drop(broker);
}

#[tokio::test]
async fn an_idle_connection_shows_life_and_notices_silence() {
    // The fake never says anything by itself: the client first sends keep-alives, then gives up.
    let broker = FakeBroker::start(|_, command, replies| replies.yes(command)).await;
    let options = ConnectOptions {
        inactivity: Duration::from_millis(300),
        ..ConnectOptions::default()
    };
    let connection = Connection::connect(&broker.uri, &options).await.unwrap();
    broker
        .saw("KeepAliveInfo", |command| {
            matches!(command, Command::KeepAliveInfo(_)).then_some(())
        })
        .await;
    let cause = tokio::time::timeout(DEADLINE, connection.wait_for_end())
        .await
        .unwrap();
    assert!(
        cause.to_string().contains("nothing heard for 300ms"),
        "{cause}"
    );
    assert!(cause.is_retry());
}

#[tokio::test]
async fn dropping_a_connection_closes_its_socket_and_fails_its_sessions() {
    let broker = FakeBroker::agreeable().await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(crate::AckMode::Auto).await.unwrap();
    drop(connection);
    broker.saw_close().await; // although the session still exists
    let error = session
        .producer(&crate::fake_broker::queue())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
}
