//! What the black-box tests are made of: an agent under test, workloads that leak or behave, and
//! bounded ways to wait for what they say.
//!
//! Nothing here knows the inside of socktrace. Tests start the program, read its lines and assert
//! what a user would see.
//!
//! Environment:
//!
//! * `SOCKTRACE_BIN`: the program under test. Without it cargo builds it.
//! * `WORKLOADS_DIR`: workloads made elsewhere by [`workload::install`], for a machine without a
//!   compiler.
//! * `SOCKTRACE_TEST_SLOW`: a whole number that every deadline is multiplied by; 4 suits an
//!   emulated machine.
//! * `SOCKTRACE_TEST_OUTAGE`: for how many seconds counterparts of feeds are away; as short as can be without it.
//! * `PYTHON`: the interpreter of the Python workloads; `python3` without it.

pub mod agent;
pub mod child;
pub mod go;
pub mod http;
pub mod json;
pub mod log;
pub mod maps;
pub mod mount;
pub mod netns;
pub mod pids;
pub mod program;
pub mod rung;
pub mod spool;
pub mod text;
pub mod user;
pub mod wait;
pub mod workload;
