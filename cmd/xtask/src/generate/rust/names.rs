//! How names of the document are spelled in Rust.

use heck::{ToPascalCase, ToShoutySnakeCase, ToSnakeCase};
use proc_macro2::{Ident, Span};

/// A variable, field or function. `typify` spells its fields in the same way.
pub fn snake(name: &str) -> Ident {
    let name = name.to_snake_case();
    let usable = syn::parse_str::<Ident>(&name).is_ok();
    Ident::new(&if usable { name } else { format!("{name}_") }, Span::call_site())
}

/// A type or a variant.
pub fn pascal(name: &str) -> Ident {
    Ident::new(&name.to_pascal_case(), Span::call_site())
}

/// A constant.
pub fn shouty(name: &str) -> Ident {
    Ident::new(&name.to_shouty_snake_case(), Span::call_site())
}

/// The trait that holds the operations of a tag.
pub fn api_trait(tag: &str) -> Ident {
    pascal(&format!("{tag}-api"))
}

/// The type of an operation's answers.
pub fn response(operation: &str) -> Ident {
    pascal(&format!("{operation}Response"))
}

/// The type of an operation's query parameters.
pub fn query(operation: &str) -> Ident {
    pascal(&format!("{operation}Query"))
}

/// The type of an operation's header parameters.
pub fn headers(operation: &str) -> Ident {
    pascal(&format!("{operation}Headers"))
}
