//! Options of destinations that are reached with TLS.

use std::path::PathBuf;

use super::address::Address;

/// Whom to trust, and who we are. Files in PEM (RFC 7468), read anew for each connection, so that renewed
/// ones are taken up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsTarget {
    /// Certificates of authorities; `None`: those that the system trusts.
    pub ca: Option<PathBuf>,
    /// What this agent shows of itself, if it is asked.
    pub identity: Option<Identity>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The certificate, followed by those that lead to the authority.
    pub cert: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

impl TlsTarget {
    /// The options `ca=/etc/ssl/siem.pem&cert=/etc/socktrace/agent.pem&key=/etc/socktrace/agent.key`.
    pub(super) fn of(address: &mut Address) -> Result<Self, String> {
        let ca = address.option("ca", file)?;
        let cert = address.option("cert", file)?;
        let key = address.option("key", file)?;
        let identity = match (cert, key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(Identity { cert, key }),
            (Some(_), None) => return Err("cert needs key".to_owned()),
            (None, Some(_)) => return Err("key needs cert".to_owned()),
        };
        Ok(Self { ca, identity })
    }

    /// The same where encryption is not a matter of the scheme: it is wanted if `tls=true` or any of them is
    /// given.
    pub(super) fn wanted(
        address: &mut Address,
        yes: impl FnOnce(&str) -> Result<bool, String>,
    ) -> Result<Option<Self>, String> {
        let wanted = address.option("tls", yes)?;
        let options = Self::of(address)?;
        let is_given = options != Self::default();
        match wanted {
            Some(false) if is_given => Err("ca, cert and key need tls=true".to_owned()),
            Some(true) => Ok(Some(options)),
            _ => Ok(is_given.then_some(options)),
        }
    }
}

fn file(text: &str) -> Result<PathBuf, String> {
    if text.starts_with('/') {
        Ok(PathBuf::from(text))
    } else {
        Err("it is the absolute path of a PEM file".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<TlsTarget, String> {
        let mut address = Address::parse(format!("x://host?{query}").as_bytes()).unwrap();
        let target = TlsTarget::of(&mut address)?;
        address.finish().map(|()| target)
    }

    #[test]
    fn a_certificate_has_a_key_and_files_have_paths() {
        let all = parse("ca=/a&cert=/b&key=/c").unwrap();
        let identity = Identity {
            cert: "/b".into(),
            key: "/c".into(),
        };
        assert_eq!((all.ca, all.identity), (Some("/a".into()), Some(identity)));
        assert_eq!(parse("ca=/a").unwrap().identity, None);
        for (query, hint) in [
            ("cert=/b", "cert needs key"),
            ("key=/b", "key needs cert"),
            ("ca=a.pem", "absolute path"),
        ] {
            let error = parse(query).unwrap_err();
            assert!(error.contains(hint), "{error}");
        }
    }
}
