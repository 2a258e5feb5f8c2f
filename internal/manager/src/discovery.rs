//! Where this manager can be reached, and telling so on the local network.

use std::net::SocketAddr;

use flamenco_ssdp::{Announcement, Description, GROUP, Interface, MANAGER, Responder};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::http::Versions;

/// Where the description is served.
pub(crate) const DESCRIPTION_PATH: &str = "upnp/description.xml";
/// The port of the development server of the web app.
const DEVELOPMENT_PORT: u16 = 8081;

/// The URLs of this manager. They follow the addresses of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Urls {
    /// Empty for all addresses.
    host: String,
    port: u16,
}

impl Urls {
    /// `address` is where the manager listens in fact.
    pub(crate) fn new(config: &Config, address: SocketAddr) -> Self {
        let host = match (address.ip().is_unspecified(), config.listen.host.is_empty()) {
            (true, _) => String::new(),
            (false, true) => address.ip().to_string(),
            (false, false) => config.listen.host.clone(),
        };
        Self { host, port: address.port() }
    }

    /// As they are now, best first; never empty.
    pub(crate) fn now(&self) -> Vec<String> {
        let interfaces = Interface::all().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot tell the addresses of this machine");
            Vec::new()
        });
        let mut urls = self.on(&interfaces, self.port);
        if urls.is_empty() {
            urls.push(format!("http://localhost:{}/", self.port));
        }
        urls
    }

    /// The best of them.
    pub(crate) fn first(&self) -> String {
        self.now().swap_remove(0)
    }

    fn on(&self, interfaces: &[Interface], port: u16) -> Vec<String> {
        flamenco_ssdp::own_urls(&self.host, port, interfaces)
    }

    /// The origins of pages that the development server of the web app serves on this machine.
    pub(crate) fn development_origins(&self) -> Vec<String> {
        let here = Self { host: self.host.clone(), port: DEVELOPMENT_PORT };
        let own = here.now().into_iter().map(|url| url.trim_end_matches('/').to_owned());
        let mut origins: Vec<String> = own.chain([format!("http://localhost:{DEVELOPMENT_PORT}")]).collect();
        origins.dedup();
        origins
    }
}

/// Announces the manager until `cancel`. Whether that works.
pub(crate) fn start(
    urls: Urls,
    versions: &Versions,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) -> bool {
    let responder = match Responder::bind(MANAGER, GROUP) {
        Ok(responder) => responder,
        Err(error) => {
            tracing::warn!(
                %error, port = GROUP.port(),
                "cannot announce this manager on the network; start workers with -manager {}", urls.first()
            );
            return false;
        }
    };
    let server = format!("{} UPnP/1.1 Flamenco/{}", std::env::consts::OS, versions.short);
    let port = urls.port;
    let locations = move |interfaces: &[Interface]| {
        let urls = urls.on(interfaces, port).into_iter();
        urls.map(|url| format!("{url}{DESCRIPTION_PATH}")).collect()
    };
    let announcement = Announcement { locations: Box::new(locations), server };
    tracker.spawn(responder.run(announcement, cancel.clone()));
    true
}

/// What announcements point to.
pub(crate) fn description(name: &str, version: &str) -> String {
    Description {
        friendly_name: format!("{name} {version}"),
        manufacturer: "Blender".to_owned(),
        manufacturer_url: "https://www.blender.org/".to_owned(),
        model_description: "Manager of a render farm".to_owned(),
        model_name: "Flamenco Manager".to_owned(),
        model_url: "https://flamenco.blender.org/".to_owned(),
    }
    .to_xml(&MANAGER)
}
