//! `kafka://`.

use super::address::Address;
use super::syslog::Bracketed;
use super::tls::TlsTarget;
use super::{SpoolTarget, yes};
use crate::secret::Secret;

/// See [`super::Target::Kafka`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KafkaTarget {
    /// `host:port` of brokers to ask first, at least one.
    pub brokers: Vec<String>,
    /// Where records go.
    pub topic: String,
    /// Whether connections are encrypted, and how.
    pub tls: Option<TlsTarget>,
    /// Who logs in.
    pub login: Option<KafkaLogin>,
    /// Where lines wait while it is away; `None`: in memory.
    pub spool: Option<SpoolTarget>,
}

/// A user of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KafkaLogin {
    /// How the password is shown.
    pub mechanism: SaslMechanism,
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// How a password is shown (RFC 4616, RFC 7677).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SaslMechanism {
    /// As it is.
    Plain,
    /// That it is known.
    ScramSha256,
    /// That it is known.
    ScramSha512,
}

const PORT: u16 = 9092;

impl KafkaTarget {
    /// `kafka://broker:9092,broker2:9092/topic`, with the options `tls`, those of [`TlsTarget`], `sasl`, `user`,
    /// `password-file` or `password-credential`, `spool` and `spool-size`.
    pub(super) fn of(address: &mut Address) -> Result<Self, String> {
        let brokers = address
            .hosts(PORT)?
            .iter()
            .map(|(host, port)| format!("{}:{port}", Bracketed(host)))
            .collect();
        let topic = topic(address.rest()?)?;
        let tls = TlsTarget::wanted(address, yes)?;
        let sasl = address.option("sasl", SaslMechanism::named)?;
        let user = address.option("user", |text| Ok(text.to_owned()))?;
        let password = address.secret("password")?;
        let login = match (sasl, user, password) {
            (None, None, None) => None,
            (Some(mechanism), Some(user), Some(password)) => Some(KafkaLogin {
                mechanism,
                user,
                password,
            }),
            _ => return Err("sasl, user and password-file belong together".to_owned()),
        };
        Ok(Self {
            brokers,
            topic,
            tls,
            login,
            spool: SpoolTarget::of(address)?,
        })
    }

    /// What it is called in messages.
    pub(super) fn name(&self) -> String {
        format!("kafka://{}/{}", self.brokers.join(","), self.topic)
    }
}

impl SaslMechanism {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "plain" => Ok(Self::Plain),
            "scram-sha-256" => Ok(Self::ScramSha256),
            "scram-sha-512" => Ok(Self::ScramSha512),
            _ => Err("it is plain, scram-sha-256 or scram-sha-512".to_owned()),
        }
    }
}

/// What the brokers take as a topic's name.
fn topic(name: String) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() {
        return Err("it names no topic".to_owned());
    }
    if name.len() > 249 || matches!(&*name, "." | "..") || !name.bytes().all(legal) {
        return Err(
            "a topic has at most 249 letters, digits, dots, underscores and hyphens".to_owned(),
        );
    }
    Ok(name)
}
