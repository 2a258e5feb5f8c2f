//! Managers, requests to them, and what is in their storage.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use flamenco_testkit::free_address;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PATIENCE: Duration = Duration::from_secs(60);

pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flamenco-manager"));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Writes a configuration for a manager on a free port, and gives its address.
pub fn configure(folder: &Path, shaman: &str) -> SocketAddr {
    let address = free_address();
    let yaml = format!(
        "_meta: {{ version: 3 }}\nlisten: {address}\nautodiscoverable: false\nshared_storage_path: storage\n\
         shaman: {{ {shaman} }}\n"
    );
    fs::write(folder.join("flamenco-manager.yaml"), yaml).unwrap();
    address
}

/// A process that is killed when it is dropped.
pub struct Running(pub Child);

impl Running {
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a manager and waits until it answers.
pub fn start(folder: &Path, address: SocketAddr) -> Running {
    start_with(folder, address, |_| {})
}

/// As [`start`], with a change to the command.
pub fn start_with(folder: &Path, address: SocketAddr, change: impl FnOnce(&mut Command)) -> Running {
    let log = File::options().create(true).append(true).open(folder.join("log.txt")).unwrap();
    let mut command = command(folder);
    change(&mut command);
    let mut running = Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    let deadline = Instant::now() + PATIENCE;
    while request(address, "GET", "/api/v3/version", b"").map_or(true, |(status, _)| status != 200) {
        let ended = running.0.try_wait().unwrap();
        let log = || fs::read_to_string(folder.join("log.txt")).unwrap();
        assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}\n{}", log());
        std::thread::sleep(Duration::from_millis(20));
    }
    running
}

/// Sends a request in a connection of its own: status and body.
pub fn request(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Value)> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let kind = if path.contains("/files/") { "application/octet-stream" } else { "application/json" };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes())?;
    // In pieces, so that there are moments in the middle of it.
    for piece in body.chunks(30_000) {
        connection.write_all(piece)?;
    }
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

pub fn sum(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn blob(folder: &Path, content: &[u8]) -> PathBuf {
    let sum = sum(content);
    let below = format!("storage/file-store/stored/{}/{}/{}.blob", &sum[..2], &sum[2..], content.len());
    folder.join(below)
}

/// Uploads a content.
pub fn put(address: SocketAddr, content: &[u8]) -> io::Result<u16> {
    let path = format!("/api/v3/shaman/files/{}/{}", sum(content), content.len());
    Ok(request(address, "POST", &path, content)?.0)
}

/// Checks these contents out; each gets its number as its name.
pub fn check_out(address: SocketAddr, path: &str, contents: &[Vec<u8>]) -> io::Result<(u16, Value)> {
    let files = contents.iter().enumerate().map(|(number, content)| {
        json!({ "sha": sum(content), "size": content.len(), "path": format!("d{}/file {number}", number % 2) })
    });
    let body = json!({ "checkoutPath": path, "files": files.collect::<Vec<_>>() });
    request(address, "POST", "/api/v3/shaman/checkout/create", body.to_string().as_bytes())
}

/// Makes a file look as if nobody had used it for long.
pub fn age(blob: &Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(100 * 24 * 3600);
    // It may have been collected meanwhile.
    if let Ok(file) = File::open(blob) {
        file.set_modified(long_ago).unwrap();
    }
}

/// Everything below a folder that is no folder; what vanishes meanwhile is left out.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found
}
