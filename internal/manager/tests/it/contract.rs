//! The API document and the manager: what one says, the other does.

use std::collections::BTreeSet;

use flamenco_testkit::api::Operation;
use flamenco_testkit::api::operations::OPERATIONS;
use flamenco_testkit::{Builder, Method, Reply, Request, TestManager};
use serde_json::Value;

use crate::UNKNOWN;

on_each_database!(every_operation_is_routed_and_the_unimplemented_ones_are_listed);

const DOCUMENT: &str = include_str!("../../../../openapi.yaml");
/// Operations that answer 501, one a line. It can only become shorter.
const UNIMPLEMENTED: &str = include_str!("unimplemented.txt");

fn document() -> Value {
    serde_yaml_ng::from_str(DOCUMENT).unwrap()
}

/// A path of an operation with something in place of its parameters.
pub(crate) fn filled(operation: &Operation, id: &str) -> String {
    let parts = operation.path.split('/').map(|part| match part {
        "{audience}" => "workers",
        "{platform}" => "linux",
        "{typeName}" => "echo-sleep-test",
        "{checksum}" => "35b0491c27b0333d1fb45fc0789a12ca06b1d640d2569780b807de504d7029e0",
        "{filesize}" => "1",
        part if part.starts_with('{') => id,
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Gives a request the body that the document has as example.
pub(crate) fn with_example(document: &Value, operation: &Operation, request: Request) -> Request {
    let content =
        &document["paths"][operation.path][operation.method.to_lowercase()]["requestBody"]["content"];
    let Some((kind, described)) = content.as_object().and_then(|all| all.iter().next()) else {
        return request;
    };
    match described.get("example") {
        Some(example) => request.json(example),
        None => request.body(kind, "x"),
    }
}

async fn every_operation_is_routed_and_the_unimplemented_ones_are_listed(farm: Builder) {
    let farm = farm.start().await;
    let (document, worker) = (document(), farm.worker("w").await);
    let mut unimplemented = BTreeSet::new();
    for operation in OPERATIONS {
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let request = farm.request(method, &filled(operation, UNKNOWN));
        let reply = with_example(&document, operation, request).as_worker(&worker).send().await;
        assert_ne!(reply.status, 405, "{}: {}", operation.id, reply.text());
        assert!(!reply.text().contains("there is nothing at"), "{}: {}", operation.id, reply.text());
        assert!(
            reply.status < 500 || reply.status == 501,
            "{}: {} {}",
            operation.id,
            reply.status,
            reply.text()
        );
        if reply.status == 501 {
            assert!(reply.problem(501).contains(operation.id));
            unimplemented.insert(operation.id);
        }
    }
    let lines =
        UNIMPLEMENTED.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let listed: Vec<&str> = lines.collect();
    assert!(listed.is_sorted(), "unimplemented.txt is not sorted");
    let listed: BTreeSet<&str> = listed.into_iter().collect();
    let done: Vec<_> = listed.difference(&unimplemented).collect();
    assert!(done.is_empty(), "implemented now, so take them out of unimplemented.txt: {done:?}");
    let missing: Vec<_> = unimplemented.difference(&listed).collect();
    assert!(missing.is_empty(), "these answer 501: {missing:?}");
    farm.stop().await;
}

#[test]
fn every_operation_of_the_document_is_known() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            if let Some(id) = operation.get("operationId") {
                described.insert((id.as_str().unwrap().to_owned(), method.to_uppercase(), path.clone()));
            }
        }
    }
    let known: BTreeSet<_> =
        OPERATIONS.iter().map(|op| (op.id.to_owned(), op.method.to_owned(), op.path.to_owned())).collect();
    assert_eq!(known, described);
    assert!(known.len() > 40);
}

#[tokio::test]
async fn the_document_is_served_as_it_is() {
    let farm = TestManager::sqlite().start().await;
    let json = farm.get("/api/v3/openapi3.json").await.expect(200);
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(json.json(), document());
    let yaml = farm.get("/api/v3/openapi3.yaml").await.expect(200);
    assert_eq!(yaml.text(), DOCUMENT);
    farm.stop().await;
}

/// Paths of the files that a page loads.
fn loaded_by(page: &Reply) -> Vec<String> {
    let text = page.text();
    let mut found = Vec::new();
    for attribute in ["href=\"", "src=\""] {
        for part in text.split(attribute).skip(1) {
            let link = part.split('"').next().unwrap().trim_start_matches("./");
            found.push(if link.starts_with('/') {
                link.to_owned()
            } else {
                format!("/api/v3/swagger-ui/{link}")
            });
        }
    }
    found
}

#[tokio::test]
async fn swagger_ui_loads_all_its_files() {
    let farm = TestManager::sqlite().start().await;
    let page = farm.get("/api/v3/swagger-ui/").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    let files = loaded_by(&page);
    assert!(files.len() >= 4, "{files:?}");
    for file in &files {
        assert!(!file.contains("://"), "nothing comes from elsewhere: {file}");
        let reply = farm.get(file).await.expect(200);
        assert!(!reply.body.is_empty(), "{file}");
    }
    let script = farm.get("/api/v3/swagger-ui/swagger-initializer.js").await.expect(200).text();
    assert!(script.contains("/api/v3/openapi3.json"), "{script}");
    farm.stop().await;
}
