//! How full the disks are that matter to a worker.

use std::path::Path;

use flamenco_api::types::{DiskPurpose, MachineDisk};

/// Only these: asking about every disk that is mounted would ask the dead ones too. Blocks.
pub fn measure_disks(output: Option<&Path>) -> Vec<MachineDisk> {
    let temp = std::env::temp_dir();
    let places = [
        (DiskPurpose::Root, Some(Path::new("/"))),
        (DiskPurpose::Temp, Some(temp.as_path())),
        (DiskPurpose::Output, output),
    ];
    places.into_iter().filter_map(|(purpose, path)| measure(purpose, path?)).collect()
}

fn measure(purpose: DiskPurpose, path: &Path) -> Option<MachineDisk> {
    let found = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(found.f_frsize)).unwrap_or(i64::MAX);
    let used = bytes(found.f_blocks.saturating_sub(found.f_bfree));
    // What only root may still use is full for everybody else.
    let total = used.saturating_add(bytes(found.f_bavail));
    (total > 0).then(|| MachineDisk { purpose, path: path.to_string_lossy().into_owned(), used, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let disks = measure_disks(Some(folder.path()));
        assert_eq!(disks.len(), 3, "{disks:?}");
        assert!(disks.iter().all(|disk| disk.used > 0 && disk.used <= disk.total), "{disks:?}");
        assert_eq!(measure_disks(Some(Path::new("/no/such/folder"))).len(), 2);
        assert_eq!(measure_disks(None).len(), 2);
    }
}
