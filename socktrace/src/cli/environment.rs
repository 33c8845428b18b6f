//! What the settings depend on besides the arguments.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;

use super::netns;

/// The machine's configuration.
const CONFIG_FOLDER: &str = "/etc/socktrace";

/// The surroundings, injected so that tests can make up their own.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// `NO_COLOR` is set and not empty, or the terminal is a dumb one.
    pub no_color: bool,
    /// Size of a memory page, bytes.
    pub page_size: u32,
    /// Where the machine's configuration is; `None`: nowhere.
    pub config_folder: Option<&'a Path>,
    /// The variables.
    pub variables: &'a dyn Fn() -> Vec<(OsString, OsString)>,
    /// The inode of the network namespace that a path refers to.
    pub netns_inode: &'a dyn Fn(&Path) -> io::Result<u32>,
}

impl Environment<'static> {
    /// The real ones.
    #[must_use]
    pub fn real() -> Self {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            stdout_is_terminal: io::stdout().is_terminal(),
            no_color: set("NO_COLOR") || env::var_os("TERM").is_some_and(|term| term == "dumb"),
            page_size: page_size(),
            config_folder: Some(Path::new(CONFIG_FOLDER)),
            variables: &|| env::vars_os().collect(),
            netns_inode: &netns::inode,
        }
    }
}

fn page_size() -> u32 {
    // SAFETY: sysconf only reads a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u32::try_from(size).unwrap_or(4096)
}
