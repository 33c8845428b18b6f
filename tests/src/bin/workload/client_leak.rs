//! We connect, the server closes, and we keep the fd. Commands: `read`, `close`.

use std::net::TcpStream;

use crate::peer::Peer;
use crate::protocol::{Arguments, During, Outcome, begin, done, next_command, unknown_command};
use crate::sockets::{
    Family, close_and_report, leaked, read_and_report, read_data, read_end, wait_for_close_wait,
};

/// Runs it.
pub(crate) fn run(mut arguments: Arguments) -> Outcome {
    let family = Family::take(&mut arguments);
    let read_eof = arguments.flag("--read-eof");
    arguments.end("client_leak [--read-eof] [--ipv6 | --mapped]")?;

    begin("client_leak");
    let mut peer = Peer::start()?;
    let stream = TcpStream::connect(peer.listen(family)?).during("connect")?;
    peer.accept()?;
    if read_eof {
        peer.send()?;
        read_data(&stream)?;
    }
    peer.close()?;
    wait_for_close_wait(&stream)?;
    if read_eof {
        read_end(&stream)?;
    }
    leaked(&stream, &peer)?.me().print();

    let mut held = Some(stream);
    loop {
        match (next_command().as_str(), held.take()) {
            ("quit", stream) => {
                drop(stream);
                done();
            }
            ("close", Some(stream)) => close_and_report(stream),
            ("read", Some(stream)) => {
                read_and_report(&stream)?;
                held = Some(stream);
            }
            (_, stream) => {
                held = stream;
                unknown_command();
            }
        }
    }
}
