//! The container a process lives in, read off its cgroup path.

/// The container's id in a cgroup path, if there is one.
///
/// Docker, containerd, CRI-O and Podman all name a container's cgroup after its 64 hexadecimal digits,
/// with or without a prefix (`docker-`, `cri-containerd-`, `crio-`, `libpod-`) and `.scope`. The
/// innermost such name counts: containers nest.
pub(super) fn container_id(cgroup: &[u8]) -> Option<&str> {
    cgroup.rsplit(|byte| *byte == b'/').find_map(id_in_segment)
}

fn id_in_segment(segment: &[u8]) -> Option<&str> {
    let name = segment.strip_suffix(b".scope").unwrap_or(segment);
    let id = name.rsplit(|byte| matches!(byte, b'-' | b':')).next()?;
    let is_id = id.len() == 64 && id.iter().all(u8::is_ascii_hexdigit);
    if is_id {
        std::str::from_utf8(id).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn ids_are_found_where_the_runtimes_put_them() {
        for path in [
            "/docker/ID",
            "/system.slice/docker-ID.scope",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-containerd-ID.scope",
            "/kubepods/besteffort/pod9a2f/ID",
            "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:ID",
            "/machine.slice/libpod-ID.scope/container",
            "/docker/ID/init.scope",
        ] {
            assert_eq!(
                container_id(path.replace("ID", ID).as_bytes()),
                Some(ID),
                "{path}"
            );
        }
    }

    #[test]
    fn other_paths_have_none() {
        let short = &ID[1..];
        for path in [
            "/",
            "",
            "/system.slice/nginx.service",
            "/user.slice/user-0.slice",
            short,
        ] {
            assert_eq!(container_id(path.as_bytes()), None, "{path}");
        }
        assert_eq!(container_id(b"/docker/\xff"), None);
    }
}
