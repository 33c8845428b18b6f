//! The root of the unified cgroup hierarchy.

use std::fs::File;
use std::path::PathBuf;

/// Opens the mount point of cgroup v2, wherever it is.
pub(super) fn v2_root() -> Result<File, String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")
        .map_err(|error| format!("cannot read /proc/self/mounts: {error}"))?;
    let root = mount_point(&mounts).ok_or("cgroup v2 is not mounted")?;
    File::open(&root).map_err(|error| format!("cannot open {}: {error}", root.display()))
}

/// The first `cgroup2` line of a mount table (proc(5)); spaces in paths are written `\040`.
fn mount_point(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, path, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path.replace("\\040", " ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mounts: &str, expect: Option<&str>) {
        assert_eq!(mount_point(mounts), expect.map(PathBuf::from));
    }

    #[test]
    fn finds_the_unified_hierarchy() {
        check("", None);
        check(
            "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n",
            Some("/sys/fs/cgroup"),
        );
        check(
            "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
            Some("/sys/fs/cgroup/unified"),
        );
        check("none /a\\040b cgroup2 rw 0 0\n", Some("/a b"));
        check("cgroup2 /not/it cgroup rw 0 0\n", None);
    }
}
