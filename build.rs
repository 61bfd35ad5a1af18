//! Names the backends this build has, and rewrites the C header and its Rust twin when asked to.

#[cfg(feature = "header")]
#[path = "build/abi.rs"]
mod abi;

fn main() {
    let has = |feature: &str| std::env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");

    // rustix builds for Linux only: elsewhere the features of the operating system's backends name nothing.
    for (feature, name) in [
        ("EPOLL", "linux_epoll"),
        ("POLL", "linux_poll"),
        ("SELECT", "linux_select"),
    ] {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if is_linux && has(feature) {
            println!("cargo::rustc-cfg={name}");
        }
    }
    println!("cargo::rustc-check-cfg=cfg(linux_backend)");
    if is_linux && (has("EPOLL") || has("POLL") || has("SELECT")) {
        println!("cargo::rustc-cfg=linux_backend");
    }

    // Elsewhere rustix goes through the C library, which knows where the vDSO is.
    println!("cargo::rustc-check-cfg=cfg(find_vdso)");
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if has("VDSO") && ["x86", "x86_64", "aarch64", "arm", "riscv64"].contains(&arch.as_str()) {
        println!("cargo::rustc-cfg=find_vdso");
    }

    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "header")]
    header();
}

/// Writes include/pirn.h from the functions in src/ffi. The file is committed; a test compares it with a fresh one.
#[cfg(feature = "header")]
fn header() {
    println!("cargo::rerun-if-changed=src/ffi");
    println!("cargo::rerun-if-changed=cbindgen.toml");
    println!("cargo::rerun-if-env-changed=PIRN_HEADER");
    let root =
        std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let config =
        cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is valid");
    let sources = ["init", "io", "timer", "task", "run", "ask"]
        .map(|name| root.join(format!("src/ffi/{name}.rs")));
    let builder = cbindgen::Builder::new()
        .with_config(config)
        .with_src(root.join("src/ffi/mod.rs"));
    let mut generated = Vec::new();
    builder
        .generate()
        .expect("the header can be generated")
        .write(&mut generated);
    let mut text = String::from_utf8(generated).expect("cbindgen writes UTF-8");

    // `loop` is a word of Rust's, and `user` is taken where it is also an output.
    text = text.replace("loop_", "loop").replace("user_out", "user");
    // What callers must see to in Rust's terms the C text says in its own.
    while let Some(start) = text.find(" *\n * # Safety\n") {
        let end = start + text[start..].find(" */").expect("every comment ends");
        text.replace_range(start..end, "");
    }
    // cbindgen writes constants as plain decimal numbers: bits read better as they were written, and are unsigned.
    for source in &sources {
        for line in std::fs::read_to_string(source)
            .expect("src/ffi is readable")
            .lines()
        {
            let Some(rest) = line.strip_prefix("pub const ") else {
                continue;
            };
            let Some((name, rest)) = rest.split_once(": ") else {
                continue;
            };
            let Some((kind, value)) = rest.split_once(" = ") else {
                continue;
            };
            let suffix = match kind {
                "u32" | "u64" => "u",
                _ => continue,
            };
            let value = value.trim_end_matches(';').replace('_', "");
            if !value.starts_with(|first: char| first.is_ascii_digit()) {
                continue;
            }
            let Some(at) = text.find(&format!("#define {name} ")) else {
                continue;
            };
            let end = at + text[at..].find('\n').expect("every line ends");
            text.replace_range(at..end, &format!("#define {name} {value}{suffix}"));
        }
    }

    // A test has both written elsewhere, side by side, to compare them with what is committed.
    let elsewhere = std::env::var_os("PIRN_HEADER").map(std::path::PathBuf::from);
    let header = elsewhere
        .clone()
        .unwrap_or_else(|| root.join("include/pirn.h"));
    std::fs::write(header, text).expect("the header can be written");

    let mut all = vec![root.join("src/ffi/mod.rs")];
    all.extend(sources);
    let declarations = elsewhere
        .map(|header| header.with_extension("rs"))
        .unwrap_or_else(|| root.join("crates/abi/src/declarations.rs"));
    std::fs::write(declarations, abi::declarations(&all)).expect("the declarations can be written");
}
