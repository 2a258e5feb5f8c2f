//! How a stored file appears in a checkout, and what the storage can do.
//!
//! | kind | what keeps a worker from changing the stored file |
//! |---|---|
//! | symbolic link | the stored file is read-only, so opening the link for writing is refused (not to the superuser) |
//! | hard link | the same file under a second name, so it is read-only as well; removing or replacing the name in the checkout leaves the stored file alone |
//! | reflink, copy | a file of its own: whatever happens to it, the stored file is another one |

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::shelf::Blob;

/// How files appear in a checkout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkMode {
    /// The first of the kinds below that the storage can make.
    #[default]
    Auto,
    /// Relative symbolic links.
    Symlink,
    /// Second names of the stored files. Needs `jobs` and `file-store` on one file system.
    Hardlink,
    /// Copies that share their blocks with the stored file until one is changed (Btrfs, XFS, ZFS; Linux only).
    Reflink,
    /// Full copies.
    Copy,
}

impl LinkMode {
    /// Does a checkout of this kind need its stored files to stay?
    pub(crate) fn needs_stored_file(self) -> bool {
        matches!(self, Self::Auto | Self::Symlink | Self::Hardlink)
    }
}

impl fmt::Display for LinkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Symlink => "symlink",
            Self::Hardlink => "hardlink",
            Self::Reflink => "reflink",
            Self::Copy => "copy",
        })
    }
}

/// What the storage turned out to be able to do, by trying it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// Symbolic links can be made.
    pub symlink: bool,
    /// Hard links from `file-store` to `jobs` can be made.
    pub hardlink: bool,
    /// Copies can share their blocks with the original.
    pub reflink: bool,
    /// Names that differ only in case, or in the spelling of accents, are the same name.
    pub one_case: bool,
}

impl Capabilities {
    /// The kind of link to make for this setting.
    ///
    /// # Errors
    /// [`Error::LinksUnsupported`] when a certain kind is asked for and cannot be made.
    pub fn choose(self, wanted: LinkMode) -> Result<LinkMode> {
        let possible = match wanted {
            LinkMode::Auto | LinkMode::Copy => true,
            LinkMode::Symlink => self.symlink,
            LinkMode::Hardlink => self.hardlink,
            LinkMode::Reflink => self.reflink,
        };
        match wanted {
            _ if !possible => Err(Error::LinksUnsupported(wanted)),
            LinkMode::Auto if self.symlink => Ok(LinkMode::Symlink),
            LinkMode::Auto if self.hardlink => Ok(LinkMode::Hardlink),
            LinkMode::Auto if self.reflink => Ok(LinkMode::Reflink),
            LinkMode::Auto => Ok(LinkMode::Copy),
            exact => Ok(exact),
        }
    }

    /// Tries everything between two empty directories of the storage.
    pub(crate) fn probe(stored: &Folder, checkouts: &Folder) -> Result<Self> {
        stored.create("original")?;
        let symlink = checkouts.symlink("../some where/ó", "symlink").is_ok()
            && checkouts.look("symlink")?.is_some_and(|found| found.is_symlink());
        let hardlink = stored.hard_link("original", checkouts, "hardlink").is_ok();
        let reflink = clone_file(stored, "original", checkouts, "reflink").is_ok();
        checkouts.create("case \u{e9}")?;
        let one_case = checkouts.look("CASE \u{e9}")?.is_some() || checkouts.look("case e\u{301}")?.is_some();
        Ok(Self { symlink, hardlink, reflink, one_case })
    }
}

/// Makes one file of a checkout that is no symbolic link.
pub(crate) fn place(mode: LinkMode, blob: &Blob, to: &Folder, name: &str) -> Result<()> {
    match mode {
        LinkMode::Hardlink => match blob.folder.hard_link(&blob.name, to, name) {
            // File systems limit the names of one file; a much used texture gets a copy then.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::TooManyLinks => {
                copy_file(&blob.folder, &blob.name, to, name)
            }
            result => result,
        },
        LinkMode::Reflink => clone_file(&blob.folder, &blob.name, to, name),
        LinkMode::Auto | LinkMode::Symlink | LinkMode::Copy => copy_file(&blob.folder, &blob.name, to, name),
    }
}

fn copy_file(from: &Folder, blob: &str, to: &Folder, name: &str) -> Result<()> {
    let mut source = from.open_file(blob, false)?;
    let mut copy = to.create(name)?;
    io::copy(&mut source, &mut copy).map_err(|e| Error::io("copy to", &to.shown(name), e))?;
    Ok(())
}

#[cfg(target_os = "linux")]
fn clone_file(from: &Folder, blob: &str, to: &Folder, name: &str) -> Result<()> {
    let source = from.open_file(blob, false)?;
    let copy = to.create(name)?;
    rustix::fs::ioctl_ficlone(&copy, &source).map_err(|e| Error::io("clone to", &to.shown(name), e.into()))
}

#[cfg(not(target_os = "linux"))]
fn clone_file(_from: &Folder, _blob: &str, to: &Folder, name: &str) -> Result<()> {
    Err(Error::io("clone to", &to.shown(name), io::Error::from(io::ErrorKind::Unsupported)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_and_the_storage_decide_together() {
        use LinkMode::{Auto, Copy, Hardlink, Reflink, Symlink};
        let can = |symlink, hardlink, reflink| Capabilities { symlink, hardlink, reflink, one_case: false };
        let rows = [
            (can(true, true, true), Auto, Some(Symlink)),
            (can(false, true, true), Auto, Some(Hardlink)),
            (can(false, false, true), Auto, Some(Reflink)),
            (can(false, false, false), Auto, Some(Copy)),
            (can(true, true, true), Hardlink, Some(Hardlink)),
            (can(true, true, true), Copy, Some(Copy)),
            (can(true, true, true), Reflink, Some(Reflink)),
            (can(false, true, true), Symlink, None),
            (can(true, false, true), Hardlink, None),
            (can(true, true, false), Reflink, None),
            (can(false, false, false), Copy, Some(Copy)),
        ];
        for (storage, wanted, chosen) in rows {
            assert_eq!(storage.choose(wanted).ok(), chosen, "{storage:?} {wanted}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn probing_tells_what_works_here() {
        let place = tempfile::tempdir().expect("temporary directory");
        let folder = Folder::open_root(place.path()).expect("opened");
        let (one, two) = (folder.make("one").expect("made"), folder.make("two").expect("made"));
        let found = Capabilities::probe(&one, &two).expect("probed");
        assert!(found.symlink && found.hardlink && !found.one_case, "{found:?}");
    }
}
