//! Uploads to the file store: whole, broken, at the same time, and not wanted.

use std::fs;
use std::path::PathBuf;

use flamenco_testkit::{Method, TestManager};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::eventually;
use crate::shaman::{
    REQUIREMENTS, SOON, address, blob, check_out, files_below, put, send, shared, spec, status, sum,
    uploading,
};

#[tokio::test]
async fn headers_of_an_upload() {
    let farm = TestManager::sqlite().start().await;
    const DEFER: &str = "X-Shaman-Can-Defer-Upload";
    let mut number = 0;
    let upload = |headers: &[(&str, &str)]| {
        number += 1;
        let content = format!("content {number}");
        let mut request =
            farm.request(Method::POST, &address(&content)).body("application/octet-stream", content);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send()
    };
    let mut upload = upload;
    upload(&[]).await.no_content();
    for value in ["1", "t", "T", "true", "True", "TRUE", "0", "f", "F", "false", "False", "FALSE"] {
        upload(&[(DEFER, value)]).await.no_content();
    }
    for wrong in [&[(DEFER, "yes")][..], &[(DEFER, "")], &[(DEFER, "True"), (DEFER, "True")]] {
        let message = upload(wrong).await.problem(400);
        assert!(message.contains(DEFER), "{message}");
    }
    for name in ["wood.png", "=?utf-8?q?r=C3=A1ni=C3=B0.png?=", "=?utf-8?q?broken", "=?x?y?z?="] {
        upload(&[("X-Shaman-Original-Filename", name)]).await.no_content();
    }
    farm.stop().await;
}

#[tokio::test]
async fn bodies_that_are_not_as_announced() {
    let farm = TestManager::sqlite().start().await;
    let path = address("content");
    let send = async |path: &str, body: &'static str| {
        farm.request(Method::POST, path).body("application/octet-stream", body).send().await
    };
    // With a length that differs, and without one.
    let message = send(&path, "content and more").await.problem(417);
    assert!(message.contains("16") && message.contains('7'), "{message}");
    let _ = send(&path, "con").await.problem(417);
    for (chunks, status) in [("7\r\ncontent\r\n1\r\n!\r\n0\r\n\r\n", 417), ("3\r\ncon\r\n0\r\n\r\n", 417)] {
        let head = "Host: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (got, body) = farm.verbatim(&format!("POST {path} HTTP/1.1\r\n{head}{chunks}")).await;
        assert_eq!(got, status, "{body}");
    }
    let message = send(&path, "CONTENT").await.problem(417);
    assert!(message.contains(&sum("content")) && message.contains(&sum("CONTENT")), "{message}");
    assert_eq!(status(&farm, "content").await, "unknown");
    assert_eq!(uploading(&farm), Vec::<PathBuf>::new());
    assert_eq!(files_below(&shared(&farm).join("file-store/stored")), Vec::<PathBuf>::new());

    // The right body is taken in every way of sending it.
    let chunked =
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(farm.verbatim(&format!("{chunked}3\r\ncon\r\n4\r\ntent\r\n0\r\n\r\n")).await.0, 204);
    let upper = format!("/api/v3/shaman/files/{}/5", sum("upper").to_uppercase());
    farm.request(Method::POST, &upper).body("text/plain", "upper").send().await.no_content();
    assert_eq!(status(&farm, "upper").await, "stored");
    put(&farm, "").await;
    assert_eq!(fs::metadata(blob(&farm, "")).unwrap().len(), 0);
    let none = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(farm.verbatim(&format!("POST {} {none}", address(""))).await.0, 208);
    let empty = check_out(&farm, "empty", &[spec("nothing.txt", "")]).await;
    assert_eq!(empty.status, 200);
    assert_eq!(fs::read(shared(&farm).join("jobs/empty/nothing.txt")).unwrap(), b"");
    farm.stop().await;
}

#[tokio::test]
async fn a_large_body_that_is_not_wanted_does_not_break_the_connection() {
    let farm = TestManager::sqlite().start().await;
    let content = "x".repeat(20_000_000);
    put(&farm, &content).await;
    for _ in 0..3 {
        assert_eq!(send(&farm, &content).await.status, 208);
    }
    let _ = farm
        .request(Method::POST, &address("small"))
        .body("application/octet-stream", content.clone())
        .send()
        .await
        .problem(417);
    // Who waits for the word to send gets the answer instead of it.
    let head = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n";
    for (path, length, wanted) in [(address(&content), content.len(), 208), (address("small"), 9, 417)] {
        let request = format!("POST {path} {head}Content-Length: {length}\r\n\r\n");
        assert_eq!(farm.verbatim(&request).await.0, wanted, "at once, without a 100");
    }
    farm.stop().await;
}

/// An upload that has sent a part of its body.
async fn half(farm: &TestManager, content: &str, part: usize) -> TcpStream {
    let mut connection = TcpStream::connect(farm.address()).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        address(content),
        content.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&content.as_bytes()[..part]).await.unwrap();
    eventually("the upload has begun", SOON, async || status(farm, content).await == "uploading").await;
    connection
}

async fn rest(mut connection: TcpStream, rest: &str) -> String {
    connection.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer.split_whitespace().nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn several_uploads_of_one_file() {
    let farm = TestManager::sqlite().start().await;
    let content = "shared content ".repeat(10_000);
    let (one, two) = (half(&farm, &content, 100).await, half(&farm, &content, 5000).await);
    let files = json!({ "files": [spec("a", &content)] });
    let missing = farm.post(REQUIREMENTS, &files).await.expect(200).json();
    assert_eq!(missing["files"][0]["status"], "uploading");
    // One goes away in the middle; that is no success for the other.
    drop(one);
    let three = half(&farm, &content, 7).await;
    assert_eq!(rest(two, &content[5000..]).await, "204");
    assert_eq!(rest(three, &content[7..]).await, "208");
    assert_eq!(status(&farm, &content).await, "stored");
    assert_eq!(fs::read_to_string(blob(&farm, &content)).unwrap(), content);
    eventually("nothing is left", SOON, async || uploading(&farm).is_empty()).await;

    // Many at a time: one file, no failure.
    let other = "other content ".repeat(100_000);
    let mut uploads = Vec::new();
    for _ in 0..8 {
        uploads.push(send(&farm, &other));
    }
    let statuses: Vec<u16> =
        futures_util::future::join_all(uploads).await.into_iter().map(|reply| reply.status).collect();
    assert!(
        statuses.contains(&204) && statuses.iter().all(|status| matches!(status, 204 | 208)),
        "{statuses:?}"
    );
    assert_eq!(uploading(&farm), Vec::<PathBuf>::new());
    farm.stop().await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let mut farm = TestManager::sqlite().start().await;
    let content = "broken ".repeat(100_000);
    let connection = half(&farm, &content, 300_000).await;
    drop(connection);
    eventually("it is forgotten", SOON, async || status(&farm, &content).await == "unknown").await;
    assert_eq!(uploading(&farm), Vec::<PathBuf>::new());

    // Neither does one that the manager did not survive.
    let connection = half(&farm, &content, 300_000).await;
    farm.kill();
    drop(connection);
    let sum = sum(&content);
    let folder = shared(&farm).join(format!("file-store/uploading/{}/{}", &sum[..2], &sum[2..]));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{}-123456789.tmp", content.len())), "half").unwrap();
    farm.start_again().await;
    eventually("it is removed", SOON, async || uploading(&farm).is_empty()).await;
    assert_eq!(status(&farm, &content).await, "unknown");
    put(&farm, &content).await;
    farm.stop().await;
}

#[tokio::test]
async fn waiting_is_only_asked_of_clients_when_it_is_set_up() {
    let content = "wanted by two";
    for (setting, status) in [("deferUploads: true", 425), ("deferUploads: false", 204)] {
        let farm = TestManager::sqlite().with_yaml(&format!("shaman: {{ {setting} }}")).start().await;
        let first = half(&farm, content, 3).await;
        let second = farm.request(Method::POST, &address(content)).body("application/octet-stream", content);
        let reply = second.header("X-Shaman-Can-Defer-Upload", "True").send().await;
        assert_eq!(reply.status, status, "{setting}");
        drop(first);
        farm.stop().await;
    }
}
