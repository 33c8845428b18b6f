//! What the kernel counts of TCP sockets: `/proc/net/sockstat` and `sockstat6`.

use super::ProcFs;
use crate::model::SocketCounts;

/// The files are a few lines.
const LIMIT: usize = 4096;

/// The counts of our own network namespace; `None` where they cannot be read.
#[must_use]
pub fn sockstat(proc: &ProcFs) -> Option<SocketCounts> {
    let v4 = proc.read("net/sockstat", LIMIT)?;
    // A kernel without IPv6 has no such file.
    let v6 = proc.read("net/sockstat6", LIMIT).unwrap_or_default();
    Some(SocketCounts {
        in_use: field(&v4, "TCP:", "inuse")? + field(&v6, "TCP6:", "inuse").unwrap_or(0),
        time_wait: field(&v4, "TCP:", "tw")?,
        allocated: field(&v4, "TCP:", "alloc")?,
    })
}

/// The number behind `name` in the line that begins with `protocol`.
fn field(file: &[u8], protocol: &str, name: &str) -> Option<u64> {
    let text = str::from_utf8(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(protocol))?;
    let mut words = line.split_ascii_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::fake::FakeProc;

    #[test]
    fn counts_of_both_families() {
        let fake = FakeProc::new();
        assert_eq!(sockstat(&fake.proc()), None);
        fake.write(
            "net/sockstat",
            b"sockets: used 290\nTCP: inuse 8 orphan 0 tw 3 alloc 20 mem 1\nUDP: inuse 2 mem 0\n",
        );
        let counts = |in_use| SocketCounts {
            in_use,
            time_wait: 3,
            allocated: 20,
        };
        assert_eq!(sockstat(&fake.proc()), Some(counts(8)));
        fake.write("net/sockstat6", b"TCP6: inuse 2\nUDP6: inuse 1\n");
        assert_eq!(sockstat(&fake.proc()), Some(counts(10)));
        assert_eq!(counts(10).closed_in_ss(), 13);
    }
}
