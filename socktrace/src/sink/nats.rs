//! Lines as messages of JetStream, each acknowledged by a stream.
//!
//! A message's id is the line's `event.id`: what is sent again because an acknowledgement was lost is recognised
//! by the server, within the window that the stream has for that.

use std::io;
use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{Client, ConnectErrorKind, ConnectOptions};
use bytes::Bytes;

use super::courier::{Refusal, Transport, lines};
use super::runtime::{Loop, later};
use super::target::{NatsLogin, NatsTarget};
use super::{LARGE_STACK, PATIENCE, tls};
use crate::schema::Glance;

/// So many bytes are on their way at once.
const BATCH: usize = 256 * 1024;
/// How long to wait for a connection and for an acknowledgement.
const ANSWER: Duration = Duration::from_secs(5);
/// What an action is called in a subject where a line does not tell it.
const UNKNOWN: &str = "unknown";

/// Servers of NATS.
pub(super) struct Nats {
    name: String,
    target: NatsTarget,
    events: Loop,
    client: Option<Client>,
    /// What became of each line of the batch that has to be sent again.
    done: Vec<Fate>,
}

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waits,
    Taken,
    TooLarge,
}

impl Nats {
    /// Connects with the first line. Fails if a file of the target's cannot be used.
    pub(super) fn new(name: String, target: &NatsTarget) -> io::Result<Self> {
        if let Some(options) = &target.tls {
            tls::client_config(options)?;
        }
        Ok(Self {
            name,
            target: target.clone(),
            events: Loop::default(),
            client: None,
            done: Vec::new(),
        })
    }
}

impl Transport for Nats {
    fn name(&self) -> &str {
        &self.name
    }

    fn most_bytes(&self) -> usize {
        BATCH
    }

    fn stack(&self) -> usize {
        LARGE_STACK
    }

    fn send(&mut self, batch: &[u8]) -> Result<(), Refusal> {
        let known = self.client.take().filter(|_| !self.events.has_rested());
        let (target, done) = (&self.target, &mut self.done);
        let client = self.events.run(2 * PATIENCE, async {
            let client = match known {
                Some(client) => client,
                None => connect(target).await?,
            };
            publish(&client, target, batch, done).await?;
            Ok(client)
        })?;
        self.client = Some(client);
        let refused = self.done.iter().filter(|fate| **fate == Fate::TooLarge);
        let refused = refused.count() as u64;
        self.done.clear();
        match refused {
            0 => Ok(()),
            lines => Err(Refusal::Never {
                reason: "the server takes no messages of this size".to_owned(),
                lines,
            }),
        }
    }
}

async fn connect(target: &NatsTarget) -> Result<Client, Refusal> {
    let mut options = ConnectOptions::new()
        .name("socktrace")
        .connection_timeout(ANSWER)
        .request_timeout(Some(ANSWER))
        // Whoever sends tries again, and tells of it.
        .max_reconnects(1);
    if let Some(tls) = &target.tls {
        let config = tls::client_config(tls).map_err(|e| Refusal::away(&e))?;
        options = options
            .require_tls(true)
            .tls_client_config((*config).clone());
    }
    options = match &target.login {
        None => options,
        Some(NatsLogin::Token(token)) => options.token(token.read().map_err(|e| later(&e))?),
        Some(NatsLogin::Password(user, password)) => {
            let password = password.read().map_err(|e| later(&e))?;
            options.user_and_password(user.clone(), password)
        }
    };
    options
        .connect(target.servers.clone())
        .await
        .map_err(|error| match error.kind() {
            ConnectErrorKind::AuthorizationViolation => later("it does not accept our login"),
            _ => later(&tls::innermost(&error)),
        })
}

/// Publishes what waits, all at once, and waits for all acknowledgements.
async fn publish(
    client: &Client,
    target: &NatsTarget,
    batch: &[u8],
    done: &mut Vec<Fate>,
) -> Result<(), Refusal> {
    let context = ContextBuilder::new().timeout(ANSWER).build(client.clone());
    let mut acknowledgements = Vec::new();
    for (index, line) in lines(batch).enumerate() {
        if done.len() <= index {
            done.push(Fate::Waits);
        }
        if done.get(index) != Some(&Fate::Waits) {
            continue;
        }
        let glance = Glance::of(line);
        let mut message = PublishMessage::build().payload(Bytes::copy_from_slice(line));
        if let Some(id) = &glance.id {
            message = message.message_id(id);
        }
        let subject = target.subject_of(glance.action.as_deref().unwrap_or(UNKNOWN));
        match context.send_publish(subject, message).await {
            Ok(acknowledgement) => acknowledgements.push((index, acknowledgement)),
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                set(done, index, Fate::TooLarge);
            }
            Err(error) => return Err(unpublished(&error, target)),
        }
    }
    for (index, acknowledgement) in acknowledgements {
        acknowledgement
            .await
            .map_err(|error| unpublished(&error, target))?;
        set(done, index, Fate::Taken);
    }
    Ok(())
}

fn set(done: &mut [Fate], index: usize, fate: Fate) {
    if let Some(entry) = done.get_mut(index) {
        *entry = fate;
    }
}

fn unpublished(error: &PublishError, target: &NatsTarget) -> Refusal {
    match error.kind() {
        PublishErrorKind::StreamNotFound => later(&format!(
            "no stream has the subject {}; `nats stream add` makes one",
            target.subject
        )),
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => {
            later("it did not acknowledge in time")
        }
        _ => later(&tls::innermost(error)),
    }
}
