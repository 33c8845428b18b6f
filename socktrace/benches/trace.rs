//! What one record costs on its way from the ring buffer to a line: decoded, followed, written; and what the
//! tracker of `run` needs for a suspect.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use socktrace::decode::{DecodeContext, decode};
use socktrace::model::{BootTime, Cookie, Event, Host, Lifecycle, Record};
use socktrace::schema::{Encoder, Format};
use socktrace::tracker::{Timeline, Tracker, TrackerConfig};

const CONTEXT: DecodeContext = DecodeContext { hz: 1000 };

/// The seeds of the fuzz targets, which the tests keep up to date.
const CONNECT: &[u8] = include_bytes!("../../tests/fuzz/seeds/decode/connect.bin");
const ACCEPT: &[u8] = include_bytes!("../../tests/fuzz/seeds/decode/accept.bin");
const CHANGE: &[u8] = include_bytes!("../../tests/fuzz/seeds/decode/state_change.bin");
const RELEASE: &[u8] = include_bytes!("../../tests/fuzz/seeds/decode/release.bin");
const SUSPECT: &[u8] = include_bytes!("../../tests/fuzz/seeds/decode/suspect.bin");

/// As many of each as a connection on loopback causes.
fn life() -> Vec<&'static [u8]> {
    let mut records = vec![CONNECT, ACCEPT];
    records.extend([CHANGE; 10]);
    records.extend([RELEASE; 2]);
    records
}

fn decoded(bytes: &[u8]) -> Record {
    decode(bytes, CONTEXT).expect("the seeds are sound")
}

fn events() -> Vec<Lifecycle> {
    let mut timeline = Timeline::new(1024);
    let records = life().into_iter().map(decoded);
    records
        .filter_map(|record| timeline.observe(&record))
        .collect()
}

fn host() -> Host {
    Host {
        name: "db-7".into(),
        id: "7a1c0d0ce4b04b0f9d5e6f708192a3b4".into(),
        boot_id: "0f3b7a52-9d0e-4b7e-8a54-1f4f0b8f2c11".into(),
        wall_minus_boot_ns: 1_795_354_645_123_456_789,
        agent_started: BootTime(10),
    }
}

fn decoding(criterion: &mut Criterion) {
    let life = life();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(life.len() as u64));
    group.bench_function("a connection's records", |bencher| {
        bencher.iter(|| {
            for record in &life {
                let _ = black_box(decode(black_box(record), CONTEXT));
            }
        });
    });
    group.finish();
}

fn following(criterion: &mut Criterion) {
    let life: Vec<Record> = life().into_iter().map(decoded).collect();
    let mut timeline = Timeline::new(1024);
    let mut group = criterion.benchmark_group("timeline");
    group.throughput(Throughput::Elements(life.len() as u64));
    group.bench_function("a connection's records", |bencher| {
        bencher.iter(|| {
            for record in &life {
                black_box(timeline.observe(black_box(record)));
            }
        });
    });
    group.finish();
}

fn encoding(criterion: &mut Criterion) {
    let events = events();
    let mut group = criterion.benchmark_group("encode");
    for (name, format) in [
        ("json", Format::Json),
        ("text", Format::Text),
        ("ocsf", Format::Ocsf),
        ("cef", Format::Cef),
        ("otlp", Format::Otlp),
    ] {
        let mut encoder = Encoder::new(format, host(), false);
        let mut out = Vec::new();
        group.throughput(Throughput::Elements(events.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                for event in &events {
                    encoder.encode_lifecycle(black_box(event), &mut out);
                }
                black_box(out.len())
            });
        });
    }
    group.finish();
}

fn tracking(criterion: &mut Criterion) {
    const SOCKETS: u64 = 10_000;
    let Event::Suspect(suspect) = decoded(SUSPECT).event else {
        panic!("the seed is a suspect");
    };
    let mut records = Vec::new();
    for cookie in 0..SOCKETS {
        let mut suspect = suspect;
        suspect.socket.cookie = Cookie(cookie);
        records.push(Record {
            at: BootTime(100_000_000_000),
            event: Event::Suspect(suspect),
        });
    }
    let config = TrackerConfig {
        leak_after: Duration::from_mins(1),
        reproof_every: Duration::from_mins(1),
        max_tracked: 1 << 20,
    };
    let mut group = criterion.benchmark_group("tracker");
    group.throughput(Throughput::Elements(SOCKETS));
    group.bench_function("suspects", |bencher| {
        bencher.iter_batched_ref(
            || Tracker::new(config),
            |tracker| {
                for record in &records {
                    tracker.handle_event(black_box(record));
                }
                tracker.tracked()
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, decoding, following, encoding, tracking);
criterion_main!(benches);
