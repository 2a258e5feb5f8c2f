//! Where everything lies below the storage root, as pure functions. The layout is shared with other programs.
//!
//! ```text
//! file-store/stored/<2 digits>/<62 digits>/<size>.blob         a stored file
//! file-store/uploading/<2 digits>/<62 digits>/<size>-<random>.tmp   a file on its way in
//! file-store/checkouts/<key>.json                              what a checkout links to
//! jobs/<checkout path>/<path of file>                          a link to a stored file
//! jobs/.flamenco-building/                                     checkouts that have no name yet, or no longer
//! ```

use crate::identity::{Checksum, Identity};

/// Directory of everything but the checkouts.
pub(crate) const FILE_STORE: &str = "file-store";
/// Below [`FILE_STORE`].
pub(crate) const STORED: &str = "stored";
/// Below [`FILE_STORE`].
pub(crate) const UPLOADING: &str = "uploading";
/// Below [`FILE_STORE`].
pub(crate) const CHECKOUTS: &str = "checkouts";
/// Directory of the checkouts.
pub(crate) const JOBS: &str = "jobs";

/// The two directory names of a checksum.
pub(crate) fn shard(checksum: Checksum) -> (String, String) {
    let mut first = checksum.to_string();
    let rest = first.split_off(2);
    (first, rest)
}

/// The file name of a stored file.
pub(crate) fn blob_name(size: u64) -> String {
    format!("{size}.blob")
}

/// The file name of an upload; `random` has nine digits.
pub(crate) fn upload_name(size: u64, random: u32) -> String {
    format!("{size}-{random:09}.tmp")
}

/// The identity of the stored file in these two directories with this name, if it is one.
pub(crate) fn identity_of_blob(first: &str, rest: &str, name: &str) -> Option<Identity> {
    if first.len() != 2 || rest.len() != 62 {
        return None;
    }
    let size = name.strip_suffix(".blob")?;
    // Only the one spelling that the store writes; `+1` and `01` are numbers too.
    let size = size.parse::<u64>().ok().filter(|number| number.to_string() == size)?;
    Some(Identity { checksum: Checksum::parse(&format!("{first}{rest}")).ok()?, size })
}

/// The stored file that a link with this text points to, wherever the storage is mounted.
///
/// The text decides, not the place it leads to: a storage below a symbolic link has two names, and a comparison of
/// resolved paths would take every file for unused.
pub(crate) fn identity_of_link(text: &str) -> Option<Identity> {
    let mut parts = text.rsplit(['/', '\\']);
    let (name, rest, first, stored) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if stored != STORED {
        return None;
    }
    identity_of_blob(first, rest, name)
}

/// The text of a link that lies `depth` directories below `jobs`: relative, so that the storage may be mounted
/// elsewhere on other machines.
pub(crate) fn link_text(identity: Identity, depth: usize) -> String {
    let (first, rest) = shard(identity.checksum);
    let text = format!(
        "{}{FILE_STORE}/{STORED}/{first}/{rest}/{}",
        "../".repeat(depth + 1),
        blob_name(identity.size)
    );
    if cfg!(windows) { text.replace('/', "\\") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "590c148428d5c35fab3ebad2f3365bb469ab9c531b60831f3e826c472027a0b9";

    fn identity() -> Identity {
        Identity::parse(SUM, 3367).expect("valid")
    }

    #[test]
    #[cfg(unix)]
    fn link_text_is_relative_to_the_directory_of_the_link() {
        let blob =
            "file-store/stored/59/0c148428d5c35fab3ebad2f3365bb469ab9c531b60831f3e826c472027a0b9/3367.blob";
        assert_eq!(link_text(identity(), 1), format!("../../{blob}"));
        assert_eq!(link_text(identity(), 2), format!("../../../{blob}"));
    }

    #[test]
    fn every_link_text_is_understood_again() {
        for depth in 1..6 {
            assert_eq!(identity_of_link(&link_text(identity(), depth)), Some(identity()));
        }
    }

    #[test]
    fn links_are_told_by_their_text() {
        let rest = &SUM[2..];
        let cases = [
            (format!("/mnt/old/file-store/stored/59/{rest}/3367.blob"), true),
            (format!("S:\\flamenco\\file-store\\stored\\59\\{rest}\\3367.blob"), true),
            (format!("../elsewhere/59/{rest}/3367.blob"), false),
            (format!("../stored/59/{rest}/03367.blob"), false),
            (format!("../stored/59/{rest}/+3367.blob"), false),
            (format!("../stored/59/{rest}/3367.tmp"), false),
            (format!("../stored/59/{rest}/.blob"), false),
            (format!("../stored/590/{}/3367.blob", &rest[1..]), false),
            ("scene.blend".to_owned(), false),
            (String::new(), false),
        ];
        for (text, is_blob) in cases {
            assert_eq!(identity_of_link(&text).is_some(), is_blob, "{text}");
        }
    }

    #[test]
    fn names_follow_the_documented_layout() {
        let (first, rest) = shard(identity().checksum);
        assert_eq!((first.as_str(), rest.as_str()), ("59", &SUM[2..]));
        assert_eq!(blob_name(3367), "3367.blob");
        assert_eq!(upload_name(3367, 42), "3367-000000042.tmp");
    }
}
