//! URLs (RFC 3986), and the options in their queries.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use fluent_uri::Uri;

/// A URL whose options are taken one by one, so that one nobody knows is noticed.
#[derive(Debug)]
pub(super) struct Address {
    uri: Uri<String>,
    options: Vec<(String, String)>,
}

impl Address {
    /// Takes a URL apart. Errors are a phrase for the end of a message.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let not_a_url = || {
            "it is not a URL (other bytes than letters, digits and -._~:/?#[]@!$&'()*+,;= are written %20)".to_owned()
        };
        let text = str::from_utf8(bytes).map_err(|_| not_a_url())?;
        let uri = Uri::parse(text.to_owned()).map_err(|_| not_a_url())?;
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
        Ok(Self { uri, options })
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
        let authority = self.uri.authority().ok_or("it has no host")?;
        if !matches!(self.uri.path().as_str(), "" | "/") {
            return Err("it has a path, which means nothing here".to_owned());
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        if host.is_empty() {
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
        Ok((host.to_owned(), port))
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
        let Some(at) = self.options.iter().position(|(known, _)| known == key) else {
            return Ok(None);
        };
        let (_, value) = self.options.swap_remove(at);
        parse(&value)
            .map(Some)
            .map_err(|reason| format!("{key}={value}: {reason}"))
    }

    /// An error if an option is left.
    pub(super) fn finish(&self) -> Result<(), String> {
        match self.options.first() {
            None => Ok(()),
            Some((key, _)) => Err(format!("{key} is no option of {}", self.scheme())),
        }
    }
}

/// Text of a query: percent-decoded, as UTF-8.
fn decode(text: &str) -> Result<String, String> {
    let encoded = fluent_uri::pct_enc::EStr::<fluent_uri::pct_enc::encoder::Query>::new(text)
        .ok_or("its query is no query")?;
    encoded
        .decode()
        .to_string()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| "its query is not UTF-8".to_owned())
}
