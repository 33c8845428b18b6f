//! URLs (RFC 3986), and the options in their queries.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use fluent_uri::Uri;

use crate::schema::escape;
use crate::secret::{Secret, SecretSource};
use crate::spelling::nearest;

/// A URL whose options are taken one by one, so that one nobody knows is noticed.
#[derive(Debug)]
pub(super) struct Address {
    uri: Uri<String>,
    /// `host:port` of those after the first, where several are separated by commas.
    others: Vec<String>,
    options: Vec<(String, String)>,
    /// Options that were asked for.
    known: Vec<String>,
}

impl Address {
    /// Takes a URL apart. Errors are a phrase for the end of a message.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let not_a_url = || {
            "it is not a URL (other bytes than letters, digits and -._~:/?#[]@!$&'()*+,;= are written %20)".to_owned()
        };
        let text = str::from_utf8(bytes).map_err(|_| not_a_url())?;
        let (text, others) = prepared(text);
        let uri = Uri::parse(text).map_err(|_| not_a_url())?;
        if uri.fragment().is_some() {
            return Err("it has a fragment (#…)".to_owned());
        }
        if uri
            .authority()
            .is_some_and(|authority| authority.has_userinfo())
        {
            return Err(
                "everybody can read a name and a password in a URL; give user=NAME and \
                 password-file=/PATH where the output has these options"
                    .to_owned(),
            );
        }
        let query = uri.query().map(|query| query.as_str().to_owned());
        let mut options = Vec::new();
        for pair in query.iter().flat_map(|query| query.split('&')) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (decode(key)?, decode(value)?);
            if options.iter().any(|(known, _)| *known == key) {
                return Err(format!("the option {key} is given twice"));
            }
            options.push((key, value));
        }
        Ok(Self {
            uri,
            others,
            options,
            known: Vec::new(),
        })
    }

    /// The part before `://`.
    pub(super) fn scheme(&self) -> &str {
        self.uri.scheme().as_str()
    }

    /// An error if there is a host.
    pub(super) fn no_host(&self) -> Result<(), String> {
        let host = self.uri.authority().map_or("", |a| a.as_str());
        if host.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "it names a host, {host}; a path begins with a third slash"
            ))
        }
    }

    /// The host, without the brackets of IPv6, and the port. There has to be one, and no path.
    pub(super) fn host(&self, default_port: u16) -> Result<(String, u16), String> {
        if !matches!(self.uri.path().as_str(), "" | "/") {
            return Err("it has a path, which means nothing here".to_owned());
        }
        if !self.others.is_empty() {
            return Err("it names several hosts, and one is meant".to_owned());
        }
        self.first_host(default_port)
    }

    /// Every host and its port, where several may be named.
    pub(super) fn hosts(&self, default_port: u16) -> Result<Vec<(String, u16)>, String> {
        let mut hosts = vec![self.first_host(default_port)?];
        for other in &self.others {
            let address = Self::parse(format!("x://{other}").as_bytes())?;
            hosts.push(address.first_host(default_port)?);
        }
        Ok(hosts)
    }

    /// The path as text, without the slash it begins with.
    pub(super) fn rest(&self) -> Result<String, String> {
        let path = self.uri.path().decode().to_string();
        let path = path.map_err(|_| "its path is not UTF-8".to_owned())?;
        Ok(path.trim_start_matches('/').to_owned())
    }

    /// Host and port as they stand in a URL.
    #[cfg(feature = "http")]
    pub(super) fn authority(&self, default_port: u16) -> Result<String, String> {
        if !self.others.is_empty() {
            return Err("it names several hosts, and one is meant".to_owned());
        }
        let (host, port) = self.host_and_port(default_port)?;
        Ok(format!("{host}:{port}"))
    }

    /// What is asked for of a server: the path as it is.
    #[cfg(feature = "http")]
    pub(super) fn request_path(&self) -> String {
        match self.uri.path().as_str() {
            "" => "/".to_owned(),
            path => path.to_owned(),
        }
    }

    fn first_host(&self, default_port: u16) -> Result<(String, u16), String> {
        let (host, port) = self.host_and_port(default_port)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok((host.to_owned(), port))
    }

    fn host_and_port(&self, default_port: u16) -> Result<(&str, u16), String> {
        let authority = self.uri.authority().ok_or("it has no host")?;
        let host = authority.host();
        if matches!(host, "" | "[]") {
            return Err("it has no host".to_owned());
        }
        let port = match authority.port().map(fluent_uri::pct_enc::EStr::as_str) {
            None | Some("") => default_port,
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| format!("{port} is no port"))?,
        };
        Ok((host, port))
    }

    /// The path of a file.
    pub(super) fn path(&self) -> Result<PathBuf, String> {
        let bytes = self.uri.path().decode().to_bytes().into_owned();
        if matches!(bytes.as_slice(), b"" | b"/") || bytes.contains(&0) {
            return Err("it has no path of a file".to_owned());
        }
        Ok(OsString::from_vec(bytes).into())
    }

    /// The value of an option, if it is given.
    pub(super) fn option<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        self.known.push(key.to_owned());
        let Some(at) = self.options.iter().position(|(known, _)| known == key) else {
            return Ok(None);
        };
        let (_, value) = self.options.swap_remove(at);
        parse(&value)
            .map(Some)
            .map_err(|reason| format!("{key}={value}: {reason}"))
    }

    /// The secret called `name`: the option `NAME-file=/PATH` or `NAME-credential=NAME`. The secret itself is
    /// never an option: everybody can read a command line.
    pub(super) fn secret(&mut self, name: &str) -> Result<Option<Secret>, String> {
        let hint = format!("give {name}-file=/PATH or {name}-credential=NAME");
        if self.options.iter().any(|(known, _)| known == name) {
            return Err(format!("{name} would be seen by everybody: {hint}"));
        }
        let file = self.option(&format!("{name}-file"), SecretSource::file)?;
        let credential = self.option(&format!("{name}-credential"), SecretSource::credential)?;
        if file.is_some() && credential.is_some() {
            return Err(format!("there are two places for one secret: {hint}"));
        }
        Ok(file.or(credential).map(Secret::new))
    }

    /// All options whose names begin with `prefix`: the rest of the name, and the value.
    #[cfg(feature = "http")]
    pub(super) fn options_named(&mut self, prefix: &str) -> Vec<(String, String)> {
        let taken = self
            .options
            .extract_if(.., |(name, _)| name.starts_with(prefix));
        taken
            .map(|(mut name, value)| (name.split_off(prefix.len()), value))
            .collect()
    }

    /// An error if an option is left.
    pub(super) fn finish(&self) -> Result<(), String> {
        match self.options.first() {
            None => Ok(()),
            Some((key, _)) => {
                let near = nearest(key, self.known.iter().map(String::as_str));
                let hint = near.map(|near| format!("; did you mean {near}?"));
                let hint = hint.unwrap_or_default();
                Err(format!("{key} is no option of {}{hint}", self.scheme()))
            }
        }
    }
}

/// `spec` for messages, without what may be a secret: user and password, and values of options that are named
/// like one.
pub(crate) fn redacted(spec: &[u8]) -> String {
    let text = String::from_utf8_lossy(spec);
    let (scheme, rest) = text.split_once("://").unwrap_or(("", &text));
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let end = before.find('/').unwrap_or(before.len());
    let (authority, path) = before.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let hidden = if host == authority { "" } else { "***@" };
    let mut shown = format!("{scheme}://{hidden}{host}{path}");
    for (at, pair) in query.split('&').enumerate() {
        if query.is_empty() {
            break;
        }
        shown.push(if at == 0 { '?' } else { '&' });
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let secret = ["password", "token", "key", "secret", "auth", "header"];
        let low = key.to_ascii_lowercase();
        let is_place = low.ends_with("-file") || low.ends_with("-credential");
        let is_secret = !is_place && secret.iter().any(|word| low.contains(word));
        shown.push_str(if is_secret && !value.is_empty() {
            key
        } else {
            pair
        });
        if is_secret && !value.is_empty() {
            shown.push_str("=***");
        }
    }
    escape(shown.as_bytes()).into_owned()
}

/// A URL as RFC 3986 has it, and the hosts after the first: commas between hosts with ports are the custom of
/// clusters, and braces that of templates.
fn prepared(text: &str) -> (String, Vec<String>) {
    let text = text.replace('{', "%7B").replace('}', "%7D");
    let Some((scheme, rest)) = text.split_once("://") else {
        return (text, Vec::new());
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let mut hosts = authority.split(',').map(str::to_owned);
    let first = hosts.next().unwrap_or_default();
    (format!("{scheme}://{first}{rest}"), hosts.collect())
}

/// Text of a query: percent-decoded, as UTF-8.
pub(super) fn decode(text: &str) -> Result<String, String> {
    let encoded = fluent_uri::pct_enc::EStr::<fluent_uri::pct_enc::encoder::Query>::new(text)
        .ok_or("its query is no query")?;
    encoded
        .decode()
        .to_string()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| "its query is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_show_no_secrets() {
        let check = |spec: &str, shown: &str| assert_eq!(redacted(spec.as_bytes()), shown);
        check("file:///a?keep=1", "file:///a?keep=1");
        check("syslog+tcp://u:p@h:1/x", "syslog+tcp://***@h:1/x");
        check("a://u:p/@h", "a://u:p/@h");
        check(
            "a://h/x@y?token=hunter2&token-file=/t&X-API-KEY=k&key",
            "a://h/x@y?token=***&token-file=/t&X-API-KEY=***&key",
        );
    }

    #[test]
    fn a_secret_is_named_and_not_given() {
        let secret = |query: &str| {
            let mut address = Address::parse(format!("a://h?{query}").as_bytes()).unwrap();
            let secret = address.secret("token")?;
            address.finish()?;
            Ok::<_, String>(secret)
        };
        assert!(secret("").is_err());
        let file = Secret::in_file("/t".into());
        assert_eq!(secret("token-file=/t"), Ok(Some(file)));
        let shown = secret("token-credential=hec").unwrap().unwrap().to_string();
        assert_eq!(shown, "the secret in the credential hec");
        for (query, hint) in [
            ("token=hunter2", "token-file=/PATH"),
            ("token-file=t", "absolute"),
            ("token-file=/t&token-credential=hec", "two places"),
            ("token-credential=../x", "name of a credential"),
        ] {
            let error = secret(query).unwrap_err();
            assert!(
                error.contains(hint) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
