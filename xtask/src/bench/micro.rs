//! Benchmarks of single functions: decoding, following, encoding.

use anyhow::Result;

use crate::shell;

/// Runs them; figures of earlier runs are kept by them and compared with.
pub(super) fn command() -> Result<()> {
    shell::run(shell::cargo().args([
        "bench",
        "--locked",
        "--package",
        "socktrace",
        "--bench",
        "trace",
    ]))
}
