//! Writes a C header: a page that people write, with sections that cbindgen makes of Rust files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use syn::{Item, Visibility};

/// The line of a template in whose place a section is put: `@section io.rs` or `@section a.rs
/// b.rs`.
const SECTION: &str = "@section ";

/// The header that a template describes. The files that its sections name are relative to it; all
/// types that they may use are in `known`.
pub fn header(template: &Path, known: &[PathBuf]) -> String {
    let directory = template.parent().expect("a file is in a directory");
    let template = std::fs::read_to_string(template).expect("the template is readable");
    // As C spells what cbindgen does not know where it has not read it.
    let types = known.iter().flat_map(types_of);
    let types: HashMap<String, String> = types
        .map(|(name, kind)| (name.clone(), format!("{kind} {name}")))
        .chain([("AtomicU32".to_owned(), "uint32_t".to_owned())])
        .collect();
    let pointers: HashMap<String, String> = known.iter().flat_map(atomic_pointers_of).collect();
    let mut text = String::new();
    for line in template.lines() {
        match line.strip_prefix(SECTION) {
            Some(names) => {
                let files: Vec<PathBuf> = names
                    .split_whitespace()
                    .map(|name| directory.join(name))
                    .collect();
                text += section(&files, &types, &pointers).trim_end();
            }
            None => text += line,
        }
        text.push('\n');
    }
    text
}

/// The Rust files of a directory, in the order of their names.
pub fn rust_files(directory: &Path) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("the sources are readable").path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}

/// The constants, types and functions of some files, in this order.
fn section(
    files: &[PathBuf],
    types: &HashMap<String, String>,
    pointers: &HashMap<String, String>,
) -> String {
    let own: HashMap<String, &str> = files.iter().flat_map(types_of).collect();
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        style: cbindgen::Style::Tag,
        no_includes: true,
        documentation_style: cbindgen::DocumentationStyle::Doxy,
        documentation_length: cbindgen::DocumentationLength::Full,
        line_length: 100,
        usize_is_size_t: true,
        sort_by: cbindgen::SortKey::None,
        include_version: false,
        ..cbindgen::Config::default()
    };
    // What differs between builds is in the template.
    config.export.exclude = ["PIRN_STORAGE_BASE", "PIRN_STORAGE_MAGIC", "PIRN_FOREVER"]
        .map(String::from)
        .to_vec();
    // In an order that does not change from run to run: cbindgen writes the types in this order.
    config.export.include = own.keys().cloned().collect();
    config.export.include.sort();
    config.export.exclude.extend(pointers.keys().cloned());
    config.export.rename = types
        .iter()
        .filter(|(name, _)| !own.contains_key(*name))
        .chain(pointers)
        .map(|(name, spelling)| (name.clone(), spelling.clone()))
        .collect();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in files {
        builder = builder.with_src(with_marked_fields(file));
    }
    let mut generated = Vec::new();
    builder
        .generate()
        .expect("the section can be generated")
        .write(&mut generated);
    String::from_utf8(generated).expect("cbindgen writes UTF-8")
}

/// A copy of a Rust file in which the names of private fields end in an underscore: in C they
/// belong to the library.
fn with_marked_fields(file: &Path) -> PathBuf {
    let source = std::fs::read_to_string(file).expect("the source is readable");
    let mut tree = syn::parse_file(&source).expect("the source is Rust");
    for item in &mut tree.items {
        let Item::Struct(item) = item else { continue };
        for field in &mut item.fields {
            match (&field.vis, &mut field.ident) {
                (Visibility::Public(_), _) | (_, None) => {}
                (_, Some(name)) => *name = syn::Ident::new(&format!("{name}_"), name.span()),
            }
        }
    }
    let name = file.to_string_lossy().replace(['/', '.'], "_");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    let copy = Path::new(&out).join(name).with_extension("rs");
    std::fs::write(&copy, prettyplease::unparse(&tree)).expect("the directory is writable");
    copy
}

/// The structs and unions that a file exports to C.
fn types_of(file: &PathBuf) -> Vec<(String, &'static str)> {
    let text = std::fs::read_to_string(file).expect("the source is readable");
    let file = syn::parse_file(&text).expect("the source is Rust");
    let is_ours = |visibility: &Visibility, name: &syn::Ident| {
        matches!(visibility, Visibility::Public(_)) && name.to_string().starts_with("pirn_")
    };
    file.items
        .into_iter()
        .filter_map(|item| match item {
            Item::Struct(item) if is_ours(&item.vis, &item.ident) => {
                Some((item.ident.to_string(), "struct"))
            }
            Item::Union(item) if is_ours(&item.vis, &item.ident) => {
                Some((item.ident.to_string(), "union"))
            }
            _ => None,
        })
        .collect()
}

/// The names that a file gives to atomic pointers (`type Name = AtomicPtr<pirn_x>`), and their type
/// in C: a plain pointer, in a field that belongs to the library.
fn atomic_pointers_of(file: &PathBuf) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file).expect("the source is readable");
    let file = syn::parse_file(&text).expect("the source is Rust");
    let target = |item: &syn::ItemType| {
        let syn::Type::Path(path) = &*item.ty else {
            return None;
        };
        let last = path.path.segments.last()?;
        match &last.arguments {
            syn::PathArguments::AngleBracketed(arguments) if last.ident == "AtomicPtr" => {
                let target = arguments.args.first()?;
                let target = quote::ToTokens::to_token_stream(target);
                Some(format!("struct {target} *"))
            }
            _ => None,
        }
    };
    file.items
        .into_iter()
        .filter_map(|item| match item {
            Item::Type(item) => target(&item).map(|target| (item.ident.to_string(), target)),
            _ => None,
        })
        .collect()
}
