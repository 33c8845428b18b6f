use std::io::Read;
use std::net::TcpListener;
use std::thread;

use super::super::courier::Courier;
use super::super::{Sink, Target};
use super::*;

fn sink(spec: &str) -> Courier<Syslog> {
    let Ok(Target::Syslog(target)) = Target::parse(spec.as_ref()) else {
        panic!("{spec}");
    };
    Courier::new(Syslog::new(spec.to_owned(), &target))
}

/// Messages of a stream with octet counting.
fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let (message, rest) = bytes[space + 1..].split_at(length);
        messages.push(String::from_utf8(message.to_vec()).unwrap());
        bytes = rest;
    }
    messages
}

#[test]
fn a_stream_counts_octets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let mut sink = sink(&format!("syslog+tcp://127.0.0.1:{port}"));
    sink.write("one\ntwö\n".as_bytes()).unwrap();
    sink.write(b"three\n").unwrap();
    drop(sink);
    let bytes = reader.join().unwrap();
    assert_eq!(bytes, "3 one4 twö5 three".as_bytes());
    assert_eq!(messages(&bytes), ["one", "twö", "three"]);
}

#[test]
fn a_collector_that_comes_back_gets_what_it_missed() {
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    let mut sink = sink(&format!("syslog+tcp://{address}"));
    let reader = thread::spawn(move || {
        let (mut stream, _) = first.accept().unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).unwrap();
        bytes
    });
    sink.write(b"one\n").unwrap();
    assert_eq!(&reader.join().unwrap(), b"3 one");
    // It is gone: its listener and the connection are closed.
    let board = sink.board().unwrap();
    let writer = thread::spawn(move || sink.write(b"two\nthree\n").map(|()| drop(sink)));
    super::super::tests::wait_until(|| !board.news().is_empty());
    let second = TcpListener::bind(address).unwrap();
    let (mut stream, _) = second.accept().unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(messages(&bytes), ["two", "three"]);
    writer.join().unwrap().unwrap();
}

#[test]
fn datagrams_hold_a_message_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let mut sink = sink(&format!("syslog://{}", path.display()));
    sink.write(b"one\ntwo\n").unwrap();
    let mut buffer = [0; 64];
    for expected in ["one", "two"] {
        let n = daemon.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], expected.as_bytes());
    }
}

#[test]
fn udp_refuses_what_no_datagram_holds_and_sends_the_rest() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut sink = sink(&format!("syslog+udp://{}", daemon.local_addr().unwrap()));
    let batch = format!("one\n{}\nthree\n", "x".repeat(70_000));
    let error = sink.write(batch.as_bytes()).unwrap_err();
    assert!(error.to_string().ends_with("lost 1 lines"), "{error}");
    let mut buffer = [0; 64];
    for expected in ["one", "three"] {
        let n = daemon.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], expected.as_bytes());
    }
}

#[test]
fn what_was_sent_before_an_error_is_not_sent_again() {
    let mut sent = 0;
    let mut arrived = Vec::new();
    let batch = b"one\ntwo\nthree\n";
    let failed = datagrams(batch, &mut sent, |message| {
        if message == b"two" {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        arrived.push(message.to_vec());
        Ok(message.len())
    });
    assert!(failed.is_err());
    let again = datagrams(batch, &mut sent, |message| {
        arrived.push(message.to_vec());
        Ok(message.len())
    });
    assert_eq!(again.unwrap(), 0);
    assert_eq!(arrived.concat(), b"onetwothree");
    assert_eq!(sent, 0);
}
