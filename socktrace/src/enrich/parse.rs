//! Parsers of the files of /proc/PID. Their content is partly chosen by the process: hostile bytes.

use crate::model::{BootTime, Tgid};

/// What `stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// `R`, `S`, `Z` …; of the thread group leader.
    pub(super) state: u8,
    /// Parent process; none for the first of a pid namespace.
    pub(super) parent: Option<Tgid>,
    /// Field 22: start on the boot clock, in ticks, rounded down.
    pub(super) start_ticks: u64,
}

impl Stat {
    /// The leader has ended. Other threads may go on, and then the process does.
    pub(super) fn leader_ended(self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether that is the process that started at `started`.
    ///
    /// The kernel rounds down (`nsec_to_clock_t`); a tick of tolerance covers kernels whose conversion
    /// rounds in several steps.
    pub(super) fn started_at(self, started: BootTime, ticks_per_second: u64) -> bool {
        let ticks = u128::from(started.0) * u128::from(ticks_per_second) / 1_000_000_000;
        u128::from(self.start_ticks).abs_diff(ticks) <= 1
    }

    /// Whether it had started by `at`: what has the number now may have come later. A tick of tolerance as
    /// above.
    pub(super) fn started_by(self, at: BootTime, ticks_per_second: u64) -> bool {
        let ticks = u128::from(at.0) * u128::from(ticks_per_second) / 1_000_000_000;
        u128::from(self.start_ticks) <= ticks + 1
    }
}

/// `stat`: the name between the first `(` and the *last* `)` may hold both.
pub(super) fn stat(bytes: &[u8]) -> Option<Stat> {
    let end_of_name = bytes.iter().rposition(|b| *b == b')')?;
    let rest = bytes.get(end_of_name + 1..)?;
    // Fields count from 1, and the state behind the name is number 3.
    let field = |number: usize| fields(rest).nth(number - 3);
    Some(Stat {
        state: field(3)?.first().copied()?,
        parent: decimal(field(4)?).filter(|pid| *pid != 0).map(Tgid),
        start_ticks: decimal(field(22)?)?,
    })
}

/// `comm`: one newline ends it; those before belong to the name.
pub(super) fn comm(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    bytes
}

/// `cmdline`: arguments end with NUL, and a program that renames itself pads with NULs or spaces.
/// `None` for kernel threads and zombies, which have none.
pub(super) fn command_line(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    for byte in &mut bytes {
        if *byte == 0 {
            *byte = b' ';
        }
    }
    let end = bytes.iter().rposition(|b| *b != b' ')? + 1;
    bytes.truncate(end);
    bytes.shrink_to_fit();
    Some(bytes)
}

/// `status`: the real user id. The kernel escapes newlines in the name above it.
pub(super) fn uid(status: &[u8]) -> Option<u32> {
    let line = status
        .split(|b| *b == b'\n')
        .find_map(|line| line.strip_prefix(b"Uid:"))?;
    decimal(fields(line).next()?)
}

/// `limits`: the soft limit of open files; `None` for `unlimited`.
pub(super) fn open_files_limit(limits: &[u8]) -> Option<u64> {
    let line = limits
        .split(|b| *b == b'\n')
        .find_map(|line| line.strip_prefix(b"Max open files "))?;
    decimal(fields(line).next()?)
}

/// `cgroup`: the path in the unified hierarchy, else in systemd's, else in the first.
pub(super) fn cgroup(bytes: &[u8]) -> Option<Vec<u8>> {
    let lines = || cgroup_lines(bytes);
    let path = lines()
        .find(|(hierarchy, controllers, _)| *hierarchy == b"0" && controllers.is_empty())
        .or_else(|| lines().find(|(_, controllers, _)| *controllers == b"name=systemd"))
        .or_else(|| lines().next());
    path.map(|(_, _, path)| path.to_vec())
        .filter(|path| !path.is_empty())
}

/// `cgroup`: the paths in all hierarchies.
pub(super) fn cgroups(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    cgroup_lines(bytes).map(|(_, _, path)| path)
}

/// `hierarchy:controllers:path`; the path may hold colons.
fn cgroup_lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    bytes.split(|b| *b == b'\n').filter_map(|line| {
        let mut parts = line.splitn(3, |b| *b == b':');
        Some((parts.next()?, parts.next()?, parts.next()?))
    })
}

fn fields(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(u8::is_ascii_whitespace)
        .filter(|field| !field.is_empty())
}

fn decimal<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    // FromStr takes a sign, the kernel prints none here.
    let digits = Some(digits).filter(|d| d.iter().all(u8::is_ascii_digit))?;
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::fake::stat_line;

    #[track_caller]
    fn check_stat(line: &[u8], expect: Option<(u8, Option<u32>, u64)>) {
        let got = stat(line).map(|s| (s.state, s.parent.map(|p| p.0), s.start_ticks));
        assert_eq!(got, expect, "{}", String::from_utf8_lossy(line));
    }

    #[test]
    fn stat_survives_every_name() {
        for name in [
            &b"orders"[..],
            b"",
            b"a b c",
            b")",
            b"(",
            b") R 1 (",
            b"x) Z 7 8 9",
            b"a\nb",
            b"\xff\xfe\x80",
            b"\x1b[31m",
            b"((((((((((((((((",
            b"1 (x) S 1 1 1 1",
        ] {
            check_stat(
                &stat_line(12, name, b'S', 7, 4711),
                Some((b'S', Some(7), 4711)),
            );
        }
    }

    #[test]
    fn the_limit_of_open_files_is_the_soft_one() {
        let limits = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max processes             7                    8                    processes \n\
                 Max open files            {soft:<21}524288               files     \n\
                 Max locked memory         9                    10                   bytes     \n"
            )
        };
        let check = |text: &str, expect| {
            assert_eq!(open_files_limit(text.as_bytes()), expect, "{text}");
        };
        check(&limits("1024"), Some(1024));
        check(&limits("0"), Some(0));
        check(&limits("unlimited"), None);
        check(&limits("-1"), None);
        check("", None);
        check("Max open files ", None);
    }

    #[test]
    fn stat_needs_its_fields() {
        let whole = stat_line(12, b"x", b'R', 0, u64::MAX);
        check_stat(&whole, Some((b'R', None, u64::MAX)));
        check_stat(b"", None);
        check_stat(b")", None);
        check_stat(b"12 (x) S 1", None);
        check_stat(b"12 x S 1 2 3", None);
        check_stat(
            b"12 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 nonsense 0",
            None,
        );
        check_stat(b"12 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 -5 0", None);
        check_stat(
            b"12 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99999999999999999999 0",
            None,
        );
        for cut in 0..whole.len() - 1 {
            // Whatever is cut off, nothing but a cut last number can be misread.
            if let Some(stat) = stat(&whole[..cut]) {
                assert!(
                    u64::MAX
                        .to_string()
                        .starts_with(&stat.start_ticks.to_string())
                );
            }
        }
    }

    #[test]
    fn a_parent_that_is_no_number_is_left_out() {
        check_stat(
            b"2 (x) S ? 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 55 0",
            Some((b'S', None, 55)),
        );
    }

    #[test]
    fn a_start_is_the_same_within_a_tick() {
        for (ticks, ns, hz, expect) in [
            (100, 1_000_000_000, 100, true),
            (100, 1_009_999_999, 100, true),
            (100, 1_019_999_999, 100, true),
            (100, 1_020_000_000, 100, false),
            (100, 990_000_000, 100, true),
            (100, 989_999_999, 100, false),
            (0, 0, 100, true),
            (0, 9_999_999, 100, true),
            (1024, 1_000_000_000, 1024, true),
            (1024, 1_002_000_000, 1024, false),
            (u64::MAX, 0, 100, false),
            (1_844_674_407, u64::MAX, 100, false),
            (1_844_674_407_370, u64::MAX, 100, true),
        ] {
            let stat = Stat {
                state: b'S',
                parent: None,
                start_ticks: ticks,
            };
            assert_eq!(
                stat.started_at(BootTime(ns), hz),
                expect,
                "{ticks} {ns} {hz}"
            );
        }
    }

    #[test]
    fn an_ended_leader_is_told_by_its_state() {
        for (state, expect) in [
            (b'Z', true),
            (b'X', true),
            (b'x', true),
            (b'S', false),
            (b'D', false),
            (b'T', false),
        ] {
            let stat = Stat {
                state,
                parent: None,
                start_ticks: 0,
            };
            assert_eq!(stat.leader_ended(), expect, "{}", char::from(state));
        }
    }

    #[track_caller]
    fn check_comm(bytes: &[u8], expect: &[u8]) {
        assert_eq!(comm(bytes.to_vec()), expect);
    }

    #[test]
    fn comm_loses_one_newline() {
        check_comm(b"orders\n", b"orders");
        check_comm(b"orders\n\n", b"orders\n");
        check_comm(b"a\nb\n", b"a\nb");
        check_comm(b"orders", b"orders");
        check_comm(b"\n", b"");
        check_comm(b"", b"");
        check_comm(b" x \n", b" x ");
        check_comm(b"\xff\x1b\n", b"\xff\x1b");
    }

    #[track_caller]
    fn check_command_line(bytes: &[u8], expect: Option<&[u8]>) {
        assert_eq!(command_line(bytes.to_vec()).as_deref(), expect);
    }

    #[test]
    fn command_lines() {
        check_command_line(
            b"/srv/orders\0--port\x008080\0",
            Some(b"/srv/orders --port 8080"),
        );
        check_command_line(
            b"nginx: worker process\0\0\0\0",
            Some(b"nginx: worker process"),
        );
        check_command_line(b"postgres: idle          ", Some(b"postgres: idle"));
        check_command_line(b"x\0\0y\0", Some(b"x  y"));
        check_command_line(b" x\0", Some(b" x"));
        check_command_line(b"x", Some(b"x"));
        check_command_line(b"x\n\x1b\xff\0", Some(b"x\n\x1b\xff"));
        check_command_line(b"x\0\n\0", Some(b"x \n"));
        check_command_line(b"", None);
        check_command_line(b"\0\0", None);
        check_command_line(b"  ", None);
    }

    #[track_caller]
    fn check_uid(status: &[u8], expect: Option<u32>) {
        assert_eq!(uid(status), expect, "{}", String::from_utf8_lossy(status));
    }

    #[test]
    fn the_real_uid_is_the_first() {
        check_uid(
            b"Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n",
            Some(1000),
        );
        check_uid(b"Uid:\t0\t1\t2\t3\n", Some(0));
        check_uid(b"Uid:\t4294967295\t1\t2\t3\n", Some(u32::MAX));
        check_uid(b"Uid:\t4294967296\t1\t2\t3\n", None);
        check_uid(b"Name:\tUid:\nUid:\t7\t7\t7\t7\n", Some(7));
        check_uid(b"Name:\tx\\nUid:\\t0\nUid:\t7\t7\t7\t7\n", Some(7));
        check_uid(b"Uid:\t-1\t", None);
        check_uid(b"Uid:\n", None);
        check_uid(b"Gid:\t1\n", None);
        check_uid(b"", None);
    }

    #[track_caller]
    fn check_cgroup(file: &[u8], expect: Option<&[u8]>) {
        assert_eq!(
            cgroup(file).as_deref(),
            expect,
            "{}",
            String::from_utf8_lossy(file)
        );
    }

    #[test]
    fn the_unified_cgroup_comes_first() {
        check_cgroup(
            b"0::/system.slice/orders.service\n",
            Some(b"/system.slice/orders.service"),
        );
        check_cgroup(b"0::/\n", Some(b"/"));
        check_cgroup(b"0::/a:b:c\n", Some(b"/a:b:c"));
        check_cgroup(b"0::/gone (deleted)\n", Some(b"/gone (deleted)"));
        check_cgroup(b"0::/../other\n", Some(b"/../other"));
        check_cgroup(b"0::/\xff\n", Some(b"/\xff"));
        check_cgroup(b"4:memory:/m\n1:name=systemd:/s\n0::/u\n", Some(b"/u"));
        check_cgroup(b"4:memory:/m\n1:name=systemd:/s\n", Some(b"/s"));
        check_cgroup(b"4:memory:/m\n3:cpu,cpuacct:/c\n", Some(b"/m"));
        check_cgroup(b"10::/x\n1:name=systemd:/s\n", Some(b"/s"));
        check_cgroup(b"0::/cut", Some(b"/cut"));
        check_cgroup(b"0::\n", None);
        check_cgroup(b"nonsense\n", None);
        check_cgroup(b"a:b\n", None);
        check_cgroup(b"", None);
    }
}
