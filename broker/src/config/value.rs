//! Sizes, times and the like, as people write them in flags and files.

use std::time::Duration;

/// `67108864`, `64MiB`, `64m`, `1 GB`: units are powers of 1024 throughout, as
/// in ActiveMQ's configuration.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        other => return Err(format!("unknown unit '{other}' (use KiB, MiB, GiB or TiB)")),
    };
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("'{text}' is too large"))
}

/// One of these words, and what it stands for.
pub(crate) fn choice<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let text = text.trim();
    let meant = words.iter().find(|(word, _)| *word == text);
    meant.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("'{text}' is not {}", words.join(" or "))
    })
}

/// `300us`, `250ms`, `30s`, `5m`, `1h`; `0` means none.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let micros = match unit.to_ascii_lowercase().as_str() {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" | "min" => 60_000_000,
        "h" => 3_600_000_000,
        "" if number == 0 => 1,
        "" => return Err(format!("'{text}' needs a unit (us, ms, s, m or h)")),
        other => return Err(format!("unknown unit '{other}' (use us, ms, s, m or h)")),
    };
    number
        .checked_mul(micros)
        .map(Duration::from_micros)
        .ok_or_else(|| format!("'{text}' is too long"))
}

/// A plain whole number.
pub(super) fn number(text: &str) -> Result<usize, String> {
    text.trim()
        .replace('_', "")
        .parse()
        .map_err(|_| format!("'{text}' is not a whole number"))
}

/// Text that must say something.
pub(super) fn text(value: &str) -> Result<String, String> {
    let trimmed = value.trim();
    if trimmed.is_empty() {
        return Err("must not be empty".to_owned());
    }
    Ok(trimmed.to_owned())
}

fn split(text: &str) -> Result<(u64, &str), String> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number = digits
        .replace('_', "")
        .parse()
        .map_err(|_| format!("'{text}' does not start with a whole number"))?;
    Ok((number, unit.trim()))
}
