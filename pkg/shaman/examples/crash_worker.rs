//! Uploads, checks out, erases and collects without end, until it is killed. Prints what the store reported as done.
//! The test `crash` runs it.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flamenco_shaman::{
    CheckoutFile, CheckoutPath, CheckoutRequest, Checksum, Error, GarbageRequest, Identity, NameRules,
    References, RelativePath, Settings, Store, Upload,
};
use futures_util::stream;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

type Anything = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Anything> {
    let mut arguments = std::env::args().skip(1);
    let (Some(root), Some(round)) = (arguments.next(), arguments.next()) else {
        return Err("usage: crash_worker STORAGE ROUND".into());
    };
    // Being killed loses nothing that was written, flushed or not; without flushing more happens in the time.
    let flush = round.parse::<u32>()? % 4 == 1;
    let store = Store::open(&root, Settings { flush, ..Settings::default() }).await?;
    println!("ready");
    let (one, two) = (store.clone(), store.clone());
    let uploads = tokio::spawn(upload_without_end(store, round.clone()));
    let checkouts = tokio::spawn(check_out_without_end(one, round, root.clone()));
    let garbage = tokio::spawn(collect_without_end(two, root));
    // None of them ends but with an error.
    tokio::select! {
        ended = uploads => ended?,
        ended = checkouts => ended?,
        ended = garbage => ended?,
    }
}

fn content(round: &str, number: u64) -> Vec<u8> {
    let size = 20 + (number * 7919) % 200_000;
    let mut content = format!("{round}/{number} ").repeat(1 + size as usize / 4).into_bytes();
    content.truncate(size as usize);
    content
}

async fn put(store: &Store, content: Vec<u8>) -> Result<Identity, Error> {
    let checksum = Checksum::from_bytes(Sha256::digest(&content).into());
    let identity = Identity { checksum, size: content.len() as u64 };
    let upload = Upload { identity, can_defer: false, original_name: None, content_length: None };
    let parts = content.chunks(50_000).map(|part| Ok::<_, Infallible>(Bytes::copy_from_slice(part)));
    store.upload(upload, stream::iter(parts.collect::<Vec<_>>())).await?;
    Ok(identity)
}

async fn upload_without_end(store: Store, round: String) -> Result<(), Anything> {
    for number in 0.. {
        let identity = put(&store, content(&round, number)).await?;
        say(&format!("stored {} {}", identity.checksum, identity.size))?;
    }
    Ok(())
}

async fn check_out_without_end(store: Store, round: String, root: String) -> Result<(), Anything> {
    for number in 0_u64.. {
        let mut files = Vec::new();
        for part in 0..5 {
            let identity = put(&store, content(&round, 1_000_000 + number * 3 + part)).await?;
            // Now and then old at once, so that only its use keeps it.
            if part == number % 8 {
                age(&root, identity).ok();
            }
            let path = RelativePath::parse(&format!("d{part}/file {number}"), NameRules::Portable)?;
            files.push(CheckoutFile { identity, path });
        }
        let path = CheckoutPath::parse(&format!("round {round}/{number}"), NameRules::Portable)?;
        match store
            .checkout(CheckoutRequest { path, files, names: NameRules::Portable, now: SystemTime::now() })
            .await
        {
            Ok(made) if number % 3 == 2 => {
                store.erase(made.path.as_str()).await?;
            }
            Ok(made) => say(&format!("checkout {}", made.path))?,
            // Collected before it was used, which is what garbage collection is for.
            Err(Error::MissingFiles(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn collect_without_end(store: Store, root: String) -> Result<(), Anything> {
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        age_everything(&root)?;
        let request = GarbageRequest {
            dry_run: false,
            now: SystemTime::now(),
            references: References::Unknown,
            cancel: CancellationToken::new(),
        };
        match store.collect_garbage(request).await {
            // No checkout has appeared yet.
            Ok(_) | Err(Error::Unsafe(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn long_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(100 * 24 * 3600)
}

fn age(root: &str, identity: Identity) -> std::io::Result<()> {
    let sum = identity.checksum.to_string();
    let blob = format!("file-store/stored/{}/{}/{}.blob", &sum[..2], &sum[2..], identity.size);
    File::open(Path::new(root).join(blob))?.set_modified(long_ago())
}

/// Makes every other stored file look unused.
fn age_everything(root: &str) -> std::io::Result<()> {
    for first in fs::read_dir(Path::new(root).join("file-store/stored"))? {
        let first = first?;
        if first.file_name().as_encoded_bytes().first().is_some_and(|digit| digit % 2 == 0) {
            continue;
        }
        let Ok(rests) = fs::read_dir(first.path()) else { continue };
        for rest in rests.flatten() {
            for blob in fs::read_dir(rest.path()).into_iter().flatten().flatten() {
                File::open(blob.path()).and_then(|file| file.set_modified(long_ago())).ok();
            }
        }
    }
    Ok(())
}

/// Says something in one piece, so that a kill leaves no half line that looks whole.
fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line};\n").as_bytes())?;
    out.flush()
}
