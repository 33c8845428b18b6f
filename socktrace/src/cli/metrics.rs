//! Where metrics may be served.

use std::net::SocketAddr;

use super::args::MetricsArgs;
use super::error::UsageError;

/// The address to listen at, if at any.
pub(super) fn listen(args: &MetricsArgs) -> Result<Option<SocketAddr>, UsageError> {
    let Some(address) = args.metrics_listen else {
        return Ok(None);
    };
    if cfg!(not(feature = "metrics")) {
        return Err(UsageError::MetricsNotBuilt);
    }
    if !address.ip().to_canonical().is_loopback() && !args.metrics_listen_anywhere {
        return Err(UsageError::MetricsAnywhere { address });
    }
    Ok(Some(address))
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use super::*;

    fn args(address: &str, anywhere: bool) -> MetricsArgs {
        MetricsArgs {
            metrics_listen: Some(address.parse().unwrap()),
            metrics_listen_anywhere: anywhere,
        }
    }

    #[test]
    fn only_this_machine_may_read_unless_others_are_wanted() {
        assert_eq!(listen(&MetricsArgs::default()).unwrap(), None);
        for own in [
            "127.0.0.1:9753",
            "127.1.2.3:1",
            "[::1]:9753",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert_eq!(
                listen(&args(own, false)).unwrap(),
                own.parse().ok(),
                "{own}"
            );
        }
        for other in [
            "0.0.0.0:9753",
            "[::]:9753",
            "192.0.2.1:9753",
            "[2001:db8::1]:1",
        ] {
            let refused = listen(&args(other, false)).unwrap_err().to_string();
            assert!(refused.contains("--metrics-listen-anywhere"), "{refused}");
            assert_eq!(listen(&args(other, true)).unwrap(), other.parse().ok());
        }
    }
}
