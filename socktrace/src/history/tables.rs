//! What is stored. Times are microseconds since 1970, UTC; addresses, ports and names are columns of their own,
//! so that `sqlite3` can be asked what `socktrace history` cannot.

/// "sock": told by `file`, and proof that a database is ours.
pub(super) const APPLICATION: i64 = 0x736f_636b;

/// The version of these tables.
pub(super) const VERSION: i64 = 1;

/// Made once. A process is one row for all its findings; most of a finding's bytes would be its.
pub(super) const TABLES: &str = "
CREATE TABLE processes (
    id INTEGER PRIMARY KEY,
    entity BLOB NOT NULL UNIQUE,
    pid INTEGER NOT NULL,
    started INTEGER NOT NULL,
    name BLOB NOT NULL,
    executable BLOB,
    command_line BLOB,
    uid INTEGER,
    parent INTEGER,
    cgroup BLOB,
    unit BLOB,
    container TEXT,
    runtime TEXT,
    pod TEXT
);
CREATE TABLE findings (
    id INTEGER PRIMARY KEY,
    leak BLOB NOT NULL UNIQUE,
    boot TEXT NOT NULL,
    seen INTEGER NOT NULL,          -- by the agent that runs, or ran last
    phase TEXT NOT NULL,
    kind TEXT NOT NULL,
    diagnosis TEXT,
    started INTEGER NOT NULL,
    since_seen INTEGER NOT NULL,
    told INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    ended INTEGER,
    cause TEXT,
    closed_by_pid INTEGER,
    closed_by_tid INTEGER,
    closed_by_comm BLOB,
    episode INTEGER NOT NULL,
    process INTEGER REFERENCES processes(id),
    tid INTEGER,
    thread BLOB,
    owner_via TEXT,
    fd INTEGER,
    cookie INTEGER NOT NULL,
    inode INTEGER,
    netns INTEGER NOT NULL,
    netns_name BLOB,
    state TEXT NOT NULL,
    role TEXT NOT NULL,
    local_ip TEXT NOT NULL,
    local_port INTEGER NOT NULL,
    peer_ip TEXT NOT NULL,
    peer_port INTEGER NOT NULL,
    rx_queue INTEGER NOT NULL,
    tx_queue INTEGER NOT NULL,
    holders BLOB NOT NULL,          -- 24 bytes each: pid, descriptor (little endian), name
    holders_total INTEGER NOT NULL
);
CREATE INDEX findings_started ON findings(started);
CREATE INDEX findings_ended ON findings(ended) WHERE ended IS NOT NULL;
CREATE INDEX findings_open ON findings(process, kind, state) WHERE ended IS NULL;
CREATE TABLE minutes (
    minute INTEGER NOT NULL,        -- since 1970
    process INTEGER NOT NULL,       -- 0: nobody was blamed
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    open INTEGER NOT NULL DEFAULT 0,
    opened INTEGER NOT NULL DEFAULT 0,
    resolved INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (minute, process, kind, state)
) WITHOUT ROWID;
CREATE TABLE numbers (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
";

/// Takes the facts of a process; what is not known now but was before stays.
pub(super) const PROCESS: &str = "
INSERT INTO processes (entity, pid, started, name, executable, command_line, uid, parent, cgroup, unit,
    container, runtime, pod)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
ON CONFLICT (entity) DO UPDATE SET
    name = excluded.name,
    executable = coalesce(excluded.executable, executable),
    command_line = coalesce(excluded.command_line, command_line),
    uid = coalesce(excluded.uid, uid),
    parent = coalesce(excluded.parent, parent),
    cgroup = coalesce(excluded.cgroup, cgroup),
    unit = coalesce(excluded.unit, unit),
    container = coalesce(excluded.container, container),
    runtime = coalesce(excluded.runtime, runtime),
    pod = coalesce(excluded.pod, pod)
RETURNING id";

/// Takes a finding. The earliest start stays: an agent that is started anew knows less of it.
pub(super) const FINDING: &str = "
INSERT INTO findings (leak, boot, seen, phase, kind, diagnosis, started, since_seen, told, updated, ended, cause,
    closed_by_pid, closed_by_tid, closed_by_comm, episode, process, tid, thread, owner_via, fd, cookie, inode,
    netns, netns_name, state, role, local_ip, local_port, peer_ip, peer_port, rx_queue, tx_queue, holders,
    holders_total)
VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
    ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34)
ON CONFLICT (leak) DO UPDATE SET
    seen = 1,
    phase = excluded.phase,
    kind = excluded.kind,
    diagnosis = coalesce(excluded.diagnosis, diagnosis),
    since_seen = iif(excluded.started < started, excluded.since_seen, since_seen),
    started = min(started, excluded.started),
    updated = excluded.updated,
    ended = excluded.ended,
    cause = excluded.cause,
    closed_by_pid = excluded.closed_by_pid,
    closed_by_tid = excluded.closed_by_tid,
    closed_by_comm = excluded.closed_by_comm,
    process = coalesce(excluded.process, process),
    tid = coalesce(excluded.tid, tid),
    thread = coalesce(excluded.thread, thread),
    owner_via = coalesce(excluded.owner_via, owner_via),
    fd = coalesce(excluded.fd, fd),
    inode = coalesce(excluded.inode, inode),
    netns_name = coalesce(excluded.netns_name, netns_name),
    state = excluded.state,
    role = excluded.role,
    rx_queue = excluded.rx_queue,
    tx_queue = excluded.tx_queue,
    holders = excluded.holders,
    holders_total = excluded.holders_total";

/// What is read of a finding; see `rows::past`.
pub(super) const SELECT_FINDINGS: &str = "
SELECT f.leak, f.phase, f.kind, f.diagnosis, f.started, f.since_seen, f.told, f.updated, f.ended, f.cause,
    f.closed_by_pid, f.closed_by_tid, f.closed_by_comm, f.episode, f.tid, f.thread, f.owner_via, f.fd, f.cookie,
    f.inode, f.netns, f.netns_name, f.state, f.role, f.local_ip, f.local_port, f.peer_ip, f.peer_port,
    f.rx_queue, f.tx_queue, f.holders, f.holders_total, p.entity, p.pid, p.started AS p_started, p.name,
    p.executable, p.command_line, p.uid, p.parent, p.cgroup, p.unit, p.container, p.runtime, p.pod
FROM findings f LEFT JOIN processes p ON p.id = f.process
WHERE f.started <= ?2 AND (f.ended IS NULL OR f.ended >= ?1)
ORDER BY f.started, f.id";

/// What is read of minutes; see `rows::minute`.
pub(super) const SELECT_MINUTES: &str = "
SELECT m.minute, m.kind, m.state, m.open, m.opened, m.resolved, p.pid, p.name, p.cgroup
FROM minutes m LEFT JOIN processes p ON p.id = m.process
WHERE m.minute BETWEEN ?1 AND ?2
ORDER BY m.minute, p.name, p.pid, m.kind, m.state";
