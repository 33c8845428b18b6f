//! The machine's own names.

use std::path::Path;

use super::procfs::{ProcFs, read_file};
use crate::model::{BootTime, Host};

/// Where the machine's id is: machine-id(5).
pub const MACHINE_ID: &str = "/etc/machine-id";

/// A line, not a book.
const LINE: usize = 256;

/// The machine as /proc and the file `machine_id` tell it; what cannot be read is empty.
///
/// Wall minus boot clock and the start of the agent are handed in: clocks are not read here.
#[must_use]
pub fn host_facts(
    proc: &ProcFs,
    machine_id: &Path,
    wall_minus_boot_ns: i128,
    agent_started: BootTime,
) -> Host {
    let id = line(read_file(machine_id, LINE));
    Host {
        name: line(proc.read("sys/kernel/hostname", LINE)),
        id: if is_machine_id(&id) {
            id
        } else {
            String::new()
        },
        boot_id: line(proc.read("sys/kernel/random/boot_id", LINE)),
        wall_minus_boot_ns,
        agent_started,
    }
}

/// A fresh image has "uninitialized" or nothing there, which would make all its copies one machine.
fn is_machine_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

fn line(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.unwrap_or_default())
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::fake::FakeProc;

    #[test]
    fn the_machine_has_three_names() {
        let fake = FakeProc::new();
        fake.write("sys/kernel/hostname", b"web-1\n");
        fake.write(
            "sys/kernel/random/boot_id",
            b"7d6cd3b8-3f0b-4a52-9c3e-6a1f6f1f0b1c\n",
        );
        fake.write("etc/machine-id", b"0123456789abcdef0123456789abcdef\n");
        let host = host_facts(&fake.proc(), &fake.path("etc/machine-id"), -5, BootTime(9));
        assert_eq!(
            host,
            Host {
                name: "web-1".to_owned(),
                id: "0123456789abcdef0123456789abcdef".to_owned(),
                boot_id: "7d6cd3b8-3f0b-4a52-9c3e-6a1f6f1f0b1c".to_owned(),
                wall_minus_boot_ns: -5,
                agent_started: BootTime(9),
            }
        );
    }

    #[test]
    fn what_cannot_be_read_is_empty() {
        let fake = FakeProc::new();
        let host = host_facts(&fake.proc(), &fake.path("etc/machine-id"), 0, BootTime(0));
        assert_eq!((host.name, host.id, host.boot_id), Default::default());
    }

    #[track_caller]
    fn check_machine_id(content: &[u8], expect: &str) {
        let fake = FakeProc::new();
        fake.write("machine-id", content);
        let host = host_facts(&fake.proc(), &fake.path("machine-id"), 0, BootTime(0));
        assert_eq!(host.id, expect);
    }

    #[test]
    fn only_a_machine_id_is_one() {
        check_machine_id(
            b"0123456789ABCDEF0123456789abcdef",
            "0123456789ABCDEF0123456789abcdef",
        );
        check_machine_id(b"uninitialized\n", "");
        check_machine_id(b"", "");
        check_machine_id(b"0123456789abcdef0123456789abcde\n", "");
        check_machine_id(b"0123456789abcdef0123456789abcdef0\n", "");
        check_machine_id(b"0123456789abcdef0123456789abcdeg\n", "");
        check_machine_id(
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            "",
        );
        check_machine_id(&[b'a'; 5000], "");
    }
}
