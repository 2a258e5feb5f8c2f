//! Finds a manager on the local network, for a worker that was told of none.
//!
//! Whoever answers the search is asked for its version, all at the same time; the first that answers like a manager is
//! taken. What does not answer is asked again when it is announced again, as it may just be starting.
//!
//! A manager that was found so may come back at another address, after a power cut for example: a worker that cannot
//! reach it for a while searches again, and takes no other manager than that one.

use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::time::Duration;

/// Where searches are sent to.
pub use flamenco_ssdp::GROUP as DISCOVERY_GROUP;
use flamenco_ssdp::{GROUP, MANAGER, Search};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Pace;
use crate::manager_api::{Manager, manager_name};

/// How long a manager may take to tell its version. An address that leads nowhere should not hold up the others.
const PROBE_LIMIT: Duration = Duration::from_secs(3);
/// Addresses that are asked at the same time; whoever sends more answers than this is no manager.
const MAX_PROBES: usize = 32;
/// Addresses that are remembered for the message that nobody answered.
const MAX_HEARD: usize = 8;
/// How often a manager has to be silent before it counts as lost.
const LOOKS: u32 = 3;

/// Why no manager was found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The network cannot be used.
    #[error("cannot search for a manager on this network: {0}; start with -manager http://<host>:8080/")]
    Network(std::io::Error),
    /// Nobody who answers is a manager.
    #[error(
        "no manager was found on this network within {} s{}; start with -manager http://<host>:8080/",
        .limit.as_secs(),
        heard_of(.heard)
    )]
    Nobody {
        /// How long it was searched.
        limit: Duration,
        /// URLs that were announced, but did not answer like a manager.
        heard: Vec<String>,
    },
}

fn heard_of(heard: &[String]) -> String {
    match heard {
        [] => String::new(),
        heard => format!(" (announced, but not answering: {})", heard.join(", ")),
    }
}

/// Searches for a manager and gives its URL, with a slash at its end. Needs a tokio runtime.
///
/// # Errors
/// When the network cannot be used, or nobody answers within `limit`.
pub async fn find_manager(limit: Duration) -> Result<String, DiscoveryError> {
    let search = Search::new(MANAGER, GROUP).map_err(DiscoveryError::Network)?;
    find(search, limit, None).await
}

/// Searches again, on this group, whenever the manager cannot be reached for [`Pace::lost_after`]. Until cancelled.
pub async fn follow(manager: &Manager, group: SocketAddrV4, pace: &Pace, cancel: &CancellationToken) {
    let follow = async {
        loop {
            if lost(manager, pace.lost_after).await {
                tracing::warn!(
                    url = manager.url(),
                    "the manager cannot be reached; searching the network for it"
                );
                search_again(manager, group, pace.lost_after).await;
            }
        }
    };
    cancel.run_until_cancelled(follow).await;
}

/// Looks at the manager for that long, some times; tells whether it never answered.
async fn lost(manager: &Manager, limit: Duration) -> bool {
    for _ in 0..LOOKS {
        sleep(limit / LOOKS).await;
        if probe(manager.url()).await.1.is_some() {
            return false;
        }
    }
    true
}

async fn search_again(manager: &Manager, group: SocketAddrV4, limit: Duration) {
    let search = match Search::new(MANAGER, group) {
        Ok(search) => search,
        Err(error) => return tracing::warn!(%error, "cannot search the network for the manager"),
    };
    match find(search, limit, Some(manager)).await {
        Ok(url) if url == manager.url() => {}
        Ok(url) => match manager.move_to(&url) {
            Ok(()) => tracing::info!(url, "going on with the manager at this address"),
            Err(error) => tracing::warn!(url, %error, "the manager's new address cannot be used"),
        },
        Err(error) => tracing::debug!(%error, "the manager was not found; it may come back where it was"),
    }
}

/// Gives the URL of the first manager that answers; if this worker has lost one, of that one.
async fn find(mut search: Search, limit: Duration, lost: Option<&Manager>) -> Result<String, DiscoveryError> {
    tracing::info!("searching the network for a manager");
    let end = tokio::time::Instant::now() + limit;
    let (mut asking, mut heard) = (HashSet::new(), Vec::new());
    let mut probes = FuturesUnordered::new();
    loop {
        tokio::select! {
            location = search.next() => {
                let Some(url) = base_url(&location) else { continue };
                if !heard.contains(&url) && heard.len() < MAX_HEARD {
                    heard.push(url.clone());
                }
                if asking.len() < MAX_PROBES && asking.insert(url.clone()) {
                    probes.push(look_at(url, lost));
                }
            }
            Some((url, found)) = probes.next() => match found {
                Found::Manager(name) => {
                    tracing::info!(%url, name, "manager found");
                    return Ok(url);
                }
                Found::Unwanted => {}
                Found::Nobody => {
                    asking.remove(&url);
                }
            },
            () = tokio::time::sleep_until(end) => return Err(DiscoveryError::Nobody { limit, heard }),
        }
    }
}

/// Who is at an announced URL.
enum Found {
    Manager(String),
    /// A manager, but not the one that was lost.
    Unwanted,
    Nobody,
}

async fn look_at(url: String, lost: Option<&Manager>) -> (String, Found) {
    let (url, Some(name)) = probe(url.clone()).await else { return (url, Found::Nobody) };
    let Some(lost) = lost else { return (url, Found::Manager(name)) };
    let found = match lost.is_the_same(&url, &name).await {
        Ok(true) => Found::Manager(name),
        Ok(false) => {
            tracing::warn!(
                url,
                name,
                "this is another manager than the one that knows this worker; not going there"
            );
            Found::Unwanted
        }
        Err(error) => {
            tracing::warn!(url, name, %error, "cannot tell whether this manager knows this worker");
            Found::Nobody
        }
    };
    (url, found)
}

/// The URL with `/` for its path.
fn base_url(location: &str) -> Option<String> {
    let uri: http::Uri = location.parse().ok()?;
    let authority = uri.authority().filter(|authority| !authority.host().is_empty())?;
    Some(format!("{}://{authority}/", uri.scheme_str()?))
}

/// The name of the manager at that URL, if there is one.
async fn probe(url: String) -> (String, Option<String>) {
    let name = match tokio::time::timeout(PROBE_LIMIT, manager_name(&url)).await {
        Ok(Ok(name)) => Some(name),
        Ok(Err(error)) => {
            tracing::debug!(url, %error, "this was announced, but does not answer like a manager");
            None
        }
        Err(_) => {
            tracing::debug!(url, "this was announced, but does not answer in time");
            None
        }
    };
    (url, name)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
    use std::time::Instant;

    use axum::Json;
    use axum::http::StatusCode;
    use axum::routing::get;
    use flamenco_ssdp::{Announcement, Responder};
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio_util::sync::{CancellationToken, DropGuard};

    use super::*;
    use crate::credentials::Credentials;

    /// Announces these on a group of its own, so that no other manager is found. Ends with the guard.
    fn announce(locations: Vec<String>) -> (Search, DropGuard) {
        let free = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let group = SocketAddrV4::new(*GROUP.ip(), free.local_addr().unwrap().port());
        drop(free);
        let cancel = CancellationToken::new();
        let responder = Responder::bind(MANAGER, group).unwrap();
        let announcement =
            Announcement { locations: Box::new(move |_| locations.clone()), server: "test".into() };
        tokio::spawn(responder.run(announcement, cancel.clone()));
        (Search::new(MANAGER, group).unwrap(), cancel.drop_guard())
    }

    /// Answers like a manager.
    async fn manager() -> String {
        manager_named("Barn", StatusCode::NO_CONTENT).await
    }

    /// With this name, and this answer to workers.
    async fn manager_named(name: &str, to_workers: StatusCode) -> String {
        let version = json!({ "name": name, "version": "3.9", "shortversion": "3.9", "git": "x" });
        let state = (to_workers, Json(json!({ "code": to_workers.as_u16(), "message": "as told" })));
        let app = axum::Router::new()
            .route("/api/v3/version", get(|| async { Json(version) }))
            .route("/api/v3/worker/state", get(|| async { state }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        url
    }

    #[tokio::test]
    async fn a_manager_is_found_behind_addresses_that_lead_nowhere() {
        let manager = manager().await;
        // Accepts connections and never says anything.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = format!("http://{}/upnp/description.xml", silent.local_addr().unwrap());
        let closed = "http://127.0.0.1:9/upnp/description.xml".to_owned();
        let (search, _guard) = announce(vec![closed, silent, format!("{manager}upnp/description.xml")]);
        let started = Instant::now();
        assert_eq!(find(search, Duration::from_secs(30), None).await.unwrap(), manager);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn what_was_heard_is_told_when_nobody_answers() {
        let (search, _guard) = announce(vec!["http://127.0.0.1:9/upnp/description.xml".into()]);
        let error = find(search, Duration::from_secs(5), None).await.unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:9/") && error.contains("-manager"), "{error}");
        let (search, _guard) = announce(Vec::new());
        let error = find(search, Duration::from_secs(1), None).await.unwrap_err().to_string();
        assert!(!error.contains("announced"), "{error}");
    }

    #[tokio::test]
    async fn a_manager_that_comes_back_elsewhere_is_found_again() {
        let (old, new) = (manager().await, manager().await);
        let (search, _guard) = announce(vec![format!("{new}upnp/description.xml")]);
        let lost = Manager::new("http://127.0.0.1:9/", "1").unwrap();
        let pace = Pace { lost_after: Duration::from_millis(300), ..Pace::default() };
        let cancel = CancellationToken::new();
        tokio::join!(follow(&lost, search.group(), &pace, &cancel), async {
            while lost.url() != new {
                sleep(Duration::from_millis(20)).await;
            }
            cancel.cancel();
        });
        // One that answers is left alone.
        let there = Manager::new(&old, "1").unwrap();
        let cancel = CancellationToken::new();
        tokio::join!(follow(&there, search.group(), &pace, &cancel), async {
            sleep(Duration::from_secs(2)).await;
            cancel.cancel();
        });
        assert_eq!(there.url(), old);
    }

    #[tokio::test]
    async fn a_registered_worker_goes_to_no_other_manager() {
        let old = manager().await;
        let same_name = manager_named("Barn", StatusCode::FORBIDDEN).await;
        let other_name = manager_named("Attic", StatusCode::NO_CONTENT).await;
        let others = [&same_name, &other_name].map(|url| format!("{url}upnp/description.xml"));
        let credentials = Credentials { worker_id: "id".to_owned(), worker_secret: "secret".to_owned() };
        let registered = async || {
            let manager = Manager::new(&old, "1").unwrap();
            manager.use_credentials(&credentials);
            manager.learn_features().await.unwrap();
            manager.move_to("http://127.0.0.1:9/").unwrap();
            manager
        };
        let lost = registered().await;
        let (search, _guard) = announce(others.to_vec());
        search_again(&lost, search.group(), Duration::from_secs(4)).await;
        assert_eq!(lost.url(), "http://127.0.0.1:9/");

        let mut all = others.to_vec();
        all.push(format!("{}upnp/description.xml", manager().await));
        let right = base_url(&all[2]).unwrap();
        let (search, _guard) = announce(all);
        search_again(&lost, search.group(), Duration::from_secs(20)).await;
        assert_eq!(lost.url(), right);
    }

    #[test]
    fn base_urls() {
        for (location, url) in [
            ("http://10.0.0.1:8080/upnp/description.xml", Some("http://10.0.0.1:8080/")),
            ("http://[fd00::2]:8080/x?y", Some("http://[fd00::2]:8080/")),
            ("https://farm/", Some("https://farm/")),
            ("/upnp/description.xml", None),
            ("http:///x", None),
            ("nonsense", None),
        ] {
            assert_eq!(base_url(location).as_deref(), url, "{location}");
        }
    }
}
