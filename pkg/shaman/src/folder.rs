//! Directories of the storage, opened one component at a time.
//!
//! The storage is a share that every worker can write to, so a directory may be replaced by a symbolic link at any
//! moment. A [`Folder`] is an open directory: it stays the directory it was, and everything done through it is done
//! to a single name inside it, never following a link. Paths are kept only for messages.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, SystemTimeSpec};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, FileType, Metadata, OpenOptions};

use crate::error::{Error, Result};

/// An open directory.
pub(crate) struct Folder {
    dir: Dir,
    path: PathBuf,
}

/// One name in a directory. A link is shown as the link.
pub(crate) struct Listed {
    pub name: OsString,
    pub kind: FileType,
}

/// A directory that is being emptied.
struct Level {
    folder: Folder,
    name: OsString,
    left: Vec<Listed>,
}

impl Folder {
    /// Opens the storage root, following links in its own path: where the storage lies is its owner's choice.
    pub fn open_root(path: &Path) -> Result<Self> {
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(|e| Error::io("open", path, e))?;
        Ok(Self { dir, path: path.to_owned() })
    }

    /// Opens the storage root, creating it when it is missing.
    pub fn make_root(path: &Path) -> Result<Self> {
        Dir::create_ambient_dir_all(path, ambient_authority()).map_err(|e| Error::io("create", path, e))?;
        Self::open_root(path)
    }

    /// The path of `name` in here, for messages.
    pub fn shown(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    fn failed(&self, verb: &str, name: impl AsRef<Path>, source: io::Error) -> Error {
        Error::io(verb, &self.shown(name), source)
    }

    /// Opens a directory in here; `None` when nothing has that name.
    ///
    /// # Errors
    /// [`Error::Obstructed`] when something else has that name, a symbolic link for one.
    pub fn open(&self, name: impl AsRef<OsStr>) -> Result<Option<Self>> {
        let name = Path::new(name.as_ref());
        match self.dir.open_dir_nofollow(name) {
            Ok(dir) => Ok(Some(Self { dir, path: self.shown(name) })),
            // Somebody may make it now, but then it was not there when it was asked for.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => match self.look(name)? {
                None => Ok(None),
                Some(found) if found.is_dir() => Err(self.failed("open", name, error)),
                Some(_) => Err(Error::Obstructed(self.shown(name).display().to_string())),
            },
        }
    }

    /// Opens a directory some levels below.
    pub fn walk<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<Option<Self>> {
        let mut at = self.again()?;
        for name in names {
            match at.open(name)? {
                Some(next) => at = next,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Opens a directory in here, creating it when it is missing.
    pub fn make(&self, name: &str) -> Result<Self> {
        // Whoever removes empty directories may come between creating and opening.
        for _ in 0..16 {
            if let Some(found) = self.open(name)? {
                return Ok(found);
            }
            match self.dir.create_dir(name) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(self.failed("create", name, error));
                }
                _ => {}
            }
        }
        Err(self.failed("create", name, io::Error::from(io::ErrorKind::NotFound)))
    }

    /// Opens a directory some levels below, creating what is missing.
    pub fn make_all<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut at = self.again()?;
        for name in names {
            at = at.make(name)?;
        }
        Ok(at)
    }

    /// Another handle of the same directory.
    pub fn again(&self) -> Result<Self> {
        let dir = self.dir.try_clone().map_err(|e| Error::io("open", &self.path, e))?;
        Ok(Self { dir, path: self.path.clone() })
    }

    /// What has this name, if anything. A link is described, not followed.
    pub fn look(&self, name: impl AsRef<Path>) -> Result<Option<Metadata>> {
        match self.dir.symlink_metadata(&name) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("look at", name, error)),
        }
    }

    /// Everything in here. Names that vanish meanwhile may be missing.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let entries = self.dir.entries().map_err(|e| Error::io("list", &self.path, e))?;
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| Error::io("list", &self.path, e))?;
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(self.failed("look at", entry.file_name(), error)),
            };
            listed.push(Listed { name: entry.file_name(), kind });
        }
        Ok(listed)
    }

    /// The text of a link.
    pub fn read_link(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        self.dir.read_link_contents(&name).map_err(|e| self.failed("read the link", name, e))
    }

    /// Creates a file that must not exist yet, for reading and writing.
    pub fn create(&self, name: &str) -> Result<std::fs::File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).follow(FollowSymlinks::No);
        Ok(self.dir.open_with(name, &options).map_err(|e| self.failed("create", name, e))?.into_std())
    }

    /// Opens a file for reading, and for writing too when asked.
    pub fn open_file(&self, name: impl AsRef<Path>, write: bool) -> Result<std::fs::File> {
        let mut options = OpenOptions::new();
        options.read(true).write(write).follow(FollowSymlinks::No);
        Ok(self.dir.open_with(&name, &options).map_err(|e| self.failed("open", name, e))?.into_std())
    }

    /// Opens a file for reading and writing, creating it when it is missing.
    pub fn open_or_create(&self, name: &str) -> Result<std::fs::File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).follow(FollowSymlinks::No);
        Ok(self.dir.open_with(name, &options).map_err(|e| self.failed("open", name, e))?.into_std())
    }

    /// Removes a file or a link. Read-only files of Windows are made writable first.
    pub fn remove_file(&self, name: impl AsRef<Path>) -> Result<()> {
        #[cfg(windows)]
        if let Some(found) = self.look(&name)?.filter(Metadata::is_file) {
            let mut permissions = found.permissions();
            permissions.set_readonly(false);
            self.dir.set_permissions(&name, permissions).map_err(|e| self.failed("unprotect", &name, e))?;
        }
        self.dir.remove_file_or_symlink(&name).map_err(|e| self.failed("remove", name, e))
    }

    /// Removes a directory when it is empty; says whether it is gone.
    pub fn remove_if_empty(&self, name: impl AsRef<Path>) -> bool {
        self.dir.remove_dir(name).is_ok()
    }

    /// Removes a directory with everything in it; links are removed, not followed.
    pub fn remove_tree(&self, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        let Some(inside) = self.open(name)? else { return Ok(()) };
        let mut levels = vec![Level { left: inside.list()?, folder: inside, name: name.to_owned() }];
        while let Some(level) = levels.last_mut() {
            if let Some(entry) = level.left.pop() {
                if !entry.kind.is_dir() {
                    level.folder.remove_file(&entry.name)?;
                } else if let Some(folder) = level.folder.open(&entry.name)? {
                    levels.push(Level { left: folder.list()?, folder, name: entry.name });
                }
                continue;
            }
            let Some(emptied) = levels.pop() else { break };
            let above = levels.last().map_or(self, |level| &level.folder);
            above.dir.remove_dir(&emptied.name).map_err(|e| above.failed("remove", &emptied.name, e))?;
        }
        Ok(())
    }

    /// Moves a name from here to another directory, replacing a file there.
    pub fn rename(&self, from: &str, to: &Folder, name: &str) -> Result<()> {
        self.dir.rename(from, &to.dir, name).map_err(|e| to.failed("create", name, e))
    }

    /// Moves a name from here to another directory unless that has such a name already; says whether it was moved.
    pub fn rename_to_new(&self, from: &str, to: &Folder, name: &str) -> Result<bool> {
        #[cfg(target_os = "linux")]
        {
            use rustix::io::Errno;
            match rustix::fs::renameat_with(
                &self.dir,
                from,
                &to.dir,
                name,
                rustix::fs::RenameFlags::NOREPLACE,
            ) {
                Ok(()) => return Ok(true),
                Err(Errno::EXIST) => return Ok(false),
                // Not every network share can do it in one step.
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
                Err(error) => return Err(to.failed("create", name, error.into())),
            }
        }
        if to.look(name)?.is_some() {
            return Ok(false);
        }
        self.rename(from, to, name).map(|()| true)
    }

    /// Creates a symbolic link with exactly this text.
    pub fn symlink(&self, text: &str, name: &str) -> Result<()> {
        #[cfg(not(windows))]
        let made = self.dir.symlink_contents(text, name);
        #[cfg(windows)]
        let made = self.dir.symlink_file(text, name);
        made.map_err(|e| self.failed("create the link", name, e))
    }

    /// Creates a second name for a file.
    pub fn hard_link(&self, from: &str, to: &Folder, name: &str) -> Result<()> {
        self.dir.hard_link(from, &to.dir, name).map_err(|e| to.failed("create the link", name, e))
    }

    /// Sets the time of last change of a file to the storage's own now.
    ///
    /// The symbolic now, because shares refuse explicit times from anyone but the owner.
    pub fn touch(&self, name: &str) -> Result<()> {
        let now = || Some(SystemTimeSpec::SymbolicNow);
        self.dir.set_symlink_times(name, now(), now()).map_err(|e| self.failed("touch", name, e))
    }

    /// Takes the right to write from everyone; `found` describes the file now.
    pub fn protect(&self, name: &str, found: &Metadata) -> Result<()> {
        let mut permissions = found.permissions();
        if permissions.readonly() {
            return Ok(());
        }
        permissions.set_readonly(true);
        self.dir.set_permissions(name, permissions).map_err(|e| self.failed("protect", name, e))
    }

    /// Waits until the names in this directory are on disk.
    pub fn sync(&self) -> Result<()> {
        // Windows and directories opened only as a place to look from cannot be flushed, so it is opened again.
        #[cfg(unix)]
        self.readable()?.sync_all().map_err(|e| Error::io("flush", &self.path, e))?;
        Ok(())
    }

    /// Waits until everything on this file system is on disk; says whether the system can do that.
    pub fn sync_file_system(&self) -> Result<bool> {
        #[cfg(target_os = "linux")]
        {
            rustix::fs::syncfs(self.readable()?).map_err(|e| Error::io("flush", &self.path, e.into()))?;
            Ok(true)
        }
        #[cfg(not(target_os = "linux"))]
        Ok(false)
    }

    #[cfg(unix)]
    fn readable(&self) -> Result<std::fs::File> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.dir, ".", flags, Mode::empty());
        opened.map(std::fs::File::from).map_err(|e| Error::io("open", &self.path, e.into()))
    }

    /// Free space in bytes for this user, where the system tells.
    pub fn free_bytes(&self) -> Option<u64> {
        #[cfg(unix)]
        {
            let about = rustix::fs::fstatvfs(self.readable().ok()?).ok()?;
            Some(about.f_bavail.saturating_mul(about.f_frsize))
        }
        #[cfg(not(unix))]
        None
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn scene() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().expect("temporary directory");
        fs::create_dir_all(place.path().join("root/real/deep")).expect("made");
        fs::create_dir(place.path().join("outside")).expect("made");
        fs::write(place.path().join("outside/precious"), "p").expect("written");
        symlink("../outside", place.path().join("root/out")).expect("linked");
        symlink("real", place.path().join("root/in")).expect("linked");
        let root = Folder::open_root(&place.path().join("root")).expect("opened");
        (place, root)
    }

    #[test]
    fn many_make_the_same_directory_at_the_same_time() {
        let place = tempfile::tempdir().expect("a place");
        let root = Folder::open_root(place.path()).expect("the root");
        let threads = 4;
        let start = std::sync::Barrier::new(threads);
        let failures = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for number in 0..2_000 {
                        start.wait();
                        let failed = root.make(&number.to_string()).is_err();
                        failures.fetch_add(usize::from(failed), std::sync::atomic::Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(failures.into_inner(), 0, "everybody has every directory");
    }

    #[test]
    fn a_link_is_never_taken_for_a_directory() {
        let (_place, root) = scene();
        for name in ["out", "in"] {
            assert!(matches!(root.open(name), Err(Error::Obstructed(_))), "{name}");
            assert!(matches!(root.make(name), Err(Error::Obstructed(_))), "{name}");
            assert!(matches!(root.walk([name, "deep"]), Err(Error::Obstructed(_))), "{name}");
        }
        assert!(root.walk(["real", "deep"]).expect("allowed").is_some());
        assert!(root.walk(["real", "none"]).expect("allowed").is_none());
    }

    #[test]
    fn removing_a_tree_removes_links_but_nothing_behind_them() {
        let (place, root) = scene();
        symlink(place.path().join("outside"), place.path().join("root/real/deep/absolute")).expect("linked");
        symlink("../../../outside/precious", place.path().join("root/real/deep/file")).expect("linked");
        fs::write(place.path().join("root/real/file"), "x").expect("written");
        root.remove_tree("real").expect("removed");
        assert!(!place.path().join("root/real").exists());
        assert!(place.path().join("outside/precious").exists());
        assert!(matches!(root.remove_tree("out"), Err(Error::Obstructed(_))));
        assert!(place.path().join("outside/precious").exists());
    }

    #[test]
    fn renaming_to_a_new_name_never_replaces() {
        let (place, root) = scene();
        fs::create_dir(place.path().join("root/empty")).expect("made");
        assert!(!root.rename_to_new("real", &root, "empty").expect("asked"), "an empty directory counts");
        assert!(root.rename_to_new("real", &root, "fresh").expect("asked"));
        assert!(place.path().join("root/fresh/deep").exists());
    }
}
