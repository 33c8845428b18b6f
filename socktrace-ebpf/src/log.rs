//! Messages for developers, absent from release objects.

/// `debug!(ctx, "format", args…)`: through aya-log with the feature `debug-log`, else nothing.
#[cfg(feature = "debug-log")]
macro_rules! debug {
    ($($arg:tt)*) => { aya_log_ebpf::debug!($($arg)*) };
}
#[cfg(not(feature = "debug-log"))]
macro_rules! debug {
    ($ctx:expr, $($arg:tt)*) => {{
        let _ = $ctx;
    }};
}
pub(crate) use debug;
