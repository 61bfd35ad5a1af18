//! Sets a cfg for each backend of this build, and, with the feature `header`, rewrites the C
//! headers and the Rust declarations.

#[cfg(feature = "header")]
#[path = "build/abi.rs"]
mod abi;
#[cfg(feature = "header")]
#[path = "build/header.rs"]
mod header;

fn main() {
    let has = |feature: &str| std::env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");

    // rustix builds for Linux only: on other systems the features of the operating system's
    // backends have no effect.
    let mut has_any = false;
    for (feature, name) in [
        ("EPOLL", "linux_epoll"),
        ("POLL", "linux_poll"),
        ("SELECT", "linux_select"),
    ] {
        println!("cargo::rustc-check-cfg=cfg({name})");
        has_any |= has(feature);
        if is_linux && has(feature) {
            println!("cargo::rustc-cfg={name}");
        }
    }
    println!("cargo::rustc-check-cfg=cfg(linux_backend)");
    if is_linux && has_any {
        println!("cargo::rustc-cfg=linux_backend");
    }

    // A build with only the host backend is one for small machines.
    println!("cargo::rustc-check-cfg=cfg(host_only)");
    if !has_any {
        println!("cargo::rustc-cfg=host_only");
    }

    // On other machines rustix goes through the C library, which knows where the vDSO is.
    println!("cargo::rustc-check-cfg=cfg(find_vdso)");
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let has_raw_calls = ["x86", "x86_64", "aarch64", "arm", "riscv64"].contains(&arch.as_str());
    if has("VDSO") && has_raw_calls {
        println!("cargo::rustc-cfg=find_vdso");
    }

    // On the same machines the crate `syscalls` has assembly for stable compilers.
    println!("cargo::rustc-check-cfg=cfg(linux_pwait2)");
    if is_linux && has("EPOLL") && has_raw_calls {
        println!("cargo::rustc-cfg=linux_pwait2");
    }

    let atomics = std::env::var("CARGO_CFG_TARGET_HAS_ATOMIC").unwrap_or_default();
    if !atomics.split(',').any(|size| size == "ptr") {
        println!(
            "cargo::error=pirn needs a processor with an atomic compare-and-swap, so that \
             interrupts can post; this target has none (ARMv6-M, such as Cortex-M0, is the \
             usual one)"
        );
    }

    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "header")]
    headers();
}

/// Writes include/pirn.h and the Rust declarations from src/ffi, and the header of each layer from
/// its crate. The files are committed; a test compares them with newly generated ones.
#[cfg(feature = "header")]
fn headers() {
    use std::path::PathBuf;

    /// Each layer is the crate crates/NAME. A layer comes after those that it uses.
    const LAYERS: &[&str] = &["os", "wait", "sync", "fiber", "work"];
    /// The layers that other layers call, through the declarations in crates/NAME/src/functions.rs.
    const CALLED_BY_LAYERS: &[&str] = &["wait"];

    println!("cargo::rerun-if-env-changed=PIRN_HEADER");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    // A test lets them be written to another directory, with the names NAME.h, NAME.rs and
    // NAME.os.h.
    let elsewhere = std::env::var_os("PIRN_HEADER").map(PathBuf::from);
    let write = |name: &str, extension: &str, text: String| {
        let file = match &elsewhere {
            Some(header) if extension.is_empty() => header.clone(),
            Some(header) => header.with_extension(extension),
            None => root.join(name),
        };
        std::fs::write(file, text).expect("the generated files can be written");
    };

    let directory = root.join("src/ffi");
    let mut known = header::rust_files(&directory);
    let text = header::header(&directory.join("pirn.h.in"), &known);
    write("include/pirn.h", "", text);
    let text = abi::declarations(&known);
    write("crates/abi/src/declarations.rs", "rs", text);
    for layer in LAYERS {
        let source = root.join(format!("crates/{layer}/src"));
        known.extend(header::rust_files(&source));
        let functions = header::rust_files(&source.join("ffi"));
        known.extend(functions.iter().cloned());
        let text = header::header(&source.join(format!("{layer}.h.in")), &known);
        let (name, extension) = (format!("include/pirn/{layer}.h"), format!("{layer}.h"));
        write(&name, &extension, text);
        if CALLED_BY_LAYERS.contains(layer) {
            let (name, extension) = (
                format!("crates/{layer}/src/functions.rs"),
                format!("{layer}.rs"),
            );
            write(&name, &extension, abi::functions(layer, &functions));
        }
    }
}
