//! Writes a C header from the Rust files that export its functions.

use std::path::{Path, PathBuf};

/// The header that cbindgen makes of `roots` and the modules they name. `config` is what it is told
/// about it, the header's first page included; `sources` are all files that have constants.
pub fn header(config: &Path, roots: &[PathBuf], sources: &[PathBuf]) -> String {
    let mut config = cbindgen::Config::from_file(config).expect("the configuration is valid");
    let trailer = config.trailer.take().unwrap_or_default();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for root in roots {
        builder = builder.with_src(root);
    }
    let mut generated = Vec::new();
    builder
        .generate()
        .expect("the header can be generated")
        .write(&mut generated);
    let mut text = String::from_utf8(generated).expect("cbindgen writes UTF-8");

    // cbindgen would write it behind the include guard.
    let guard = text.rfind("\n#endif").expect("it has a guard");
    text.insert_str(guard, &format!("\n{trailer}"));

    // `loop` is a word of Rust's, and `user` is taken where it is also an output.
    text = text.replace("loop_", "loop").replace("user_out", "user");
    // What callers must see to in Rust's terms the C text says in its own.
    while let Some(start) = text.find(" *\n * # Safety\n") {
        let end = start + text[start..].find(" */").expect("every comment ends");
        text.replace_range(start..end, "");
    }
    // cbindgen writes constants as plain decimal numbers: bits read better as they were written,
    // and are unsigned.
    for source in sources {
        for line in std::fs::read_to_string(source)
            .expect("the sources are readable")
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
    text
}
