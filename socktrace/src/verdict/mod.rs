//! What a proven leak is called, why it leaks and who is blamed: pure functions over the kernel's facts.
//!
//! * [`kind_of`]: which kind of leak a socket is, if it is one.
//! * [`diagnose`]: why, from sequence numbers and the way the connection ended.
//! * [`blame()`]: which process and thread, among those that hold it.
//! * [`made_progress`]: whether bytes moved between two looks.

mod blame;
mod diagnosis;
mod errno;
mod kind;
mod progress;

pub use blame::{Trail, blame};
pub use diagnosis::{End, Evidence, diagnose};
pub use kind::{can_leak, kind_of};
pub use progress::made_progress;
