//! What this process uses of the machine.

use std::time::Duration;

use super::ProcFs;

/// What this process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Processor time of all its threads since it began.
    pub cpu: Duration,
    /// Resident memory, in bytes.
    pub resident: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

impl Resources {
    /// Of this process; `None` where /proc does not tell.
    #[must_use]
    pub fn own(proc: &ProcFs) -> Option<Self> {
        let stat = proc.read("self/stat", 1024)?;
        // Behind the name, which may have anything in it, the third field stands first (proc(5)).
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let fields = str::from_utf8(stat.get(end + 1..)?).ok()?;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let mut number = || fields.next()?.parse::<u64>().ok();
        let ticks = number()? + number()?;
        let pages = fields.nth(8)?.parse::<u64>().ok()?;
        let micros = ticks.saturating_mul(1_000_000) / proc.ticks_per_second().max(1);
        Some(Self {
            cpu: Duration::from_micros(micros),
            resident: pages.saturating_mul(page_size()),
            descriptors: proc.descriptors("self/fd")?,
        })
    }
}

fn page_size() -> u64 {
    // SAFETY: sysconf only reads its argument.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::fake::FakeProc;

    #[test]
    fn fields_are_those_of_proc() {
        let fake = FakeProc::new();
        assert_eq!(Resources::own(&fake.proc()), None);
        let stat =
            b"7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 130 20 0 0 20 0 5 0 99 1000000 250 184467";
        fake.write("self/stat", stat);
        fake.write("self/fd/0", b"");
        fake.write("self/fd/1", b"");
        let hz = fake.proc().ticks_per_second();
        let own = Resources::own(&fake.proc()).unwrap();
        assert_eq!(own.cpu, Duration::from_micros(150 * 1_000_000 / hz));
        assert_eq!(own.resident, 250 * page_size());
        assert_eq!(own.descriptors, 2);
    }
}
