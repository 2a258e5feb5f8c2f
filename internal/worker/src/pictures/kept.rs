//! Pictures that were not sent yet, noted in a file of the home directory.

use std::io;
use std::path::Path;

use super::Picture;
use crate::config::write_private;

/// Its name.
pub const FILE: &str = "flamenco-worker-pictures.json";

/// What is noted, the oldest first. A file that makes no sense is nothing: pictures are only for looking at.
pub async fn load(home: &Path) -> Vec<Picture> {
    let path = home.join(FILE);
    let text = match tokio::fs::read(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot read which pictures were not sent");
            return Vec::new();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "what was noted about pictures makes no sense; ignoring it");
        Vec::new()
    })
}

/// Notes these and no others. No pictures, no file.
///
/// # Errors
/// What the operating system says.
pub async fn save(home: &Path, pictures: Vec<Picture>) -> io::Result<()> {
    let path = home.join(FILE);
    let saved = tokio::task::spawn_blocking(move || {
        if pictures.is_empty() {
            return match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        write_private(&path, &serde_json::to_string(&pictures)?)
    });
    saved.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    use super::*;
    use crate::outbox::{FrameReport, FrameState};

    #[tokio::test]
    async fn what_is_noted_comes_back_whole() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(load(home.path()).await, []);
        save(home.path(), Vec::new()).await.unwrap();
        let report = FrameReport {
            frame: -3,
            path: "/shots/3 ü.png".to_owned(),
            state: FrameState::Ok,
            rendered_at: DateTime::<Utc>::from_timestamp(1_700_000_000, 5_000).unwrap(),
            existing: false,
            render_ms: Some(1),
            save_ms: None,
            peak_memory: None,
            file_size: Some(2),
            width: None,
            height: None,
            engine: None,
            samples: None,
            message: None,
        };
        let picture = |report| Picture { task: Uuid::from_u128(7), path: "/shots/3 ü.png".into(), report };
        let pictures = [picture(Some(report)), picture(None)];
        save(home.path(), pictures.to_vec()).await.unwrap();
        assert_eq!(load(home.path()).await, pictures);
        std::fs::write(home.path().join(FILE), "{").unwrap();
        assert_eq!(load(home.path()).await, []);
        save(home.path(), Vec::new()).await.unwrap();
        assert!(!home.path().join(FILE).exists());
    }
}
