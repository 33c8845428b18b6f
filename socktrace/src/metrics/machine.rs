//! What is looked up when somebody asks, at most once a second.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::tcp_states;
use crate::clock::{self, Clock as _};
use crate::enrich::ProcFs;
pub use crate::enrich::Resources;
pub use crate::model::TableUse;
use crate::model::{BootTime, TcpState};

/// For how long a look is good.
const FRESH: Duration = Duration::from_secs(1);

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Sockets of our network namespace by state; empty where the kernel does not tell.
    pub states: Vec<(TcpState, u64)>,
    /// The kernel's tables.
    pub tables: Vec<TableUse>,
    /// What this process uses.
    pub resources: Option<Resources>,
}

/// Reads how full the kernel's tables are.
type ReadTables = Box<dyn FnMut() -> Vec<TableUse> + Send>;

/// Looks at the machine.
pub struct Machine {
    proc: ProcFs,
    tables: ReadTables,
    last: Option<(BootTime, Arc<Sight>)>,
}

impl Machine {
    /// A machine with this /proc, whose tables are read by `tables`.
    #[must_use]
    pub fn new(proc: ProcFs, tables: ReadTables) -> Self {
        Self {
            proc,
            tables,
            last: None,
        }
    }

    /// A look that is at most a second old.
    #[must_use]
    pub fn look(&mut self) -> Arc<Sight> {
        let now = clock::System.boot();
        match &self.last {
            Some((at, sight)) if now.since(*at) < FRESH => Arc::clone(sight),
            _ => {
                let sight = Arc::new(Sight {
                    states: tcp_states(&self.proc).unwrap_or_default(),
                    tables: (self.tables)(),
                    resources: Resources::own(&self.proc),
                });
                self.last = Some((now, Arc::clone(&sight)));
                sight
            }
        }
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}
