//! The container, the pod and the systemd unit in the paths of `/proc/PID/cgroup`.
//!
//! No runtime has to be asked: all of them name a container's cgroup after its 64 hexadecimal digits.
//! With the systemd driver that is a scope with a prefix (`docker-ID.scope`), with the cgroupfs driver a
//! plain folder (`/docker/ID`).

use super::parse::{cgroup, cgroups};
use crate::model::{Container, Place};

/// Prefixes of scopes and folders, and whose they are. A monitor's (`crio-conmon-`, `libpod-conmon-`) is
/// beside the container, not in it.
const PREFIXES: [(&str, &str); 6] = [
    ("cri-containerd-", "containerd"),
    ("nerdctl-", "containerd"),
    ("containerd-", "containerd"),
    ("docker-", "docker"),
    ("crio-", "cri-o"),
    ("libpod-", "podman"),
];

/// What the file `/proc/PID/cgroup` tells.
///
/// Where both versions are mounted, a runtime may use the old hierarchies only: the path that shows a
/// container is believed before the one that is preferred otherwise.
pub(super) fn of(file: &[u8]) -> Place {
    let preferred = cgroup(file).map(|path| of_path(&path)).unwrap_or_default();
    if preferred.container.is_some() {
        return preferred;
    }
    cgroups(file)
        .map(of_path)
        .find(|place| place.container.is_some())
        .unwrap_or(preferred)
}

/// What one path tells.
fn of_path(path: &[u8]) -> Place {
    // Names are the kernel's bytes; those that matter here are ASCII.
    let segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let found = segments
        .iter()
        .enumerate()
        .rev()
        .find_map(|(at, segment)| Some((at, container(&segments, at, segment)?)));
    let (at, container) = match found {
        Some((at, container)) => (Some(at), Some(container)),
        None => (None, None),
    };
    // The innermost container's pod: one of a node that is a container itself is further out.
    let within = segments
        .get(..=at.unwrap_or(segments.len().saturating_sub(1)))
        .unwrap_or_default();
    let inside = at.and_then(|at| segments.get(at + 1..)).unwrap_or_default();
    Place {
        container,
        pod_uid: within.iter().rev().find_map(|segment| pod_uid(segment)),
        unit: unit(inside).or_else(|| unit(&segments)),
    }
}

/// The container that `segment`, at `at`, is named after.
fn container(segments: &[&[u8]], at: usize, segment: &[u8]) -> Option<Container> {
    let text = str::from_utf8(segment).ok()?;
    let text = text.strip_suffix(".scope").unwrap_or(text);
    // `kubepods-pod1_2.slice:cri-containerd:ID`: containerd with the systemd driver's names.
    let (runtime, id) = match text.rsplit_once(':') {
        Some((before, id)) => {
            let name = before.rsplit(':').next().unwrap_or_default();
            (runtime_of(&format!("{name}-")), id)
        }
        None => match text.rsplit_once('-') {
            Some((prefix, id)) => {
                if prefix.ends_with("conmon") {
                    return None;
                }
                (runtime_of(&format!("{prefix}-")), id)
            }
            None => (parent_runtime(segments, at), text),
        },
    };
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| Container {
        id: id.to_owned(),
        runtime,
    })
}

fn runtime_of(prefix: &str) -> Option<&'static str> {
    PREFIXES
        .iter()
        .find(|(known, _)| *known == prefix)
        .map(|(_, runtime)| *runtime)
}

/// Whose folder a container's plain one is in, where that folder is a runtime's own.
fn parent_runtime(segments: &[&[u8]], at: usize) -> Option<&'static str> {
    match *segments.get(at.checked_sub(1)?)? {
        b"docker" => Some("docker"),
        b"k8s.io" | b"default" | b"moby" => Some("containerd"),
        b"libpod_parent" | b"libpod" => Some("podman"),
        _ => None,
    }
}

/// `pod<uid>` as the cgroupfs driver has it, or `…-pod<uid>.slice` with underscores for dashes, because
/// a dash would be a level of slices.
fn pod_uid(segment: &[u8]) -> Option<String> {
    let text = str::from_utf8(segment).ok()?;
    // `kubepods-pod1_2.slice:cri-containerd:ID`.
    let text = text.split(':').next().unwrap_or(text);
    let uid = match text.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod")?.1.replace('_', "-"),
        None => text
            .strip_prefix("pod")
            .or_else(|| text.rsplit_once("-pod").map(|(_, uid)| uid))?
            .to_owned(),
    };
    let dashed = uid.len() == 36
        && uid.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    // The kubelet names a static pod after a hash of its manifest.
    let hashed = uid.len() == 32 && uid.bytes().all(|byte| byte.is_ascii_hexdigit());
    (dashed || hashed).then_some(uid)
}

/// The first unit below the slices, as `sd_pid_get_unit(3)` finds it; below a user's manager the unit
/// of that, as `sd_pid_get_user_unit(3)` does.
fn unit(segments: &[&[u8]]) -> Option<Vec<u8>> {
    let mut found = None;
    for segment in segments.iter().filter(|segment| !segment.is_empty()) {
        // systemd escapes names that the kernel keeps for itself with an underscore.
        let name = segment.strip_prefix(b"_").unwrap_or(segment);
        if name.ends_with(b".slice") {
            continue;
        }
        if !is_unit(name) {
            break;
        }
        found = Some(name.to_vec());
        if !is_user_manager(name) {
            break;
        }
    }
    found
}

fn is_unit(name: &[u8]) -> bool {
    const SUFFIXES: [&[u8]; 5] = [b".service", b".scope", b".socket", b".mount", b".swap"];
    SUFFIXES
        .iter()
        .any(|suffix| name.len() > suffix.len() && name.ends_with(suffix))
}

fn is_user_manager(name: &[u8]) -> bool {
    name.strip_prefix(b"user@")
        .and_then(|rest| rest.strip_suffix(b".service"))
        .is_some_and(|uid| !uid.is_empty() && uid.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
#[path = "place/tests.rs"]
mod tests;
