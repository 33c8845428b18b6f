//! A client of HTTP/1.1 for counterparts that are not trusted: everything they do is bounded in time and size.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use ureq::config::AutoHeaderValue;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, http};

use super::super::syslog::tls::Stream;
use super::super::target::TlsTarget;
use super::super::tls::{self, in_words};
use super::resolver::Lookup;
use crate::clock::{self, Clock as _};

/// More than any answer that makes sense.
const MOST_HEADERS: usize = 16 * 1024;
/// Longest pause that a counterpart can ask for.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// A connection that was idle for longer is not used again: the other end may be about to close it.
const IDLE: Duration = Duration::from_secs(15);

/// Posts requests to one counterpart.
pub(super) struct Client {
    /// Made when it is needed, and anew after an error, so that renewed certificates are taken up.
    agent: Option<Agent>,
    tls: TlsTarget,
    secure: bool,
    timeout: Duration,
}

/// What a counterpart answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How long to wait before the next request, if it said so.
    pub(super) retry_after: Option<Duration>,
    /// The media type, in small letters and without its parameters.
    pub(super) content_type: String,
    /// The body, as far as it came and is of use.
    pub(super) body: Vec<u8>,
    /// Why the body is not whole.
    pub(super) broken: Option<String>,
}

impl Client {
    pub(super) fn new(secure: bool, tls: &TlsTarget, timeout: Duration) -> Self {
        Self {
            agent: None,
            tls: tls.clone(),
            secure,
            timeout,
        }
    }

    /// Posts `body`, and reads at most `most` bytes of the answer's. Redirects are not followed: whoever can
    /// make one could have lines and tokens sent anywhere.
    pub(super) fn post(
        &mut self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        most: usize,
    ) -> Result<Answer, String> {
        let agent = if let Some(agent) = &self.agent {
            agent
        } else {
            let agent = make_agent(self.secure, &self.tls, self.timeout)?;
            self.agent.insert(agent)
        };
        let posted = post(agent, url, headers, body, most);
        let is_direct = agent.config().proxy().is_none();
        if posted
            .as_ref()
            .map_or(true, |answer| answer.broken.is_some())
        {
            self.agent = None;
        }
        posted.map_err(|error| {
            let said = (self.secure && is_direct && is_broken(&error))
                .then(|| objection(url, &self.tls))
                .flatten();
            said.unwrap_or_else(|| phrase(&error))
        })
    }
}

/// Whether the counterpart has ended the connection without an answer.
fn is_broken(error: &ureq::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let kinds = [
        BrokenPipe,
        ConnectionAborted,
        ConnectionReset,
        UnexpectedEof,
    ];
    matches!(error, ureq::Error::Io(error) if kinds.contains(&error.kind()))
}

/// What stands in the way of TLS, in words (see [`Stream::objection`]).
fn objection(url: &str, options: &TlsTarget) -> Option<String> {
    let url: http::Uri = url.parse().ok()?;
    let host = url.host()?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    Stream::objection(bare.unwrap_or(host), url.port_u16().unwrap_or(443), options)
}

fn post(
    agent: &Agent,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    most: usize,
) -> Result<Answer, ureq::Error> {
    let mut request = agent.post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send(body)?;
    let (head, body) = response.into_parts();
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text(http::header::CONTENT_TYPE).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default();
    let mut answer = Answer {
        status: head.status.as_u16(),
        retry_after: text(http::header::RETRY_AFTER)
            .and_then(|text| pause(text, clock::System.wall())),
        content_type: content_type.trim().to_ascii_lowercase(),
        body: Vec::new(),
        broken: None,
    };
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    let mut reader = body.into_reader().take(limit.saturating_add(1));
    if let Err(error) = reader.read_to_end(&mut answer.body) {
        answer.broken = Some(format!("its answer breaks off: {error}"));
    } else if answer.body.len() > most {
        answer.body.truncate(most);
        answer.broken = Some(format!("its answer has more than {most} bytes"));
    }
    Ok(answer)
}

/// An error on one line, without what repeats the destination's name.
fn phrase(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => {
            let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref());
            of_tls.map_or_else(|| error.to_string(), of_rustls)
        }
        ureq::Error::Rustls(error) => of_rustls(error),
        ureq::Error::Timeout(what) => format!("no answer in time ({what})"),
        ureq::Error::HostNotFound => "its name has no address".to_owned(),
        other => other.to_string(),
    }
}

fn of_rustls(error: &rustls::Error) -> String {
    in_words(error).map_or_else(|| error.to_string(), str::to_owned)
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds or a date. Nothing where it asks for no pause at all: whoever
/// retries has pauses of its own.
fn pause(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let asked = if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .ok()?
    };
    (!asked.is_zero()).then(|| asked.min(LONGEST_PAUSE))
}

fn make_agent(secure: bool, tls: &TlsTarget, timeout: Duration) -> Result<Agent, String> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(timeout))
        .timeout_connect(Some(timeout.min(Duration::from_secs(10))))
        .max_response_header_size(MOST_HEADERS)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .max_idle_age(IDLE)
        .user_agent(concat!("socktrace/", env!("CARGO_PKG_VERSION")))
        .accept_encoding(AutoHeaderValue::None);
    if secure {
        config = config.tls_config(trust(tls)?);
    }
    let connector = ureq::unversioned::transport::DefaultConnector::default();
    Ok(Agent::with_parts(config.build(), connector, Lookup))
}

fn trust(tls: &TlsTarget) -> Result<TlsConfig, String> {
    let roots = match &tls.ca {
        Some(path) => certificates(path)?,
        None => system_roots()?,
    };
    let client = match &tls.identity {
        None => None,
        Some(identity) => {
            let chain = certificates(&identity.cert)?;
            Some(ClientCert::new_with_certs(
                &chain,
                private_key(&identity.key)?,
            ))
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::from(roots))
        .client_cert(client);
    Ok(config.build())
}

/// Those that the system trusts, so that an authority of the operator's own counts where the system has it.
fn system_roots() -> Result<Vec<Certificate<'static>>, String> {
    let loaded = rustls_native_certs::load_native_certs();
    if loaded.certs.is_empty() {
        let why = loaded.errors.first().map(|error| format!(" ({error})"));
        let why = why.unwrap_or_default();
        return Err(format!(
            "this system trusts no authority{why}; install ca-certificates or give ca=FILE"
        ));
    }
    Ok(loaded.certs.iter().map(owned).collect())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let found = tls::certificates(path).map_err(|error| error.to_string())?;
    Ok(found.iter().map(owned).collect())
}

fn owned(der: &CertificateDer<'static>) -> Certificate<'static> {
    Certificate::from_der(der).to_owned()
}

fn private_key(path: &Path) -> Result<PrivateKey<'static>, String> {
    let pem = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let no_key = |_| format!("{} holds no private key in PEM", path.display());
    PrivateKey::from_pem(&pem).map_err(no_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_in_seconds_or_until_a_date_and_not_for_ever() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        let check = |text, seconds: Option<u64>| {
            assert_eq!(pause(text, now), seconds.map(Duration::from_secs), "{text}");
        };
        check("7", Some(7));
        check(" 7 ", Some(7));
        check("0", None);
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(7));
        check("Sun, 06 Nov 1994 08:49:00 GMT", None);
        check("999999", Some(300));
        check("99999999999999999999999999", Some(300));
        check("-1", None);
        check("soon", None);
        check("", None);
    }
}
