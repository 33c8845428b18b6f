//! The remote end: another process, started before anything is opened, that does what it is told.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{env, process};

use crate::protocol::{During, Failure, Outcome, end_in_time};
use crate::sockets::{DATA, Family, accept, listen};

/// The peer as the workload sees it. It ends when the workload does.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it.
    pub(crate) fn start() -> Outcome<Self> {
        let program = env::current_exe().during("the program's own path")?;
        let mut child = Command::new(program)
            .arg("peer")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .during("start of the peer")?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (orders, answers) = pipes.ok_or("no pipes").during("start of the peer")?;
        Ok(Self {
            child,
            orders,
            answers: BufReader::new(answers),
        })
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One connection, from there to `address`.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> Outcome {
        self.order(&format!("connect {address}")).map(drop)
    }

    /// Listens; where it is reached.
    pub(crate) fn listen(&mut self, family: Family) -> Outcome<SocketAddr> {
        self.order(&format!("listen {}", family.name()))?
            .parse()
            .during("address of the peer")
    }

    /// Accepts one connection.
    pub(crate) fn accept(&mut self) -> Outcome {
        self.order("accept").map(drop)
    }

    /// Sends [`DATA`].
    pub(crate) fn send(&mut self) -> Outcome {
        self.order("send").map(drop)
    }

    /// Closes the connection.
    pub(crate) fn close(&mut self) -> Outcome {
        self.order("close").map(drop)
    }

    fn order(&mut self, order: &str) -> Outcome<String> {
        writeln!(self.orders, "{order}").during("order to the peer")?;
        let mut answer = String::new();
        match self
            .answers
            .read_line(&mut answer)
            .during("answer of the peer")?
        {
            0 => Err(Failure::Run("the peer has failed".to_owned())),
            _ => Ok(answer.trim().to_owned()),
        }
    }
}

/// The peer's own life: every order is answered with a line once it is done.
pub(crate) fn serve() -> Outcome {
    end_in_time();
    let mut state = State::default();
    for order in io::stdin().lines() {
        let order = order.during("peer: order")?;
        let answer = state.obey(&order)?;
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}")
            .and_then(|()| out.flush())
            .during("peer: answer")?;
    }
    process::exit(0)
}

#[derive(Debug, Default)]
struct State {
    listener: Option<TcpListener>,
    connection: Option<TcpStream>,
}

impl State {
    fn obey(&mut self, order: &str) -> Outcome<String> {
        let (verb, argument) = order.split_once(' ').unwrap_or((order, ""));
        match verb {
            "connect" => {
                self.connection = Some(TcpStream::connect(argument).during("peer: connect")?);
            }
            "listen" => {
                let family = Family::named(argument)
                    .ok_or(order)
                    .during("peer: family")?;
                let (listener, reach) = listen(family)?;
                self.listener = Some(listener);
                return Ok(reach.to_string());
            }
            "accept" => {
                let listener = self
                    .listener
                    .as_ref()
                    .ok_or("no listener")
                    .during("peer: accept")?;
                self.connection = Some(accept(listener)?);
            }
            "send" => {
                let mut connection = self
                    .connection
                    .as_ref()
                    .ok_or("no connection")
                    .during("peer: send")?;
                connection.write_all(DATA).during("peer: send")?;
            }
            "close" => self.connection = None,
            _ => return Err(Failure::Run(format!("peer: no such order: {order}"))),
        }
        Ok("ok".to_owned())
    }
}
