//! A responder and searches in different processes, over the multicast of this machine's own networks.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flamenco_ssdp::{Announcement, GROUP, MANAGER, Responder, Search};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The port of the group by which this very program, started once more, is told to search.
const SEARCH_PORT: &str = "SSDP_TEST_SEARCH_PORT";
const LOCATION: &str = "http://192.0.2.7:8080/upnp/description.xml";
const SEARCH: &str = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nST: urn:flamenco:manager:0\r\n\
                      MAN: \"ssdp:discover\"\r\nMX: 1\r\n\r\n";

struct Service {
    group: SocketAddrV4,
    cancel: CancellationToken,
    running: JoinHandle<()>,
}

impl Service {
    /// On a port of its own, so that nobody else on this machine is heard.
    fn start(locations: &[&str]) -> Self {
        let free = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let group = SocketAddrV4::new(*GROUP.ip(), free.local_addr().unwrap().port());
        drop(free);
        let responder = Responder::bind(MANAGER, group).unwrap();
        let locations: Vec<String> = locations.iter().map(|location| (*location).to_owned()).collect();
        let announcement = Announcement {
            locations: Box::new(move |_| locations.clone()),
            server: "Test/1 UPnP/1.1".into(),
        };
        let cancel = CancellationToken::new();
        let running = tokio::spawn(responder.run(announcement, cancel.clone()));
        Self { group, cancel, running }
    }

    async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(Duration::from_secs(5), self.running)
            .await
            .expect("it stops")
            .expect("and well");
    }
}

/// Sends datagrams straight to the responder, and gives what comes back within `patience`.
async fn ask(service: &Service, datagrams: &[&[u8]], patience: Duration) -> Vec<String> {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, service.group.port()));
    for datagram in datagrams {
        socket.send_to(datagram, address).await.unwrap();
    }
    let (mut answers, end) = (Vec::new(), tokio::time::Instant::now() + patience);
    let mut buffer = [0; 4096];
    while let Ok(received) = tokio::time::timeout_at(end, socket.recv_from(&mut buffer)).await {
        answers.push(String::from_utf8(buffer[..received.unwrap().0].to_vec()).unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_finds_what_is_announced() {
    let other = "http://192.0.2.8:8080/upnp/description.xml";
    let service = Service::start(&[LOCATION, other]);
    let started = Instant::now();
    let mut search = Command::new(std::env::current_exe().unwrap());
    search.args(["search_for_the_other_process", "--exact", "--nocapture", "--ignored"]);
    search.env(SEARCH_PORT, service.group.port().to_string()).stdout(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || search.output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains(&format!("found {LOCATION}\n")) && text.contains(&format!("found {other}\n")),
        "{text}"
    );
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    service.stop().await;
}

#[tokio::test]
#[ignore = "the other half of another_process_finds_what_is_announced, which runs it"]
async fn search_for_the_other_process() {
    let port = std::env::var(SEARCH_PORT).expect("only for the other test").parse().unwrap();
    let mut search = Search::new(MANAGER, SocketAddrV4::new(*GROUP.ip(), port)).unwrap();
    let mut found = Vec::new();
    while found.len() < 2 {
        let next =
            tokio::time::timeout(Duration::from_secs(10), search.next()).await.expect("somebody answers");
        if !found.contains(&next) {
            println!("found {next}");
            found.push(next);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_answered_with_everything_the_protocol_asks_for() {
    let service = Service::start(&[LOCATION]);
    for target in ["urn:flamenco:manager:0", "aa80bc5f-d0af-46b8-8630-23bd7e80ec4d", "ssdp:all"] {
        let search = SEARCH.replace("urn:flamenco:manager:0", target);
        let answers = ask(&service, &[search.as_bytes()], Duration::from_millis(1300)).await;
        assert_eq!(answers.len(), 1, "{target}: {answers:?}");
        for header in [
            format!("ST: {target}"),
            format!("LOCATION: {LOCATION}"),
            "USN: uuid:aa80bc5f-d0af-46b8-8630-23bd7e80ec4d::urn:flamenco:manager:0".to_owned(),
            "CACHE-CONTROL: max-age=3600".to_owned(),
            "EXT: ".to_owned(),
        ] {
            assert!(answers[0].split("\r\n").any(|line| line == header), "{header} in {}", answers[0]);
        }
        assert!(answers[0].contains("\r\nDATE: ") && answers[0].contains("\r\nSERVER: Test/1 UPnP/1.1\r\n"));
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_datagrams_are_survived_and_not_answered() {
    let service = Service::start(&[LOCATION]);
    let long = format!("M-SEARCH * HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let hostile: [&[u8]; 9] = [
        b"",
        b"\0\0\0\0",
        b"M-SEARCH * HTTP/1.1\r\n\r\n",
        b"M-SEARCH * HTTP/9.9\r\nST: ssdp:all\r\n\r\n",
        b"\xff\xfe\xfd HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nUSN: x\r\n\r\n",
        b"NOTIFY * HTTP/1.1\r\nNTS: ssdp:byebye\r\n\r\n",
        b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\nMAN: \"ssdp:discover\"\r\nMX: 184467440737095516160\r\n\r\n",
        long.as_bytes(),
    ];
    assert_eq!(ask(&service, &hostile, Duration::from_millis(1200)).await, Vec::<String>::new());
    // It still works.
    let answers = ask(&service, &[SEARCH.as_bytes()], Duration::from_millis(1300)).await;
    assert_eq!(answers.len(), 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_searches_gets_a_trickle_of_answers() {
    let service = Service::start(&[LOCATION]);
    let flood = vec![SEARCH.as_bytes(); 5000];
    let patience = Duration::from_millis(2500);
    let answers = ask(&service, &flood, patience).await;
    assert!((1..=3).contains(&answers.len()), "{} answers", answers.len());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_announces_itself_and_says_goodbye() {
    let service = Service::start(&[LOCATION]);
    let group = service.group;
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    listener.set_reuse_address(true).unwrap();
    listener.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, group.port()).into()).unwrap();
    listener.join_multicast_v4(group.ip(), &Ipv4Addr::LOCALHOST).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::UdpSocket::from_std(listener.into()).unwrap();
    let hear = async |what: &str| {
        let mut buffer = [0; 4096];
        loop {
            let received =
                tokio::time::timeout(Duration::from_secs(6), listener.recv_from(&mut buffer)).await;
            let length = received.unwrap_or_else(|_| panic!("{what} was not heard")).unwrap().0;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.contains(&format!("\r\nNTS: {what}\r\n")) {
                return text;
            }
        }
    };
    let alive = hear("ssdp:alive").await;
    assert!(alive.contains(&format!("\r\nLOCATION: {LOCATION}\r\n")), "{alive}");
    service.stop().await;
    hear("ssdp:byebye").await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let taken = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Responder::bind(MANAGER, SocketAddrV4::new(*GROUP.ip(), port)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
