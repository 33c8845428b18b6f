//! Where a process lives, as the names of its cgroups tell.

/// The container, the pod and the systemd unit of a process. Names are as found: untrusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The innermost container.
    pub container: Option<Container>,
    /// The Kubernetes pod's uid, with dashes; a static pod's may have none.
    pub pod_uid: Option<String>,
    /// The systemd service or scope, a user manager's if it is one of those.
    pub unit: Option<Vec<u8>>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// `docker`, `containerd`, `cri-o` or `podman`; `None` where the path does not tell.
    pub runtime: Option<&'static str>,
}

impl Container {
    /// The first twelve digits, as `docker ps` and `crictl ps` print them.
    #[must_use]
    pub fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}
