//! An async runtime: one task accepts, another reads, on whichever of its threads they happen to run; the
//! connection is left behind. Command: `close`.

use std::process;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::peer::Peer;
use crate::protocol::{Arguments, During, Outcome, begin, tid};
use crate::sockets::{DATA, Family, hold, leaked, listen, wait_for_close_wait};

/// Threads of the runtime, beside the main one.
const WORKERS: usize = 3;

/// The name of each.
const WORKER: &str = "rt-worker";

/// Runs it.
pub(crate) fn run(mut arguments: Arguments) -> Outcome {
    let family = Family::take(&mut arguments);
    arguments.end("async_worker [--ipv6 | --mapped]")?;

    begin("async_worker");
    let mut peer = Peer::start()?;
    let (listener, reach) = listen(family)?;
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(WORKERS).thread_name(WORKER);
    let runtime = runtime.enable_io().build().during("start of the runtime")?;
    peer.connect(reach)?;
    let (accept_tid, stream) = on_a_worker(&runtime, accept(listener))?;
    peer.send()?;
    let (read_tid, stream) = on_a_worker(&runtime, read(stream))?;
    let stream = stream.into_std().during("leave the runtime")?;
    peer.close()?;
    wait_for_close_wait(&stream)?;
    let step = leaked(&stream, &peer)?.text("thread", WORKER);
    step.number("pid", process::id())
        .number("tid", read_tid)
        .number("accept_tid", accept_tid)
        .print();
    hold(stream)
}

/// Runs a task on one of the runtime's threads.
fn on_a_worker<T: Send + 'static>(
    runtime: &Runtime,
    task: impl Future<Output = Outcome<T>> + Send + 'static,
) -> Outcome<T> {
    runtime.block_on(runtime.spawn(task)).during("the task")?
}

/// What follows an `await` without another one runs where the call did that ended it.
async fn accept(listener: std::net::TcpListener) -> Outcome<(u32, TcpStream)> {
    listener.set_nonblocking(true).during("fcntl")?;
    let listener = TcpListener::from_std(listener).during("epoll")?;
    let (stream, _) = listener.accept().await.during("accept")?;
    Ok((tid(), stream))
}

async fn read(mut stream: TcpStream) -> Outcome<(u32, TcpStream)> {
    let mut data = [0; DATA.len()];
    stream.read_exact(&mut data).await.during("read of data")?;
    Ok((tid(), stream))
}
