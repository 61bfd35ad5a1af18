//! `make install`: the installed tree, and the README's first program built with it in every way.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use support::{MINUTES, find, has, root, run, scratch, skip, source};

const PREFIX: &str = "/opt/pirn";

/// make in the repository, without the environment variables of the running `cargo test`, with a
/// separate target directory.
fn make(target: &str, stage: &Path) -> Command {
    let mut command = Command::new("make");
    command
        .current_dir(root())
        .arg(target)
        .arg(format!("DESTDIR={}", stage.display()))
        .arg(format!("PREFIX={PREFIX}"))
        .env("CARGO_TARGET_DIR", scratch("install-target"));
    for name in [
        "RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "MAKEFLAGS",
        "CFLAGS",
        "LDFLAGS",
        "CC",
    ] {
        command.env_remove(name);
    }
    command
}

fn succeeds(command: &mut Command) -> String {
    let outcome = run(command, MINUTES);
    assert!(outcome.is_success(), "{command:?}: {}", outcome.excerpt());
    outcome.output
}

/// The directory of the installation, which is made once for all tests; `None` if tools are
/// missing.
fn installed() -> Option<&'static Path> {
    static STAGE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let stage = STAGE.get_or_init(|| {
        if !["make", "cc", "ar"].iter().all(|tool| has(tool)) {
            return None;
        }
        let stage = scratch("install").join("stage");
        // It need not be there.
        let _ = std::fs::remove_dir_all(&stage);
        succeeds(&mut make("install", &stage));
        Some(stage)
    });
    stage.as_deref()
}

/// All files and links below a directory, by their names relative to it.
fn files(directory: &Path) -> BTreeSet<String> {
    fn walk(top: &Path, directory: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory)
            .expect("it was made just now")
            .flatten()
        {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                walk(top, &path, found);
            } else {
                let name = path.strip_prefix(top).expect("it is below").display();
                found.insert(name.to_string());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(directory, directory, &mut found);
    found
}

/// The files of include; all of them are installed.
fn headers() -> BTreeSet<String> {
    files(&root().join("include"))
        .into_iter()
        .filter(|name| name.ends_with(".h"))
        .map(|name| format!("include/{name}"))
        .collect()
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn expected_tree() -> BTreeSet<String> {
    let mut tree = headers();
    tree.extend(
        [
            "lib/libpirn.a",
            "lib/libpirn.so",
            "lib/libpirn.so.0",
            "lib/pkgconfig/pirn.pc",
            "share/pirn/cmake/pirn-config.cmake",
            "share/pirn/cmake/pirn-config-version.cmake",
        ]
        .map(str::to_owned),
    );
    tree.insert(format!("lib/libpirn.so.{VERSION}"));
    tree
}

#[test]
fn the_tree_is_the_one_that_packagers_know() {
    let Some(stage) = installed() else { return };
    let prefix = stage.join(&PREFIX[1..]);
    assert_eq!(files(&prefix), expected_tree());
    for link in ["libpirn.so", "libpirn.so.0"] {
        let target = std::fs::read_link(prefix.join("lib").join(link)).expect("a link");
        assert_eq!(target, PathBuf::from(format!("libpirn.so.{VERSION}")));
    }
    let read = |file: &str| std::fs::read_to_string(prefix.join(file)).expect("it is installed");
    assert!(read("lib/pkgconfig/pirn.pc").contains(&format!("\nVersion: {VERSION}\n")));
    assert!(
        read("share/pirn/cmake/pirn-config-version.cmake")
            .contains(&format!("set(PACKAGE_VERSION \"{VERSION}\")"))
    );
}

/// Each function has the version PIRN_0; the library has a SONAME, and needs no other library.
#[test]
fn the_shared_library_has_a_name_and_versions() {
    let Some(stage) = installed() else { return };
    if !has("readelf") {
        return;
    }
    let library = stage.join(&PREFIX[1..]).join("lib/libpirn.so");
    let dynamic = succeeds(Command::new("readelf").arg("-dW").arg(&library));
    assert!(
        dynamic.contains("Library soname: [libpirn.so.0]"),
        "{dynamic}"
    );
    assert!(!dynamic.contains("NEEDED"), "{dynamic}");
    let symbols = succeeds(
        Command::new("readelf")
            .args(["--dyn-syms", "-W"])
            .arg(&library),
    );
    let exported: BTreeSet<&str> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().nth(7))
        .filter(|name| name.starts_with("pirn_"))
        .collect();
    let layers = std::fs::read_dir(root().join("crates")).expect("there are layers");
    let list: Vec<String> = layers
        .map(|layer| layer.expect("readable").path().join("symbols.txt"))
        .filter(|list| list.exists())
        .chain([root().join("tests/artifact/symbols.txt")])
        .map(|list| std::fs::read_to_string(list).expect("it is committed"))
        .collect();
    let listed: BTreeSet<String> = list
        .concat()
        .lines()
        .filter(|line| line.starts_with("pirn_"))
        .map(|name| format!("{name}@@PIRN_0"))
        .collect();
    assert_eq!(exported, listed.iter().map(String::as_str).collect());
}

/// The README's first program in C, in a separate directory.
fn first_program(name: &str) -> PathBuf {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("it is committed");
    let program = readme
        .split("```c\n")
        .nth(1)
        .and_then(|rest| rest.split("\n```").next())
        .expect("there is a program in C");
    let directory = scratch("install").join(name);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("the target directory is writable");
    std::fs::write(directory.join("first.c"), format!("{program}\n")).expect("writable");
    directory
}

/// Runs a program without input: the first program then counts no bytes.
fn counts(program: &Path, library_path: &Path) {
    let output = succeeds(Command::new(program).env("LD_LIBRARY_PATH", library_path));
    assert_eq!(output, "0 bytes\n", "{}", program.display());
}

#[test]
fn first_program_by_hand() {
    let Some(stage) = installed() else { return };
    let prefix = stage.join(&PREFIX[1..]);
    let directory = first_program("by-hand");
    let build = |compiler: &str, output: &str, flags: &[&str]| {
        let program = directory.join(output);
        let mut command = Command::new(compiler);
        command
            .arg(directory.join("first.c"))
            .arg("-I")
            .arg(prefix.join("include"))
            .arg("-L")
            .arg(prefix.join("lib"))
            .args(["-Wall", "-Wextra", "-Werror"])
            .args(flags)
            .arg("-o")
            .arg(&program);
        succeeds(&mut command);
        counts(&program, &prefix.join("lib"));
    };
    build("cc", "shared", &["-lpirn"]);
    build(
        "cc",
        "archive",
        &["-Wl,-Bstatic", "-lpirn", "-Wl,-Bdynamic"],
    );
    build("cc", "static", &["-static", "-lpirn"]);
    if has("musl-gcc") {
        build("musl-gcc", "musl-shared", &["-lpirn"]);
        build("musl-gcc", "musl-static", &["-static", "-lpirn"]);
    }
}

#[test]
fn first_program_by_pkg_config() {
    let Some(stage) = installed() else { return };
    if !has("pkg-config") {
        return;
    }
    let library = stage.join(&PREFIX[1..]).join("lib");
    let directory = first_program("by-pkg-config");
    for (output, more) in [("shared", None), ("static", Some("-static"))] {
        let mut command = Command::new("pkg-config");
        command
            .args(["--cflags", "--libs"])
            .args(more.map(|_| "--static"))
            .arg("pirn >= 0.1");
        let flags = succeeds(
            command
                .env("PKG_CONFIG_PATH", library.join("pkgconfig"))
                .env("PKG_CONFIG_SYSROOT_DIR", stage),
        );
        let program = directory.join(output);
        let mut command = Command::new("cc");
        command
            .arg(directory.join("first.c"))
            .args(flags.split_whitespace())
            .args(more)
            .arg("-o")
            .arg(&program);
        succeeds(&mut command);
        counts(&program, &library);
    }
}

#[test]
fn first_program_by_cmake() {
    let Some(stage) = installed() else { return };
    if !has("cmake") {
        return;
    }
    let prefix = stage.join(&PREFIX[1..]);
    let directory = first_program("by-cmake");
    let text = r#"
        cmake_minimum_required(VERSION 3.16)
        project(first C)
        find_package(pirn 1.0 QUIET)
        if(pirn_FOUND)
            message(FATAL_ERROR "a version that is not there was found")
        endif()
        find_package(pirn 0.1 REQUIRED)
        find_package(Pirn 0.1 REQUIRED)
        add_executable(shared first.c)
        target_link_libraries(shared pirn::pirn)
        add_executable(static first.c)
        target_link_libraries(static pirn::static)
    "#;
    std::fs::write(directory.join("CMakeLists.txt"), text).expect("writable");
    let build = directory.join("build");
    let mut configure = Command::new("cmake");
    configure
        .arg("-S")
        .arg(&directory)
        .arg("-B")
        .arg(&build)
        .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display()));
    succeeds(&mut configure);
    succeeds(Command::new("cmake").arg("--build").arg(&build));
    // CMake writes the path of the shared library into the program.
    counts(&build.join("shared"), Path::new("/nowhere"));
    counts(&build.join("static"), Path::new("/nowhere"));
}

#[test]
fn program_without_a_c_library() {
    let Some(stage) = installed() else { return };
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let prefix = stage.join(&PREFIX[1..]);
    let program = scratch("install").join("nolibc");
    let mut command = Command::new("cc");
    command
        .args([
            "-nostdlib",
            "-static",
            "-O2",
            "-ffreestanding",
            "-fno-stack-protector",
        ])
        .arg("-I")
        .arg(prefix.join("include"))
        .arg(source("nolibc.c"))
        .arg("-L")
        .arg(prefix.join("lib"))
        .arg("-lpirn")
        .arg("-o")
        .arg(&program);
    succeeds(&mut command);
    succeeds(&mut Command::new(program));
}

#[test]
fn uninstall_leaves_nothing() {
    if installed().is_none() {
        return;
    }
    let stage = scratch("install").join("gone");
    succeeds(&mut make("install", &stage));
    succeeds(&mut make("uninstall", &stage));
    assert_eq!(files(&stage), BTreeSet::new());
    assert!(!stage.join(&PREFIX[1..]).join("share/pirn").exists());
}

#[test]
fn cargo_c_installs_the_same_tree() {
    if installed().is_none() {
        return;
    }
    if find("cargo-cinstall").is_none() {
        skip("cargo-cinstall (`cargo install cargo-c`, which takes long)");
        return;
    }
    let stage = scratch("install").join("cinstall");
    let _ = std::fs::remove_dir_all(&stage);
    let mut command = support::cargo(&scratch("cinstall-target"));
    command
        .args(["cinstall", "-p", "pirn-capi"])
        .arg(format!("--prefix={PREFIX}"))
        .arg(format!("--libdir={PREFIX}/lib"))
        .arg(format!("--destdir={}", stage.display()));
    succeeds(&mut command);
    assert_eq!(files(&stage.join(&PREFIX[1..])), expected_tree());
    // And it can be used.
    let prefix = stage.join(&PREFIX[1..]);
    let program = first_program("by-cinstall").join("shared");
    let mut command = Command::new("cc");
    command
        .arg(program.with_file_name("first.c"))
        .arg("-I")
        .arg(prefix.join("include"))
        .arg("-L")
        .arg(prefix.join("lib"))
        .arg("-lpirn")
        .arg("-o")
        .arg(&program);
    succeeds(&mut command);
    counts(&program, &prefix.join("lib"));
}
