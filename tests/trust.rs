//! The texts: tests and files that docs/TRUST.md and comments name exist,
//! and lines have at most 100 columns.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below these folders whose names end so.
fn files(folders: &[&str], ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .expect("the folder is there")
            .flatten()
        {
            let path = entry.path();
            let is_wanted = ends.iter().any(|end| path.to_string_lossy().ends_with(end));
            if path.is_dir() && !path.ends_with("target") && !path.ends_with("build") {
                folders.push(path);
            } else if is_wanted {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The numbers behind each `T` that begins a word.
fn scenarios(text: &str) -> impl Iterator<Item = u32> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter_map(|word| word.strip_prefix('T')?.parse().ok())
}

/// The words between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// True if a function of this name is written down: Rust's, with or without a world, or C's.
fn has_test(text: &str, name: &str) -> bool {
    ["fn {}(", "fn {}<", "void {}(void)"]
        .iter()
        .any(|form| text.contains(&form.replace("{}", name)))
}

/// What stands in a comment of this line.
fn comment(line: &str) -> &str {
    let starts = ["//", "/*", " * "];
    let start = starts.iter().filter_map(|start| line.find(start)).min();
    start.map_or("", |start| &line[start..])
}

#[test]
fn every_scenario_has_its_tests() {
    let page = read(&root().join("docs/TRUST.md"));
    let mut count = 0;
    for row in page.lines().filter(|line| line.starts_with("| T")) {
        let mut cells = row.split('|').skip(3);
        let tests = cells.next().unwrap_or_default();
        assert!(!tests.trim().is_empty(), "a scenario without a test: {row}");
        let mut text = String::new();
        for word in quoted(tests) {
            if word.contains('/') {
                text = read(&root().join(word));
            } else {
                assert!(has_test(&text, word), "no such test: {word}: {row}");
            }
        }
        count += 1;
    }
    assert!(count > 80, "the page is read");
}

#[test]
fn every_number_in_a_comment_is_a_scenario() {
    let page = read(&root().join("docs/TRUST.md"));
    let rows = page.lines().filter(|line| line.starts_with("| T"));
    let known: BTreeSet<u32> = rows.filter_map(|row| scenarios(row).next()).collect();
    let mut count = 0;
    for file in files(&["tests", "src"], &[".rs", ".c", ".h"]) {
        for (number, line) in read(&file).lines().enumerate() {
            for scenario in scenarios(comment(line)) {
                let place = format!("{}:{}", file.display(), number + 1);
                assert!(
                    known.contains(&scenario),
                    "{place}: docs/TRUST.md has no T{scenario}"
                );
                count += 1;
            }
        }
    }
    assert!(count > 100, "the comments are read");
}

/// Folders that a path in a comment may begin with.
const FOLDERS: &[&str] = &[
    "src/",
    "tests/",
    "docs/",
    "include/",
    "capi/",
    "crates/",
    "c-examples/",
    "examples/",
    "benches/",
];

#[test]
fn paths_and_tests_in_comments_exist() {
    let tests = files(&["tests", "src"], &[".rs", ".c"]);
    let all: String = tests.iter().map(|file| read(file)).collect();
    let mut wrong = Vec::new();
    for file in files(
        &["src", "tests", "capi", "crates", "c-examples"],
        &[".rs", ".c", ".h"],
    ) {
        let text = read(&file);
        let comments: Vec<&str> = text.lines().map(comment).collect();
        for (number, comment) in comments.iter().enumerate() {
            let place = format!("{}:{}", file.display(), number + 1);
            for word in comment.split(|c: char| c.is_whitespace() || "`(),;\"".contains(c)) {
                let path = word.trim_end_matches(['.', ':', '/']);
                let is_path = !path.contains("/uapi/")
                    && FOLDERS.iter().any(|folder| path.starts_with(folder));
                let is_ours =
                    is_path && !path.contains(['*', '{', '<']) && !path.contains("/uapi/");
                if is_ours && !root().join(path).exists() {
                    wrong.push(format!("{place}: {path}"));
                }
            }
            if let Some((_, behind)) = comment.split_once("inned by") {
                let more = comments.get(number + 1).copied().unwrap_or_default();
                let names = if behind.contains('`') { behind } else { more };
                for name in quoted(names) {
                    let is_name = name.contains('_') && !name.ends_with("_SET");
                    if is_name && !has_test(&all, name) {
                        wrong.push(format!("{place}: no test is called {name}"));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "comments name what is not there:\n{}",
        wrong.join("\n")
    );
}

/// Lines have at most 100 columns: in Rust, C, Python, headers, makefiles and texts. Exempt are
/// generated files, and lines that cannot be split: rows of tables and addresses.
#[test]
fn lines_have_at_most_100_columns() {
    let folders = [
        ".ci",
        "benches",
        "build",
        "c-examples",
        "capi",
        "crates",
        "docs",
        "examples",
        "include",
        "src",
        "tests",
        "tools",
    ];
    let ends = [
        ".rs", ".c", ".cc", ".h", ".in", ".md", ".py", ".sh", "Makefile", "/run",
    ];
    let mut files = files(&folders, &ends);
    let at_root = [
        "build.rs",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Makefile",
        "README.md",
        "SECURITY.md",
    ];
    files.extend(at_root.map(|name| root().join(name)));
    let is_generated = |path: &Path| {
        path.starts_with(root().join("docs/performance"))
            || path.starts_with(root().join("benches/peers/results"))
            || path.ends_with("abi/src/declarations.rs")
            || path.ends_with("wait/src/functions.rs")
    };
    let mut long = Vec::new();
    for path in files.iter().filter(|path| !is_generated(path)) {
        for (number, line) in read(path).lines().enumerate() {
            let is_indivisible = line.starts_with('|') || line.contains("://");
            if line.chars().count() > 100 && !is_indivisible {
                long.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert!(long.is_empty(), "longer than 100 columns: {long:#?}");
}
