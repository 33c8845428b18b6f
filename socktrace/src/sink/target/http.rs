//! Destinations that speak HTTP: `otlp+https://`, `webhook+http://` and their kin.

use std::fmt;
use std::time::Duration;

use super::address::Address;
use super::{SpoolTarget, TlsTarget, otlp};
use crate::schema::Format;
use crate::secret::Secret;

/// See [`super::Target::Http`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HttpTarget {
    /// What is spoken over it.
    pub dialect: HttpDialect,
    /// With TLS.
    pub secure: bool,
    /// Host and port as they stand in a URL.
    pub authority: String,
    /// What is asked for: a path and perhaps a query.
    pub path: String,
    /// Further headers, with names in small letters.
    pub headers: Vec<(String, String)>,
    /// What is shown of us; `None`: nothing.
    pub login: Option<Login>,
    /// How long a request and its answer may take.
    pub timeout: Duration,
    /// Whether requests are compressed (gzip, RFC 1952).
    pub gzip: bool,
    /// Whom to trust.
    pub tls: TlsTarget,
    /// Where lines wait while it is away; `None`: in memory.
    pub spool: Option<SpoolTarget>,
}

/// What is spoken over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HttpDialect {
    /// OpenTelemetry's protocol, in protobuf.
    Otlp,
    /// JSON, for receivers of any kind.
    Webhook(BodyShape),
    /// `_bulk` of Elasticsearch and OpenSearch.
    Elastic,
    /// Splunk's HTTP Event Collector.
    Splunk(SplunkTarget),
    /// Loki's push.
    Loki,
}

/// How a webhook gets lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BodyShape {
    /// Many, a line each.
    #[default]
    Ndjson,
    /// Many, in an array.
    Array,
    /// One a request.
    Single,
}

/// What Splunk is told of events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SplunkTarget {
    /// How they are parsed.
    pub sourcetype: String,
    /// Where they go; `None`: where the token's owner wants.
    pub index: Option<String>,
}

/// An `Authorization` (RFC 9110 §11.6.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Login {
    /// A token behind the name of its scheme.
    Token(&'static str, Secret),
    /// A user and a password (RFC 7617).
    Basic(String, Secret),
}

/// How long a request and its answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TIMEOUT: Duration = Duration::from_mins(5);
/// An index that is a data stream wherever the templates that come with Elasticsearch are in use.
const DATA_STREAM: &str = "/logs-socktrace-default";

impl HttpTarget {
    /// A URL of one of these; `variable` looks up what the environment says.
    pub(super) fn of(
        address: &mut Address,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        if address.scheme() == "otlp" {
            return otlp::of_environment(address, variable);
        }
        let scheme = address.scheme().to_owned();
        let (name, carrier) = scheme.split_once('+').unwrap_or((&scheme, ""));
        let secure = carrier == "https";
        let path = address.request_path();
        let web_port = if secure { 443 } else { 80 };
        let (dialect, port, path, scheme_of_token) = match name {
            "otlp" => (HttpDialect::Otlp, 4318, otlp::path(&path), "Bearer"),
            "elasticsearch" | "opensearch" => (HttpDialect::Elastic, 9200, bulk(&path), "ApiKey"),
            "splunk" => {
                let splunk = SplunkTarget::of(address)?;
                let path = with_end(&path, "/services/collector/event");
                (HttpDialect::Splunk(splunk), 8088, path, "Splunk")
            }
            "loki" => (
                HttpDialect::Loki,
                3100,
                with_end(&path, "/loki/api/v1/push"),
                "Bearer",
            ),
            _ => {
                let shape = address.option("body", BodyShape::named)?;
                let dialect = HttpDialect::Webhook(shape.unwrap_or_default());
                (dialect, web_port, path, "Bearer")
            }
        };
        let mut headers = headers(address)?;
        if dialect == HttpDialect::Loki
            && let Some(tenant) = address.option("tenant", header_value)?
        {
            headers.push(("x-scope-orgid".to_owned(), tenant));
        }
        let compressed = matches!(
            dialect,
            HttpDialect::Otlp | HttpDialect::Elastic | HttpDialect::Loki
        );
        Ok(Self {
            dialect,
            secure,
            authority: address.authority(port)?,
            path,
            headers,
            login: Login::of(address, scheme_of_token)?,
            timeout: address.option("timeout", timeout)?.unwrap_or(TIMEOUT),
            gzip: address
                .option("compress", compression)?
                .unwrap_or(compressed),
            tls: tls(address, secure)?,
            spool: SpoolTarget::of(address)?,
        })
    }

    /// Where requests go.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }

    /// What it is called in messages: without the path, which is a secret of many a webhook.
    #[must_use]
    pub fn name(&self) -> String {
        let carrier = if self.secure { "https" } else { "http" };
        format!("{}+{carrier}://{}", self.kind(), self.authority)
    }

    /// What is spoken, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self.dialect {
            HttpDialect::Otlp => "otlp",
            HttpDialect::Webhook(_) => "webhook",
            HttpDialect::Elastic => "elasticsearch",
            HttpDialect::Splunk(_) => "splunk",
            HttpDialect::Loki => "loki",
        }
    }

    /// The format of lines if nobody says otherwise.
    pub(super) fn default_format(&self) -> Format {
        if self.dialect == HttpDialect::Otlp {
            Format::Otlp
        } else {
            Format::Json
        }
    }

    /// Whether lines of this format can go there.
    pub(super) fn takes(&self, format: Format) -> Result<(), String> {
        let (taken, names): (&[Format], _) = match self.dialect {
            HttpDialect::Otlp => (&[Format::Otlp], "otlp"),
            HttpDialect::Webhook(_) => (
                &[Format::Json, Format::Ocsf, Format::Otlp],
                "json, ocsf or otlp",
            ),
            _ => (&[Format::Json, Format::Ocsf], "json or ocsf"),
        };
        if taken.contains(&format) {
            Ok(())
        } else {
            Err(format!("it takes {names}"))
        }
    }
}

/// Without paths and headers: there are secrets in them.
impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Login {
    /// The options `token-file=/PATH`, or `user=NAME&password-file=/PATH`, or credentials instead of files.
    fn of(address: &mut Address, scheme: &'static str) -> Result<Option<Self>, String> {
        let token = address.secret("token")?;
        let password = address.secret("password")?;
        let user = address.option("user", |text| {
            if text.contains(':') {
                Err("a user's name has no colon".to_owned())
            } else {
                header_value(text)
            }
        })?;
        match (token, user, password) {
            (None, None, None) => Ok(None),
            (Some(token), None, None) => Ok(Some(Self::Token(scheme, token))),
            (None, Some(user), Some(password)) => Ok(Some(Self::Basic(user, password))),
            _ => Err("give token-file, or user and password-file".to_owned()),
        }
    }

    /// What is secret of it.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        match self {
            Self::Token(_, secret) | Self::Basic(_, secret) => secret,
        }
    }
}

impl BodyShape {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "ndjson" => Ok(Self::Ndjson),
            "array" => Ok(Self::Array),
            "single" => Ok(Self::Single),
            _ => Err("it is ndjson, array or single".to_owned()),
        }
    }
}

impl SplunkTarget {
    fn of(address: &mut Address) -> Result<Self, String> {
        let text = |text: &str| Ok(text.to_owned());
        Ok(Self {
            sourcetype: address
                .option("sourcetype", text)?
                .unwrap_or_else(|| "_json".to_owned()),
            index: address.option("index", text)?,
        })
    }
}

/// `base` with `end`, unless it is there already.
pub(super) fn with_end(base: &str, end: &str) -> String {
    let base = base.trim_end_matches('/');
    if base.ends_with(end) {
        base.to_owned()
    } else {
        format!("{base}{end}")
    }
}

/// `_bulk` of the index that a path names.
fn bulk(path: &str) -> String {
    let index = match path.trim_end_matches('/') {
        "" => DATA_STREAM,
        index => index,
    };
    // Answers otherwise repeat every index and name.
    let filter = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";
    format!("{index}/_bulk?{filter}")
}

/// The options `header-NAME=VALUE`.
fn headers(address: &mut Address) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::new();
    for (name, value) in address.options_named("header-") {
        let name = header_name(&name)?;
        headers.push((name, header_value(&value)?));
    }
    Ok(headers)
}

/// The name of a header that may be given: not one that says how the request is to be read.
pub(super) fn header_name(name: &str) -> Result<String, String> {
    const OURS: [&str; 6] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
    ];
    let name = name.to_ascii_lowercase();
    if ureq::http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(format!("{name} is no name of a header"));
    }
    if name == "authorization" {
        return Err(
            "a token is given as token-file=/PATH, where not everybody reads it".to_owned(),
        );
    }
    if OURS.contains(&name.as_str()) {
        return Err(format!("the header {name} is not for users to set"));
    }
    Ok(name)
}

/// The value of a header.
pub(super) fn header_value(value: &str) -> Result<String, String> {
    match ureq::http::HeaderValue::from_str(value) {
        Ok(_) => Ok(value.to_owned()),
        Err(_) => Err("it is no value of a header: only visible ASCII and spaces are".to_owned()),
    }
}

/// How long a request may take.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    bounded(crate::units::duration(text)?)
}

/// A time that a request may take.
pub(super) fn bounded(time: Duration) -> Result<Duration, String> {
    if time < Duration::from_millis(100) || time > LONGEST_TIMEOUT {
        return Err("it is between 100ms and 5m".to_owned());
    }
    Ok(time)
}

/// Whether to compress.
pub(super) fn compression(text: &str) -> Result<bool, String> {
    match text {
        "gzip" => Ok(true),
        "none" => Ok(false),
        _ => Err("it is gzip or none".to_owned()),
    }
}

/// The options about certificates.
pub(super) fn tls(address: &mut Address, secure: bool) -> Result<TlsTarget, String> {
    let tls = TlsTarget::of(address)?;
    if !secure && tls != TlsTarget::default() {
        return Err("ca, cert and key are for https".to_owned());
    }
    Ok(tls)
}
