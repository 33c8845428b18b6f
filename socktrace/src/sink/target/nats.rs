//! `nats://`.

use super::address::Address;
use super::syslog::Bracketed;
use super::tls::TlsTarget;
use super::{SpoolTarget, yes};
use crate::secret::Secret;

/// See [`super::Target::Nats`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NatsTarget {
    /// `nats://host:port` of servers, at least one.
    pub servers: Vec<String>,
    /// Where messages go; `{action}` stands for the event's action.
    pub subject: String,
    /// Whether connections have to be encrypted, and how.
    pub tls: Option<TlsTarget>,
    /// Who logs in.
    pub login: Option<NatsLogin>,
    /// Where lines wait while it is away; `None`: in memory.
    pub spool: Option<SpoolTarget>,
}

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NatsLogin {
    /// Whoever knows it.
    Token(Secret),
    /// A user and a password.
    Password(String, Secret),
}

const PORT: u16 = 4222;
/// What a subject may have instead of a part.
pub(super) const ACTION: &str = "{action}";

impl NatsTarget {
    /// `nats://host:4222,host2:4222/subject.{action}`, with the options `tls`, those of [`TlsTarget`],
    /// `token-file`, or `user` and `password-file`, or credentials instead of files, `spool` and `spool-size`.
    pub(super) fn of(address: &mut Address) -> Result<Self, String> {
        let servers = address
            .hosts(PORT)?
            .iter()
            .map(|(host, port)| format!("nats://{}:{port}", Bracketed(host)))
            .collect();
        let subject = subject(address.rest()?)?;
        let tls = TlsTarget::wanted(address, yes)?;
        let token = address.secret("token")?;
        let user = address.option("user", |text| Ok(text.to_owned()))?;
        let password = address.secret("password")?;
        let login = match (token, user, password) {
            (None, None, None) => None,
            (Some(token), None, None) => Some(NatsLogin::Token(token)),
            (None, Some(user), Some(password)) => Some(NatsLogin::Password(user, password)),
            _ => return Err("give token-file, or user and password-file".to_owned()),
        };
        Ok(Self {
            servers,
            subject,
            tls,
            login,
            spool: SpoolTarget::of(address)?,
        })
    }

    /// What it is called in messages.
    pub(super) fn name(&self) -> String {
        let hosts: Vec<_> = self
            .servers
            .iter()
            .map(|server| server.trim_start_matches("nats://"))
            .collect();
        format!("nats://{}/{}", hosts.join(","), self.subject)
    }

    /// The subject of an event with this action.
    #[must_use]
    pub fn subject_of(&self, action: &str) -> String {
        self.subject.replace(ACTION, action)
    }
}

/// Words between dots, none of them a wildcard.
fn subject(text: String) -> Result<String, String> {
    if text.is_empty() {
        return Err("it names no subject".to_owned());
    }
    let plain = text.replace(ACTION, "action");
    let legal = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"*>{}".contains(&byte))
    };
    if plain.starts_with('$') || !plain.split('.').all(legal) {
        return Err(
            "a subject is words with dots between them, without * and >; {action} is the event's"
                .to_owned(),
        );
    }
    Ok(text)
}
