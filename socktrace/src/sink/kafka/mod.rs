//! Lines as records of a topic, each acknowledged by all replicas that are in sync.
//!
//! A record's key is the leak or incident that the line is about, so that all lines of one are in one partition
//! and in order; a header has `event.id`, by which those that arrive twice are recognised.

mod partition;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use chrono::DateTime;
use rskafka::BackoffConfig;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;

use super::courier::{Refusal, Transport, lines};
use super::runtime::{Loop, later};
use super::syslog::tls::Stream;
use super::target::{KafkaLogin, KafkaTarget, SaslMechanism, TlsTarget};
use super::{LARGE_STACK, PATIENCE, tls};
use crate::clock::{self, Clock as _};
use crate::schema::Glance;

/// Brokers refuse more than a megabyte at once if nobody has told them otherwise.
const BATCH: usize = 512 * 1024;
/// How long one request is tried again before all is begun anew. Whoever waits for the end is told why it takes
/// long before patience runs out (`SETTLE` of the queue).
const RETRY: Duration = Duration::from_secs(1);

/// A topic of a cluster.
pub(super) struct Kafka {
    name: String,
    target: KafkaTarget,
    events: Loop,
    topic: Option<Topic>,
    /// What became of the batch that has to be sent again, by partition.
    done: HashMap<i32, u64>,
}

/// A topic whose brokers are known.
struct Topic {
    client: Client,
    name: String,
    partitions: Vec<i32>,
    open: HashMap<i32, PartitionClient>,
}

impl Kafka {
    /// Connects with the first line. Fails if a file of the target's cannot be used.
    pub(super) fn new(name: String, target: &KafkaTarget) -> io::Result<Self> {
        if let Some(options) = &target.tls {
            tls::client_config(options)?;
        }
        Ok(Self {
            name,
            target: target.clone(),
            events: Loop::default(),
            topic: None,
            done: HashMap::new(),
        })
    }
}

impl Transport for Kafka {
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
        let known = self.topic.take().filter(|_| !self.events.has_rested());
        let (target, done) = (&self.target, &mut self.done);
        let topic = self.events.run(PATIENCE, async {
            let mut topic = match known {
                Some(topic) => topic,
                None => Topic::find(target).await?,
            };
            topic.produce(batch, done).await?;
            Ok(topic)
        })?;
        self.topic = Some(topic);
        match self.done.drain().map(|(_, refused)| refused).sum() {
            0 => Ok(()),
            lines => Err(Refusal::Never {
                reason: "the brokers take no records of this size".to_owned(),
                lines,
            }),
        }
    }
}

impl Topic {
    /// Asks the brokers about it.
    async fn find(target: &KafkaTarget) -> Result<Self, Refusal> {
        let mut builder = ClientBuilder::new(target.brokers.clone())
            .client_id("socktrace")
            .backoff_config(BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(1),
                base: 2.0,
                deadline: Some(RETRY),
            });
        if let Some(options) = &target.tls {
            let config = tls::client_config(options).map_err(|e| Refusal::away(&e))?;
            builder = builder.tls_config(config);
        }
        if let Some(login) = &target.login {
            builder = builder.sasl_config(sasl(login)?);
        }
        let client = builder.build().await.map_err(|error| {
            let said = target.tls.as_ref().and_then(|tls| objection(target, tls));
            said.map_or_else(|| refused(&error), |said| later(&said))
        })?;
        let topics = client.list_topics().await.map_err(|e| refused(&e))?;
        let found = topics.into_iter().find(|topic| topic.name == target.topic);
        let Some(topic) = found.filter(|topic| !topic.partitions.is_empty()) else {
            return Err(later(&format!("there is no topic {}", target.topic)));
        };
        Ok(Self {
            client,
            name: topic.name,
            // Their order decides which partition a key belongs to.
            partitions: topic.partitions.into_iter().collect(),
            open: HashMap::new(),
        })
    }

    /// Sends what no partition in `done` has; enters those that have their records, and how many they refused.
    async fn produce(&mut self, batch: &[u8], done: &mut HashMap<i32, u64>) -> Result<(), Refusal> {
        let mut by_partition: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
        for line in lines(batch) {
            let record = record(line);
            let key = record.key.as_deref().unwrap_or(line);
            let index = partition::of_key(key, self.partitions.len());
            let number = self.partitions.get(index).copied().unwrap_or(0);
            by_partition.entry(number).or_default().push(record);
        }
        for (number, records) in by_partition {
            if let Entry::Vacant(entry) = done.entry(number) {
                entry.insert(produce(self.partition(number).await?, records).await?);
            }
        }
        Ok(())
    }

    async fn partition(&mut self, number: i32) -> Result<&PartitionClient, Refusal> {
        if !self.open.contains_key(&number) {
            let unknown = UnknownTopicHandling::Error;
            let client = self
                .client
                .partition_client(&self.name, number, unknown)
                .await
                .map_err(|e| refused(&e))?;
            self.open.insert(number, client);
        }
        self.open
            .get(&number)
            .ok_or_else(|| later("a partition is gone"))
    }
}

/// Sends records to a partition, in smaller batches if they are too large together; how many are too large by
/// themselves.
async fn produce(partition: &PartitionClient, records: Vec<Record>) -> Result<u64, Refusal> {
    let mut refused_records = 0;
    let mut waiting = vec![records];
    while let Some(mut records) = waiting.pop() {
        let sent = partition.produce(records.clone(), Compression::NoCompression);
        match sent.await {
            Ok(_) => {}
            Err(error) if is_too_large(&error) => {
                if records.len() <= 1 {
                    refused_records += 1;
                } else {
                    let rest = records.split_off(records.len() / 2);
                    waiting.extend([rest, records]);
                }
            }
            Err(error) => return Err(refused(&error)),
        }
    }
    Ok(refused_records)
}

fn is_too_large(error: &Error) -> bool {
    use ProtocolError::{MessageTooLarge, RecordListTooLarge};
    matches!(
        error,
        Error::ServerError {
            protocol_error: MessageTooLarge | RecordListTooLarge,
            ..
        }
    )
}

fn record(line: &[u8]) -> Record {
    let glance = Glance::of(line);
    let at = glance.at.or_else(|| {
        let now = clock::System.wall().duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(now.as_nanos()).ok()
    });
    let key = glance.subject.or_else(|| glance.id.clone());
    let mut headers = BTreeMap::new();
    for (name, value) in [("event.id", glance.id), ("event.action", glance.action)] {
        if let Some(value) = value {
            headers.insert(name.to_owned(), value.into_bytes());
        }
    }
    Record {
        key: key.map(String::into_bytes),
        value: Some(line.to_vec()),
        headers,
        timestamp: DateTime::from_timestamp_nanos(
            at.and_then(|at| i64::try_from(at).ok()).unwrap_or(0),
        ),
    }
}

fn sasl(login: &KafkaLogin) -> Result<SaslConfig, Refusal> {
    let password = login.password.read().map_err(|reason| later(&reason))?;
    let credentials = Credentials::new(login.user.clone(), password);
    Ok(match login.mechanism {
        SaslMechanism::Plain => SaslConfig::Plain(credentials),
        SaslMechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
        SaslMechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
    })
}

/// Why the brokers took nothing.
fn refused(error: &Error) -> Refusal {
    if let Error::ServerError { protocol_error, .. } = error {
        return later(&format!("the broker says {protocol_error:?}"));
    }
    let words = tls::innermost(error);
    // The client tells first how often it has tried.
    later(words.rsplit("Source: ").next().unwrap_or(&words))
}

/// What stands in the way of TLS with the first broker that has something against it.
fn objection(target: &KafkaTarget, options: &TlsTarget) -> Option<String> {
    target.brokers.iter().find_map(|broker| {
        let (host, port) = broker.rsplit_once(':')?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        Stream::objection(bare.unwrap_or(host), port.parse().ok()?, options)
    })
}
