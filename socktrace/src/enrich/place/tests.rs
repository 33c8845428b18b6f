//! Paths as they are found on real machines.

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OUTER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const UID: &str = "9a2f0c1e-5b7d-4f60-8a11-2233445566ff";

fn fill(text: &str) -> String {
    text.replace("OUTER", OUTER)
        .replace("UID_", &UID.replace('-', "_"))
        .replace("UID", UID)
        .replace("ID", ID)
}

/// `runtime`: `-` for a container of a runtime that the path does not tell, empty for no container.
#[track_caller]
fn check(path: &str, runtime: &str, pod: &str, unit: &str) {
    let place = of_path(fill(path).as_bytes());
    let container = (!runtime.is_empty()).then(|| Container {
        id: ID.to_owned(),
        runtime: Some(runtime).filter(|runtime| *runtime != "-").map(|name| {
            PREFIXES
                .iter()
                .find(|(_, known)| *known == name)
                .expect("a known runtime")
                .1
        }),
    });
    let some = |text: &str| (!text.is_empty()).then(|| fill(text));
    let expected = Place {
        container,
        pod_uid: some(pod),
        unit: some(unit).map(String::into_bytes),
    };
    assert_eq!(place, expected, "{path}");
}

#[test]
fn containers_alone() {
    check("/docker/ID", "docker", "", "");
    check("/docker/ID/init.scope", "docker", "", "init.scope");
    check(
        "/docker/ID/system.slice/nginx.service",
        "docker",
        "",
        "nginx.service",
    );
    check(
        "/system.slice/docker-ID.scope",
        "docker",
        "",
        "docker-ID.scope",
    );
    check("/default/ID", "containerd", "", "");
    check(
        "/system.slice/nerdctl-ID.scope",
        "containerd",
        "",
        "nerdctl-ID.scope",
    );
    check(
        "/machine.slice/libpod-ID.scope",
        "podman",
        "",
        "libpod-ID.scope",
    );
    check(
        "/machine.slice/libpod-ID.scope/container",
        "podman",
        "",
        "libpod-ID.scope",
    );
    check("/libpod_parent/libpod-ID", "podman", "", "");
    check(
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
        "podman",
        "",
        "libpod-ID.scope",
    );
    check("/ecs/0a1b2c/ID", "-", "", "");
}

#[test]
fn a_monitor_is_beside_its_container() {
    check(
        "/machine.slice/libpod-conmon-ID.scope",
        "",
        "",
        "libpod-conmon-ID.scope",
    );
    check(
        "/system.slice/crio-conmon-ID.scope",
        "",
        "",
        "crio-conmon-ID.scope",
    );
}

#[test]
fn pods() {
    check("/kubepods/burstable/podUID/ID", "-", "UID", "");
    check("/kubepods/podUID/ID", "-", "UID", "");
    check("/kubepods/besteffort/podUID/crio-ID", "cri-o", "UID", "");
    for (prefix, runtime) in [
        ("cri-containerd", "containerd"),
        ("crio", "cri-o"),
        ("docker", "docker"),
    ] {
        for class in ["", "-burstable", "-besteffort"] {
            let path = format!(
                "/kubepods.slice/kubepods{class}.slice/kubepods{class}-podUID_.slice/{prefix}-ID.scope"
            );
            check(&path, runtime, "UID", &format!("{prefix}-ID.scope"));
        }
    }
    check(
        "/system.slice/containerd.service/kubepods-burstable-podUID_.slice:cri-containerd:ID",
        "containerd",
        "UID",
        "containerd.service",
    );
    let hash = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    check(&format!("/kubepods/burstable/pod{hash}/ID"), "-", hash, "");
    check(
        &format!("/kubepods.slice/kubepods-pod{hash}.slice/crio-ID.scope"),
        "cri-o",
        hash,
        "crio-ID.scope",
    );
    // The pod's own cgroup, before any container.
    check("/kubepods/burstable/podUID", "", "UID", "");
}

#[test]
fn the_innermost_container_counts() {
    check(
        "/docker/OUTER/kubelet/kubepods/burstable/podUID/ID",
        "-",
        "UID",
        "",
    );
    check(
        "/system.slice/docker-OUTER.scope/kubelet.slice/kubelet-kubepods.slice/\
         kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podUID_.slice/cri-containerd-ID.scope",
        "containerd",
        "UID",
        "docker-OUTER.scope",
    );
    check(
        "/kubepods.slice/kubepods-podUID_.slice/cri-containerd-OUTER.scope/docker/ID",
        "docker",
        "UID",
        "cri-containerd-OUTER.scope",
    );
}

#[test]
fn units() {
    check("/system.slice/orders.service", "", "", "orders.service");
    check(
        "/system.slice/system-getty.slice/getty@tty1.service",
        "",
        "",
        "getty@tty1.service",
    );
    check(
        r"/system.slice/systemd-fsck@dev-disk-by\x2duuid-1.service",
        "",
        "",
        r"systemd-fsck@dev-disk-by\x2duuid-1.service",
    );
    check("/system.slice/_cpu.service", "", "", "cpu.service");
    check(
        "/system.slice/orders.service/workers/7",
        "",
        "",
        "orders.service",
    );
    check("/init.scope", "", "", "init.scope");
    check(
        "/user.slice/user-1000.slice/session-3.scope",
        "",
        "",
        "session-3.scope",
    );
    check(
        "/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo@2.service",
        "",
        "",
        "app-foo@2.service",
    );
    check(
        "/user.slice/user-1000.slice/user@1000.service/init.scope",
        "",
        "",
        "init.scope",
    );
    check(
        "/user.slice/user-1000.slice/user@1000.service",
        "",
        "",
        "user@1000.service",
    );
}

#[test]
fn other_paths_say_nothing() {
    let short = &ID[1..];
    for path in [
        "/",
        "",
        "/user.slice/user-0.slice",
        "/.service",
        "/lxc.payload.web/x.service",
        "/kubepods/podx/none",
        "/kubepods/pod9a2f0c1e+5b7d+4f60+8a11+2233445566ff",
        short,
        &format!("/docker/{short}g"),
    ] {
        check(path, "", "", "");
    }
    assert_eq!(of_path(b"/docker/\xff"), Place::default());
}

#[test]
fn the_hierarchy_with_the_container_is_believed() {
    for (file, runtime, unit) in [
        ("0::/docker/ID\n", Some("docker"), None),
        (
            "4:memory:/docker/ID\n1:name=systemd:/docker/ID\n0::/system.slice/containerd.service\n",
            Some("docker"),
            None,
        ),
        (
            "4:memory:/user.slice\n1:name=systemd:/system.slice/orders.service\n",
            None,
            Some("orders.service"),
        ),
        ("4:memory:/m\n", None, None),
        ("", None, None),
    ] {
        let place = of(fill(file).as_bytes());
        let found = place.container.as_ref().and_then(|found| found.runtime);
        assert_eq!(found, runtime, "{file}");
        assert_eq!(place.unit.as_deref(), unit.map(str::as_bytes), "{file}");
    }
}

#[test]
fn short_ids_are_those_of_docker_ps() {
    let place = of(fill("0::/docker/ID").as_bytes());
    assert_eq!(place.container.expect("one").short_id(), &ID[..12]);
}
