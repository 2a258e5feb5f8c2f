//! What is served beside the API, and the flags for development.

use std::time::{Duration, Instant};

use flamenco_manager_core::Development;
use flamenco_ssdp::{GROUP, MANAGER, Search};
use flamenco_testkit::{Builder, Method};

use crate::eventually;

on_each_database!(
    the_network_is_told_where_it_is,
    without_discovery_nothing_is_told,
    other_origins_are_allowed_only_for_development,
    profiles_are_there_only_when_asked_for,
    answers_are_late_only_when_asked_for,
);

async fn the_network_is_told_where_it_is(farm: Builder) {
    let farm = farm.with_yaml("autodiscoverable: true\nmanager_name: Barn & Co").start().await;
    let reply = farm.get("/upnp/description.xml").await.expect(200);
    assert!(reply.header("content-type").starts_with("text/xml"), "{}", reply.header("content-type"));
    let xml = reply.text();
    for part in [
        "<friendlyName>Barn &amp; Co 1.2.3</friendlyName>",
        "<UDN>uuid:aa80bc5f-d0af-46b8-8630-23bd7e80ec4d</UDN>",
        "<presentationURL>/</presentationURL>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    // Others on this network may answer, too.
    let location = format!("{}/upnp/description.xml", farm.url());
    let mut search = Search::new(MANAGER, GROUP).unwrap();
    let found = async { while search.next().await != location {} };
    tokio::time::timeout(Duration::from_secs(20), found).await.expect("it is found");
    farm.stop().await;
}

async fn without_discovery_nothing_is_told(farm: Builder) {
    let farm = farm.start().await;
    assert_eq!(farm.get_verbatim("/upnp/description.xml").await.0, 404);
    farm.stop().await;
}

async fn other_origins_are_allowed_only_for_development(farm: Builder) {
    let origin = "http://localhost:8081";
    let farm = farm.with_parts(|parts| {
        parts.development = Development { allow_web_development: true, ..Development::default() };
    });
    let farm = farm.start().await;
    let ask = async |origin: &str| {
        let request = farm.request(Method::GET, "/api/v3/version").header("origin", origin);
        request.send().await.expect(200).header("access-control-allow-origin").to_owned()
    };
    assert_eq!(ask(origin).await, origin);
    assert_eq!(ask("http://127.0.0.1:8081").await, "http://127.0.0.1:8081", "where it listens");
    assert_eq!(ask("http://localhost:8080").await, "");
    assert_eq!(ask("http://elsewhere:8081").await, "");
    farm.stop().await;
    let farm = flamenco_testkit::TestManager::sqlite().start().await;
    let request = farm.request(Method::GET, "/api/v3/version").header("origin", origin);
    assert_eq!(request.send().await.expect(200).header("access-control-allow-origin"), "");
    farm.stop().await;
}

/// A process has one profiler.
static PROFILER: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn profiles_are_there_only_when_asked_for(farm: Builder) {
    let _alone = PROFILER.lock().await;
    let without = flamenco_testkit::TestManager::sqlite().start().await;
    assert_eq!(without.get_verbatim("/debug/pprof/profile?seconds=1").await.0, 404);
    without.stop().await;
    let farm =
        farm.with_parts(|parts| parts.development = Development { profiler: true, ..Development::default() });
    let farm = farm.start().await;
    assert!(farm.get_verbatim("/debug/pprof/").await.1.contains("profile?seconds=10"));
    for seconds in ["0", "301", "x", "-1"] {
        let (status, text) = farm.get_verbatim(&format!("/debug/pprof/profile?seconds={seconds}")).await;
        assert_eq!(status, 400, "{text}");
    }
    let work = async {
        loop {
            drop(farm.get("/api/v3/openapi3.json").await);
        }
    };
    let profile = async {
        let first = farm.get_verbatim("/debug/pprof/profile?seconds=2");
        let second = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            farm.get_verbatim("/debug/pprof/profile?seconds=2").await
        };
        tokio::join!(first, second)
    };
    let ((status, graph), (refused, _)) = tokio::select! {
        graphs = profile => graphs,
        () = work => unreachable!(),
    };
    assert_eq!((status, refused), (200, 409), "one at a time");
    assert!(graph.contains("<svg") && graph.contains("tokio"), "a flame graph with names: {:.300}", graph);
    farm.stop().await;
}

async fn answers_are_late_only_when_asked_for(farm: Builder) {
    let farm =
        farm.with_parts(|parts| parts.development = Development { delay: true, ..Development::default() });
    let farm = farm.start().await;
    let slowest = std::cell::Cell::new(Duration::ZERO);
    eventually("an answer is late", Duration::from_secs(20), async || {
        let asked = Instant::now();
        drop(farm.get("/api/v3/version").await.expect(200));
        slowest.set(slowest.get().max(asked.elapsed()));
        slowest.get() > Duration::from_millis(150)
    })
    .await;
    farm.stop().await;
}
