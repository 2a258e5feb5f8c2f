//! Measures the store, or a whole manager with it:
//!
//! ```sh
//! cargo run --release -p flamenco-shaman --example measure -- DIRECTORY [MEGABYTES [MANAGER]]
//! ```
//!
//! Writes 23 files of that size (2048 by default), with MANAGER 12, and 10,000 small ones below DIRECTORY, and removes
//! them again. With MANAGER, the path of the program, uploads and checkouts go through its HTTP API on loopback.

mod http;
mod memory;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use flamenco_shaman::{
    CheckoutFile, CheckoutPath, CheckoutRequest, Checksum, Identity, NameRules, RelativePath, Settings,
    Store, Upload,
};
use futures_util::{Stream, stream};
use rand::RngCore;
use sha2::{Digest, Sha256};

use http::Manager;

type Anything = Box<dyn std::error::Error + Send + Sync>;

const MEGABYTE: u64 = 1_000_000;
/// What a web server hands on at a time, in bytes.
const PART: usize = 64 << 10;

#[tokio::main]
async fn main() -> Result<(), Anything> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("usage: measure DIRECTORY [MEGABYTES [MANAGER]]")?;
    let size = arguments.next().map_or(Ok(2048), |text| text.parse::<u64>())? * MEGABYTE;
    let manager = arguments.next().map(PathBuf::from);
    let place = tempfile::tempdir_in(directory)?;
    let source = place.path().join("source");
    fill(&source, size)?;

    let sha256sum = best_of(3, || run_sha256sum(&source))?;
    let ours = best_of(3, || variant_of(&source, 0).map(drop))?;
    let disk = best_of(2, || copy_to_disk(&source, &place.path().join("copy")))?;
    println!("sha256sum                 {}", speed(size, sha256sum));
    println!("hashing in this program   {}", speed(size, ours));
    println!("writing and flushing      {}", speed(size, disk));

    // The slower of the two is what an upload is compared with.
    let limit = sha256sum.max(disk);
    if let Some(program) = manager {
        let manager = Manager::start(&program, place.path())?;
        let stored = place.path().join("storage/file-store/stored");
        manager.measure_uploads(&source, size, limit, &stored)?;
        let files = put_small_files(&place.path().join("storage")).await?;
        return manager.measure_checkouts(&files);
    }

    let store = Store::open(place.path().join("storage"), Settings::default()).await?;
    let one = measure_uploads(&store, &source, size, 1..2).await?;
    println!(
        "one upload                {}, {:.0} % of the target's base",
        speed(size, one),
        percent(limit, one)
    );
    let mut in_turn = Duration::ZERO;
    for variant in 2..12 {
        in_turn += measure_uploads(&store, &source, size, variant..variant + 1).await?;
    }
    println!("ten one after another     {}", speed(10 * size, in_turn));
    let before = memory::reset_peak("self")?;
    let ten = measure_uploads(&store, &source, size, 12..22).await?;
    let after = memory::peak("self")?;
    println!("ten uploads at once       {}, {:.0} % of that", speed(10 * size, ten), percent(in_turn, ten));
    println!("memory with ten uploads   {:.1} MB more (peak {:.1} MB)", after - before, after);
    drop(store);
    fs::remove_dir_all(place.path().join("storage"))?;
    measure_checkout(&place.path().join("storage")).await
}

fn best_of(times: usize, mut work: impl FnMut() -> Result<(), Anything>) -> Result<Duration, Anything> {
    let mut best = Duration::MAX;
    for _ in 0..times {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

fn speed(bytes: u64, took: Duration) -> String {
    format!("{:7.0} MB/s ({:.2} s)", bytes as f64 / MEGABYTE as f64 / took.as_secs_f64(), took.as_secs_f64())
}

fn percent(base: Duration, took: Duration) -> f64 {
    100.0 * base.as_secs_f64() / took.as_secs_f64()
}

fn fill(path: &Path, size: u64) -> Result<(), Anything> {
    let mut block = vec![0; MEGABYTE as usize];
    rand::rng().fill_bytes(&mut block);
    let mut file = File::create(path)?;
    for number in 0..size / MEGABYTE {
        block[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&block)?;
    }
    Ok(file.sync_all()?)
}

fn run_sha256sum(path: &Path) -> Result<(), Anything> {
    let done = Command::new("sha256sum").arg(path).output()?;
    if done.status.success() { Ok(()) } else { Err("sha256sum failed".into()) }
}

/// The identity of the file with its first bytes replaced by a number.
fn variant_of(path: &Path, variant: u64) -> Result<Identity, Anything> {
    let mut file = File::open(path)?;
    let mut block = vec![0; 1 << 20];
    let (mut sum, mut size) = (Sha256::new(), 0);
    loop {
        let length = file.read(&mut block)?;
        if length == 0 {
            return Ok(Identity { checksum: Checksum::from_bytes(sum.finalize().into()), size });
        }
        if size == 0 {
            block[..8].copy_from_slice(&variant.to_le_bytes());
        }
        sum.update(&block[..length]);
        size += length as u64;
    }
}

fn copy_to_disk(source: &Path, copy: &Path) -> Result<(), Anything> {
    let (mut from, mut to) = (File::open(source)?, File::create(copy)?);
    let mut block = vec![0; 1 << 20];
    loop {
        let length = from.read(&mut block)?;
        if length == 0 {
            break;
        }
        to.write_all(&block[..length])?;
    }
    to.sync_all()?;
    Ok(fs::remove_file(copy)?)
}

fn body(source: Arc<File>, variant: u64) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold(0_u64, move |offset| {
        let source = source.clone();
        async move {
            // From the page cache, as quick as a local network.
            let mut part = vec![0; PART];
            let length = source.read_at(&mut part, offset)?;
            part.truncate(length);
            if offset == 0 {
                part[..8].copy_from_slice(&variant.to_le_bytes());
            }
            Ok((length > 0).then(|| (Bytes::from(part), offset + length as u64)))
        }
    })
}

async fn measure_uploads(
    store: &Store,
    source: &Path,
    size: u64,
    variants: std::ops::Range<u64>,
) -> Result<Duration, Anything> {
    let mut identities = Vec::new();
    for variant in variants {
        identities.push((variant, variant_of(source, variant)?));
    }
    let source = Arc::new(File::open(source)?);
    let start = Instant::now();
    let uploads = identities.into_iter().map(|(variant, identity)| {
        let (store, source) = (store.clone(), source.clone());
        let upload = Upload { identity, can_defer: false, original_name: None, content_length: Some(size) };
        tokio::spawn(async move { store.upload(upload, body(source, variant)).await })
    });
    for upload in uploads.collect::<Vec<_>>() {
        upload.await??;
    }
    Ok(start.elapsed())
}

/// Stores 10,000 small files, and gives their paths in a checkout.
async fn put_small_files(root: &Path) -> Result<Vec<(String, Identity)>, Anything> {
    let quick = Store::open(root, Settings { flush: false, ..Settings::default() }).await?;
    let mut files = Vec::new();
    let start = Instant::now();
    for number in 0..10_000 {
        let content = format!("file {number}");
        let checksum = Checksum::from_bytes(Sha256::digest(&content).into());
        let identity = Identity { checksum, size: content.len() as u64 };
        let upload = Upload { identity, can_defer: false, original_name: None, content_length: None };
        quick.upload(upload, stream::iter([Ok::<_, std::io::Error>(Bytes::from(content))])).await?;
        files.push((format!("textures/{:03}/{number}.png", number / 100), identity));
    }
    println!("10,000 small uploads      {:.2} s, not flushed", start.elapsed().as_secs_f64());
    // The small files are on disk before the clock starts.
    Command::new("sync").status()?;
    Ok(files)
}

async fn measure_checkout(root: &Path) -> Result<(), Anything> {
    let mut files = Vec::new();
    for (path, identity) in put_small_files(root).await? {
        files.push(CheckoutFile { identity, path: RelativePath::parse(&path, NameRules::Portable)? });
    }
    let store = Store::open(root, Settings::default()).await?;
    for round in 1..=3 {
        let path = CheckoutPath::parse(&format!("round {round}"), NameRules::Portable)?;
        let (files, names, now) = (files.clone(), NameRules::Portable, SystemTime::now());
        let start = Instant::now();
        let made = store.checkout(CheckoutRequest { path, files, names, now }).await?;
        let took = start.elapsed().as_secs_f64();
        println!("checkout of {} files   {took:.2} s ({}), flushed", made.files, made.links);
    }
    Ok(())
}
