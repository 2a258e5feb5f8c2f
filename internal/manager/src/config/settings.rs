//! The settings as they are written in the file: their keys, types and defaults.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use flamenco_domain::duration;
use flamenco_domain::role::Role;
use flamenco_domain::variables::Definition;
use flamenco_shaman::LinkMode;

use super::definitions;
use super::node::{Content, Node};
use super::problem::Report;
use super::secret::{DatabaseAddress, Secret};
use super::section::Section;

/// The only format of the file there is.
pub(super) const FORMAT: u32 = 3;

/// Keys that older versions used, and what to do about them.
const LEGACY_KEYS: [(&str, &str); 6] = [
    ("mode", "remove it"),
    ("own_url", "remove it, workers find the manager by themselves"),
    ("flamenco", "remove it, and write its keys without indentation"),
    ("manager_id", "remove it"),
    ("manager_secret", "remove it"),
    ("task_logs_path", "logs are in local_manager_storage_path"),
];

/// The settings of a manager, one field per key, with paths and addresses as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `manager_name`
    pub manager_name: String,
    /// `database`
    pub database: DatabaseAddress,
    /// `database_check_period`; zero is never.
    pub database_check_period: Duration,
    /// `listen`
    pub listen: String,
    /// `autodiscoverable`
    pub autodiscoverable: bool,
    /// `local_manager_storage_path`
    pub local_manager_storage_path: String,
    /// `shared_storage_path`; empty as long as nobody has set it up.
    pub shared_storage_path: String,
    /// `shaman`
    pub shaman: ShamanSettings,
    /// `thumbnail_storage_mb`: megabytes that thumbnails of frames may take; zero is no limit.
    pub thumbnail_storage_mb: u32,
    /// `task_timeout`; zero is never.
    pub task_timeout: Duration,
    /// `worker_timeout`; zero is never.
    pub worker_timeout: Duration,
    /// `worker_disk_limit`: how full a disk of a worker may be, in percent, for it to get tasks; zero is no limit.
    pub worker_disk_limit: u32,
    /// `blocklist_threshold`: failures until a worker is blocked; zero is never.
    pub blocklist_threshold: u32,
    /// `task_fail_after_softfail_count`: failures until a task fails for good; zero is at once.
    pub task_fail_after_softfail_count: u32,
    /// `scripts_paths`: directories with further job types.
    pub scripts_paths: Vec<String>,
    /// `script_time_limit`: how long a job type script may run.
    pub script_time_limit: Duration,
    /// `mqtt.client`
    pub mqtt: MqttSettings,
    /// `access`
    pub access: AccessSettings,
    /// `audit_max_age`: how long the audit trail is kept; zero is for ever.
    pub audit_max_age: Duration,
    /// `variables`
    pub variables: BTreeMap<String, Definition>,
}

/// The file store for submitted files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShamanSettings {
    /// `shaman.enabled`
    pub enabled: bool,
    /// `shaman.linkType`
    pub link_type: LinkMode,
    /// `shaman.flush`
    pub flush: bool,
    /// `shaman.deferUploads`
    pub defer_uploads: bool,
    /// `shaman.garbageCollect.period`; zero is never.
    pub garbage_collect_period: Duration,
    /// `shaman.garbageCollect.maxAge`
    pub garbage_collect_max_age: Duration,
}

/// The connection to an MQTT server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttSettings {
    /// `mqtt.client.enabled`
    pub enabled: bool,
    /// `mqtt.client.broker`, a URL.
    pub broker: String,
    /// `mqtt.client.clientID`
    pub client_id: String,
    /// `mqtt.client.topic_prefix`
    pub topic_prefix: String,
    /// `mqtt.client.username`
    pub username: String,
    /// `mqtt.client.password`
    pub password: Secret,
}

/// Who may use this manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSettings {
    /// `access.admin_token`: what shows that somebody is an admin; empty, and everybody is one.
    pub admin_token: Secret,
    /// `access.artist_token`: what shows that somebody is an artist; empty, and nobody is one by a token.
    pub artist_token: Secret,
    /// `access.viewer_token`: what shows that somebody is a viewer; empty, and nobody is one by a token.
    pub viewer_token: Secret,
    /// `access.without_token`: what those may do who show none, when there is an admin token. Never [`Role::Admin`].
    pub without_token: Role,
    /// `access.registration_token`: what a new worker has to show; empty is nothing.
    pub registration_token: Secret,
    /// `access.allowed_origins`: further web pages that may have live updates, as `https://host:port`.
    pub allowed_origins: Vec<String>,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            admin_token: Secret::default(),
            artist_token: Secret::default(),
            viewer_token: Secret::default(),
            without_token: Role::None,
            registration_token: Secret::default(),
            allowed_origins: Vec::new(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            manager_name: "Flamenco".to_owned(),
            database: DatabaseAddress::new("flamenco-manager.sqlite"),
            database_check_period: Duration::from_secs(24 * HOUR),
            listen: ":8080".to_owned(),
            autodiscoverable: true,
            local_manager_storage_path: "./flamenco-manager-storage".to_owned(),
            shared_storage_path: String::new(),
            shaman: ShamanSettings {
                // Checkouts are made of symbolic links, which Windows only gives to administrators.
                enabled: cfg!(not(windows)),
                link_type: LinkMode::Auto,
                flush: true,
                defer_uploads: false,
                garbage_collect_period: Duration::from_secs(24 * HOUR),
                garbage_collect_max_age: Duration::from_secs(31 * 24 * HOUR),
            },
            thumbnail_storage_mb: 20_000,
            task_timeout: Duration::from_secs(600),
            // Longer than the minute that a stock worker pauses after an error.
            worker_timeout: Duration::from_secs(120),
            worker_disk_limit: 0,
            blocklist_threshold: 3,
            task_fail_after_softfail_count: 3,
            scripts_paths: Vec::new(),
            script_time_limit: Duration::from_secs(5),
            mqtt: MqttSettings {
                enabled: false,
                broker: String::new(),
                client_id: "flamenco".to_owned(),
                topic_prefix: "flamenco".to_owned(),
                username: String::new(),
                password: Secret::default(),
            },
            access: AccessSettings::default(),
            audit_max_age: Duration::from_secs(365 * 24 * HOUR),
            variables: definitions::default(),
        }
    }
}

impl Settings {
    /// Reads what is there over the defaults. What cannot be read is reported and keeps its default.
    pub(super) fn read(node: &Node, null_is_absent: bool, report: &RefCell<Report>) -> Self {
        let mut settings = Self::default();
        let mut root = Section::new("", node, report, null_is_absent);
        read_format(&mut root);
        root.text("manager_name", &mut settings.manager_name);
        let mut database = settings.database.expose().to_owned();
        root.text("database", &mut database);
        settings.database = DatabaseAddress::new(database);
        root.duration("database_check_period", &mut settings.database_check_period);
        root.text("listen", &mut settings.listen);
        root.boolean("autodiscoverable", &mut settings.autodiscoverable);
        root.text("local_manager_storage_path", &mut settings.local_manager_storage_path);
        root.text("shared_storage_path", &mut settings.shared_storage_path);
        settings.shaman.read(root.section("shaman"));
        root.count("thumbnail_storage_mb", &mut settings.thumbnail_storage_mb);
        root.duration("task_timeout", &mut settings.task_timeout);
        root.duration("worker_timeout", &mut settings.worker_timeout);
        root.count("worker_disk_limit", &mut settings.worker_disk_limit);
        root.count("blocklist_threshold", &mut settings.blocklist_threshold);
        root.count("task_fail_after_softfail_count", &mut settings.task_fail_after_softfail_count);
        root.texts("scripts_paths", &mut settings.scripts_paths);
        root.duration("script_time_limit", &mut settings.script_time_limit);
        let mut mqtt = root.section("mqtt");
        settings.mqtt.read(mqtt.section("client"));
        mqtt.finish();
        settings.access.read(root.section("access"));
        root.duration("audit_max_age", &mut settings.audit_max_age);
        // Whoever defines variables wants these and no others; the defaults are not mixed in.
        if let Some(node) = root.get("variables") {
            settings.variables = definitions::read(&Section::new("variables", node, report, null_is_absent));
        }
        root.legacy(&LEGACY_KEYS);
        root.finish();
        settings
    }

    /// The tree that [`Settings::read`] reads, with every key in the order of the default file.
    pub(super) fn to_node(&self, secrets: Secrets) -> Node {
        let time = |value: Duration| Node::text(duration::format(value));
        let (database, password) = match secrets {
            Secrets::Shown => (self.database.expose().to_owned(), self.mqtt.password.expose()),
            Secrets::Masked => (self.database.masked(), self.mqtt.password.masked()),
        };
        let garbage_collect = Node::map([
            ("period", time(self.shaman.garbage_collect_period)),
            ("maxAge", time(self.shaman.garbage_collect_max_age)),
        ]);
        let client = Node::map([
            ("enabled", Node::boolean(self.mqtt.enabled)),
            ("broker", Node::text(&self.mqtt.broker)),
            ("clientID", Node::text(&self.mqtt.client_id)),
            ("topic_prefix", Node::text(&self.mqtt.topic_prefix)),
            ("username", Node::text(&self.mqtt.username)),
            ("password", Node::text(password)),
        ]);
        let token = |secret: &Secret| match secrets {
            Secrets::Shown => Node::text(secret.expose()),
            Secrets::Masked => Node::text(secret.masked()),
        };
        let access = Node::map([
            ("admin_token", token(&self.access.admin_token)),
            ("artist_token", token(&self.access.artist_token)),
            ("viewer_token", token(&self.access.viewer_token)),
            ("without_token", Node::text(name_of(WITHOUT_TOKEN, self.access.without_token))),
            ("registration_token", token(&self.access.registration_token)),
            ("allowed_origins", Node::list(self.access.allowed_origins.iter().map(Node::text))),
        ]);
        Node::map([
            ("_meta", Node::map([("version", Node::number(FORMAT))])),
            ("manager_name", Node::text(&self.manager_name)),
            ("database", Node::text(database)),
            ("database_check_period", time(self.database_check_period)),
            ("listen", Node::text(&self.listen)),
            ("autodiscoverable", Node::boolean(self.autodiscoverable)),
            ("local_manager_storage_path", Node::text(&self.local_manager_storage_path)),
            ("shared_storage_path", Node::text(&self.shared_storage_path)),
            (
                "shaman",
                Node::map([
                    ("enabled", Node::boolean(self.shaman.enabled)),
                    ("linkType", Node::text(self.shaman.link_type.to_string())),
                    ("flush", Node::boolean(self.shaman.flush)),
                    ("deferUploads", Node::boolean(self.shaman.defer_uploads)),
                    ("garbageCollect", garbage_collect),
                ]),
            ),
            ("thumbnail_storage_mb", Node::number(self.thumbnail_storage_mb)),
            ("task_timeout", time(self.task_timeout)),
            ("worker_timeout", time(self.worker_timeout)),
            ("worker_disk_limit", Node::number(self.worker_disk_limit)),
            ("blocklist_threshold", Node::number(self.blocklist_threshold)),
            ("task_fail_after_softfail_count", Node::number(self.task_fail_after_softfail_count)),
            ("scripts_paths", Node::list(self.scripts_paths.iter().map(Node::text))),
            ("script_time_limit", time(self.script_time_limit)),
            ("mqtt", Node::map([("client", client)])),
            ("access", access),
            ("audit_max_age", time(self.audit_max_age)),
            ("variables", definitions::to_node(&self.variables)),
        ])
    }

    /// Puts the current secrets where only their mask was given.
    pub(super) fn keep_masked_secrets(&mut self, current: &Self) {
        for (secret, current) in [
            (&mut self.mqtt.password, &current.mqtt.password),
            (&mut self.access.admin_token, &current.access.admin_token),
            (&mut self.access.artist_token, &current.access.artist_token),
            (&mut self.access.viewer_token, &current.access.viewer_token),
            (&mut self.access.registration_token, &current.access.registration_token),
        ] {
            if secret.expose() == super::secret::MASK {
                *secret = current.clone();
            }
        }
        if self.database.expose() == current.database.masked() {
            self.database = current.database.clone();
        }
    }
}

/// The values of `shaman.linkType`.
const LINK_TYPES: &[(&str, LinkMode)] = &[
    ("auto", LinkMode::Auto),
    ("symlink", LinkMode::Symlink),
    ("hardlink", LinkMode::Hardlink),
    ("reflink", LinkMode::Reflink),
    ("copy", LinkMode::Copy),
];

/// The values of `access.without_token`.
const WITHOUT_TOKEN: &[(&str, Role)] =
    &[("nothing", Role::None), ("viewer", Role::Viewer), ("artist", Role::Artist)];

/// How a choice is written.
fn name_of<T: Copy + PartialEq>(choices: &[(&'static str, T)], value: T) -> &'static str {
    choices.iter().find(|(_, choice)| *choice == value).map_or("", |(name, _)| name)
}

impl ShamanSettings {
    fn read(&mut self, mut section: Section<'_>) {
        section.boolean("enabled", &mut self.enabled);
        section.choice("linkType", &mut self.link_type, LINK_TYPES);
        section.boolean("flush", &mut self.flush);
        section.boolean("deferUploads", &mut self.defer_uploads);
        let mut garbage_collect = section.section("garbageCollect");
        garbage_collect.duration("period", &mut self.garbage_collect_period);
        garbage_collect.duration("maxAge", &mut self.garbage_collect_max_age);
        garbage_collect.finish();
        section.finish();
    }
}

impl MqttSettings {
    fn read(&mut self, mut section: Section<'_>) {
        section.boolean("enabled", &mut self.enabled);
        section.text("broker", &mut self.broker);
        section.text("clientID", &mut self.client_id);
        section.text("topic_prefix", &mut self.topic_prefix);
        section.text("username", &mut self.username);
        section.secret("password", &mut self.password);
        section.finish();
    }
}

impl AccessSettings {
    fn read(&mut self, mut section: Section<'_>) {
        section.secret("admin_token", &mut self.admin_token);
        section.secret("artist_token", &mut self.artist_token);
        section.secret("viewer_token", &mut self.viewer_token);
        section.choice("without_token", &mut self.without_token, WITHOUT_TOKEN);
        section.secret("registration_token", &mut self.registration_token);
        section.texts("allowed_origins", &mut self.allowed_origins);
        section.finish();
    }
}

/// Whether secrets appear in what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// For the file.
    Shown,
    /// For everything that leaves the manager.
    Masked,
}

/// Checks `_meta.version`. The file of somebody who writes it by hand may go without.
fn read_format(root: &mut Section<'_>) {
    let is_empty = root.entries().is_empty();
    let mut meta = root.section("_meta");
    match meta.get("version").map(|node| &node.content) {
        None if is_empty => {}
        None => root.warning(
            "_meta.version",
            format!("missing; taken for {FORMAT}. Write _meta: {{version: {FORMAT}}}"),
        ),
        Some(Content::Plain(version) | Content::Number(version)) if *version == FORMAT.to_string() => {}
        Some(_) => {
            let message = format!(
                "this program reads version {FORMAT} only; start from a new file and copy your values"
            );
            meta.problem("version", message);
        }
    }
    meta.finish();
}
