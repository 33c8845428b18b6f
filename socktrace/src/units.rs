//! Durations and sizes as people write them, on the command line and in the addresses of outputs.

use std::time::Duration;

/// `500ms`, `10s`, `5m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "a duration needs a unit: {text}s for seconds, {text}ms, {text}m …"
        ));
    }
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; durations are written 500ms, 10s, 5m or 1h30m"))
}

/// `8MiB`, `512KiB`, `8388608`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err("sizes are written 8MiB, 512KiB or in bytes".to_owned()),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "sizes are written 8MiB, 512KiB or in bytes")?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "it is too big".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check =
            |text, millis| assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        check("500ms", 500);
        check("10s", 10_000);
        check("5m", 300_000);
        check("1h30m", 5_400_000);
        check("1m 30s", 90_000);
        for (text, hint) in [
            ("10", "10s for seconds"),
            ("", "500ms"),
            ("abc", "500ms"),
            ("-5s", "500ms"),
            ("5 parsecs", "500ms"),
        ] {
            let error = duration(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn sizes() {
        let check = |text, expected| assert_eq!(bytes(text), Ok(expected), "{text}");
        check("8MiB", 8 << 20);
        check("8m", 8 << 20);
        check("512KiB", 512 << 10);
        check("1 GiB", 1 << 30);
        check("4096", 4096);
        check("4096B", 4096);
        check("0", 0);
        for text in [
            "",
            "MiB",
            "8MB",
            "8 TiB",
            "1.5MiB",
            "-1",
            "99999999999999999999",
            "18014398509481984k",
        ] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
