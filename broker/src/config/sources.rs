//! Where settings come from: flags, environment, file, in that order of weight.

use std::path::{Path, PathBuf};

use super::settings::{KEYS, Settings, nearest};
use crate::error::Error;

/// How similar a foreign `HOLDFAST_*` variable must be to a key to be taken for
/// a typing error. Others are left alone: container platforms make variables
/// such as `HOLDFAST_SERVICE_HOST` from the name of a service.
const TYPING_ERROR: f64 = 0.9;

/// The three places, as found; a test hands in its own.
#[derive(Debug, Default)]
pub struct Sources {
    /// `--config FILE`.
    pub file: Option<PathBuf>,
    /// All environment variables.
    pub environment: Vec<(String, String)>,
    /// Flags that were given: key (with underscores) and value.
    pub flags: Vec<(&'static str, String)>,
}

/// Reads and checks the settings. `HOLDFAST_CONFIG` names a file when no flag does.
pub fn load(sources: &Sources) -> Result<Settings, Error> {
    let mut settings = Settings::default();
    let from_environment = |name: &str| {
        let found = sources.environment.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| PathBuf::from(value))
    };
    let file = sources
        .file
        .clone()
        .or_else(|| from_environment("HOLDFAST_CONFIG"));
    if let Some(path) = file {
        apply_file(&mut settings, &path)?;
    }
    apply_environment(&mut settings, &sources.environment)?;
    for (key, value) in &sources.flags {
        let flag = format!("--{}", key.replace('_', "-"));
        settings
            .set(key, value)
            .map_err(|what| wrong(&flag, what))?;
    }
    settings.check()?;
    Ok(settings)
}

fn apply_file(settings: &mut Settings, path: &Path) -> Result<(), Error> {
    let place = format!("configuration file {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&place, error.to_string()))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| wrong(&place, on_one_line(&error.to_string())))?;
    for (key, value) in &table {
        let text = plain(value).ok_or_else(|| {
            wrong(
                &place,
                format!("key '{key}' must be text, a number or a list of texts"),
            )
        })?;
        settings.set(key, &text).map_err(|what| {
            // An unknown key already names itself.
            let named = what.contains(&format!("'{key}'"));
            wrong(
                &place,
                if named {
                    what
                } else {
                    format!("key '{key}': {what}")
                },
            )
        })?;
    }
    Ok(())
}

fn apply_environment(settings: &mut Settings, variables: &[(String, String)]) -> Result<(), Error> {
    for (variable, value) in variables {
        let Some(key) = variable.strip_prefix("HOLDFAST_") else {
            continue;
        };
        let key = key.to_ascii_lowercase();
        let place = format!("environment variable {variable}");
        if KEYS.contains(&key.as_str()) {
            settings
                .set(&key, value)
                .map_err(|what| wrong(&place, what))?;
        } else if let Some(known) = nearest(&key)
            && strsim::jaro_winkler(known, &key) >= TYPING_ERROR
        {
            let meant = known.to_ascii_uppercase();
            return Err(wrong(
                &place,
                format!("unknown; did you mean HOLDFAST_{meant}?"),
            ));
        }
    }
    Ok(())
}

/// A TOML value as the text that a flag would have.
fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            Some(texts?.join(","))
        }
        _ => None,
    }
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn wrong(place: &str, what: String) -> Error {
    Error::Configuration {
        place: place.to_owned(),
        what,
    }
}
