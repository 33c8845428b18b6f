//! Which sockets are suspects, which are findings: pure, deterministic, without a clock.
