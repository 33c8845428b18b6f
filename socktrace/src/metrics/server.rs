//! HTTP for `/metrics`, `/healthz` and `/readyz`, on a thread of its own.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use super::classic::classic;
use super::exposition::Page;
use super::readiness::{readiness, stalled};
use super::{Machine, Vitals};
use crate::clock::{self, Clock as _};
use crate::model::Ready;
use crate::schema;

/// Connections at once. Those beyond wait to be accepted.
const CONNECTIONS: usize = 16;
/// How long a connection may take, from its first byte to its last. Each has one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take until it says what it wants.
const HESITATION: Duration = Duration::from_secs(3);
/// How long to wait when no connection can be accepted, because there is no descriptor left say.
const PAUSE: Duration = Duration::from_millis(100);
/// A page is made on it.
const STACK: usize = 512 * 1024;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Answers on `listener` until the process ends.
///
/// # Errors
///
/// If there is no thread to be had, or the listener cannot be used.
pub fn start(listener: TcpListener, vitals: Arc<Vitals>, machine: Machine) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let served = Arc::new(Served {
        vitals,
        machine: Mutex::new(machine),
    });
    thread::Builder::new()
        .name("metrics".to_owned())
        .stack_size(STACK)
        .spawn(move || runtime.block_on(serve(listener, served)))?;
    Ok(())
}

/// What answers are made from.
struct Served {
    vitals: Arc<Vitals>,
    machine: Mutex<Machine>,
}

async fn serve(listener: tokio::net::TcpListener, served: Arc<Served>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let served = Arc::clone(&served);
        tokio::spawn(async move {
            let answering = service_fn(move |request: Request<Incoming>| {
                let response = served.answer(&request);
                async { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HESITATION)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answering);
            // Whoever hangs up or is too slow gets no answer; there is nobody else to tell.
            let _ = tokio::time::timeout(PATIENCE, connection).await;
            drop(place);
        });
    }
}

impl Served {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if !matches!(path, "/metrics" | "/healthz" | "/readyz") {
            let text = "there are /metrics, /healthz and /readyz\n";
            return response(StatusCode::NOT_FOUND, TEXT, text);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET and HEAD only\n");
            let allowed = hyper::header::HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, allowed);
            return refused;
        }
        match path {
            "/metrics" => self.metrics(wants_openmetrics(request.headers())),
            "/healthz" => self.health(),
            _ => self.ready(),
        }
    }

    fn metrics(&self, openmetrics: bool) -> Response<Full<Bytes>> {
        let sight = {
            let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
            machine.look()
        };
        let page = Page::new(&self.vitals, sight, clock::System.wall_minus_boot_ns());
        match page.text() {
            Ok(text) if openmetrics => response(StatusCode::OK, OPENMETRICS, text),
            Ok(text) => response(StatusCode::OK, CLASSIC, classic(&text)),
            Err(error) => response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error.to_string()),
        }
    }

    fn health(&self) -> Response<Full<Bytes>> {
        match stalled(&self.vitals, clock::System.boot()) {
            None => response(StatusCode::OK, TEXT, "ok\n"),
            Some(silent) => {
                let text = format!("the kernel has not been read for {} s\n", silent.as_secs());
                response(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
            }
        }
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let state = readiness(&self.vitals, clock::System.boot());
        let status = match state.ready() {
            Ready::Yes | Ready::Degraded => StatusCode::OK,
            Ready::No => StatusCode::SERVICE_UNAVAILABLE,
        };
        let body = schema::readiness(&state, clock::System.wall_minus_boot_ns());
        response(status, JSON, body)
    }
}

/// Whether the page is wanted in the format of `OpenMetrics`. One who does not ask for it gets the classic one.
fn wants_openmetrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let refused = |part: &str| part.strip_prefix("q=").is_some_and(is_zero);
            parts.next() == Some("application/openmetrics-text") && !parts.any(refused)
        })
}

fn is_zero(weight: &str) -> bool {
    weight.trim().parse() == Ok(0.0_f32)
}

fn response(
    status: StatusCode,
    content: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let content = hyper::header::HeaderValue::from_static(content);
    response.headers_mut().insert(CONTENT_TYPE, content);
    response
}
