//! The datagrams: what is understood of those that come in, and the text of those that go out. Nothing here does
//! anything, and nothing here fails: a datagram that is not understood is `None`.

use std::net::SocketAddrV4;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::Service;

/// No datagram that makes sense here is longer, in bytes.
pub(crate) const MAX_DATAGRAM: usize = 2048;
const MAX_HEADERS: usize = 32;
/// For how long an announcement holds.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(3600);
/// Who asks for more time gets this; the protocol advises against believing longer ones.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Somebody searches for this service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What was searched for; the answer has to repeat it.
    pub target: String,
    /// Answers are to be spread over this time.
    pub spread: Duration,
}

/// Understands a search for `service`.
pub(crate) fn read_search(datagram: &[u8], service: &Service) -> Option<Wanted> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if !request.parse(datagram).ok()?.is_complete() {
        return None;
    }
    if request.method != Some("M-SEARCH") || request.path != Some("*") {
        return None;
    }
    let man = header(request.headers, "MAN")?;
    if man.trim_matches('"') != "ssdp:discover" {
        return None;
    }
    let seconds: u64 = header(request.headers, "MX")?.parse().ok().filter(|seconds| *seconds > 0)?;
    let target = header(request.headers, "ST")?;
    let is_ours = target == service.service_type
        || target == service.device
        || target.strip_prefix("uuid:") == Some(service.device)
        || target == "ssdp:all";
    let spread = Duration::from_secs(seconds).min(LONGEST_DELAY);
    is_ours.then(|| Wanted { target: target.to_owned(), spread })
}

/// Understands an answer to a search for `service`, and gives its location.
pub(crate) fn read_answer(datagram: &[u8], service: &Service) -> Option<String> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    if !response.parse(datagram).ok()?.is_complete() || response.code != Some(200) {
        return None;
    }
    // `uuid:<device>::<type>`
    let device = header(response.headers, "USN")?.split(':').nth(1)?;
    if device != service.device {
        return None;
    }
    let location = header(response.headers, "LOCATION")?;
    let is_address = location.starts_with("http://") || location.starts_with("https://");
    (is_address && !location.contains(char::is_whitespace)).then(|| location.to_owned())
}

fn header<'h>(headers: &[httparse::Header<'h>], name: &str) -> Option<&'h str> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    Some(std::str::from_utf8(header.value).ok()?.trim())
}

/// A question who offers `service`. Answers are to come within `seconds`.
pub(crate) fn search(service: &Service, group: SocketAddrV4, seconds: u8) -> String {
    let target = service.service_type;
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {group}\r\nST: {target}\r\nMAN: \"ssdp:discover\"\r\nMX: {seconds}\r\n\r\n"
    )
}

/// The answer to a search for `target`.
pub(crate) fn answer(
    service: &Service,
    target: &str,
    location: &str,
    server: &str,
    now: DateTime<Utc>,
) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nST: {target}\r\nUSN: {usn}\r\nLOCATION: {location}\r\nCACHE-CONTROL: max-age={age}\r\n\
         DATE: {date}\r\nSERVER: {server}\r\nEXT: \r\n\r\n",
        usn = service.usn(),
        age = MAX_AGE.as_secs(),
        date = now.format("%a, %d %b %Y %H:%M:%S GMT"),
    )
}

/// Tells everybody that `location` is there.
pub(crate) fn alive(service: &Service, group: SocketAddrV4, location: &str, server: &str) -> String {
    format!(
        "NOTIFY * HTTP/1.1\r\nHOST: {group}\r\nNT: {kind}\r\nNTS: ssdp:alive\r\nUSN: {usn}\r\nLOCATION: {location}\r\n\
         CACHE-CONTROL: max-age={age}\r\nSERVER: {server}\r\n\r\n",
        kind = service.service_type,
        usn = service.usn(),
        age = MAX_AGE.as_secs(),
    )
}

/// Tells everybody that this one is going.
pub(crate) fn byebye(service: &Service, group: SocketAddrV4) -> String {
    format!(
        "NOTIFY * HTTP/1.1\r\nHOST: {group}\r\nNT: {kind}\r\nNTS: ssdp:byebye\r\nUSN: {usn}\r\n\r\n",
        kind = service.service_type,
        usn = service.usn(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{GROUP, MANAGER};

    fn request(changes: &[(&str, Option<&str>)]) -> String {
        let mut headers = vec![
            ("HOST", "239.255.255.250:1900"),
            ("ST", "urn:flamenco:manager:0"),
            ("MAN", "\"ssdp:discover\""),
            ("MX", "3"),
        ];
        for (name, value) in changes {
            headers.retain(|(other, _)| other != name);
            headers.extend(value.map(|value| (*name, value)));
        }
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("M-SEARCH * HTTP/1.1\r\n{headers}\r\n")
    }

    fn seconds(datagram: &str) -> Option<u64> {
        read_search(datagram.as_bytes(), &MANAGER).map(|wanted| wanted.spread.as_secs())
    }

    #[test]
    fn searches_for_this_service_are_understood() {
        let uuid = format!("uuid:{}", MANAGER.device);
        for target in [MANAGER.service_type, MANAGER.device, &uuid, "ssdp:all"] {
            let wanted = read_search(request(&[("ST", Some(target))]).as_bytes(), &MANAGER).unwrap();
            assert_eq!(wanted, Wanted { target: target.to_owned(), spread: Duration::from_secs(3) });
        }
        assert_eq!(seconds(&request(&[("MX", Some("1"))])), Some(1));
        assert_eq!(seconds(&request(&[("MX", Some("60"))])), Some(5), "nobody should wait that long");
        assert_eq!(seconds(&request(&[("MAN", Some("ssdp:discover"))])), Some(3), "some forget the quotes");
        let lower = request(&[]).replace("ST:", "st:").replace("MX:", "mx:");
        assert_eq!(seconds(&lower), Some(3));
        assert_eq!(seconds(&search(&MANAGER, GROUP, 3)), Some(3), "what this crate sends itself");
    }

    #[test]
    fn everything_else_is_dropped() {
        let complete = request(&[]);
        for wrong in [
            request(&[("ST", None)]),
            request(&[("MAN", None)]),
            request(&[("MX", None)]),
            request(&[("ST", Some("upnp:rootdevice"))]),
            request(&[("ST", Some("urn:flamenco:manager:1"))]),
            request(&[("MAN", Some("\"ssdp:alive\""))]),
            request(&[("MX", Some("0"))]),
            request(&[("MX", Some("-1"))]),
            request(&[("MX", Some("soon"))]),
            request(&[("MX", Some("99999999999999999999999"))]),
            complete.replace("M-SEARCH", "NOTIFY"),
            complete.replace("* HTTP", "/ HTTP"),
            complete.trim_end().to_owned(),
            answer(&MANAGER, "ssdp:all", "http://h/", "s", Utc::now()),
            String::new(),
        ] {
            assert_eq!(seconds(&wrong), None, "{wrong}");
        }
        let many: String = (0..40).map(|number| format!("X-{number}: x\r\n")).collect();
        assert_eq!(seconds(&complete.replace("HOST", &format!("{many}HOST"))), None);
        assert_eq!(read_search(&[complete.as_bytes(), &[0xff]].concat(), &MANAGER).map(|_| ()), Some(()));
        let not_text = complete.replace("ssdp:discover", "\u{fffd}").into_bytes();
        assert_eq!(read_search(&not_text, &MANAGER), None);
    }

    #[test]
    fn answers_have_what_the_protocol_asks_for() {
        let now = DateTime::from_timestamp(1_767_323_045, 0).unwrap();
        let text =
            answer(&MANAGER, MANAGER.device, "http://h:8080/upnp/description.xml", "Linux UPnP/1.1", now);
        for line in [
            "HTTP/1.1 200 OK",
            "ST: aa80bc5f-d0af-46b8-8630-23bd7e80ec4d",
            "USN: uuid:aa80bc5f-d0af-46b8-8630-23bd7e80ec4d::urn:flamenco:manager:0",
            "LOCATION: http://h:8080/upnp/description.xml",
            "CACHE-CONTROL: max-age=3600",
            "DATE: Fri, 02 Jan 2026 03:04:05 GMT",
            "SERVER: Linux UPnP/1.1",
            "EXT: ",
        ] {
            assert!(text.split("\r\n").any(|is| is == line), "{line} in {text}");
        }
        assert!(text.ends_with("\r\n\r\n"));
        let read = read_answer(text.as_bytes(), &MANAGER);
        assert_eq!(read.as_deref(), Some("http://h:8080/upnp/description.xml"));
    }

    #[test]
    fn only_answers_of_this_service_count() {
        let good = answer(&MANAGER, "x", "http://h/", "s", Utc::now());
        for wrong in [
            good.replace("200 OK", "404 Not Found"),
            good.replace("aa80bc5f", "bb80bc5f"),
            good.replace("USN: uuid:", "USN: "),
            good.replace("LOCATION: http://h/", "LOCATION: file:///etc/passwd"),
            good.replace("LOCATION: http://h/", "LOCATION: http://h/ x"),
            good.replace("LOCATION", "X"),
            good.replace("HTTP/1.1", "ICY"),
            good.trim_end().to_owned(),
        ] {
            assert_eq!(read_answer(wrong.as_bytes(), &MANAGER), None, "{wrong}");
        }
    }

    #[test]
    fn announcements() {
        let text = alive(&MANAGER, GROUP, "http://h/", "s");
        assert!(text.starts_with("NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"), "{text}");
        for line in ["NT: urn:flamenco:manager:0", "NTS: ssdp:alive", "LOCATION: http://h/", "SERVER: s"] {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{line} in {text}");
        }
        let text = byebye(&MANAGER, GROUP);
        assert!(text.contains("\r\nNTS: ssdp:byebye\r\n") && !text.contains("LOCATION"), "{text}");
    }

    proptest! {
        #[test]
        fn no_datagram_is_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read_search(&bytes, &MANAGER);
            read_answer(&bytes, &MANAGER);
        }

        #[test]
        fn nor_one_that_is_nearly_right(at in 0usize..110, byte: u8, cut in 0usize..120) {
            let mut bytes = search(&MANAGER, GROUP, 3).into_bytes();
            let length = bytes.len();
            bytes[at % length] = byte;
            read_search(&bytes, &MANAGER);
            read_search(&bytes[..cut.min(length)], &MANAGER);
            read_answer(&bytes, &MANAGER);
        }
    }
}
