//! An authority of our own, and what it signs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use socktrace_tests::child::Outcome;
use socktrace_tests::wait::SOON;

/// Whom a certificate is for, so that one for another name is one for `127.0.0.1`.
pub(crate) const LOCALHOST: &str = "DNS:localhost";

/// A folder with `ca.pem` and `ca.key`, and more pairs of them.
pub(crate) struct Authority(tempfile::TempDir);

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self(tempfile::tempdir().expect("a folder"));
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "2",
            "-subj",
            "/CN=authority",
        ]);
        authority
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path as a text.
    pub(crate) fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A certificate for these names that ends in so many days, and its key: `NAME.pem` and `NAME.key`.
    pub(crate) fn certificate(&self, name: &str, names: &str, days: &str) {
        let [key, request, certificate] = ["key", "csr", "pem"].map(|end| format!("{name}.{end}"));
        fs::write(self.path("names"), format!("subjectAltName={names}")).expect("a file");
        self.openssl(&[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &request,
            "-subj",
            "/CN=socktrace",
        ]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            days,
            "-extfile",
            "names",
            "-out",
            &certificate,
        ]);
    }

    /// What a server with that certificate does. With `demands` it wants one that the authority has signed.
    pub(crate) fn server(&self, name: &str, demands: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if demands {
            let mut roots = RootCertStore::empty();
            roots.add(self.first("ca.pem")).expect("an authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).expect("a key");
        let chain = vec![self.first(&format!("{name}.pem"))];
        Arc::new(builder.with_single_cert(chain, key).expect("a pair"))
    }

    fn first(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path(name)).expect("a certificate")
    }

    fn openssl(&self, args: &[&str]) {
        let mut command = Command::new("openssl");
        let outcome = Outcome::of(command.args(args).current_dir(self.0.path()), SOON * 3);
        outcome.check_code(0);
    }
}
