//! Exit statuses.

use std::process::{ExitCode, Termination};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked to.
    Fine = 0,
    /// Something failed on the way.
    Failure = 1,
    /// The command line is wrong.
    Usage = 2,
    /// `scan` found leaks.
    LeaksFound = 10,
    /// A privilege is missing (`EX_NOPERM` of sysexits.h).
    NoPrivilege = 77,
    /// The configuration is bad (`EX_CONFIG` of sysexits.h).
    BadConfig = 78,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_documented_ones() {
        use Exit::{BadConfig, Failure, Fine, LeaksFound, NoPrivilege, Usage};
        let codes = [Fine, Failure, Usage, LeaksFound, NoPrivilege, BadConfig].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 10, 77, 78]);
    }
}
