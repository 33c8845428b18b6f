//! What the environment says of a collector (opentelemetry.io/docs/specs/otel/protocol/exporter).

use std::path::PathBuf;
use std::time::Duration;

use super::address::{Address, decode};
use super::http::{self, HttpDialect, HttpTarget};
use super::tls::Identity;
use super::{SpoolTarget, TlsTarget};

const PREFIX: &str = "OTEL_EXPORTER_OTLP_";
/// The specification's default.
const ENDPOINT: &str = "http://localhost:4318";
/// The specification's default.
const TIMEOUT: Duration = Duration::from_secs(10);
const PATH: &str = "/v1/logs";

/// The path of logs below a collector's.
pub(super) fn path(base: &str) -> String {
    http::with_end(base, PATH)
}

/// `otlp://`: everything but the spool is the environment's to say.
pub(super) fn of_environment(
    address: &mut Address,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<HttpTarget, String> {
    address.no_host().map_err(|_| {
        "with a host it is otlp+http:// or otlp+https://; otlp:// takes all from OTEL_EXPORTER_OTLP_*"
            .to_owned()
    })?;
    // What is said of logs counts more than what is said of all signals.
    let setting = |name: &str| {
        let full = [format!("{PREFIX}LOGS_{name}"), format!("{PREFIX}{name}")];
        full.into_iter().find_map(|full| {
            let value = variable(&full).filter(|value| !value.is_empty())?;
            Some((full, value))
        })
    };
    let read = |name: &str, parse: &dyn Fn(&str) -> Result<Duration, String>| {
        setting(name)
            .map(|(full, value)| parse(&value).map_err(|why| format!("{full}={value}: {why}")))
            .transpose()
    };
    if let Some((full, value)) = setting("PROTOCOL")
        && value != "http/protobuf"
    {
        return Err(format!(
            "{full} is {value}, and only http/protobuf is spoken"
        ));
    }
    let (secure, authority, path) = endpoint(&setting)?;
    let timeout = read("TIMEOUT", &milliseconds)?.unwrap_or(TIMEOUT);
    let gzip = match setting("COMPRESSION") {
        None => true,
        Some((full, value)) => {
            http::compression(&value).map_err(|why| format!("{full}={value}: {why}"))?
        }
    };
    let file = |name| setting(name).map(|(_, value)| PathBuf::from(value));
    let identity = match (file("CLIENT_CERTIFICATE"), file("CLIENT_KEY")) {
        (Some(cert), Some(key)) => Some(Identity { cert, key }),
        (None, None) => None,
        _ => {
            return Err(format!(
                "{PREFIX}CLIENT_CERTIFICATE and {PREFIX}CLIENT_KEY need each other"
            ));
        }
    };
    Ok(HttpTarget {
        dialect: HttpDialect::Otlp,
        secure,
        authority,
        path,
        headers: match setting("HEADERS") {
            None => Vec::new(),
            // The value is not repeated: there are tokens in it.
            Some((full, value)) => headers(&value).map_err(|why| format!("{full}: {why}"))?,
        },
        login: None,
        timeout,
        gzip,
        tls: TlsTarget {
            ca: file("CERTIFICATE"),
            identity,
        },
        spool: SpoolTarget::of(address)?,
    })
}

/// Whether it is encrypted, host and port, and the path.
fn endpoint(
    setting: &dyn Fn(&str) -> Option<(String, String)>,
) -> Result<(bool, String, String), String> {
    let (full, value) = setting("ENDPOINT").unwrap_or_else(|| (String::new(), ENDPOINT.to_owned()));
    let failed = |why: String| format!("{full}={value}: {why}");
    let url = Address::parse(value.as_bytes()).map_err(failed)?;
    let secure = match url.scheme() {
        "http" => false,
        "https" => true,
        _ => return Err(failed("it begins with http:// or https://".to_owned())),
    };
    let port = if secure { 443 } else { 80 };
    url.finish().map_err(failed)?;
    let authority = url.authority(port).map_err(failed)?;
    // The endpoint of one signal is its whole URL.
    let path = if full.starts_with("OTEL_EXPORTER_OTLP_LOGS_") {
        url.request_path()
    } else {
        path(&url.request_path())
    };
    Ok((secure, authority, path))
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let millis = text.parse().map_err(|_| "it is a number of milliseconds");
    http::bounded(Duration::from_millis(millis?))
}

/// `key=value,key2=value2`, percent-encoded (W3C Baggage).
fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::new();
    for (number, pair) in text.split(',').enumerate() {
        let number = number + 1;
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("pair {number} is not NAME=VALUE"))?;
        let name = name.trim().to_ascii_lowercase();
        // A token belongs here; elsewhere it would be read by others.
        let name = if name == "authorization" {
            name
        } else {
            http::header_name(&name)?
        };
        let value = decode(value.trim()).and_then(|value| http::header_value(&value));
        let value = value.map_err(|_| format!("pair {number} has a value that no header has"))?;
        headers.push((name, value));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::super::{Destination, HttpDialect, HttpTarget, Target};
    use super::*;

    fn parse(spec: &str) -> Result<HttpTarget, String> {
        match Target::parse(spec.as_ref()) {
            Ok(Target::Http(http)) => Ok(*http),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    fn of(variables: &[(&str, &str)]) -> Result<HttpTarget, String> {
        let look_up = |name: &str| {
            let short = name.strip_prefix(PREFIX)?;
            let found = variables.iter().find(|(known, _)| *known == short);
            found.map(|(_, value)| (*value).to_owned())
        };
        of_environment(&mut Address::parse(b"otlp://")?, &look_up)
    }

    #[test]
    fn each_counterpart_has_a_path_and_a_port() {
        let check = |spec: &str, url: &str, gzip| {
            let target = parse(spec).unwrap();
            assert_eq!((target.url().as_str(), target.gzip), (url, gzip), "{spec}");
        };
        check("otlp+http://c", "http://c:4318/v1/logs", true);
        check("otlp+https://[::1]:1/a/", "https://[::1]:1/a/v1/logs", true);
        check("otlp+http://c/v1/logs", "http://c:4318/v1/logs", true);
        check("webhook+https://c/a/b", "https://c:443/a/b", false);
        check("webhook+http://c?compress=gzip", "http://c:80/", true);
        check(
            "splunk+https://c",
            "https://c:8088/services/collector/event",
            false,
        );
        check("loki+http://c", "http://c:3100/loki/api/v1/push", true);
        let filter = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";
        for name in ["elasticsearch", "opensearch"] {
            let url = format!("http://c:9200/logs-socktrace-default/_bulk?{filter}");
            check(&format!("{name}+http://c"), &url, true);
            let url = format!("http://c:9200/leaks/_bulk?{filter}");
            check(&format!("{name}+http://c/leaks/"), &url, true);
        }
    }

    #[test]
    fn messages_tell_neither_paths_nor_headers() {
        let target = parse("webhook+https://c/T0/secret?header-X-Key=hunter2").unwrap();
        assert_eq!(target.headers, [("x-key".to_owned(), "hunter2".to_owned())]);
        for shown in [target.name(), format!("{target:?}"), format!("{target:#?}")] {
            assert_eq!(shown, "webhook+https://c:443");
        }
    }

    #[test]
    fn a_format_that_is_not_taken_is_refused() {
        let format =
            |spec: &str| Destination::parse(spec.as_ref()).map(|d| d.target.default_format());
        assert_eq!(
            format("otlp+http://c"),
            Ok(Some(crate::schema::Format::Otlp))
        );
        assert_eq!(
            format("loki+http://c"),
            Ok(Some(crate::schema::Format::Json))
        );
        for (spec, hint) in [
            ("otlp+http://c?format=json", "it takes otlp"),
            ("loki+http://c?format=otlp", "json or ocsf"),
            ("webhook+http://c?format=cef", "json, ocsf or otlp"),
        ] {
            let error = format(spec).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn options_that_cannot_be_meant_say_so() {
        for (spec, hint) in [
            ("otlp+http://", "no host"),
            ("otlp://c", "otlp+http://"),
            ("otlp+http://u:p@c", "password-file"),
            ("webhook+http://c?ca=/a", "for https"),
            ("webhook+https://c?cert=/a", "cert needs key"),
            ("webhook+http://c?insecure=true", "insecure is no option"),
            ("webhook+http://c?body=xml", "ndjson, array or single"),
            ("webhook+http://c?timeout=1h", "between"),
            ("webhook+http://c?compress=zstd", "gzip or none"),
            ("webhook+http://c?header-Authorization=x", "token-file"),
            ("webhook+http://c?header-Host=x", "not for users"),
            ("webhook+http://c?header-a%20b=x", "no name of a header"),
            ("webhook+http://c?header-a=x%0Ay", "no value of a header"),
            ("webhook+http://c?token=hunter2", "token-file"),
            ("webhook+http://c?user=a", "password-file"),
            ("webhook+http://c?user=a&token-file=/t", "password-file"),
            ("splunk+http://c?tenant=a", "tenant is no option"),
        ] {
            let error = parse(spec).unwrap_err();
            assert!(error.contains(hint), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_environment_says_it_all() {
        let nothing = of(&[]).unwrap();
        assert_eq!(nothing.url(), "http://localhost:4318/v1/logs");
        assert!(nothing.gzip && nothing.dialect == HttpDialect::Otlp);
        let base = of(&[("ENDPOINT", "https://c/base/")]).unwrap();
        assert_eq!(base.url(), "https://c:443/base/v1/logs");
        let all = of(&[
            ("ENDPOINT", "http://other"),
            ("LOGS_ENDPOINT", "http://c:1"),
            ("HEADERS", "api-key=a%20b, Authorization=Basic%20eA=="),
            ("TIMEOUT", "1500"),
            ("LOGS_COMPRESSION", "none"),
            ("COMPRESSION", "gzip"),
            ("CERTIFICATE", "/ca"),
            ("PROTOCOL", "http/protobuf"),
        ])
        .unwrap();
        assert_eq!(all.url(), "http://c:1/");
        assert_eq!(all.timeout, Duration::from_millis(1500));
        assert!(!all.gzip);
        assert_eq!(all.tls.ca, Some("/ca".into()));
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            header("api-key", "a b"),
            header("authorization", "Basic eA=="),
        ];
        assert_eq!(all.headers, expected);
    }
}
