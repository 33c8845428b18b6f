//! What `doctor` and the first status say of purposes that have no ladder.

use super::netns;
use crate::model::{HookReport, Support};

/// How connect() is seen.
pub(super) fn connect(program: &str) -> HookReport {
    ok("connect", &format!("{program}, CLOSE to SYN_SENT"))
}

/// Where sockets' cookies come from.
pub(super) fn cookies(asked_for: bool) -> HookReport {
    if asked_for {
        return ok("cookies", "bpf_get_socket_cookie");
    }
    HookReport {
        support: Support::Fallback,
        lost: "a socket's cookie is not the one that ss prints".to_owned(),
        cure: "use Linux 5.12 or later with tp_btf".to_owned(),
        ..ok("cookies", "made up by the programs")
    }
}

/// What the iterators show.
pub(super) fn iterators() -> [HookReport; 3] {
    let holders = HookReport {
        lost: "a socket that nothing but io_uring's registered files or a message on its way \
               (SCM_RIGHTS) refers to is in no table of descriptors: it is no finding until it is in one"
            .to_owned(),
        ..ok("holders", "iter/task_file")
    };
    let accept_queue = match netns::can_enter() {
        Ok(()) => ok("accept_queue", "iter/tcp"),
        Err(reason) => HookReport {
            support: Support::Fallback,
            lost: format!(
                "connections that leak in accept queues of other network namespaces ({reason})"
            ),
            cure: "grant CAP_SYS_ADMIN".to_owned(),
            ..ok("accept_queue", "iter/tcp, in this network namespace only")
        },
    };
    [holders, accept_queue, ok("suspects", "iter/bpf_map_elem")]
}

fn ok(purpose: &'static str, used: &str) -> HookReport {
    HookReport {
        purpose,
        support: Support::Ok,
        used: used.to_owned(),
        lost: String::new(),
        cure: String::new(),
    }
}
