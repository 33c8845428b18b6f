//! Lines to counterparts that speak HTTP.
//!
//! * [`Http`]: the transport: cuts batches into requests, and keeps what is left of a batch between tries.
//! * [`client`]: requests and answers, bounded; [`resolver`]: names to addresses.
//! * [`verdict`]: what an answer means for the lines of its request.
//! * [`dialect`]: what counterparts have in common; [`otlp`], [`webhook`], [`elastic`], [`splunk`], [`loki`]:
//!   what each wants and answers.

mod client;
mod dialect;
mod elastic;
mod loki;
mod otlp;
mod resolver;
mod splunk;
mod verdict;
mod webhook;

#[cfg(test)]
mod tests;

use std::io::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::courier::{Refusal, Transport, lines, pieces};
use super::line::count_lines;
use super::target::{HttpTarget, Login};
use crate::secret::SecretError;
use client::Client;
use dialect::Dialect;
use verdict::Verdict;

/// Lines of one request, unless one line alone has more.
const BATCH: usize = 256 * 1024;

/// A counterpart that speaks HTTP.
pub(super) struct Http {
    name: String,
    target: HttpTarget,
    url: String,
    client: Client,
    dialect: Box<dyn Dialect>,
    /// Most bytes of lines in a request; less than [`BATCH`] for a counterpart that says that is too much.
    most: usize,
    body: Vec<u8>,
    packed: Vec<u8>,
    /// What is left of a batch that will come again.
    left: Option<Left>,
}

/// A batch of which some lines are done with.
struct Left {
    /// Which batch: its checksum and length.
    of: (u32, usize),
    lines: Vec<u8>,
    lost: u64,
    why: Option<String>,
}

impl Left {
    fn note(&mut self, lines: u64, why: impl FnOnce() -> String) {
        if lines > 0 {
            self.lost += lines;
            self.why.get_or_insert_with(why);
        }
    }
}

impl Http {
    /// Connects with the first line.
    pub(super) fn new(name: String, target: &HttpTarget) -> Self {
        Self {
            name,
            url: target.url(),
            client: Client::new(target.secure, &target.tls, target.timeout),
            dialect: dialect::of(target),
            target: target.clone(),
            most: BATCH,
            body: Vec::new(),
            packed: Vec::new(),
            left: None,
        }
    }

    /// The value of `Authorization`.
    fn authorization(&self) -> Result<Option<String>, SecretError> {
        Ok(match &self.target.login {
            None => None,
            Some(Login::Token(scheme, token)) => Some(format!("{scheme} {}", token.text()?)),
            Some(Login::Basic(user, password)) => {
                let pair = format!("{user}:{}", password.text()?);
                Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
            }
        })
    }

    /// One request with these lines, and what its answer means.
    fn exchange(&mut self, lines: &[u8]) -> Verdict {
        self.body.clear();
        let unusable = self.dialect.body(lines, &mut self.body);
        if unusable == count_lines(lines) {
            return Verdict::lost(unusable, self.dialect.unusable());
        }
        let mut headers = vec![("content-type", self.dialect.content_type())];
        let body = if self.target.gzip {
            headers.push(("content-encoding", "gzip"));
            compress(&self.body, &mut self.packed);
            &self.packed
        } else {
            &self.body
        };
        let token = match self.authorization() {
            Ok(token) => token,
            Err(error) => return Verdict::later(error.to_string()),
        };
        if let Some(token) = &token {
            headers.push(("authorization", token.as_str()));
        }
        for (name, value) in &self.target.headers {
            headers.push((name, value));
        }
        let most = self.dialect.most_answer();
        let answer = match self.client.post(&self.url, &headers, body, most) {
            Ok(answer) => answer,
            Err(reason) => return Verdict::later(reason),
        };
        if let (401 | 403, Some(login)) = (answer.status, &self.target.login) {
            // Somebody may have changed it.
            login.secret().forget();
        }
        let mut verdict = self.dialect.judge(&answer, lines);
        if let Verdict::Taken { lost, why } = &mut verdict
            && unusable > 0
        {
            *lost += unusable;
            why.get_or_insert_with(|| self.dialect.unusable());
        }
        verdict
    }
}

impl Transport for Http {
    fn name(&self) -> &str {
        &self.name
    }

    fn most_bytes(&self) -> usize {
        BATCH
    }

    fn stack(&self) -> usize {
        super::LARGE_STACK
    }

    fn send(&mut self, batch: &[u8]) -> Result<(), Refusal> {
        let of = (crc32fast::hash(batch), batch.len());
        let known = self.left.take().filter(|left| left.of == of);
        let mut left = known.unwrap_or_else(|| Left {
            of,
            lines: batch.to_vec(),
            lost: 0,
            why: None,
        });
        let mut most = self.most.min(self.dialect.most_bytes());
        while !left.lines.is_empty() {
            let piece = pieces(&left.lines, most).next().unwrap_or_default();
            let (end, count) = (piece.len(), count_lines(piece));
            match self.exchange(piece) {
                Verdict::Taken { lost, why } => {
                    left.lines.drain(..end);
                    left.note(lost, || why.unwrap_or_default());
                }
                Verdict::Later { reason, after } => {
                    self.left = Some(left);
                    return Err(Refusal::Later { reason, after });
                }
                Verdict::Some {
                    again,
                    lost,
                    why,
                    busy,
                    after,
                } => {
                    let rest = left.lines.split_off(end);
                    left.lines = chosen(&left.lines, &again);
                    left.lines.extend_from_slice(&rest);
                    left.note(lost, || why.unwrap_or_default());
                    if let Some(reason) = busy {
                        self.left = Some(left);
                        return Err(Refusal::Later { reason, after });
                    }
                }
                Verdict::Smaller { reason, for_good } => {
                    if count <= 1 {
                        left.lines.drain(..end);
                        left.note(1, || reason);
                    } else {
                        most = (end / 2).max(1);
                        if for_good {
                            self.most = most;
                        }
                    }
                }
            }
        }
        match left.lost {
            0 => Ok(()),
            lines => Err(Refusal::Never {
                reason: left.why.unwrap_or_default(),
                lines,
            }),
        }
    }
}

/// The lines with these numbers.
fn chosen(batch: &[u8], numbers: &[usize]) -> Vec<u8> {
    let mut wanted = numbers.iter().copied().peekable();
    let mut out = Vec::new();
    for (number, line) in lines(batch).enumerate() {
        if wanted.next_if_eq(&number).is_some() {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    out
}

/// gzip (RFC 1952) of `bytes`.
fn compress(bytes: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let mut encoder = GzEncoder::new(into, Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.try_finish());
    // A Vec takes everything.
    debug_assert!(written.is_ok(), "{written:?}");
}
