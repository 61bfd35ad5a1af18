//! include/pirn.h: fresh, and clean in every dialect, alone and in company.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{GCC, MINUTES, STRICT, cargo, has, library, root, run, scratch, skip, source};

/// What is committed is what src/ffi says. T123.
#[test]
fn the_committed_header_is_fresh() {
    // Another file each time: cargo then has to make it.
    let fresh = scratch("header").join(format!("pirn-{}.h", std::process::id()));
    let mut build = cargo(&scratch("header-target"));
    build
        .args([
            "check",
            "--quiet",
            "--package",
            "pirn",
            "--features",
            "header",
        ])
        .env("PIRN_HEADER", &fresh);
    let outcome = run(&mut build, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    compare(&fresh, "include/pirn.h");
    compare(
        &fresh.with_extension("rs"),
        "crates/abi/src/declarations.rs",
    );
    compare(&fresh.with_extension("os.h"), "include/pirn/os.h");
    compare(&fresh.with_extension("sync.h"), "include/pirn/sync.h");
    compare(&fresh.with_extension("work.h"), "include/pirn/work.h");
    compare(&fresh.with_extension("wait.h"), "include/pirn/wait.h");
    compare(&fresh.with_extension("fiber.h"), "include/pirn/fiber.h");
    compare(
        &fresh.with_extension("wait.rs"),
        "crates/wait/src/functions.rs",
    );
}

/// Fails at the first line in which the committed file differs from the one just made.
fn compare(fresh: &Path, name: &str) {
    let made = std::fs::read_to_string(fresh).expect("it was made");
    let committed = std::fs::read_to_string(root().join(name)).expect("it is committed");
    let _ = std::fs::remove_file(fresh);
    assert!(made.len() > 5_000, "{name} was made, and is not empty");
    if let Some((number, (old, new))) = committed
        .lines()
        .zip(made.lines())
        .enumerate()
        .find(|(_, (committed, made))| committed != made)
    {
        panic!(
            "{name} is not up to date: run `cargo build --features header`\n\
             line {}:\n-{old}\n+{new}",
            number + 1
        );
    }
    assert_eq!(
        committed.len(),
        made.len(),
        "{name} is shorter or longer than what src/ffi says"
    );
}

/// A way to read the header: compiler, language, standard.
struct Dialect {
    program: &'static str,
    language: &'static str,
    standard: &'static str,
}

/// Every standard from C99 and C++98 on that the compilers know.
const DIALECTS: [(&str, &str, &[&str]); 4] = [
    ("gcc", "c", &["c99", "c11", "c17", "c2x"]),
    ("clang-14", "c", &["c99", "c11", "c17", "c2x"]),
    (
        "g++",
        "c++",
        &[
            "c++98", "c++03", "c++11", "c++14", "c++17", "c++20", "c++23",
        ],
    ),
    (
        "clang++-14",
        "c++",
        &[
            "c++98", "c++03", "c++11", "c++14", "c++17", "c++20", "c++2b",
        ],
    ),
];

/// Those of the compilers that are installed.
fn dialects() -> impl Iterator<Item = Dialect> {
    DIALECTS
        .into_iter()
        .filter(|(program, ..)| has(program))
        .flat_map(|(program, language, standards)| {
            standards.iter().map(move |standard| Dialect {
                program,
                language,
                standard,
            })
        })
}

impl Dialect {
    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(["-x", self.language])
            .arg(format!("-std={}", self.standard));
        command
            .args(STRICT)
            .args(["-pedantic-errors", "-Wundef"])
            .arg("-I")
            .arg(root().join("include"));
        // In C++ a function hides the constructor of a struct of its name: pirn_stats, as stat in
        // POSIX.
        if self.language == "c" {
            command.arg("-Wshadow");
        }
        command
    }

    fn name(&self) -> String {
        format!("{}-{}", self.program, self.standard.replace('+', "p"))
    }
}

/// T119. What compiles is run, too.
#[test]
fn the_headers_are_clean_in_every_dialect() {
    let archive = &library().archive;
    for dialect in dialects() {
        for name in ["header", "header_co"] {
            let program = scratch("bin").join(format!("{name}.{}", dialect.name()));
            let mut command = dialect.command();
            command
                .arg(source(&format!("{name}.c")))
                .args(["-x", "none"])
                .arg(archive)
                .arg("-o")
                .arg(&program);
            let outcome = run(&mut command, MINUTES);
            assert!(
                outcome.is_success(),
                "{name}, {}: {}",
                dialect.name(),
                outcome.excerpt()
            );
            let outcome = run(&mut Command::new(&program), MINUTES);
            assert!(
                outcome.is_success(),
                "{name}, {}, when run: {}",
                dialect.name(),
                outcome.excerpt()
            );
        }
    }
    if has("tcc") {
        let program = scratch("bin").join("header.tcc");
        let mut command = Command::new("tcc");
        command
            .args(["-Wall", "-Werror"])
            .arg("-I")
            .arg(root().join("include"))
            .arg(source("header.c"));
        // Our archive is made of ELF objects with sections that tcc's linker does not know: the
        // shared library will do.
        command.arg(&library().shared).arg("-o").arg(&program);
        let outcome = run(&mut command, MINUTES);
        assert!(outcome.is_success(), "tcc: {}", outcome.excerpt());
        let directory = library().shared.parent().expect("a file has a directory");
        let outcome = run(
            Command::new(&program).env("LD_LIBRARY_PATH", directory),
            MINUTES,
        );
        assert!(outcome.is_success(), "tcc, when run: {}", outcome.excerpt());
    }
}

/// The warnings of the dialects are on: what is not clean is refused.
#[test]
fn an_unclean_header_is_noticed() {
    let unclean = scratch("header").join("unclean.c");
    std::fs::write(
        &unclean,
        "// a comment of C99, and a conversion\nint f(long x);\nint f(long x) { return x; }\n",
    )
    .expect("writable");
    for dialect in dialects() {
        let outcome = run(
            dialect.command().arg("-fsyntax-only").arg(&unclean),
            MINUTES,
        );
        assert!(
            !outcome.is_success(),
            "{} sees nothing wrong",
            dialect.name()
        );
    }
}

/// Beside the headers of the other loops, and of ELF, which is fond of short names; first, last and
/// in between.
#[test]
fn the_header_keeps_company() {
    let others: Vec<&str> = [
        "uv.h",
        "ev.h",
        "event.h",
        "elf.h",
        "sys/epoll.h",
        "sys/select.h",
        "signal.h",
    ]
    .into_iter()
    .filter(|name| {
        let found = PathBuf::from("/usr/include").join(name).is_file() || name.starts_with("sys/");
        if !found {
            skip(name);
        }
        found
    })
    .collect();
    // The others do not all get along with each other: ev.h defines what event.h and elf.h define
    // too.
    let companies = [["event.h", "elf.h"].as_slice(), &["ev.h"]];
    for (program, language, standard) in [
        ("gcc", "c", "gnu11"),
        ("g++", "c++", "gnu++17"),
        ("clang-14", "c", "gnu99"),
    ] {
        if !has(program) {
            continue;
        }
        for absent in companies {
            let mut company: Vec<&str> = others
                .iter()
                .copied()
                .filter(|name| !absent.contains(name))
                .collect();
            for direction in ["forward", "backward"] {
                for place in [0, company.len() / 2, company.len()] {
                    let mut order = company.clone();
                    order.insert(place, "pirn.h");
                    let text: String = order
                        .iter()
                        .map(|name| format!("#include <{name}>\n"))
                        .collect();
                    let file = scratch("header").join(format!(
                        "{language}-{standard}-{}-{direction}-{place}.c",
                        absent[0]
                    ));
                    let body = "PIRN_STORAGE(block, 1, 1, 1);\n\
                                int main(void) { return block[0] == 0; }\n";
                    std::fs::write(&file, text + body).expect("writable");
                    let mut command = Command::new(program);
                    command
                        .args(["-fsyntax-only", "-x", language])
                        .arg(format!("-std={standard}"));
                    command.args(["-Wall", "-Wextra", "-Werror", "-Wno-comment"]);
                    let outcome = run(
                        command.arg("-I").arg(root().join("include")).arg(&file),
                        MINUTES,
                    );
                    assert!(
                        outcome.is_success(),
                        "{program}, {order:?}: {}",
                        outcome.excerpt()
                    );
                }
                company.reverse();
            }
        }
    }
}

/// A block that `PIRN_ZERO_STORAGE` declares takes no room in the executable, whatever its size.
#[test]
fn zero_storage_adds_nothing_to_the_executable() {
    if !has(GCC.program) {
        return;
    }
    let size_of = |kind: &str, config: &str| {
        let text = format!(
            "#include <pirn.h>\n\
             static {kind};\n\
             int main(void)\n{{\n\
             struct pirn_loop *loop;\n\
             struct pirn_config config = {config};\n\
             return pirn_init(&loop, block, sizeof block, &config);\n}}\n"
        );
        let file = scratch("header").join("storage.c");
        std::fs::write(&file, text).expect("writable");
        let program = scratch("bin").join("storage");
        let mut command = GCC.command();
        command.arg("-Wno-missing-field-initializers").arg(&file);
        let outcome = run(
            command.arg(&library().archive).arg("-o").arg(&program),
            MINUTES,
        );
        assert!(outcome.is_success(), "{}", outcome.excerpt());
        let outcome = run(&mut Command::new(&program), MINUTES);
        assert!(outcome.is_success(), "{}", outcome.excerpt());
        std::fs::metadata(&program).expect("it was made").len()
    };
    let by_type = "PIRN_CONFIG(block)";
    let small = size_of("PIRN_ZERO_STORAGE(block, 1, 1, 1)", by_type);
    let large = size_of("PIRN_ZERO_STORAGE(block, 1024, 1024, 64)", by_type);
    let initialised = size_of("PIRN_STORAGE(block, 1024, 1024, 64)", "{ sizeof config }");
    assert!(large.abs_diff(small) < 256, "{small} and {large} bytes");
    assert!(initialised > large + 100_000, "{initialised} bytes");
}

/// Every error that a header names has a text of its own.
#[test]
fn every_error_of_the_headers_has_a_text() {
    if !has(GCC.program) {
        return;
    }
    // What the example of pirn/co.h returns of its own.
    let not_ours = ["EIO"];
    let mut errors = std::collections::BTreeSet::new();
    let headers: Vec<PathBuf> = ["include", "include/pirn"]
        .iter()
        .flat_map(|directory| std::fs::read_dir(root().join(directory)).expect("it is committed"))
        .map(|entry| entry.expect("it is readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "h"))
        .collect();
    assert!(headers.len() > 2, "{headers:?}");
    for header in headers {
        let text = std::fs::read_to_string(header).expect("the header is committed");
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
        let named = words.filter_map(|word| word.strip_prefix("-E"));
        errors.extend(named.map(|name| format!("E{name}")));
    }
    errors.retain(|name| !not_ours.contains(&name.as_str()));
    assert!(errors.len() > 25, "{errors:?}");
    let lines: String = errors
        .iter()
        .map(|name| format!("    puts(pirn_strerror(-{name}));\n"))
        .collect();
    let file = scratch("header").join("errors.c");
    let includes = "#include <errno.h>\n#include <pirn.h>\n#include <stdio.h>\n";
    let program = format!("{includes}int main(void)\n{{\n{lines}}}\n");
    std::fs::write(&file, program).expect("writable");
    let program = scratch("bin").join("errors");
    let mut command = GCC.command();
    command.arg(&file).arg(&library().archive);
    let outcome = run(command.arg("-o").arg(&program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let outcome = run(&mut Command::new(&program), MINUTES);
    let texts: std::collections::BTreeSet<&str> = outcome.output.lines().collect();
    assert_eq!(texts.len(), errors.len(), "{texts:?}");
    assert!(!texts.iter().any(|text| text.contains("of the kernel")));
}

/// The first program of the header compiles and works.
#[test]
fn the_first_program_of_the_header_works() {
    if !has(GCC.program) {
        return;
    }
    let header =
        std::fs::read_to_string(root().join("include/pirn.h")).expect("the header is committed");
    let shown: String = header
        .lines()
        .skip_while(|line| !line.contains("PIRN_STORAGE(block, 64, 16, 32);"))
        .take_while(|line| !line.contains("CONTENTS"))
        .map(|line| line.trim_start_matches(" *").to_owned() + "\n")
        .collect();
    // What stands in the right margin is a remark.
    let without_remarks: String = shown
        .lines()
        .map(|line| {
            line.split("    ")
                .find(|part| !part.is_empty())
                .unwrap_or("")
                .to_owned()
                + "\n"
        })
        .collect();
    assert!(
        without_remarks.contains("pirn_run(loop)"),
        "the example is where it was:\n{shown}"
    );
    let file = scratch("header").join("first.c");
    std::fs::write(
        &file,
        format!("#include <unistd.h>\n#include <pirn.h>\n{without_remarks}"),
    )
    .expect("writable");
    let program = scratch("bin").join("first");
    let mut command = Command::new("gcc");
    command
        .args(["-std=gnu11", "-Wall", "-Wno-unused-parameter"])
        .arg("-I")
        .arg(root().join("include"))
        .arg(&file);
    let outcome = run(
        command.arg(&library().archive).arg("-o").arg(&program),
        MINUTES,
    );
    assert!(
        outcome.is_success(),
        "{}\n{without_remarks}",
        outcome.excerpt()
    );
    // Standard input is /dev/null: it reads the end, and is done.
    let outcome = run(
        &mut Command::new(&program),
        std::time::Duration::from_secs(20),
    );
    assert!(outcome.is_success(), "{}", outcome.excerpt());
}
