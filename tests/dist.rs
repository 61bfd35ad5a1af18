//! The source tarball is reproducible, complete and sufficient. The Debian packages are made from
//! it.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use support::{MINUTES, find, root, run, scratch, skip};

/// Writes the tarball into a directory, or reports why that is not possible here.
fn dist(directory: &str) -> Option<PathBuf> {
    if let Some(tool) = ["python3", "git", "tar", "make", "cc"]
        .iter()
        .find(|tool| find(tool).is_none())
    {
        skip(tool);
        return None;
    }
    if !root().join(".git").exists() {
        skip("git repository");
        return None;
    }
    let out = scratch("dist").join(directory);
    let mut command = Command::new(root().join("packaging/dist"));
    command.arg(&out).env("SOURCE_DATE_EPOCH", "1700000000");
    let outcome = run(&mut command, MINUTES);
    if outcome.output.contains("failed to download") || outcome.output.contains("resolve host") {
        skip("network, to fetch what is vendored");
        return None;
    }
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    Some(out.join(format!("pirn-{}.tar.xz", env!("CARGO_PKG_VERSION"))))
}

/// Once for all tests.
fn tarball() -> Option<&'static Path> {
    static TARBALL: OnceLock<Option<PathBuf>> = OnceLock::new();
    TARBALL.get_or_init(|| dist("one")).as_deref()
}

#[test]
fn tarball_is_the_same_byte_for_byte() {
    let (Some(one), Some(two)) = (tarball(), dist("two")) else {
        return;
    };
    let read = |path: &Path| std::fs::read(path).expect("it was written");
    assert!(read(one) == read(&two), "two runs differ");
}

/// Builds, installs and uses the library without a network, with an empty CARGO_HOME. CI checks how
/// long that takes.
#[test]
fn tarball_is_enough_for_the_first_program() {
    let Some(tarball) = tarball() else { return };
    let mut command = Command::new(root().join("packaging/stopwatch"));
    command
        .arg(tarball)
        .arg(scratch("dist").join("stopwatch"))
        .env("LIMIT", "3600");
    let outcome = run(&mut command, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
}

/// The crate contains sources, headers, manual and licences.
#[test]
fn package_has_no_tests_and_no_benches() {
    let mut command = support::cargo(&scratch("package-target"));
    command.args([
        "package",
        "--list",
        "--allow-dirty",
        "--quiet",
        "--package",
        "pirn",
    ]);
    let outcome = run(&mut command, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let all: Vec<&str> = outcome.output.lines().collect();
    for wanted in [
        "include/pirn.h",
        "src/lib.rs",
        "docs/TURN.md",
        "LICENSE-MIT",
    ] {
        assert!(all.contains(&wanted), "no {wanted} in {all:?}");
    }
    for file in all {
        let top = file.split('/').next().unwrap_or(file);
        let is_hidden = top.starts_with('.') && top != ".cargo_vcs_info.json";
        let is_other = [
            "tests",
            "benches",
            "c-examples",
            "capi",
            "crates",
            "packaging",
        ];
        assert!(!is_hidden && !is_other.contains(&top), "{file}");
    }
}

/// The list of components contains exactly the vendored crates.
#[test]
fn list_of_materials_is_what_is_vendored() {
    let Some(tarball) = tarball() else { return };
    let unpacked = scratch("dist").join("materials");
    std::fs::create_dir_all(&unpacked).expect("the target directory is writable");
    let mut command = Command::new("tar");
    command.arg("-xf").arg(tarball).arg("-C").arg(&unpacked);
    assert!(run(&mut command, MINUTES).is_success());
    let tree = unpacked.join(format!("pirn-{}", env!("CARGO_PKG_VERSION")));
    let list = std::fs::read_to_string(tree.join("pirn.cdx.json")).expect("it is in there");
    for crate_ in std::fs::read_dir(tree.join("vendor"))
        .expect("it is in there")
        .flatten()
    {
        let source = std::fs::read_to_string(crate_.path().join("src/lib.rs"));
        let is_complete = source.is_ok_and(|source| !source.is_empty());
        let name = crate_.file_name().into_string().expect("names are ASCII");
        let (name, version) = name.rsplit_once('-').expect("name and version");
        let is_listed = list.contains(&format!("\"purl\": \"pkg:cargo/{name}@{version}"));
        assert_eq!(is_listed, is_complete, "{name} {version}");
    }
}

/// Debian's packages build, have no errors, install, and the first program builds against them.
#[test]
fn debian_packages_install_and_build_the_first_program() {
    let tools = ["dpkg-buildpackage", "dh", "lintian", "dpkg", "pkg-config"];
    if let Some(tool) = tools.iter().find(|tool| find(tool).is_none()) {
        skip(tool);
        return;
    }
    if !run(Command::new("test").args(["-w", "/root"]), MINUTES).is_success() {
        skip("root, to install packages");
        return;
    }
    let Some(tarball) = tarball() else { return };
    let succeeds = |command: &mut Command| {
        let outcome = run(command, MINUTES);
        assert!(outcome.is_success(), "{command:?}: {}", outcome.excerpt());
        outcome.output
    };
    let built = scratch("dist").join("deb");
    let mut build = Command::new(root().join("packaging/deb"));
    succeeds(build.arg(tarball).arg(&built));
    let all = |extension: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&built).expect("it was made");
        let files = entries.flatten().map(|entry| entry.path());
        files
            .filter(|file| file.extension().is_some_and(|found| found == extension))
            .filter(|file| !file.display().to_string().contains("dbgsym"))
            .collect()
    };
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error"]);
    succeeds(lintian.args(all("changes")));

    let system = scratch("dist").join("system");
    // It need not be there.
    let _ = std::fs::remove_dir_all(&system);
    for directory in ["info", "updates", "triggers"] {
        let path = system.join("var/lib/dpkg").join(directory);
        std::fs::create_dir_all(path).expect("the target directory is writable");
    }
    std::fs::write(system.join("var/lib/dpkg/status"), "").expect("writable");
    let mut install = Command::new("dpkg");
    install.arg(format!("--root={}", system.display()));
    install.args(["--force-script-chrootless", "-i"]);
    succeeds(install.args(all("deb")));

    let mut triplet = Command::new("dpkg-architecture");
    let triplet = succeeds(triplet.arg("-qDEB_HOST_MULTIARCH"));
    let libraries = system.join("usr/lib").join(triplet.trim());
    let first = scratch("dist").join("first");
    std::fs::create_dir_all(&first).expect("the target directory is writable");
    let mut test = Command::new(root().join("debian/tests/first"));
    test.current_dir(root())
        .env("AUTOPKGTEST_TMP", first)
        .env("PKG_CONFIG_SYSROOT_DIR", &system)
        .env("PKG_CONFIG_LIBDIR", libraries.join("pkgconfig"))
        .env("LD_LIBRARY_PATH", &libraries);
    succeeds(&mut test);
}

/// The make part of the recipe for Buildroot, with this machine's tools.
const BUILDROOT: &str = r#"
TARGET_CC = cc
TARGET_AR = ar
TARGET_NM = nm
RUSTC_TARGET_NAME = x86_64-unknown-linux-gnu
INSTALL = install
generic-package =
include $(RECIPES)/buildroot/pirn.mk
$(TREE)/.all:
	$(PIRN_BUILD_CMDS)
	$(PIRN_INSTALL_STAGING_CMDS)
	$(PIRN_INSTALL_TARGET_CMDS)
"#;

/// The same for OpenWrt, with substitutes for its makefiles that define nothing.
const OPENWRT: &str = r#"
TARGET_CC = cc
TARGET_AR = ar
TARGET_NM = nm
RUSTC_TARGET_ARCH = x86_64-unknown-linux-gnu
INSTALL_DIR = mkdir -p
CP = cp -a
PKG_BUILD_DIR = $(TREE)
PKG_INSTALL_DIR = $(STAGING_DIR)
BuildPackage =
include $(RECIPES)/openwrt/Makefile
$(TREE)/.all:
	$(Build/Compile)
	$(call Package/libpirn/install,$(TARGET_DIR))
"#;

/// The recipes of other build systems, as far as they can be run without these.
#[test]
fn recipes_build_and_install() {
    let Some(tarball) = tarball() else { return };
    if !cfg!(target_arch = "x86_64") {
        skip("x86_64");
        return;
    }
    let directory = scratch("dist").join("recipes");
    // It need not be there.
    let _ = std::fs::remove_dir_all(&directory);
    let succeeds = |command: &mut Command| {
        let outcome = run(command, MINUTES);
        assert!(outcome.is_success(), "{command:?}: {}", outcome.excerpt());
    };
    let recipes = directory.join("filled");
    std::fs::create_dir_all(&directory).expect("the target directory is writable");
    let mut fill = Command::new(root().join("packaging/fill-recipes"));
    succeeds(fill.arg(tarball).arg(&recipes));
    let mut unpack = Command::new("tar");
    succeeds(unpack.arg("-xf").arg(tarball).arg("-C").arg(&directory));
    let tree = directory.join(format!("pirn-{}", env!("CARGO_PKG_VERSION")));

    // Nothing is left to fill in.
    let mut search = Command::new("grep");
    let rest = run(search.args(["-rE", "@[A-Z0-9_]+@"]).arg(&recipes), MINUTES);
    assert_eq!(rest.output, "");

    let isolated = |command: &mut Command| {
        for name in [
            "CARGO_TARGET_DIR",
            "RUSTFLAGS",
            "MAKEFLAGS",
            "CFLAGS",
            "LDFLAGS",
        ] {
            command.env_remove(name);
        }
    };
    let mut alpine = Command::new("sh");
    alpine
        .args(["-euc", ". \"$0\"; build; package"])
        .arg(recipes.join("alpine/APKBUILD"))
        .current_dir(&tree)
        .env("pkgdir", directory.join("alpine"));
    isolated(&mut alpine);
    succeeds(&mut alpine);
    assert!(directory.join("alpine/usr/lib/libpirn.a").is_file());

    for (name, text) in [("buildroot", BUILDROOT), ("openwrt", OPENWRT)] {
        let makefile = directory.join(format!("{name}.mk"));
        std::fs::write(&makefile, text).expect("the target directory is writable");
        let empty = directory.join("empty");
        for file in [
            "rules.mk",
            "package.mk",
            "feeds/packages/lang/rust/rust-package.mk",
        ] {
            let file = empty.join(file);
            std::fs::create_dir_all(file.parent().expect("it has one")).expect("writable");
            std::fs::write(file, "").expect("writable");
        }
        let target = directory.join(name).join("target");
        let mut make = Command::new("make");
        make.arg("-f").arg(&makefile);
        for (variable, value) in [
            ("RECIPES", recipes.clone()),
            ("TREE", tree.clone()),
            ("TOPDIR", empty.clone()),
            ("INCLUDE_DIR", empty.clone()),
            ("STAGING_DIR", directory.join(name).join("staging")),
            ("TARGET_DIR", target.clone()),
        ] {
            make.arg(format!("{variable}={}", value.display()));
        }
        isolated(&mut make);
        succeeds(make.arg(tree.join(".all")));
        assert!(target.join("usr/lib/libpirn.so.0").exists(), "{name}");
    }
}
