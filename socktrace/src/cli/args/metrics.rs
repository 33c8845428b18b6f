//! Flags about metrics.

use std::net::SocketAddr;

/// Where metrics are served.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct MetricsArgs {
    /// Answer Prometheus at this address: 127.0.0.1:9753, say [default: nowhere]
    ///
    /// Over HTTP: /metrics, in the format of OpenMetrics or the classic one, as asked for; /healthz, whether
    /// the kernel is being read; /readyz, whether what is found reaches its destinations, with reasons. The
    /// names of processes that leak are among the metrics, so the address has to be one of this machine's own
    /// (127.0.0.1, ::1).
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Let --metrics-listen be an address that others can reach
    ///
    /// There is no password and no encryption: see to it that only those who may can reach it.
    #[arg(long, requires = "metrics_listen")]
    pub(crate) metrics_listen_anywhere: bool,
}
