//! Read-only globals the agent fills in before loading: the verifier sees their values as constants.

use socktrace_common::config::{Config, Offsets};

/// Settings. Read with [`config`].
#[unsafe(no_mangle)]
pub static CONFIG: Config = Config {
    leak_after_ns: 0,
    mode: 0,
    cookie_helper: 0,
    eof_source: 0,
    accept_params: 0,
    file_ref: 0,
    wakeup_bytes: 0,
    pid_level: 0,
    pid_ns: 0,
    socket_sets: 0,
    ns_per_jiffy: 0,
    leak_after_jiffies: 0,
    reserved: 0,
};

/// Offsets of kernel structure members. Read with [`offset`].
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets {
    skc_family: 0,
    skc_state: 0,
    inet_sport: 0,
    skc_dport: 0,
    skc_rcv_saddr: 0,
    skc_daddr: 0,
    skc_v6_rcv_saddr: 0,
    skc_v6_daddr: 0,
    skc_net: 0,
    skc_cookie: 0,
    skc_flags: 0,
    sk_protocol: 0,
    sk_type: 0,
    sk_socket: 0,
    sk_err: 0,
    sk_shutdown: 0,
    sk_ack_backlog: 0,
    sk_max_ack_backlog: 0,
    rcv_nxt: 0,
    copied_seq: 0,
    write_seq: 0,
    snd_una: 0,
    bytes_received: 0,
    bytes_acked: 0,
    rcv_tstamp: 0,
    lsndtime: 0,
    socket_sk: 0,
    socket_file: 0,
    socket_to_inode: 0,
    i_ino: 0,
    i_mode: 0,
    f_inode: 0,
    private_data: 0,
    f_count: 0,
    net_inum: 0,
    task_tgid: 0,
    task_pid: 0,
    task_comm: 0,
    task_flags: 0,
    group_leader: 0,
    start_boottime: 0,
    thread_pid: 0,
    pid_level: 0,
    pid_numbers: 0,
    upid_nr: 0,
    upid_ns: 0,
    pid_ns_inum: 0,
    receive_queue_len: 0,
};

/// A field of [`CONFIG`], as the agent set it.
macro_rules! config {
    ($field:ident) => {{
        // SAFETY: a static is always there and aligned. The read is volatile because the compiler
        // must not believe the initial value: the agent replaces it before loading.
        unsafe { core::ptr::read_volatile(&raw const $crate::globals::CONFIG.$field) }
    }};
}
pub(crate) use config;

/// A field of [`OFFSETS`] in bytes, as the agent set it.
macro_rules! offset {
    ($field:ident) => {{
        // SAFETY: as in `config!`.
        unsafe { core::ptr::read_volatile(&raw const $crate::globals::OFFSETS.$field) as u64 }
    }};
}
pub(crate) use offset;
