//! Text as it appears in task logs: quoted values and durations.

use std::time::Duration;

/// In double quotes; quotes, backslashes and control characters are escaped, printable Unicode is kept.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() && (c as u32) < 0x80 => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Like `47s`, `1m30s`, `1h0m0s`, `1.5s`, `250ms`; zero is `0s`.
pub fn duration_text(duration: Duration) -> String {
    if duration.is_zero() {
        return "0s".to_owned();
    }
    let nanos = duration.subsec_nanos();
    if duration.as_secs() == 0 {
        let (unit, size) = match nanos {
            1_000_000.. => ("ms", 1_000_000),
            1_000.. => ("µs", 1_000),
            _ => ("ns", 1),
        };
        return format!("{}{unit}", f64::from(nanos) / f64::from(size));
    }
    let (hours, minutes, seconds) =
        (duration.as_secs() / 3600, duration.as_secs() / 60 % 60, duration.as_secs() % 60);
    let fraction =
        if nanos == 0 { String::new() } else { format!(".{}", format!("{nanos:09}").trim_end_matches('0')) };
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, minutes) => format!("{minutes}m{seconds}{fraction}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_table() {
        let cases = [
            ("", r#""""#),
            ("понављај за мном", r#""понављај за мном""#),
            (r"C:\dir", r#""C:\\dir""#),
            ("say \"hi\"\n\t\r", r#""say \"hi\"\n\t\r""#),
            ("\u{1b}[0m\u{85}", r#""\x1b[0m\u0085""#),
        ];
        for (text, expected) in cases {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn duration_table() {
        let cases = [
            (Duration::ZERO, "0s"),
            (Duration::from_secs(47), "47s"),
            (Duration::from_secs(90), "1m30s"),
            (Duration::from_secs(3600), "1h0m0s"),
            (Duration::from_secs(36_061), "10h1m1s"),
            (Duration::from_millis(1500), "1.5s"),
            (Duration::from_millis(250), "250ms"),
            (Duration::from_micros(1500), "1.5ms"),
            (Duration::from_nanos(2500), "2.5µs"),
            (Duration::from_nanos(25), "25ns"),
            (Duration::from_secs_f64(60.25), "1m0.25s"),
        ];
        for (duration, expected) in cases {
            assert_eq!(duration_text(duration), expected);
        }
    }
}
