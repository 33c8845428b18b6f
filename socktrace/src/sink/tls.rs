//! TLS: whom to trust, who we are, and what went wrong, in words.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};

use super::target::{Identity, TlsTarget};

/// The settings of a connection, from files as they are now.
///
/// # Errors
///
/// If a file cannot be read or does not hold what it should.
pub(super) fn client_config(target: &TlsTarget) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots(target.ca.as_deref())?);
    let config = match &target.identity {
        None => builder.with_no_client_auth(),
        Some(Identity { cert, key }) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|e| of_file(key, &e))?;
            builder
                .with_client_auth_cert(certificates(cert)?, private)
                .map_err(|e| of_file(cert, &e))?
        }
    };
    Ok(Arc::new(config))
}

/// The name that the server's certificate has to be for: a host's, or an address.
///
/// # Errors
///
/// If `host` is neither.
pub(super) fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let name = ServerName::try_from(host.to_owned());
    name.map_err(|_| io::Error::other(format!("{host} is no name that a certificate can be for")))
}

/// Puts the errors of TLS that an operator may have to act upon into words.
pub(super) fn explained(error: io::Error) -> io::Error {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    let words = of_tls.and_then(in_words);
    words.map_or(error, io::Error::other)
}

/// The innermost reason of an error, or where one on the way to it is TLS's, that in words.
#[cfg(any(feature = "kafka", feature = "nats"))]
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    loop {
        let of_tls = inner.downcast_ref::<Error>().or_else(|| {
            let error = inner.downcast_ref::<io::Error>()?;
            error.get_ref()?.downcast_ref()
        });
        if let Some(words) = of_tls.and_then(in_words) {
            return words.to_owned();
        }
        match inner.source() {
            Some(source) => inner = source,
            None => return inner.to_string(),
        }
    }
}

/// See [`explained`].
pub(super) fn in_words(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::InvalidCertificate(reason) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            // The latter if another authority has the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate is signed by nobody who is trusted (ca= names whom to trust)"
            }
            CertificateError::Revoked => "its certificate was revoked",
            _ => return None,
        },
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateExpired => "it says that our certificate has expired",
            AlertDescription::CertificateRequired => {
                "it wants a certificate of ours (cert= and key=)"
            }
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied => "it does not accept our certificate",
            _ => return None,
        },
        _ => return None,
    })
}

fn roots(ca: Option<&Path>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(ca) = ca else {
        let found = rustls_native_certs::load_native_certs();
        let (taken, _) = roots.add_parsable_certificates(found.certs);
        if taken == 0 {
            let what = "this system trusts no authority; ca= names whom to trust";
            return Err(io::Error::other(what));
        }
        return Ok(roots);
    };
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|e| of_file(ca, &e))?;
    }
    Ok(roots)
}

/// The certificates in a file, at least one.
pub(super) fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|e| of_file(path, &e))?
        .collect();
    let all = all.map_err(|e| of_file(path, &e))?;
    if all.is_empty() {
        return Err(of_file(path, &"it holds no certificate"));
    }
    Ok(all)
}

fn of_file(path: &Path, reason: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {reason}", path.display()))
}
