//! The classic leak: accepts, the peer closes, the fd is kept.
//!
//! Commands: `read`; `write` (the peer answers with a reset: the state becomes CLOSE); `close`.

use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use crate::peer::Peer;
use crate::protocol::{
    Arguments, During, Failure, Outcome, Step, begin, done, next_command, tid, unknown_command,
};
use crate::sockets::{
    Family, accept, close_and_report, leaked, listen, read_and_report, read_data, read_end,
    wait_for_close, wait_for_close_wait,
};

const USAGE: &str =
    "close_wait [--unread-data | --read-data | --read-eof] [--closer-thread] [--ipv6 | --mapped]";

/// Runs it.
pub(crate) fn run(mut arguments: Arguments) -> Outcome {
    let family = Family::take(&mut arguments);
    let unread_data = arguments.flag("--unread-data");
    let read_eof = arguments.flag("--read-eof");
    let only_data = arguments.flag("--read-data");
    let closer_thread = arguments.flag("--closer-thread");
    arguments.end(USAGE)?;
    if [unread_data, only_data, read_eof]
        .into_iter()
        .filter(|flag| *flag)
        .count()
        > 1
    {
        return Err(Failure::Usage(USAGE));
    }

    begin("close_wait");
    let mut peer = Peer::start()?;
    let (listener, reach) = listen(family)?;
    peer.connect(reach)?;
    let stream = accept(&listener)?;
    if unread_data || only_data || read_eof {
        peer.send()?;
    }
    if only_data || read_eof {
        read_data(&stream)?;
    }
    peer.close()?;
    wait_for_close_wait(&stream)?;
    if read_eof {
        read_end(&stream)?;
    }

    let closer = if closer_thread {
        Some(Closer::start()?)
    } else {
        None
    };
    let step = leaked(&stream, &peer)?.me();
    match &closer {
        Some(closer) => step.number("closer_tid", closer.tid).print(),
        None => step.print(),
    }
    obey(stream, closer)
}

fn obey(stream: TcpStream, mut closer: Option<Closer>) -> Outcome {
    let mut held = Some(stream);
    loop {
        match (next_command().as_str(), held.take()) {
            ("quit", stream) => {
                drop(stream);
                done();
            }
            ("close", Some(stream)) => match closer.take() {
                Some(closer) => closer.close(stream)?,
                None => close_and_report(stream),
            },
            ("read", Some(stream)) => {
                read_and_report(&stream)?;
                held = Some(stream);
            }
            ("write", Some(mut stream)) => {
                stream.write_all(b"x").during("write")?;
                wait_for_close(&stream)?;
                let step = Step::new("wrote").me().number("fd", stream.as_raw_fd());
                step.text("state", "CLOSE").print();
                held = Some(stream);
            }
            (_, stream) => {
                held = stream;
                unknown_command();
            }
        }
    }
}

/// A thread that closes what it is given.
#[derive(Debug)]
struct Closer {
    tid: u32,
    streams: Sender<TcpStream>,
    thread: JoinHandle<()>,
}

impl Closer {
    fn start() -> Outcome<Self> {
        let (streams, receiver) = mpsc::channel();
        let (tids, its_tid) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("closer".to_owned())
            .spawn(move || {
                // The starter waits for the tid, so that sending it cannot fail.
                let _ = tids.send(tid());
                receiver.into_iter().for_each(close_and_report);
            })
            .during("start of a thread")?;
        Ok(Self {
            tid: its_tid.recv().during("tid of the closer")?,
            streams,
            thread,
        })
    }

    fn close(self, stream: TcpStream) -> Outcome {
        self.streams.send(stream).during("order to the closer")?;
        drop(self.streams);
        self.thread
            .join()
            .map_err(|_| "it panicked")
            .during("closer")
    }
}
