//! `scan`: one look at all sockets, without waiting.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::look::Look;
use super::outputs::{Outputs, warn};
use super::{Failure, groups, live};
use crate::cli::{Exit, ScanSettings};
use crate::clock::{self, Clock as _};
use crate::decode::{DecodeContext, records};
use crate::enrich::{Enricher, sockstat};
use crate::model::{Closed, ScanSummary, TcpState};
use crate::sink::{Class, WhenFull};
use crate::source::diag::{self, netlink};
use crate::source::hooks::HookOverrides;
use crate::source::kernel::Sizes;
use crate::source::kernel::loader::{Mode, Options};
use crate::source::kernel::privilege;

/// How many processes' facts are remembered.
const PROCESSES: usize = 65_536;

/// Lines are handed on when so many bytes of them wait.
const BATCH: usize = 1 << 20;

/// Looks once and prints.
pub(super) fn execute(settings: &ScanSettings) -> Result<Exit, Failure> {
    let mut outputs = Outputs::open(&settings.outputs, &live::host(), WhenFull::Wait)?;
    // The kernel looks through its table of connections meanwhile, which takes as long as all descriptors.
    let minis = std::thread::Builder::new().spawn(fin_wait2);
    let lacking = privilege::missing();
    let read = if lacking.is_empty() {
        through_ebpf()?
    } else {
        without_ebpf(&lacking)?
    };
    let Read {
        look,
        whole,
        source,
        unlisted,
        missing,
    } = read;
    let closed = match unlisted {
        None => Closed::Seen {
            over: look.closed_held(),
            never_connected: look.never_connected(),
        },
        Some(unlisted) => Closed::Unlisted(unlisted),
    };
    let mut enricher = Enricher::new(live::procfs(), PROCESSES);
    let (leaks, acceptors) = look.leaks(&mut enricher, &settings.filter);
    let summary = ScanSummary {
        at: clock::System.boot(),
        source,
        closed,
        counts: sockstat(&live::procfs()),
        fin_wait2: minis.map_or_else(|_| fin_wait2(), |minis| minis.join().unwrap_or_default()),
        missing,
    };
    if settings.by.is_empty() {
        for leak in &leaks {
            outputs.encode(Class::Finding, |encoder, out| {
                encoder.encode_scanned(leak, out);
            });
            if outputs.waiting() >= BATCH {
                outputs.write();
                if outputs.all_closed() {
                    break;
                }
            }
        }
    } else {
        let by = groups::name(&settings.by);
        for group in groups::count(&settings.by, &leaks, &acceptors) {
            outputs.encode(Class::Finding, |encoder, out| {
                encoder.encode_group(summary.at, &by, &group, out);
            });
        }
    }
    outputs.encode(Class::Finding, |encoder, out| {
        encoder.finish_scan(&summary, out);
    });
    outputs.finish();
    if !summary.missing.is_empty() {
        warn(&format!("not seen: {}", summary.missing.join("; ")));
    }
    if !whole {
        return Err(Failure::from(anyhow::anyhow!(
            "the kernel's tables could not be read to the end: there may be more; scan again"
        )));
    }
    Ok(if leaks.is_empty() {
        Exit::Fine
    } else {
        Exit::LeaksFound
    })
}

/// What a source has shown.
struct Read {
    look: Look,
    whole: bool,
    source: &'static str,
    /// Sockets that are closed or were never connected, where that is all that can be said.
    unlisted: Option<u64>,
    missing: Vec<String>,
}

fn through_ebpf() -> Result<Read, Failure> {
    let options = Options {
        mode: Mode::Scan,
        leak_after: Duration::MAX,
        sizes: Sizes::LEAST,
        forced: HookOverrides::default(),
    };
    let mut kernel = live::load_with(&options)?;
    let context = DecodeContext { hz: clock::hz() };
    let mut look = Look::new();
    let mut whole = true;
    let (complete, unread) = kernel.iterators.look(&mut |bytes| {
        for (_, record) in records(bytes, context) {
            match record {
                Ok(record) => look.take(&record),
                Err(_) => whole = false,
            }
        }
    });
    whole &= complete;
    Ok(Read {
        look,
        whole: whole && unread.is_empty(),
        source: "ebpf",
        unlisted: None,
        missing: unread.iter().map(ToString::to_string).collect(),
    })
}

fn without_ebpf(lacking: &[&str]) -> Result<Read, Failure> {
    let proc = live::procfs();
    let netns = proc.namespace("self/ns/net").unwrap_or(0);
    let seen = diag::read(proc.root(), netns, clock::System.boot())
        .map_err(|error| anyhow::anyhow!("cannot ask the kernel for its sockets: {error}"))?;
    let mut missing = vec![format!(
        "leaks of the kind closed_held ({} sockets are closed or were never connected, which cannot be told \
         apart without {}; run as root: sudo socktrace scan)",
        seen.unlisted,
        lacking.join(", ")
    )];
    if seen.hidden > 0 {
        missing.push(format!(
            "the descriptors of other users' processes ({}; {} sockets in CLOSE_WAIT or FIN_WAIT2 have no holder \
             that can be seen)",
            seen.hidden, seen.unowned
        ));
    }
    if seen.elsewhere > 0 {
        missing.push(format!(
            "sockets in other network namespaces (processes there: {})",
            seen.elsewhere
        ));
    }
    let mut look = Look::new();
    for record in &seen.records {
        look.take(record);
    }
    Ok(Read {
        look,
        whole: true,
        source: "sock_diag",
        unlisted: Some(seen.unlisted),
        missing,
    })
}

/// Mini-sockets in FIN_WAIT2 by remote address, most first; none where the kernel does not answer.
fn fin_wait2() -> Vec<(IpAddr, u64)> {
    let mut counts: HashMap<IpAddr, u64> = HashMap::new();
    let mut count = |answer: netlink::Answer| {
        if answer.mini {
            *counts.entry(answer.peer.ip()).or_default() += 1;
        }
    };
    // Without sock_diag the kernel has no such table to ask.
    let _ = netlink::table(netlink::States::only(TcpState::FinWait2), &mut count);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    counts
}
