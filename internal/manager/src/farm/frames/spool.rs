//! What a worker uploads, until it is its turn to be worked on.
//!
//! Many may be on their way at once and each may be large, so only small ones stay in memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::error::{Error, Result};

/// Most that is kept in memory of one upload, in bytes.
const IN_MEMORY: usize = 256 * 1024;

/// Takes an upload piece by piece: into memory, and when it grows into a file without a name, which is gone with this.
pub struct Spool {
    folder: PathBuf,
    memory: Vec<u8>,
    file: Option<tokio::fs::File>,
    length: u64,
}

impl Spool {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), memory: Vec::new(), file: None, length: 0 }
    }

    /// How much has come, in bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// When there is no room for it.
    pub async fn add(&mut self, part: &[u8]) -> Result<()> {
        self.length += part.len() as u64;
        self.memory.extend_from_slice(part);
        if self.memory.len() <= IN_MEMORY {
            return Ok(());
        }
        let written = self.move_to_file().await;
        written.map_err(Error::io(format!("keeping an upload in {}", self.folder.display())))
    }

    async fn move_to_file(&mut self) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let folder = self.folder.clone();
                let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await;
                self.file.insert(tokio::fs::File::from_std(made.map_err(std::io::Error::other)??))
            }
        };
        file.write_all(&self.memory).await?;
        self.memory.clear();
        Ok(())
    }

    /// All that has come, from its beginning.
    pub(super) async fn finish(mut self) -> Result<Content> {
        if self.file.is_none() {
            return Ok(Content::Memory(Cursor::new(self.memory)));
        }
        let rewound = async {
            self.move_to_file().await?;
            let Some(mut file) = self.file else { return Err(std::io::ErrorKind::NotFound.into()) };
            file.flush().await?;
            file.seek(SeekFrom::Start(0)).await?;
            Ok(Content::File(BufReader::new(file.into_std().await)))
        };
        rewound.await.map_err(Error::io("reading an upload again"))
    }
}

/// What was uploaded. Reading may block.
pub(super) enum Content {
    Memory(Cursor<Vec<u8>>),
    File(BufReader<File>),
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Memory(memory) => memory.read(buffer),
            Self::File(file) => file.read(buffer),
        }
    }
}

impl BufRead for Content {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        match self {
            Self::Memory(memory) => memory.fill_buf(),
            Self::File(file) => file.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        match self {
            Self::Memory(memory) => memory.consume(amount),
            Self::File(file) => file.consume(amount),
        }
    }
}

impl Seek for Content {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        match self {
            Self::Memory(memory) => Seek::seek(memory, to),
            Self::File(file) => Seek::seek(file, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_in_pieces_is_there_as_a_whole_and_leaves_nothing_behind() {
        for (pieces, piece) in [(0, 0), (1, 1), (4, IN_MEMORY / 4), (5, IN_MEMORY / 4), (7, IN_MEMORY)] {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = Spool::in_folder(folder.path());
            let mut whole = Vec::new();
            for number in 0..pieces {
                let part = vec![u8::try_from(number).unwrap(); piece];
                spool.add(&part).await.unwrap();
                whole.extend(part);
            }
            assert_eq!(spool.length(), whole.len() as u64);
            assert!(spool.memory.len() <= IN_MEMORY);
            let mut content = spool.finish().await.unwrap();
            let mut read = Vec::new();
            content.read_to_end(&mut read).unwrap();
            assert!(read == whole, "{pieces} of {piece}");
            Seek::seek(&mut content, SeekFrom::Start(0)).unwrap();
            assert_eq!(content.fill_buf().unwrap().is_empty(), whole.is_empty());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_is_named() {
        let mut spool = Spool::in_folder(Path::new("/nowhere/at/all"));
        let error = spool.add(&vec![0; IN_MEMORY + 1]).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
