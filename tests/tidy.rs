//! The promise that the house keeps its own rules, checked over every `.rs` file of the workspace.
//!
//! There is no list of exceptions: a file that cannot follow a rule is changed, or the rule is. The rules themselves are
//! tried on samples below, so that a rule that never fires is noticed. It does not judge style that rustfmt and clippy
//! already judge.

use crate::support::source::Source;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file longer than this holds more than one noun.
const FILE_LINES: usize = 500;
/// A function longer than this does more than one thing.
const FUNCTION_LINES: usize = 70;

#[test]
fn the_workspace_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the broker's folder lies in the workspace")
        .to_path_buf();
    let sources = read_workspace(&root);
    assert!(sources.len() > 20, "only {} files found", sources.len());
    let complaints: Vec<String> = sources.iter().flat_map(complaints_about).collect();
    assert!(
        complaints.is_empty(),
        "{} complaints:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

/// Every source file of ours, with the knowledge of which are test code as a whole.
fn read_workspace(root: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ["lock", "store", "wire", "client", "broker", "tests"] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let plain: Vec<(PathBuf, String)> = files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source file is readable");
            (
                path.strip_prefix(root)
                    .expect("it lies under root")
                    .to_path_buf(),
                text,
            )
        })
        .collect();
    let tests = test_files(&plain);
    plain
        .iter()
        .map(|(path, text)| {
            let whole = path
                .components()
                .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
                || tests.iter().any(|test| path.starts_with(test));
            Source::new(path, text, whole)
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a folder entry is readable").path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("interop") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Files (and folders of submodules) that some file declares as `#[cfg(test)] mod name;`.
fn test_files(plain: &[(PathBuf, String)]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for (path, text) in plain {
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let home = match stem {
            "mod" | "lib" | "main" => folder.to_path_buf(),
            other => folder.join(other),
        };
        for module in Source::new(path, text, false).test_modules() {
            match module.path {
                Some(given) => found.insert(folder.join(given)),
                None => found.insert(home.join(format!("{}.rs", module.name))),
            };
            found.insert(home.join(module.name));
        }
    }
    found
}

fn complaints_about(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    opens_with_words(source, &mut complaints);
    stays_short(source, &mut complaints);
    doors_hold_no_rooms(source, &mut complaints);
    never_unwraps(source, &mut complaints);
    never_sleeps_in_tests(source, &mut complaints);
    complaints
        .into_iter()
        .map(|complaint| format!("{}{complaint}", source.path.display()))
        .collect()
}

fn opens_with_words(source: &Source, complaints: &mut Vec<String>) {
    if !source.text.starts_with("//! ") {
        complaints.push(":1: does not open with `//!` words".to_owned());
    }
}

fn stays_short(source: &Source, complaints: &mut Vec<String>) {
    let (shipped, whole) = (source.shipped_lines(), source.test_lines.len());
    // A file that is test code as a whole is held to the same measure.
    let counted = if shipped == 0 { whole } else { shipped };
    if counted > FILE_LINES {
        complaints.push(format!(": {counted} lines, more than {FILE_LINES}"));
    }
    for function in source.functions() {
        if function.lines > FUNCTION_LINES {
            complaints.push(format!(
                ":{}: fn {} has {} lines, more than {FUNCTION_LINES}",
                function.first_line, function.name, function.lines
            ));
        }
    }
}

fn doors_hold_no_rooms(source: &Source, complaints: &mut Vec<String>) {
    let is_door = source.path.ends_with("mod.rs") || source.path.ends_with("lib.rs");
    if !is_door {
        return;
    }
    for (line, item) in source.top_level_items() {
        let bare = without_visibility(&item);
        let allowed = ["mod ", "use "].iter().any(|word| bare.starts_with(word));
        if !allowed {
            complaints.push(format!(
                ":{line}: `{item}` in a file that holds docs, mod and use only"
            ));
        }
    }
}

fn without_visibility(item: &str) -> &str {
    let Some(rest) = item.strip_prefix("pub") else {
        return item;
    };
    let rest = match rest.strip_prefix('(') {
        Some(scope) => scope.split_once(')').map_or(scope, |(_, after)| after),
        None => rest,
    };
    rest.trim_start()
}

fn never_unwraps(source: &Source, complaints: &mut Vec<String>) {
    for (number, line, test) in source.code_lines() {
        if !test && line.contains(".unwrap()") {
            complaints.push(format!(":{number}: unwrap outside tests"));
        }
    }
}

fn never_sleeps_in_tests(source: &Source, complaints: &mut Vec<String>) {
    for (number, line, test) in source.code_lines() {
        if test && line.contains("sleep(") {
            complaints.push(format!(
                ":{number}: a test that sleeps instead of waiting on a condition"
            ));
        }
    }
}

/// The rules on samples: each must fire on its own sin and keep silent otherwise.
mod samples {
    use super::{complaints_about, test_files};
    use crate::support::source::{Source, mask};
    use std::path::{Path, PathBuf};

    fn judge(path: &str, text: &str, test: bool) -> Vec<String> {
        complaints_about(&Source::new(Path::new(path), text, test))
    }

    fn assert_only(complaints: &[String], part: &str) {
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].contains(part), "{complaints:?}");
    }

    #[test]
    fn a_good_file_draws_no_complaint() {
        let text = "//! Words.\n\nfn f<'a>(x: &'a str) -> char {\n    // .unwrap() in prose\n    let _ = (\".unwrap()\", r#\"sleep(\"#, x);\n    '{'\n}\n\n#[cfg(test)]\nmod tests {\n    fn g() { Some(1).unwrap(); }\n}\n";
        assert_eq!(judge("a/src/b.rs", text, false), Vec::<String>::new());
    }

    #[test]
    fn a_file_without_opening_words_is_caught() {
        assert_only(&judge("a/src/b.rs", "fn f() {}\n", false), "does not open");
    }

    #[test]
    fn a_long_file_is_caught_and_its_tests_do_not_count() {
        let long = format!("//! Words.\n{}", "// a\n".repeat(500));
        assert_only(&judge("a/src/b.rs", &long, false), "501 lines");
        let tests = format!(
            "//! Words.\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "    // a\n".repeat(600)
        );
        assert_eq!(judge("a/src/b.rs", &tests, false), Vec::<String>::new());
        assert_only(&judge("a/src/tests.rs", &long, true), "501 lines");
    }

    #[test]
    fn a_long_function_is_caught_wherever_it_hides() {
        let long = format!(
            "//! Words.\nimpl X {{\n    pub async fn f(\n        a: [u8; 4],\n    ) {{\n{}    }}\n    fn g();\n}}\n",
            "        a();\n".repeat(67)
        );
        assert_only(&judge("a/src/b.rs", &long, false), ":3: fn f has 71 lines");
        assert_only(&judge("a/src/b.rs", &long, true), "fn f has 71 lines");
    }

    #[test]
    fn code_in_a_door_is_caught() {
        let door = "//! Words.\n#![warn(x)]\nmod a;\npub mod b;\npub(crate) mod c;\npub use a::{\n    X, Y,\n};\nuse z::Z;\n#[cfg(test)]\nmod tests { fn f() {} }\n";
        assert_eq!(judge("a/src/lib.rs", door, false), Vec::<String>::new());
        for item in [
            "pub fn f() {}",
            "const X: u8 = 1;",
            "pub(crate) struct S;",
            "impl A {}",
        ] {
            let complaints = judge("a/src/mod.rs", &format!("{door}{item}\n"), false);
            assert_only(&complaints, "docs, mod and use only");
        }
    }

    #[test]
    fn an_unwrap_is_caught_outside_tests_only() {
        let text = "//! Words.\nfn f() { g().unwrap(); }\n";
        assert_only(&judge("a/src/b.rs", text, false), ":2: unwrap");
        assert_eq!(judge("a/src/tests.rs", text, true), Vec::<String>::new());
    }

    #[test]
    fn a_sleep_is_caught_in_tests_only() {
        let text = "//! Words.\nfn f() { thread::sleep(x); }\n";
        assert_only(&judge("tests/b.rs", text, true), ":2: a test that sleeps");
        assert_eq!(judge("a/src/b.rs", text, false), Vec::<String>::new());
    }

    #[test]
    fn test_modules_in_files_of_their_own_are_known() {
        let plain = vec![
            (
                PathBuf::from("a/src/lib.rs"),
                "#[cfg(test)]\nmod fake;\nmod real;\n".to_owned(),
            ),
            (
                PathBuf::from("a/src/b.rs"),
                "#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod tests;".to_owned(),
            ),
        ];
        let found = test_files(&plain);
        assert!(found.contains(Path::new("a/src/fake.rs")), "{found:?}");
        assert!(found.contains(Path::new("a/src/b_tests.rs")), "{found:?}");
        assert!(!found.contains(Path::new("a/src/real.rs")), "{found:?}");
    }

    #[test]
    fn masking_keeps_lines_and_hides_literals() {
        let text = "a /* x /* y */\n z */ \"q\\\"\nr\" b'\\'' 'c' 'd: loop {} r\"s\" // t\ne";
        let masked = mask(text);
        assert_eq!(masked.len(), text.len());
        assert_eq!(masked.matches('\n').count(), text.matches('\n').count());
        assert_eq!(
            masked.split_whitespace().collect::<Vec<_>>(),
            ["a", "b", "'d:", "loop", "{}", "e"]
        );
    }
}
