//! The service as it runs: a port, connections on it, and an end in which the last requests are still answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::app::{App, Parts};
use super::guard::{Peer, Together};
use super::tls::Certificate;
use super::trail;
use super::{InDatabase, InRedis, ServeError, Sessions, Settings};
use crate::tvm::audit::outside::Outside;
use crate::world::{Clock, Env, Heard, Network, Signals, open_port, tell};

/// How long a connection may take to say what it wants, and to agree on TLS.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often what ended is swept away.
const SWEEP: Duration = Duration::from_secs(600);

/// The service, ready to answer.
pub struct Running {
    app: App,
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    signals: Option<Signals>,
    places: Vec<Box<dyn Outside>>,
}

/// Opens everything that is needed, and the port last.
///
/// # Errors
/// [`ServeError`]; nothing is left open.
pub async fn start(
    settings: Settings,
    env: &Env,
    clock: Arc<dyn Clock>,
    network: Arc<dyn Network>,
) -> Result<Running, ServeError> {
    let certificate = match &settings.server.tls {
        Some((chain, key)) => Some(Arc::new(Certificate::read(chain.clone(), key.clone())?)),
        None => None,
    };
    let store = settings.database.open(clock.now()).await?;
    let own = &settings.session;
    let (sessions, together): (Box<dyn Sessions>, Box<dyn Together>) = match &own.redis {
        None => (Box::new(InDatabase { idle: own.idle }), Box::new(store.clone())),
        Some(redis) => {
            let redis = InRedis::open(redis, own.idle, own.longest).await?;
            (Box::new(redis.clone()), Box::new(redis))
        }
    };
    let address = settings.server.listen;
    let app = App::new(Parts { settings, store, sessions, together, clock, network, env: env.clone() })?;
    app.keys.ring(&app.store, app.now()).await.map_err(|_| ServeError::KeysUnusable)?;
    let places = trail::places(&app, env)?;
    let listener = open_port(address).await.map_err(|source| ServeError::Listen { address, source })?;
    Ok(Running { app, listener, certificate, signals: None, places })
}

impl Running {
    /// Where it listens: the port that the system gave, where the configuration says 0.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap_or(self.app.settings.server.listen)
    }

    /// The address that people use.
    pub fn url(&self) -> String {
        self.app.settings.server.url.expose().to_string()
    }

    /// What the handlers share.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Hears the signals to end and to read certificates anew.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn hear_signals(&mut self) -> std::io::Result<()> {
        self.signals = Some(Signals::listen()?);
        Ok(())
    }

    /// Answers until `end`, or the signal to end; then the requests in flight, as long as they may take.
    pub async fn serve(mut self, end: impl Future<Output = ()>) {
        let router = self.app.router();
        let graceful = GracefulShutdown::new();
        let mut end = std::pin::pin!(end);
        let mut beside = trail::begin(&self.app, std::mem::take(&mut self.places));
        beside.push(tokio::spawn(sweep(self.app.clone())));
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    // An error here is of one connection that was given up before it was taken, or of a process that has too many open.
                    match accepted {
                        Ok((stream, from)) => self.take(stream, from, router.clone(), &graceful),
                        Err(error) => {
                            tracing::warn!(%error, "a connection was not taken");
                            self.app.clock.sleep(Duration::from_millis(50)).await;
                        }
                    }
                }
                heard = next(&mut self.signals) => match heard {
                    Heard::End => break,
                    Heard::Reload => if let Some(certificate) = &self.certificate { certificate.reload() },
                },
                () = &mut end => break,
            }
        }
        drop(self.listener);
        beside.iter().for_each(tokio::task::JoinHandle::abort);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = self.app.clock.sleep(self.app.settings.server.drain) => tell("some requests did not end in time"),
        }
        self.app.store.close().await;
    }

    fn take(&self, stream: TcpStream, from: SocketAddr, router: Router, graceful: &GracefulShutdown) {
        let _ = stream.set_nodelay(true);
        let watcher = graceful.watcher();
        match &self.certificate {
            None => {
                tokio::spawn(async move { watcher.watch(connection(stream, from, router)).await.unwrap_or_else(ended) });
            }
            Some(certificate) => {
                let acceptor = TlsAcceptor::from(certificate.current());
                tokio::spawn(async move {
                    match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => watcher.watch(connection(stream, from, router)).await.unwrap_or_else(ended),
                        Ok(Err(error)) => tracing::debug!(%error, %from, "no TLS"),
                        Err(_) => tracing::debug!(%from, "no TLS in time"),
                    }
                });
            }
        }
    }
}

/// A connection that ended badly is the other side's affair.
fn ended(error: hyper::Error) {
    tracing::debug!(%error, "a connection ended");
}

fn connection<S>(
    stream: S,
    from: SocketAddr,
    router: Router,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(from));
        router.clone().oneshot(request)
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
}

async fn next(signals: &mut Option<Signals>) -> Heard {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}

/// Sweeps away what has ended, from time to time.
async fn sweep(app: App) {
    loop {
        app.clock.sleep(SWEEP).await;
        if let Err(error) = app.store.sweep(app.now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what has ended could not be swept away");
        }
    }
}
