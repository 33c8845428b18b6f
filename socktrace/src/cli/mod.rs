//! The command line: flags as typed, then as validated settings.
