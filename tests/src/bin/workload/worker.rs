//! A thread accepts and reads; the process only holds what it left behind. Command: `close`.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::{process, thread};

use crate::peer::Peer;
use crate::protocol::{Arguments, During, Outcome, begin, tid};
use crate::sockets::{Family, accept, hold, leaked, listen, read_data, wait_for_close_wait};

/// Runs it.
pub(crate) fn run(mut arguments: Arguments) -> Outcome {
    let family = Family::take(&mut arguments);
    let main_accepts = arguments.flag("--main-accepts");
    let worker_exits = arguments.flag("--worker-exits");
    arguments.end("worker [--main-accepts] [--worker-exits] [--ipv6 | --mapped]")?;

    begin("worker");
    let mut peer = Peer::start()?;
    let (listener, reach) = listen(family)?;
    peer.connect(reach)?;
    let accepted = if main_accepts {
        Some(accept(&listener)?)
    } else {
        None
    };
    // The peer sends into the accept queue, if it has not been accepted yet.
    peer.send()?;

    let listener_of_worker = listener.try_clone().during("dup of the listener")?;
    let (results, result) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("worker-2".to_owned())
        .spawn(move || work(listener_of_worker, accepted, worker_exits, &results))
        .during("start of a thread")?;
    let (worker_tid, stream) = result.recv().during("the worker")??;
    if worker_exits {
        thread.join().map_err(|_| "it panicked").during("worker")?;
    }
    peer.close()?;
    wait_for_close_wait(&stream)?;
    let step = leaked(&stream, &peer)?.text("thread", "worker-2");
    step.number("pid", process::id())
        .number("tid", worker_tid)
        .print();

    hold(stream)
}

/// The thread: accepts, unless it is given a connection, reads the data, and hands it over.
fn work(
    listener: TcpListener,
    accepted: Option<TcpStream>,
    ends: bool,
    results: &Sender<Outcome<(u32, TcpStream)>>,
) {
    let stream = accepted.map_or_else(|| accept(&listener), Ok);
    let read = stream.and_then(|stream| read_data(&stream).map(|()| (tid(), stream)));
    drop(listener);
    // The main thread waits for this, so that sending it cannot fail.
    let _ = results.send(read);
    if !ends {
        loop {
            thread::park();
        }
    }
}
