//! Settings: precedence, nearest keys, values and the check.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::*;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn from_file(text: &str) -> Result<Settings, crate::Error> {
    let file = file(text);
    load(&Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    })
}

fn variable(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn nothing_given_is_a_local_broker() {
    let settings = load(&Sources::default()).unwrap();
    assert_eq!(settings.data, Path::new("./holdfast-data"));
    assert_eq!(settings.listen[0].to_string(), "tcp://127.0.0.1:61616");
    assert!(!settings.name.is_empty());
    assert_eq!(settings, Settings::default());
}

#[test]
fn flags_go_before_environment_before_file() {
    let file = file("name = 'file'\ndata = '/file'\nmax_connections = 7\n");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        environment: vec![
            variable("HOLDFAST_NAME", "env"),
            variable("HOLDFAST_DATA", "/env"),
        ],
        flags: vec![("name", "flag".to_owned())],
    };
    let settings = load(&sources).unwrap();
    assert_eq!(settings.name, "flag");
    assert_eq!(settings.data, Path::new("/env"));
    assert_eq!(settings.max_connections, 7);
}

#[test]
fn environment_can_name_the_file() {
    let file = file("name = 'from-file'");
    let path = file.path().to_str().unwrap().to_owned();
    let sources = Sources {
        environment: vec![variable("HOLDFAST_CONFIG", &path)],
        ..Sources::default()
    };
    assert_eq!(load(&sources).unwrap().name, "from-file");
}

#[test]
fn unknown_keys_name_the_nearest() {
    let error = from_file("max_conections = 7").unwrap_err().to_string();
    assert!(error.contains("'max_conections'"), "{error}");
    assert!(error.contains("did you mean 'max_connections'"), "{error}");
    let error = from_file("xyzzy = 7").unwrap_err().to_string();
    assert!(error.contains("known are name, data"), "{error}");
    let sources = Sources {
        environment: vec![variable("HOLDFAST_LISTN", "x")],
        ..Sources::default()
    };
    let error = load(&sources).unwrap_err().to_string();
    assert!(error.contains("HOLDFAST_LISTEN?"), "{error}");
}

#[test]
fn variables_of_container_platforms_are_left_alone() {
    let sources = Sources {
        environment: vec![
            variable("HOLDFAST_SERVICE_HOST", "10.0.0.1"),
            variable("HOLDFAST_PORT_61616_TCP", "tcp://10.0.0.1:61616"),
        ],
        ..Sources::default()
    };
    assert_eq!(load(&sources).unwrap(), Settings::default());
}

#[test]
fn every_key_can_be_set_from_the_file() {
    let text = "name = 'n'\ndata = '/d'\nlisten = ['tcp://[::1]:1', 'tcp://h']\nadvertise = 'tcp://a:1'\n\
        log_format = 'json'\nlog_level = 'debug'\nmax_connections = 3\nmax_frame = '2MiB'\n\
        max_inactivity = '5s'\nmemory_limit = '1g'\nstore_limit = '10GiB'\nlock_mode = 'poll'\n\
        lock_poll = '100ms'\nsegment_size = '1MiB'\ncheckpoint_size = '2MiB'\nsync_delay = '1ms'\n\
        keep_awake = 'never'\nrecovery_progress = '3s'\n";
    for key in KEYS {
        assert!(text.contains(&format!("{key} = ")), "{key} missing here");
    }
    let settings = from_file(text).unwrap();
    assert_eq!(settings.listen[0].to_string(), "tcp://[::1]:1");
    assert_eq!(settings.listen[1].to_string(), "tcp://h:61616");
    assert_eq!(settings.advertised(), ["tcp://a:1"]);
    assert_eq!(settings.log_format, LogFormat::Json);
    assert_eq!(settings.max_frame, 2 * 1024 * 1024);
    assert_eq!(settings.max_inactivity, Duration::from_secs(5));
    assert_eq!(settings.store_limit, Some(10 << 30));
    assert_eq!(settings.lock_mode, LockMode::Poll);
    assert_eq!(settings.keep_awake, KeepAwake::Never);
    assert_eq!(settings.sync_delay, Duration::from_millis(1));
    assert_eq!(settings.recovery_progress, Duration::from_secs(3));
}

#[test]
fn wrong_values_say_where_and_what() {
    let cases = [
        ("listen = 'http://x:1'", "only tcp:// is served"),
        ("listen = 'tcp://x:99999'", "port '99999'"),
        (
            "listen = 'tcp://x:1?maximumConnections=2'",
            "maximumConnections",
        ),
        ("listen = '61616'", "write tcp://host:port"),
        ("max_connections = 0", "at least 1"),
        ("max_connections = 'many'", "not a whole number"),
        ("max_frame = '1KiB'", "between 1 MiB"),
        ("max_frame = '256MiB'", "between 1 MiB"),
        ("memory_limit = '5 potatoes'", "unknown unit 'potatoes'"),
        ("lock_poll = '250'", "needs a unit"),
        ("keep_awake = 'always'", "not auto or never"),
        ("log_format = 'xml'", "not text or json"),
        ("name = ''", "must not be empty"),
        ("name = { a = 1 }", "must be text"),
        ("name = ", "configuration file"),
    ];
    for (text, expected) in cases {
        let error = from_file(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains('\n'), "{text}: {error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let sources = Sources {
        file: Some("/nonexistent/holdfast.toml".into()),
        ..Sources::default()
    };
    let error = load(&sources).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/holdfast.toml"), "{error}");
}
