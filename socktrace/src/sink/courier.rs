//! Delivery to a counterpart that may be away: again and again, until it has taken what there is.

use std::sync::Arc;
use std::time::Duration;

use super::board::Board;
use super::line::count_lines;
use super::seldom::Seldom;
use super::{Report, Sink, SinkError};
use crate::clock;

/// A way to hand lines to a counterpart.
pub(super) trait Transport: Send {
    /// What it is called in messages.
    fn name(&self) -> &str;

    /// At most so many bytes of lines are handed over at once, unless one line alone has more.
    fn most_bytes(&self) -> usize;

    /// How large a stack it needs, in bytes.
    fn stack(&self) -> usize {
        super::STACK
    }

    /// Hands over `batch`, whole lines. `Ok` means that the counterpart has them.
    fn send(&mut self, batch: &[u8]) -> Result<(), Refusal>;
}

/// Why lines were not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The counterpart is away or busy: the same lines again later, not before `after`. Some of them may
    /// have arrived, and will arrive twice; `event.id` shows it.
    Later {
        reason: String,
        after: Option<Duration>,
    },
    /// It will never take these: they are lost.
    Never { reason: String, lines: u64 },
}

impl Refusal {
    /// The counterpart cannot be reached.
    pub(super) fn away(reason: &dyn std::error::Error) -> Self {
        Self::Later {
            reason: reason.to_string(),
            after: None,
        }
    }
}

/// The first pause; each one is twice as long as the last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const ABANDONED: &str = "it is no output any more";
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// At the end there is no time for long pauses.
const LAST_PAUSE: Duration = Duration::from_millis(100);

/// A sink that does not give up.
pub(super) struct Courier<T> {
    transport: T,
    board: Arc<Board>,
    /// Of the counterpart being away.
    seldom: Seldom,
}

impl<T: Transport> Courier<T> {
    pub(super) fn new(transport: T) -> Self {
        Self {
            transport,
            board: Arc::default(),
            seldom: Seldom::default(),
        }
    }

    /// How many bytes of lines go well together.
    pub(super) fn most_bytes(&self) -> usize {
        self.transport.most_bytes()
    }

    /// Where it tells what happens.
    pub(super) fn own_board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Tells that the counterpart is away, unless that was told a short while ago; whether it did.
    fn tell_away(&mut self, reason: String) -> bool {
        let tells = self.seldom.tells();
        if tells {
            self.board.post(Report::Away {
                name: self.transport.name().to_owned(),
                reason,
            });
        }
        tells
    }

    /// Delivers one piece; lines that will never be taken, and why.
    fn deliver(&mut self, piece: &[u8]) -> Result<(), (String, u64)> {
        let mut pause = FIRST_PAUSE;
        let mut told = false;
        loop {
            if self.board.is_abandoned() {
                return Err((ABANDONED.to_owned(), count_lines(piece)));
            }
            let refusal = match self.transport.send(piece) {
                Ok(()) => {
                    self.board.account().delivered(count_lines(piece));
                    if told {
                        self.board.post(Report::Recovered {
                            name: self.transport.name().to_owned(),
                            lines: 0,
                        });
                    }
                    return Ok(());
                }
                Err(refusal) => refusal,
            };
            match refusal {
                Refusal::Never { reason, lines } => {
                    let account = self.board.account();
                    let taken = count_lines(piece).saturating_sub(lines);
                    if taken > 0 {
                        account.delivered(taken);
                    }
                    account.rejected(lines, &reason);
                    return Err((reason, lines));
                }
                Refusal::Later { reason, after } => {
                    self.board.account().away(&reason);
                    if !told {
                        told = self.tell_away(reason);
                    }
                    let wait = after.unwrap_or_else(|| jittered(pause));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    if self.board.wait(wait) {
                        // The end has come; who waits for it gives up after a while.
                        std::thread::park_timeout(LAST_PAUSE);
                    }
                }
            }
        }
    }
}

impl<T: Transport> Sink for Courier<T> {
    fn name(&self) -> &str {
        self.transport.name()
    }

    fn write(&mut self, batch: &[u8]) -> Result<(), SinkError> {
        let most = self.transport.most_bytes();
        let mut refused = None;
        for piece in pieces(batch, most) {
            if let Err((reason, lines)) = self.deliver(piece) {
                let (_, all) = refused.get_or_insert((reason, 0));
                *all += lines;
            }
        }
        match refused {
            None => Ok(()),
            Some((reason, lines)) => Err(SinkError::Write {
                name: self.transport.name().to_owned(),
                reason: std::io::Error::other(reason),
                lines,
            }),
        }
    }

    fn stack(&self) -> usize {
        self.transport.stack()
    }

    fn board(&self) -> Option<Arc<Board>> {
        Some(self.own_board())
    }
}

/// Between half of `pause` and all of it, so that many agents do not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    let nanos = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
    // Two agents have read the clock at the same nanosecond as good as never.
    let chance = clock::monotonic_ns().wrapping_mul(0x9e37_79b9_7f4a_7c15) % (nanos / 2 + 1);
    Duration::from_nanos(nanos - chance)
}

/// Cuts whole lines into pieces of at most `most` bytes, or one line.
pub(super) fn pieces(batch: &[u8], most: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = batch;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let head = rest.get(..most).unwrap_or(rest);
        let end = if head.len() == rest.len() {
            rest.len()
        } else {
            let line = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n');
            let last = head.iter().rposition(|byte| *byte == b'\n');
            last.or_else(|| line(rest)).map_or(rest.len(), |at| at + 1)
        };
        let (piece, others) = rest.split_at(end);
        rest = others;
        Some(piece)
    })
}

/// The lines of a batch, without their newlines.
pub(super) fn lines(batch: &[u8]) -> impl Iterator<Item = &[u8]> {
    batch
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    /// Takes what `plan` lets it take.
    struct Scripted {
        plan: Vec<Option<Refusal>>,
        taken: Vec<Vec<u8>>,
    }

    impl Transport for Scripted {
        fn name(&self) -> &'static str {
            "scripted"
        }

        fn most_bytes(&self) -> usize {
            8
        }

        fn send(&mut self, batch: &[u8]) -> Result<(), Refusal> {
            if !self.plan.is_empty()
                && let Some(refusal) = self.plan.remove(0)
            {
                return Err(refusal);
            }
            self.taken.push(batch.to_vec());
            Ok(())
        }
    }

    fn courier(plan: Vec<Option<Refusal>>) -> Courier<Scripted> {
        Courier::new(Scripted {
            plan,
            taken: Vec::new(),
        })
    }

    fn later() -> Refusal {
        Refusal::Later {
            reason: "away".to_owned(),
            after: Some(Duration::ZERO),
        }
    }

    #[test]
    fn lines_are_cut_into_pieces_between_lines() {
        let check = |batch: &str, most, expected: &[&str]| {
            let cut: Vec<_> = pieces(batch.as_bytes(), most).collect();
            let expected: Vec<_> = expected.iter().map(|piece| piece.as_bytes()).collect();
            assert_eq!(cut, expected, "{batch:?} {most}");
        };
        check("", 8, &[]);
        check("a\nb\n", 8, &["a\nb\n"]);
        check("a\nb\nc\n", 4, &["a\nb\n", "c\n"]);
        check("a\nb\nc\n", 5, &["a\nb\n", "c\n"]);
        check("long line\nb\n", 4, &["long line\n", "b\n"]);
        check("a\nlong line\nb\n", 4, &["a\n", "long line\n", "b\n"]);
    }

    #[test]
    fn what_is_refused_for_now_is_sent_again_in_order() {
        let mut courier = courier(vec![Some(later()), Some(later()), None, Some(later())]);
        courier.write(b"one\ntwo\nthree\n").unwrap();
        assert_eq!(courier.transport.taken.concat(), b"one\ntwo\nthree\n");
        let news: Vec<_> = courier
            .board
            .news()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            news,
            [
                "scripted: away; trying again",
                "scripted works again; lost 0 lines",
            ],
            "the second time is too soon after the first to be told"
        );
    }

    #[test]
    fn what_will_never_be_taken_is_counted_and_the_rest_goes_on() {
        let refusal = Some(Refusal::Never {
            reason: "malformed".to_owned(),
            lines: 2,
        });
        let mut courier = courier(vec![refusal, None]);
        let error = courier.write(b"one\ntwo\nthree\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot write to scripted: malformed; lost 2 lines"
        );
        assert_eq!(courier.transport.taken.concat(), b"three\n");
        let account = courier.board.account();
        assert_eq!(account.lines(Outcome::Delivered), 1);
        assert_eq!(account.lines(Outcome::Rejected), 2);
        let rejected = account.troubles().rejected;
        assert_eq!(
            rejected.map(|trouble| trouble.reason).as_deref(),
            Some("malformed")
        );
    }

    #[test]
    fn pauses_differ_and_stay_within_bounds() {
        for _ in 0..1000 {
            let pause = jittered(FIRST_PAUSE);
            assert!(
                pause >= FIRST_PAUSE / 2 && pause <= FIRST_PAUSE,
                "{pause:?}"
            );
        }
    }
}
