//! Where the running kernel keeps the members the programs read: from its BTF, once, at start.

use std::collections::HashMap;
use std::path::Path;

use btfparse::{Offset, Readable, TypeInformation, TypeVariant};
use socktrace_common::config::Offsets;

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
        reason: String,
    },
    /// The kernel has no such member: it is older or newer than any that is known.
    #[error("this kernel's BTF has no {0}; kernels 5.10 to 7.3 are supported")]
    Missing(String),
}

/// Where the kernel publishes its BTF.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// In memory, because the parser asks for a few bytes at a time.
struct BtfBytes(Vec<u8>);

impl Readable for BtfBytes {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> btfparse::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.0.get(start..start.checked_add(buffer.len())?))
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::UnexpectedEof))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// Reads the layout from the BTF at `path`.
pub fn read(path: &Path) -> Result<Layout, LayoutError> {
    let shown = path.display().to_string();
    let no_btf = |reason| LayoutError::NoBtf {
        path: shown.clone(),
        reason,
    };
    let bytes = std::fs::read(path).map_err(no_btf)?;
    let types = TypeInformation::new(&BtfBytes(bytes)).map_err(|error| LayoutError::Malformed {
        path: shown,
        reason: format!("{error:?}"),
    })?;
    Index::new(&types).layout()
}

/// The structures and functions that matter, by name.
struct Index<'a> {
    types: &'a TypeInformation,
    structs: HashMap<String, u32>,
    accept: Option<u32>,
    recv_length: bool,
}

impl<'a> Index<'a> {
    fn new(types: &'a TypeInformation) -> Self {
        let mut structs = HashMap::new();
        let mut accept = None;
        let mut recv_length = false;
        for (id, kind) in types.get() {
            match kind {
                TypeVariant::Struct(found) if *found.size() > 0 => {
                    if let Some(name) = found.name() {
                        structs.entry(name.clone()).or_insert(*id);
                    }
                }
                TypeVariant::Func(found) if found.name().as_deref() == Some("inet_csk_accept") => {
                    accept = Some(*found.prototype_tid());
                }
                TypeVariant::Typedef(found)
                    if found.name().as_deref() == Some("btf_trace_sock_recv_length") =>
                {
                    recv_length = true;
                }
                _ => {}
            }
        }
        Self {
            types,
            structs,
            accept,
            recv_length,
        }
    }

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
            reserved: 0,
        };
        Ok(Layout {
            offsets,
            file_ref,
            accept_params: self.accept_params(),
            recv_length: self.recv_length,
        })
    }

    /// Offset of `member` in `struct name`, bytes.
    fn offset(&self, name: &str, member: &str) -> Result<u32, LayoutError> {
        let missing = || LayoutError::Missing(format!("struct {name}, member {member}"));
        let id = *self.structs.get(name).ok_or_else(missing)?;
        match self.types.offset_of(id, member) {
            Ok((_, Offset::ByteOffset(offset))) => Ok(offset),
            Ok((_, Offset::BitOffsetAndSize(..))) | Err(_) => Err(missing()),
        }
    }

    fn accept_params(&self) -> Option<u32> {
        match self.types.from_id(self.accept?)? {
            TypeVariant::FuncProto(proto) => u32::try_from(proto.parameter_list().len()).ok(),
            _ => None,
        }
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
