//! Rows to values and back. What is read was perhaps written by another hand: nothing in it is taken on trust.

use std::net::{IpAddr, SocketAddr};

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Row, Transaction, params};

use super::tables::{FINDING, PROCESS};
use crate::model::{
    Comm, Past, PastEnd, PastMinute, PastProcess, PastSocket, TcpState, WallMicros, Word,
};
use crate::schema::escape;

/// Microseconds of a minute.
pub(super) const MINUTE: WallMicros = 60_000_000;

/// Bytes of a holder.
const HOLDER: usize = 24;

/// Writes a process and says which row it is.
pub(super) fn put_process(
    transaction: &Transaction<'_>,
    process: &PastProcess,
) -> rusqlite::Result<i64> {
    let mut statement: CachedStatement<'_> = transaction.prepare_cached(PROCESS)?;
    statement.query_row(
        params![
            process.entity,
            process.pid,
            process.started,
            process.name,
            process.executable,
            process.command_line,
            process.uid,
            process.parent,
            process.cgroup,
            process.unit,
            process.container,
            process.runtime.as_deref(),
            process.pod,
        ],
        |row| row.get(0),
    )
}

/// Writes a finding of a boot, of the process in a row.
pub(super) fn put_finding(
    transaction: &Transaction<'_>,
    past: &Past,
    boot: &str,
    process: Option<i64>,
) -> rusqlite::Result<()> {
    let socket = &past.socket;
    let by = past.end.as_ref().and_then(|end| end.by);
    transaction.prepare_cached(FINDING)?.execute(params![
        past.id,
        boot,
        &*past.phase,
        past.kind.name(),
        past.diagnosis.as_deref(),
        past.started,
        past.since_seen,
        past.told,
        past.updated,
        past.end.as_ref().map(|end| end.at),
        past.end.as_ref().map(|end| &*end.cause),
        by.map(|(pid, _, _)| pid),
        by.map(|(_, tid, _)| tid),
        by.map(|(_, _, comm)| comm.as_bytes().to_vec()),
        past.episode,
        process,
        past.thread.as_ref().map(|(tid, _)| tid),
        past.thread.as_ref().and_then(|(_, name)| name.as_ref()),
        past.via.as_deref(),
        past.fd,
        socket.cookie.cast_signed(),
        socket.inode,
        socket.netns,
        socket.netns_name,
        socket.state.name(),
        &*socket.role,
        socket.local.ip().to_string(),
        socket.local.port(),
        socket.peer.ip().to_string(),
        socket.peer.port(),
        socket.rx_queue,
        socket.tx_queue,
        holders(&past.holders),
        past.holders_total,
    ])?;
    Ok(())
}

/// Reads what `tables::SELECT_FINDINGS` selects.
pub(super) fn past(row: &Row<'_>) -> rusqlite::Result<Past> {
    let ended: Option<WallMicros> = row.get("ended")?;
    let closed_by: Option<u32> = row.get("closed_by_pid")?;
    let tid: Option<u32> = row.get("tid")?;
    Ok(Past {
        id: row.get("leak")?,
        phase: word(row, "phase")?.unwrap_or_default(),
        kind: parsed(row, "kind")?,
        diagnosis: word(row, "diagnosis")?,
        started: row.get("started")?,
        since_seen: row.get("since_seen")?,
        told: row.get("told")?,
        updated: row.get("updated")?,
        end: match ended {
            None => None,
            Some(at) => Some(PastEnd {
                at,
                cause: word(row, "cause")?.unwrap_or_default(),
                by: match closed_by {
                    None => None,
                    Some(pid) => {
                        Some((pid, row.get("closed_by_tid")?, comm(row, "closed_by_comm")?))
                    }
                },
            }),
        },
        episode: row.get("episode")?,
        process: process(row)?,
        thread: match tid {
            None => None,
            Some(tid) => Some((tid, row.get("thread")?)),
        },
        via: word(row, "owner_via")?,
        fd: row.get("fd")?,
        socket: PastSocket {
            cookie: row.get::<_, i64>("cookie")?.cast_unsigned(),
            inode: row.get("inode")?,
            netns: row.get("netns")?,
            netns_name: row.get("netns_name")?,
            state: parsed(row, "state")?,
            role: word(row, "role")?.unwrap_or_default(),
            local: address(row, "local_ip", "local_port")?,
            peer: address(row, "peer_ip", "peer_port")?,
            rx_queue: row.get("rx_queue")?,
            tx_queue: row.get("tx_queue")?,
        },
        holders: read_holders(&row.get::<_, Vec<u8>>("holders")?),
        holders_total: row.get("holders_total")?,
    })
}

/// Reads what `tables::SELECT_MINUTES` selects.
pub(super) fn minute(row: &Row<'_>) -> rusqlite::Result<PastMinute> {
    let pid: Option<u32> = row.get("pid")?;
    Ok(PastMinute {
        begin: row.get::<_, i64>("minute")?.saturating_mul(MINUTE),
        process: match pid {
            None => None,
            Some(pid) => Some((pid, row.get("name")?)),
        },
        cgroup: row.get("cgroup")?,
        kind: parsed(row, "kind")?,
        state: parsed::<TcpState>(row, "state")?,
        open: count(row, "open")?,
        opened: count(row, "opened")?,
        resolved: count(row, "resolved")?,
    })
}

fn process(row: &Row<'_>) -> rusqlite::Result<Option<PastProcess>> {
    let Some(entity) = row.get("entity")? else {
        return Ok(None);
    };
    Ok(Some(PastProcess {
        entity,
        pid: row.get("pid")?,
        started: row.get("p_started")?,
        name: row.get("name")?,
        executable: row.get("executable")?,
        command_line: row.get("command_line")?,
        uid: row.get("uid")?,
        parent: row.get("parent")?,
        cgroup: row.get("cgroup")?,
        unit: row.get("unit")?,
        container: word(row, "container")?.map(Word::into_owned),
        runtime: word(row, "runtime")?,
        pod: word(row, "pod")?.map(Word::into_owned),
    }))
}

fn count(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

/// A word of ours, escaped in case that it is somebody else's.
fn word(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Word>> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(|text| Word::Owned(escape(text.as_bytes()).into_owned())))
}

fn comm(row: &Row<'_>, column: &str) -> rusqlite::Result<Comm> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    Ok(Comm::from_bytes(&bytes.unwrap_or_default()))
}

fn address(row: &Row<'_>, ip: &str, port: &str) -> rusqlite::Result<SocketAddr> {
    Ok(SocketAddr::new(parsed::<IpAddr>(row, ip)?, row.get(port)?))
}

fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| {
        let index = row.as_ref().column_index(column).unwrap_or_default();
        let reason = format!("{column} is {text:?}").into();
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, reason)
    })
}

fn holders(holders: &[(u32, u32, Comm)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(holders.len() * HOLDER);
    for (pid, fd, comm) in holders {
        bytes.extend_from_slice(&pid.to_le_bytes());
        bytes.extend_from_slice(&fd.to_le_bytes());
        let end = bytes.len() + 16;
        bytes.extend_from_slice(comm.as_bytes());
        bytes.resize(end, 0);
    }
    bytes
}

fn read_holders(bytes: &[u8]) -> Vec<(u32, u32, Comm)> {
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes);
    let holder = |bytes: &[u8]| {
        let (pid, rest) = bytes.split_at_checked(4)?;
        let (fd, comm) = rest.split_at_checked(4)?;
        Some((number(pid), number(fd), Comm::from_bytes(comm)))
    };
    bytes.chunks_exact(HOLDER).filter_map(holder).collect()
}
