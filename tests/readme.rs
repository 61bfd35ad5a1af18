//! README.md is correct: its programs compile and run, its commands, names, paths and figures
//! exist.
//!
//! The first program in Rust is a doctest of the library's.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

mod support;

#[allow(dead_code, reason = "the example has a main function of its own")]
#[path = "../examples/echo.rs"]
mod echo;

#[allow(dead_code, reason = "the example has a main function of its own")]
#[path = "../examples/gallery/chat.rs"]
mod chat;

use support::{GCC, MINUTES, has, library, root, run, scratch};

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of a language, in order. README.md and docs/MANUAL.md.
fn manual() -> String {
    text("README.md") + &text("docs/MANUAL.md")
}

fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = markdown.split(&fence).skip(1);
    parts
        .map(|rest| rest.split("\n```").next().unwrap_or(rest).to_owned() + "\n")
        .collect()
}

/// The text between backquotes outside of fenced blocks.
fn quoted(markdown: &str) -> Vec<String> {
    let prose: String = markdown.split("```").step_by(2).collect();
    prose
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Writes a C program and compiles it as the README's reader would, with every warning an error.
fn compile(name: &str, source: &str, flags: &[&str], libraries: &[&str]) -> PathBuf {
    let file = scratch("readme").join(format!("{name}.c"));
    std::fs::write(&file, source).expect("the target directory is writable");
    let program = file.with_extension("");
    let mut command = GCC.command();
    command
        .args(flags)
        .arg(&file)
        .args(libraries)
        .arg("-o")
        .arg(&program);
    let outcome = run(&mut command, MINUTES);
    assert!(
        outcome.is_success(),
        "{name} does not compile: {}",
        outcome.excerpt()
    );
    program
}

fn output(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was compiled just now");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(input.as_bytes())
        .expect("the program reads");
    let output = child.wait_with_output().expect("the child is ours");
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).expect("the program writes text")
}

#[test]
fn first_program_in_c_counts_its_input() {
    if !has("gcc") {
        return;
    }
    let first = blocks(&text("README.md"), "c").swap_remove(0);
    let library = library();
    let archive = library.archive.display().to_string();
    for standard in ["-std=c99", "-std=c11"] {
        let program = compile("first", &first, &[standard], &[&archive]);
        assert_eq!(output(&mut Command::new(program), "hello"), "5 bytes\n");
    }
    let directory = library
        .shared
        .parent()
        .expect("a file has a directory")
        .display()
        .to_string();
    let rpath = format!("-Wl,-rpath,{directory}");
    let program = compile(
        "first_shared",
        &first,
        &[],
        &["-L", &directory, "-lpirn", &rpath],
    );
    assert_eq!(output(&mut Command::new(program), "hello"), "5 bytes\n");
}

#[test]
fn what_keeps_a_run_going_is_printed() {
    if !has("gcc") {
        return;
    }
    let shown = blocks(&text("docs/MANUAL.md"), "c").swap_remove(0);
    assert!(
        shown.contains("pirn_info_next"),
        "the program is where it was"
    );
    let program = shown
        + r#"
static PIRN_STORAGE(block, 4, 4, 4);
static void on_timer(struct pirn_loop *l, struct pirn_timer t, uint64_t missed, void *user)
{
    (void)l, (void)t, (void)missed, (void)user;
}
static void on_io(struct pirn_loop *l, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    (void)l, (void)io, (void)fd, (void)ready, (void)user;
}
static void on_task(struct pirn_loop *l, void *user)
{
    (void)l, (void)user;
}
int main(void)
{
    struct pirn_loop *loop;
    int failures = pirn_init(&loop, block, sizeof block, NULL) != 0;
    failures += pirn_timer_start(loop, 77, 0, PIRN_TIMER_ABSOLUTE, on_timer, block, NULL) != 0;
    failures += pirn_timer_start(loop, 0, 0, PIRN_UNREF, on_timer, block, NULL) != 0;
    failures += pirn_io_add(loop, 1, 0, on_io, block, NULL) != 0;
    failures += pirn_raise_add(loop, 63, 0, on_io, block, NULL) != 0;
    failures += pirn_raise_add(loop, 2, PIRN_UNREF, on_io, block, NULL) != 0;
    failures += pirn_task_post(loop, on_task, block, NULL) != 0;
    failures += pirn_remote_post(loop, on_task, block) != 0;
    failures += pirn_hold(loop) != 0;
    print_what_keeps_it_going(loop);
    return failures + (pirn_deinit(loop) != 0);
}
"#;
    let archive = library().archive.display().to_string();
    for standard in ["-std=c99", "-std=c11"] {
        let program = compile("what_keeps", &program, &[standard], &[&archive]);
        let printed = output(&mut Command::new(program), "");
        let what: Vec<&str> = printed
            .lines()
            .map(|line| line.split(", user").next().unwrap_or(line))
            .collect();
        let expected = [
            "timer at 77 ns",
            "fd 1",
            "bit 63",
            "task",
            "1 holds, 1 posts",
        ];
        assert_eq!(what, expected, "{printed}");
    }
}

/// The same program in each of the ways of docs/WAITING.md.
#[test]
fn ways_of_waiting_do_the_same() {
    if !has("gcc") {
        return;
    }
    let archive = support::layers().display().to_string();
    let programs = blocks(&text("docs/WAITING.md"), "c");
    assert_eq!(programs.len(), 3);
    for (number, program) in programs.iter().enumerate() {
        let program = compile(&format!("waiting{number}"), program, &[], &[&archive]);
        let printed = output(&mut Command::new(program), "a line");
        assert_eq!(printed, "heard\nend\n", "way {number}");
    }
}

#[test]
fn chat_of_the_gallery_proves_itself() {
    chat::main();
}

#[test]
fn echo_example_verifies_itself() {
    echo::serve(0, true).expect("every byte comes back");
}

/// Each line of a shell block is a command whose target, package, example or feature exists.
#[test]
fn commands_exist() {
    let manifests = text("Cargo.toml") + &text("capi/Cargo.toml");
    let readme = manual();
    let mut commands: Vec<String> = blocks(&readme, "sh")
        .concat()
        .lines()
        .map(str::to_owned)
        .collect();
    commands.extend(
        quoted(&readme)
            .into_iter()
            .filter(|quoted| quoted.starts_with("make ") || quoted.starts_with("cargo ")),
    );
    assert!(
        commands
            .iter()
            .any(|command| command.starts_with("make -C c-examples demo"))
    );
    assert!(
        commands
            .iter()
            .any(|command| command.starts_with("cargo test --workspace"))
    );
    for command in commands {
        let words: Vec<&str> = command
            .split('#')
            .next()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let after = |option: &str| {
            words
                .iter()
                .position(|word| *word == option)
                .and_then(|at| words.get(at + 1).copied())
        };
        match words.first() {
            Some(&"make") if has("make") => {
                let outcome = run(
                    Command::new("make")
                        .arg("-n")
                        .args(&words[1..])
                        .current_dir(root()),
                    MINUTES,
                );
                assert!(outcome.is_success(), "{command}: {}", outcome.excerpt());
            }
            Some(&"cargo") => {
                if let Some(package) = after("-p") {
                    assert!(
                        manifests.contains(&format!("name = \"{package}\"")),
                        "{command}"
                    );
                }
                if let Some(feature) = after("--features") {
                    assert!(
                        text("capi/Cargo.toml").contains(&format!("\n{feature} = ")),
                        "{command}"
                    );
                }
                if let Some(example) = after("--example") {
                    assert!(
                        root().join(format!("examples/{example}.rs")).is_file(),
                        "{command}"
                    );
                }
            }
            Some(&"make" | &"cc") | None => {}
            Some(other) => panic!("no rule for {other} in: {command}"),
        }
    }
}

/// Every feature of the table is one, and every feature is in the table.
#[test]
fn features_are_told() {
    let manifest = text("Cargo.toml");
    let section = manifest
        .split("[features]\n")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .expect("there are features");
    let real: BTreeSet<&str> = section
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
        .filter(|name| *name != "default")
        .collect();
    let readme = manual();
    let table = readme
        .split("| feature |")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .expect("there is a table");
    let rows = table
        .lines()
        .skip(2)
        .filter_map(|row| row.strip_prefix('|'))
        .filter_map(|row| row.split('|').next());
    let told: BTreeSet<&str> = rows
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(told, real);
}

/// Every `pirn_…` and `PIRN_…` in the documents is in a header.
#[test]
fn names_exist() {
    // The version of the symbols is in the Makefile.
    let header = [
        "include/pirn.h",
        "include/pirn/co.h",
        "include/pirn/os.h",
        "include/pirn/co_wait.h",
        "include/pirn/sync.h",
        "include/pirn/wait.h",
        "include/pirn/work.h",
        "include/pirn/fiber.h",
        "Makefile",
    ]
    .map(text)
    .concat();
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut known: BTreeSet<&str> = header.split(|letter| !is_word(letter)).collect();
    // Crates, as Rust spells them.
    known.extend(["pirn_executor", "pirn_sync", "pirn_wait"]);
    for document in [
        "README.md",
        "docs/MANUAL.md",
        "docs/WAITING.md",
        "docs/WAITING.md",
        "docs/TURN.md",
        "docs/DESIGN.md",
        "CHANGELOG.md",
    ] {
        for name in text(document).split(|letter| !is_word(letter)) {
            let is_name =
                name.len() > 5 && (name.starts_with("pirn_") || name.starts_with("PIRN_"));
            assert!(
                !is_name || known.contains(name),
                "{document} names {name}, which is not in the header"
            );
        }
    }
}

/// Every file that the documents name exists: links, and text in backquotes that looks like a path.
#[test]
fn paths_exist() {
    for document in [
        "README.md",
        "docs/MANUAL.md",
        "docs/TURN.md",
        "docs/DESIGN.md",
    ] {
        let directory = root().join(document);
        let directory = directory.parent().expect("a file has a directory");
        let markdown = text(document);
        let linked = markdown
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .map(str::to_owned);
        let linked = linked.filter(|target| !target.contains("://"));
        let is_path = |quoted: &String| {
            let ends = [".rs", ".h", ".c", ".md", "/"]
                .iter()
                .any(|end| quoted.ends_with(end));
            ends && quoted.contains('/')
                && !quoted.starts_with('/')
                && !quoted.contains([' ', '*', '<'])
        };
        for path in linked {
            assert!(directory.join(&path).exists(), "{document} links to {path}");
        }
        for path in quoted(&markdown).into_iter().filter(is_path) {
            assert!(root().join(&path).exists(), "{document} names {path}");
        }
    }
}

/// The table of sizes and the sum below it agree with the header's macro.
#[test]
fn figures_are_right() {
    if !has("gcc") {
        return;
    }
    let source = "#include <stdio.h>\n\
                  #include <pirn.h>\n\
                  int main(void)\n\
                  {\n\
                  size_t base = PIRN_STORAGE_SIZE(0, 0, 0);\n\
                  printf(\"%zu %zu %zu %zu %zu\\n\", base,\n\
                  PIRN_STORAGE_SIZE(2, 0, 0) - base >> 1,\n\
                  PIRN_STORAGE_SIZE(0, 2, 0) - base >> 1,\n\
                  PIRN_STORAGE_SIZE(0, 0, 2) - base >> 1, PIRN_STORAGE_SIZE(8, 4, 4));\n\
                  return 0;\n\
                  }\n";
    let program = compile("figures", source, &["-Wno-parentheses"], &[]);
    let printed = output(&mut Command::new(program), "");
    let [base, io, timer, task, sum] = printed.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{printed}")
    };
    let readme = manual();
    let column = if cfg!(target_pointer_width = "64") {
        1
    } else {
        2
    };
    for (row, expected) in [
        ("the loop itself, once", base),
        ("each I/O watcher, handler of a raised bit or hook", io),
        ("each timer", timer),
        ("each task", task),
    ] {
        let line = readme
            .lines()
            .find(|line| line.starts_with(&format!("| {row} |")))
            .unwrap_or_else(|| panic!("no row {row}"));
        assert_eq!(
            line.trim_matches('|').split('|').nth(column).map(str::trim),
            Some(expected),
            "{row}"
        );
    }
    assert!(
        column != 1
            || readme
                .replace('\n', " ")
                .contains(&format!("= {sum} bytes on a 64-bit machine")),
        "{sum}"
    );
}
