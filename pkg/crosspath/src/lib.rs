//! Paths of another platform.
//!
//! A render farm passes paths between Linux, Windows and macOS all day: an artist submits from Windows, the
//! manager stores on Linux, a worker renders on a Mac. `std::path` only knows the platform it was compiled for,
//! so everything here works on plain strings, for any platform, and never touches the file system.
//!
//! | module | what |
//! |---|---|
//! | [`Platform`] | the name of a platform as it goes over the wire, and its separator |
//! | [`separators`](crate::to_slash) | conversion between the two styles, roots, drives, UNC paths |
//! | [`starts_with_path`] | is one path inside another? used by two-way variables |
//! | [`script`] | the `path` object that job type scripts see |

mod platform;
mod prefix;
pub mod script;
mod separators;

pub use platform::Platform;
pub use prefix::starts_with_path;
pub use separators::{
    is_absolute, is_root, is_separator, is_unc, make_drive_absolute, to_native, to_platform, to_slash,
    trim_trailing_separator,
};
