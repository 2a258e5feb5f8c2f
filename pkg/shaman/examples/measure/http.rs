//! The same through a manager: its HTTP API, on loopback.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flamenco_shaman::Identity;
use serde_json::{Value, json};

use crate::{Anything, memory, percent, speed, variant_of};

/// A manager that ends with this.
pub struct Manager {
    process: Child,
    address: SocketAddr,
}

impl Drop for Manager {
    fn drop(&mut self) {
        // It is only measured; nothing of it is kept.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Manager {
    /// Starts one with its storage in `folder`, and waits for its first answer.
    pub fn start(program: &Path, folder: &Path) -> Result<Self, Anything> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let settings = format!(
            "_meta: {{ version: 3 }}\nlisten: {address}\nautodiscoverable: false\nshared_storage_path: storage\n"
        );
        fs::write(folder.join("flamenco-manager.yaml"), settings)?;
        let mut command = Command::new(fs::canonicalize(program)?);
        command.arg("-quiet").current_dir(folder).stdin(Stdio::null());
        let manager = Self { process: command.spawn()?, address };
        let deadline = Instant::now() + Duration::from_secs(30);
        while manager.json("GET", "/api/v3/version", &Value::Null).is_err() {
            if Instant::now() > deadline {
                return Err("the manager does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(manager)
    }

    fn json(&self, method: &str, path: &str, body: &Value) -> Result<Value, Anything> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut connection = TcpStream::connect(self.address)?;
        let length = body.len();
        write!(
            connection,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )?;
        let (status, body) = answer(connection)?;
        if status == 200 { Ok(serde_json::from_str(&body)?) } else { Err(format!("{status} {body}").into()) }
    }

    /// Sends the file with its first bytes replaced by a number. The kernel moves the rest, so that little of the
    /// time is that of the client.
    fn upload(&self, source: &Path, variant: u64, identity: Identity) -> Result<(), Anything> {
        let mut file = File::open(source)?;
        let mut connection = TcpStream::connect(self.address)?;
        let Identity { checksum, size } = identity;
        write!(
            connection,
            "POST /api/v3/shaman/files/{checksum}/{size} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n"
        )?;
        connection.write_all(&variant.to_le_bytes())?;
        file.seek(SeekFrom::Start(8))?;
        io::copy(&mut file, &mut connection)?;
        match answer(connection)? {
            (204, _) => Ok(()),
            (status, body) => Err(format!("{status} {body}").into()),
        }
    }

    /// Uploads variants of a file at the same time.
    fn uploads(&self, source: &Path, variants: std::ops::Range<u64>) -> Result<Duration, Anything> {
        let mut identities = Vec::new();
        for variant in variants {
            identities.push((variant, variant_of(source, variant)?));
        }
        let start = Instant::now();
        std::thread::scope(|scope| {
            let uploads: Vec<_> = identities
                .into_iter()
                .map(|(variant, identity)| scope.spawn(move || self.upload(source, variant, identity)))
                .collect();
            uploads.into_iter().try_for_each(|upload| upload.join().map_err(|_| "an upload panicked")?)
        })?;
        Ok(start.elapsed())
    }

    /// Single uploads, ten in turn, ten at once, and what memory they take. `limit` is the time that the slower of
    /// hashing and writing takes.
    pub fn measure_uploads(
        &self,
        source: &Path,
        size: u64,
        limit: Duration,
        stored: &Path,
    ) -> Result<(), Anything> {
        let mut one = Duration::MAX;
        let mut in_turn = Duration::ZERO;
        for variant in 1..11 {
            let took = self.uploads(source, variant..variant + 1)?;
            one = one.min(took);
            in_turn += took;
            // Ten more are to come, and disks are small.
            fs::remove_dir_all(stored)?;
        }
        println!(
            "HTTP, one upload          {}, {:.0} % of the target's base",
            speed(size, one),
            percent(limit, one)
        );
        println!("HTTP, ten in turn         {}", speed(10 * size, in_turn));
        let process = self.process.id().to_string();
        let before = memory::reset_peak(&process)?;
        let ten = self.uploads(source, 11..21)?;
        let after = memory::peak(&process)?;
        println!(
            "HTTP, ten at once         {}, {:.0} % of that",
            speed(10 * size, ten),
            percent(in_turn, ten)
        );
        println!("memory with ten uploads   {:.1} MB more (peak {after:.1} MB)", after - before);
        Ok(())
    }

    /// Requirements and checkouts of many files that are stored.
    pub fn measure_checkouts(&self, files: &[(String, Identity)]) -> Result<(), Anything> {
        let files = files.iter().map(|(path, identity)| {
            json!({ "sha": identity.checksum.to_string(), "size": identity.size, "path": path })
        });
        let files: Value = files.collect();
        let count = files.as_array().map_or(0, Vec::len);
        let start = Instant::now();
        let missing =
            self.json("POST", "/api/v3/shaman/checkout/requirements", &json!({ "files": files }))?;
        println!("HTTP, requirements        {:.2} s, {count} files", start.elapsed().as_secs_f64());
        if missing != json!({ "files": [] }) {
            return Err(format!("some files are missing: {missing}").into());
        }
        for round in 1..=3 {
            let body = json!({ "files": files, "checkoutPath": format!("http {round}") });
            let start = Instant::now();
            self.json("POST", "/api/v3/shaman/checkout/create", &body)?;
            println!("HTTP, checkout            {:.2} s, {count} files", start.elapsed().as_secs_f64());
        }
        Ok(())
    }
}

/// Status and body of an answer in a connection that ends with it.
fn answer(mut connection: TcpStream) -> Result<(u16, String), Anything> {
    let mut text = String::new();
    connection.read_to_string(&mut text)?;
    let status = text.split(' ').nth(1).ok_or("no status line")?.parse()?;
    let (_, body) = text.split_once("\r\n\r\n").ok_or("no end of headers")?;
    Ok((status, body.to_owned()))
}
