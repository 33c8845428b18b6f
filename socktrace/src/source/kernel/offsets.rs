//! Where the running kernel keeps the members the programs read: from its BTF, once, at start.

use std::path::Path;

use socktrace_common::config::Offsets;

use crate::source::btf::{BtfError, Index, Kind, Wanted};

/// What the agent needs to know of the kernel before it loads the programs.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Offsets of structure members.
    pub offsets: Offsets,
    /// `struct file` counts its references in `f_ref` (6.13) instead of `f_count`.
    pub file_ref: bool,
    /// Number of parameters of `inet_csk_accept`, if the kernel has it.
    pub accept_params: Option<u32>,
    /// The kernel has the tracepoint `sock_recv_length` (6.3).
    pub recv_length: bool,
}

/// Why the layout is not known.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// There is no BTF.
    #[error(
        "cannot read {path}: {reason}; socktrace needs a kernel with BTF (CONFIG_DEBUG_INFO_BTF=y)"
    )]
    NoBtf {
        /// Where it was looked for.
        path: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// There is something else in its place.
    #[error("cannot parse {path}: {reason}")]
    Malformed {
        /// Where it was read.
        path: String,
        /// What is wrong with it.
        reason: BtfError,
    },
    /// The kernel has no such member: it is older or newer than any that is known.
    #[error("this kernel's BTF has no {0}; kernels 5.10 to 7.3 are supported")]
    Missing(String),
}

/// Where the kernel publishes its BTF.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The structures that are read, and what programs are attached to, by [`object`](super::object)'s names.
const WANTED: &[Wanted] = &[
    (Kind::Struct, "file"),
    (Kind::Struct, "inet_sock"),
    (Kind::Struct, "inode"),
    (Kind::Struct, "net"),
    (Kind::Struct, "pid"),
    (Kind::Struct, "pid_namespace"),
    (Kind::Struct, "sock"),
    (Kind::Struct, "sock_common"),
    (Kind::Struct, "socket"),
    (Kind::Struct, "socket_alloc"),
    (Kind::Struct, "task_struct"),
    (Kind::Struct, "tcp_sock"),
    (Kind::Struct, "upid"),
    (Kind::Func, "bpf_iter_bpf_map_elem"),
    (Kind::Func, "bpf_iter_task_file"),
    (Kind::Func, "bpf_iter_tcp"),
    (Kind::Func, ACCEPT),
    (Kind::Func, "inet_release"),
    (Kind::Typedef, "btf_trace_inet_sock_set_state"),
    (Kind::Typedef, RECV_LENGTH),
    (Kind::Typedef, "btf_trace_sock_send_length"),
    (Kind::Typedef, "btf_trace_tcp_rcv_space_adjust"),
];
const ACCEPT: &str = "inet_csk_accept";
const RECV_LENGTH: &str = "btf_trace_sock_recv_length";

/// Reads the BTF at `path`: the layout, and BTF that has nothing but what programs are attached to.
pub fn read(path: &Path) -> Result<(Layout, Vec<u8>), LayoutError> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|reason| LayoutError::NoBtf {
        path: shown.clone(),
        reason,
    })?;
    let index = Index::new(&bytes, WANTED).map_err(|reason| LayoutError::Malformed {
        path: shown,
        reason,
    })?;
    Ok((Reader(&index).layout()?, index.reduced()))
}

/// Looks up what the layout consists of.
struct Reader<'a>(&'a Index<'a>);

impl Reader<'_> {
    fn layout(&self) -> Result<Layout, LayoutError> {
        let file_ref = self.offset("file", "f_ref").is_ok();
        let offsets = Offsets {
            skc_family: self.offset("sock_common", "skc_family")?,
            skc_state: self.offset("sock_common", "skc_state")?,
            inet_sport: self.offset("inet_sock", "inet_sport")?,
            skc_dport: self.offset("sock_common", "skc_dport")?,
            skc_rcv_saddr: self.offset("sock_common", "skc_rcv_saddr")?,
            skc_daddr: self.offset("sock_common", "skc_daddr")?,
            skc_v6_rcv_saddr: self.offset("sock_common", "skc_v6_rcv_saddr")?,
            skc_v6_daddr: self.offset("sock_common", "skc_v6_daddr")?,
            skc_net: self.offset("sock_common", "skc_net")?,
            skc_cookie: self.offset("sock_common", "skc_cookie")?,
            skc_flags: self.offset("sock_common", "skc_flags")?,
            sk_protocol: self.offset("sock", "sk_protocol")?,
            sk_type: self.offset("sock", "sk_type")?,
            sk_socket: self.offset("sock", "sk_socket")?,
            sk_err: self.offset("sock", "sk_err")?,
            sk_shutdown: self.offset("sock", "sk_shutdown")?,
            sk_ack_backlog: self.offset("sock", "sk_ack_backlog")?,
            sk_max_ack_backlog: self.offset("sock", "sk_max_ack_backlog")?,
            rcv_nxt: self.offset("tcp_sock", "rcv_nxt")?,
            copied_seq: self.offset("tcp_sock", "copied_seq")?,
            write_seq: self.offset("tcp_sock", "write_seq")?,
            snd_una: self.offset("tcp_sock", "snd_una")?,
            bytes_received: self.offset("tcp_sock", "bytes_received")?,
            bytes_acked: self.offset("tcp_sock", "bytes_acked")?,
            rcv_tstamp: self.offset("tcp_sock", "rcv_tstamp")?,
            lsndtime: self.offset("tcp_sock", "lsndtime")?,
            socket_sk: self.offset("socket", "sk")?,
            socket_file: self.offset("socket", "file")?,
            socket_to_inode: self
                .offset("socket_alloc", "vfs_inode")?
                .wrapping_sub(self.offset("socket_alloc", "socket")?),
            i_ino: self.offset("inode", "i_ino")?,
            i_mode: self.offset("inode", "i_mode")?,
            f_inode: self.offset("file", "f_inode")?,
            private_data: self.offset("file", "private_data")?,
            f_count: self.offset("file", if file_ref { "f_ref" } else { "f_count" })?,
            net_inum: self.offset("net", "ns.inum")?,
            task_tgid: self.offset("task_struct", "tgid")?,
            task_pid: self.offset("task_struct", "pid")?,
            task_comm: self.offset("task_struct", "comm")?,
            task_flags: self.offset("task_struct", "flags")?,
            group_leader: self.offset("task_struct", "group_leader")?,
            start_boottime: self
                .offset("task_struct", "start_boottime")
                .or_else(|_| self.offset("task_struct", "real_start_time"))?,
            thread_pid: self.offset("task_struct", "thread_pid")?,
            pid_level: self.offset("pid", "level")?,
            pid_numbers: self.offset("pid", "numbers")?,
            upid_nr: self.offset("upid", "nr")?,
            upid_ns: self.offset("upid", "ns")?,
            pid_ns_inum: self.offset("pid_namespace", "ns.inum")?,
            receive_queue_len: self.offset("sock", "sk_receive_queue.qlen")?,
        };
        Ok(Layout {
            offsets,
            file_ref,
            accept_params: self.0.parameters(ACCEPT),
            recv_length: self.0.id(Kind::Typedef, RECV_LENGTH).is_some(),
        })
    }

    /// Offset of `member` in `struct name`, bytes.
    fn offset(&self, name: &str, member: &str) -> Result<u32, LayoutError> {
        self.0
            .offset(name, member)
            .ok_or_else(|| LayoutError::Missing(format!("struct {name}, member {member}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_btf_says_what_to_do() {
        let error = read(Path::new("/nonexistent/vmlinux")).expect_err("there is none");
        let line = error.to_string();
        assert!(
            line.contains("/nonexistent/vmlinux") && line.contains("CONFIG_DEBUG_INFO_BTF"),
            "{line}"
        );
    }

    #[test]
    fn foreign_bytes_are_refused() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(
            file.path(),
            b"not BTF at all, but long enough to have a header",
        )
        .expect("written");
        assert!(matches!(
            read(file.path()),
            Err(LayoutError::Malformed { .. })
        ));
    }
}
