//! Writes crates/abi/src/declarations.rs, with which a layer calls the core as a C program does.
//!
//! It contains the types, the constants and the functions of src/ffi without their bodies. So a
//! layer is compiled against the same contract as the header, and not against the core itself.
//!
//! Also writes src/functions.rs of a layer that other layers use. Those use its types directly, so
//! only the functions are declared there.

use std::path::Path;

use quote::ToTokens;
use syn::{
    Attribute, Expr, Field, File, ForeignItem, ForeignItemFn, Ident, Item, ItemFn, ItemForeignMod,
    ItemStruct, Safety, Visibility,
};

const HEAD: &str = "\
//! Generated from src/ffi by `cargo build --features header`. Do not edit.

#![expect(unsafe_code, reason = \"C functions are declared here; to call one is unsafe\")]

use core::ffi::{c_char, c_int, c_void};
";

/// Returns the functions in `sources`, files of src/ffi in the layer `name`. Their types are
/// imported in the same way as in those files, and those of the layer from its root.
pub fn functions(name: &str, sources: &[impl AsRef<Path>]) -> String {
    let mut functions: ItemForeignMod = syn::parse_quote! { unsafe extern "C" {} };
    for source in sources {
        let text = std::fs::read_to_string(source).expect("src/ffi is readable");
        let file: File = syn::parse_str(&text).expect("src/ffi is Rust");
        for item in file.items {
            if let Item::Fn(function) = item
                && is_exported(&function)
            {
                functions.items.push(ForeignItem::Fn(declared(function)));
            }
        }
    }
    let file = File {
        shebang: None,
        frontmatter: None,
        attrs: Vec::new(),
        items: vec![Item::ForeignMod(functions)],
    };
    let head = format!(
        "\
//! The functions of this layer as the layers above call them: by their C names, so that each layer
//! is an object of its own. Generated from crates/{name}/src/ffi by `cargo build --features
//! header`. Do not edit.

#![expect(unsafe_code, reason = \"C functions are declared here; to call one is unsafe\")]

use core::ffi::{{c_int, c_void}};

use pirn_abi::*;

use crate::*;
"
    );
    format!("{head}\n{}", prettyplease::unparse(&file))
}

/// Returns the declarations for the C functions in `sources`, which are Rust files of src/ffi.
pub fn declarations(sources: &[impl AsRef<Path>]) -> String {
    let mut items = Vec::new();
    let mut functions: ItemForeignMod = syn::parse_quote! { unsafe extern "C" {} };
    for source in sources {
        let text = std::fs::read_to_string(source).expect("src/ffi is readable");
        let file: File = syn::parse_str(&text).expect("src/ffi is Rust");
        for item in file.items {
            match item {
                Item::Fn(function) if is_exported(&function) => {
                    functions.items.push(ForeignItem::Fn(declared(function)));
                }
                Item::Const(item) if is_ours(&item.vis, &item.ident) && is_plain(&item.expr) => {
                    items.push(Item::Const(item));
                }
                Item::Type(item) if is_ours(&item.vis, &item.ident) => items.push(Item::Type(item)),
                Item::Struct(item) if is_ours(&item.vis, &item.ident) => {
                    items.push(Item::Struct(without_inside(item)));
                }
                Item::Union(item) if is_ours(&item.vis, &item.ident) => {
                    items.push(Item::Union(item));
                }
                _ => {}
            }
        }
    }
    items.push(Item::ForeignMod(functions));
    let file = File {
        shebang: None,
        frontmatter: None,
        attrs: Vec::new(),
        items,
    };
    format!("{HEAD}\n{}", prettyplease::unparse(&file))
}

fn is_ours(visibility: &Visibility, name: &Ident) -> bool {
    let name = name.to_string();
    matches!(visibility, Visibility::Public(_))
        && (name.starts_with("pirn_") || name.starts_with("PIRN_"))
}

/// True if the value is the same in every build: it does not depend on features or the machine.
fn is_plain(value: &Expr) -> bool {
    !matches!(value, Expr::If(_) | Expr::Macro(_) | Expr::Block(_))
}

/// True if C programs can call the function.
fn is_exported(function: &ItemFn) -> bool {
    let is_no_mangle = |attribute: &Attribute| {
        attribute
            .to_token_stream()
            .to_string()
            .contains("no_mangle")
    };
    function.attrs.iter().any(is_no_mangle)
}

fn documentation(attributes: Vec<Attribute>) -> Vec<Attribute> {
    attributes
        .into_iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .collect()
}

/// Returns the function without its body. A function that is safe to call stays safe.
fn declared(function: ItemFn) -> ForeignItemFn {
    let mut signature = function.sig;
    signature.abi = None;
    if let Safety::Default = signature.safety {
        signature.safety = Safety::Safe(Default::default());
    }
    ForeignItemFn {
        attrs: documentation(function.attrs),
        vis: function.vis,
        modifiers: Default::default(),
        sig: signature,
        semi_token: Default::default(),
    }
}

/// Returns the struct unchanged if its fields are public, and without fields otherwise.
fn without_inside(mut item: ItemStruct) -> ItemStruct {
    let is_public = |field: &Field| matches!(field.vis, Visibility::Public(_));
    if !item.fields.iter().all(is_public) {
        let opaque: ItemStruct = syn::parse_quote! {
            #[repr(C)]
            pub struct Opaque {
                _inside: [u8; 0],
            }
        };
        item.attrs = documentation(item.attrs)
            .into_iter()
            .chain(opaque.attrs)
            .collect();
        item.fields = opaque.fields;
        item.semi_token = None;
    }
    item
}
