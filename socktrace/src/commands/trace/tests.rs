//! What becomes of records at full load: how often memory is asked for, and how often is written.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use socktrace_common::wire::header_flag;
use zerocopy::{Immutable, IntoBytes};

use super::*;
use crate::allocations::allocations;
use crate::decode::tests::wire;
use crate::model::{BootTime, Host, TcpState};
use crate::schema::{Format, Selection};
use crate::sink::{FileTarget, Rotation};
use crate::sink::{LineSink, Sink as _};

/// A hundred connections and what they cause.
const CONNECTIONS: u64 = 100;
const EVENTS: u64 = 14;

fn host() -> Host {
    Host {
        name: "db-7".to_owned(),
        id: "7a1c0d0ce4b04b0f9d5e6f708192a3b4".to_owned(),
        boot_id: "0f3b7a52-9d0e-4b7e-8a54-1f4f0b8f2c11".to_owned(),
        wall_minus_boot_ns: 1_795_354_645_123_456_789,
        agent_started: BootTime(10),
    }
}

fn printer(format: Format) -> Printer {
    let file = FileTarget {
        path: PathBuf::from("/dev/null"),
        rotation: Rotation::default(),
    };
    let output = Output {
        format,
        colour: false,
        envelope: None,
        selection: Selection::default(),
        targets: vec![Target::File(file)],
    };
    Printer {
        intake: Intake::new(1000, Recorder::none(), Faults::default()),
        timeline: Timeline::new(65_536),
        filter: Filter::default(),
        processes: Processes::new(live::procfs(), 64),
        outputs: Outputs::open(&[output], &host(), WhenFull::Wait).unwrap(),
    }
}

/// Records as they come out of the ring on loopback, for one connection after the other.
struct Lives {
    batch: Records,
    sockets: u64,
    records: u64,
}

impl Lives {
    fn new() -> Self {
        Self {
            batch: Records::new(),
            sockets: 0,
            records: 0,
        }
    }

    /// The next hundred.
    fn next(&mut self) -> &Records {
        self.batch.clear();
        for _ in 0..CONNECTIONS {
            self.live();
        }
        &self.batch
    }

    /// One connection: both of its ends, from the first to the last that is told of them.
    fn live(&mut self) {
        use TcpState::{
            Close, CloseWait, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent,
        };
        let (client, server) = (self.sockets + 1, self.sockets + 2);
        self.sockets += 2;
        self.change(client, Close, SynSent);
        self.change(server, Listen, SynRecv);
        self.change(server, SynRecv, Established);
        self.change(client, SynSent, Established);
        self.add(client, Established, wire::connect(), |r| {
            (&mut r.header, &mut r.sock)
        });
        self.add(server, Established, wire::accept(), |r| {
            (&mut r.header, &mut r.sock)
        });
        self.add(client, Established, wire::release(), |r| {
            (&mut r.header, &mut r.sock)
        });
        self.change(client, Established, FinWait1);
        self.change(client, FinWait1, FinWait2);
        self.change(server, Established, CloseWait);
        self.add(server, CloseWait, wire::release(), |r| {
            (&mut r.header, &mut r.sock)
        });
        self.change(server, CloseWait, LastAck);
        self.change(client, FinWait2, Close);
        self.change(server, LastAck, Close);
    }

    fn change(&mut self, socket: u64, old: TcpState, new: TcpState) {
        let mut change = wire::state_change();
        change.old_state = u32::from(old as u8);
        self.add(socket, new, change, |r| (&mut r.header, &mut r.sock));
    }

    fn add<W: IntoBytes + Immutable>(
        &mut self,
        socket: u64,
        state: TcpState,
        mut record: W,
        parts: fn(
            &mut W,
        ) -> (
            &mut socktrace_common::wire::Header,
            &mut socktrace_common::wire::Sock,
        ),
    ) {
        let (header, sock) = parts(&mut record);
        header.boot_ns = 1_000_000 + self.records * 1000;
        header.seq = self.records;
        header.flags = header_flag::SEQUENCED;
        sock.cookie = socket;
        // The kernel uses memory again.
        sock.kaddr += socket % 64 * 2496;
        sock.state = state as u8;
        self.batch.push(record.as_bytes());
        self.records += 1;
    }
}

/// Once everything has its size, an event is decoded, followed and encoded without asking for memory.
#[track_caller]
fn check(format: Format) {
    let mut printer = printer(format);
    let mut lives = Lives::new();
    for _ in 0..12 {
        printer.records(lives.next());
        printer.outputs.discard();
    }
    let before = printer.outputs.events();
    let mut asked = 0;
    for _ in 0..12 {
        let records = lives.next();
        asked += allocations(|| printer.records(records));
        printer.outputs.discard();
    }
    let events = printer.outputs.events() - before;
    assert_eq!(events, 12 * CONNECTIONS * EVENTS);
    assert_eq!(asked, 0, "{format:?}: for {events} events");
    assert!(printer.intake.gaps.settle().is_empty());
    assert!(printer.timeline.len() < 64, "{}", printer.timeline.len());
}

#[test]
fn an_event_costs_no_memory_as_json() {
    check(Format::Json);
}

#[test]
fn an_event_costs_no_memory_as_text() {
    check(Format::Text);
}

/// Handing lines on costs no more than the growing of two buffers, however many there are.
#[test]
fn a_batch_of_lines_is_handed_on_in_few_pieces() {
    let mut printer = printer(Format::Json);
    let mut lives = Lives::new();
    let mut asked = 0;
    for _ in 0..20 {
        let records = lives.next();
        asked += allocations(|| {
            printer.records(records);
            printer.outputs.write();
        });
    }
    let events = 20 * CONNECTIONS * EVENTS;
    assert!(asked < 60, "{asked} pieces of memory for {events} events");
}

/// Counts what is written.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<usize>>>);

impl io::Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_batch_is_one_write() {
    let mut printer = printer(Format::Json);
    let mut lives = Lives::new();
    printer.records(lives.next());
    let lines = printer.outputs.discard();
    let writes = Writes::default();
    let mut sink = LineSink::new("-".to_owned(), writes.clone());
    sink.write(&lines).unwrap();
    assert_eq!(*writes.0.lock().unwrap(), [lines.len()]);
    let pieces = lines.split(|byte| *byte == b'\n').count() as u64;
    assert_eq!(pieces, CONNECTIONS * EVENTS + 1);
}
