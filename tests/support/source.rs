//! A Rust source file as `tidy` sees it: masked code, test parts, functions.
//!
//! Guarantees that what it calls code is neither comment, string nor character literal, so that a rule that looks for
//! a word cannot be fooled by prose. It is a scanner, not a parser: macros are plain tokens to it, which is enough
//! because the house forbids code-generating macros of our own.

use std::path::{Path, PathBuf};

/// One file, read once.
pub(crate) struct Source {
    /// Path relative to the workspace, for messages.
    pub(crate) path: PathBuf,
    /// The text as it stands.
    pub(crate) text: String,
    /// The text with comments, strings and character literals blanked; line breaks kept.
    pub(crate) code: String,
    /// Per line: whether it belongs to a `#[cfg(test)]` item, or the whole file does.
    pub(crate) test_lines: Vec<bool>,
}

/// A function with its extent in lines, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first_line: usize,
    pub(crate) lines: usize,
}

/// A module in a file of its own that only tests have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestModule {
    pub(crate) name: String,
    /// Given by `#[path]`, relative to the declaring file's folder.
    pub(crate) path: Option<String>,
}

impl Source {
    /// Scans `text`; `whole_file_is_test` comes from where the file is declared.
    pub(crate) fn new(path: &Path, text: &str, whole_file_is_test: bool) -> Self {
        let code = mask(text);
        let mut test_lines = vec![whole_file_is_test; text.lines().count()];
        for (first, last) in test_items(&code) {
            for line in test_lines.iter_mut().take(last + 1).skip(first) {
                *line = true;
            }
        }
        Self {
            path: path.to_path_buf(),
            text: text.to_owned(),
            code,
            test_lines,
        }
    }

    /// Lines that ship: everything outside test items.
    pub(crate) fn shipped_lines(&self) -> usize {
        self.test_lines.iter().filter(|test| !**test).count()
    }

    /// Every line of masked code with its number (from 1) and whether it is test code.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        self.code
            .lines()
            .zip(&self.test_lines)
            .enumerate()
            .map(|(index, (line, test))| (index + 1, line, *test))
    }

    /// Every function with a body, methods and nested ones included.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for start in words(&self.code, "fn") {
            let Some(name) = identifier(&self.code[start + 2..]) else {
                continue; // a function pointer type: `fn(..)`
            };
            let Some(end) = body_end(&self.code, start) else {
                continue; // a trait method without a body
            };
            let first_line = line_of(&self.code, start);
            found.push(Function {
                name,
                first_line: first_line + 1,
                lines: line_of(&self.code, end) - first_line + 1,
            });
        }
        found
    }

    /// The first lines of the top-level items outside test code, with line numbers.
    pub(crate) fn top_level_items(&self) -> Vec<(usize, String)> {
        let mut items = Vec::new();
        let mut depth = 0_usize;
        let mut in_item = false;
        for (number, line, test) in self.code_lines() {
            for (at, c) in line.char_indices() {
                if depth == 0 && !in_item && (c.is_alphabetic() || c == '_') {
                    in_item = true;
                    if !test {
                        items.push((number, line[at..].trim_end().to_owned()));
                    }
                }
                match c {
                    '{' | '[' | '(' => depth += 1,
                    '}' | ']' | ')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                in_item &= !(depth == 0 && (c == ';' || c == '}'));
            }
        }
        items
    }

    /// Modules declared `#[cfg(test)] mod name;`: files that are test code as a whole.
    pub(crate) fn test_modules(&self) -> Vec<TestModule> {
        let mut modules = Vec::new();
        for start in attributes(&self.code) {
            let item = after_attributes(&self.code[start..]);
            let mut rest = item.trim_start();
            for visibility in ["pub(crate)", "pub(super)", "pub"] {
                rest = rest.strip_prefix(visibility).unwrap_or(rest).trim_start();
            }
            let Some(name) = rest.strip_prefix("mod ").and_then(identifier) else {
                continue;
            };
            let has_file = rest["mod ".len() + name.len()..]
                .trim_start()
                .starts_with(';');
            if has_file {
                // Masked in the code, so looked up in the text.
                let attributes = &self.text[start..self.code.len() - item.len()];
                let path = attributes
                    .split_once("#[path = \"")
                    .and_then(|(_, path)| path.split_once('"'));
                modules.push(TestModule {
                    name,
                    path: path.map(|(path, _)| path.to_owned()),
                });
            }
        }
        modules
    }
}

/// Byte offsets where `word` stands alone.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            let before = code[..*at].chars().next_back();
            let after = code[*at + word.len()..].chars().next();
            !before.is_some_and(inside) && !after.is_some_and(inside)
        })
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

/// Byte offset of the brace that closes the body of the function at `start`, or none when it has no body.
fn body_end(code: &str, start: usize) -> Option<usize> {
    let mut round = 0_usize;
    for (at, c) in code[start..].char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round = round.saturating_sub(1),
            ';' if round == 0 => return None,
            '{' if round == 0 => return closing_brace(code, start + at),
            _ => {}
        }
    }
    None
}

fn closing_brace(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(open + at);
        }
    }
    None
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count()
}

/// Starts of `#[cfg(test)]`, and of `#[cfg(all(test, ..))]`, which is just as absent from what ships.
fn attributes(code: &str) -> Vec<usize> {
    let mut starts: Vec<usize> = ["#[cfg(test)]", "#[cfg(all(test,"]
        .iter()
        .flat_map(|attribute| code.match_indices(attribute).map(|(at, _)| at))
        .collect();
    starts.sort_unstable();
    starts
}

/// What follows the attributes at the head of `code`.
fn after_attributes(code: &str) -> &str {
    let mut rest = code.trim_start();
    while rest.starts_with("#[") {
        let mut depth = 0_usize;
        let end = rest.char_indices().find_map(|(at, c)| {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
            (c == ']' && depth == 0).then_some(at + 1)
        });
        let Some(end) = end else { return "" };
        rest = rest[end..].trim_start();
    }
    rest
}

/// Line ranges (from 0, inclusive) of items marked `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    for start in attributes(code) {
        let item = after_attributes(&code[start..]);
        let item_at = code.len() - item.len();
        let item_at = if item.is_empty() { start } else { item_at };
        let end = body_end(code, item_at)
            .or_else(|| code[item_at..].find([';', ',']).map(|at| item_at + at))
            .unwrap_or(item_at);
        ranges.push((line_of(code, start), line_of(code, end)));
    }
    ranges
}

/// Blanks comments, strings and character literals; keeps every line break and byte offset.
pub(crate) fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        let Some(end) = end else {
            at += 1;
            continue;
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(out).expect("only whole literals and comments were blanked, with ASCII")
}

/// Where the comment, string or character literal that begins at `at` ends; none when none begins here.
fn literal_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        return Some(at + length);
    }
    if rest.starts_with(b"/*") {
        return Some(block_comment_end(bytes, at));
    }
    if let Some(end) = raw_string_end(bytes, at) {
        return Some(end);
    }
    if rest[0] == b'"' {
        return Some(quoted_end(bytes, at, b'"'));
    }
    (rest[0] == b'\'' && is_character(rest)).then(|| quoted_end(bytes, at, b'\''))
}

fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    at.min(bytes.len())
}

fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let joined = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if joined {
        return None; // the r of an identifier such as `for`
    }
    let mut next = at;
    if bytes.get(next) == Some(&b'b') {
        next += 1;
    }
    if bytes.get(next) != Some(&b'r') {
        return None;
    }
    next += 1;
    let hashes = bytes[next..].iter().take_while(|b| **b == b'#').count();
    next += hashes;
    if bytes.get(next) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', hashes));
    let body = next + 1;
    let length = bytes[body..]
        .windows(close.len())
        .position(|window| window == close)?;
    Some(body + length + close.len())
}

fn quoted_end(bytes: &[u8], at: usize, quote: u8) -> usize {
    let mut next = at + 1;
    while next < bytes.len() && bytes[next] != quote {
        next += if bytes[next] == b'\\' { 2 } else { 1 };
    }
    (next + 1).min(bytes.len())
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_character(rest: &[u8]) -> bool {
    if rest.get(1) == Some(&b'\\') {
        return true;
    }
    let width = match rest.get(1) {
        Some(byte) if *byte < 0x80 => 1,
        Some(byte) if *byte < 0xe0 => 2,
        Some(byte) if *byte < 0xf0 => 3,
        _ => 4,
    };
    rest.get(1 + width) == Some(&b'\'')
}
