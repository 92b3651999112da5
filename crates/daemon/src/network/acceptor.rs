//! One server: it accepts clients, admits them and serves their connections until the plane ends.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use supervisord_config::model::{HttpServer, LogLevel};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::api::Api;
use crate::memory_budget::is_possible;
use crate::network::admission::Connections;
use crate::network::connection;
use crate::network::listen::{self, ListenError, OpenServer, SocketFile};
use crate::network::service::{PlaneContext, Server, Service};
use crate::network::socket::Socket;
use crate::network::state::PlaneState;
use crate::network::transport::{Accept, accept_on, accept_on_unix};

/// How long to wait before accepting again when the system refuses.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Idle connections that the next plane continues, by the section of their server.
pub type IdleConnections = Vec<(String, OwnedFd)>;

/// A server within the runtime of the plane.
pub struct Acceptor {
    config: HttpServer,
    socket: Box<dyn Accept>,
    /// Lives and dies with the socket.
    file: Option<SocketFile>,
    /// Connections of the previous plane.
    connections: Vec<OwnedFd>,
}

impl Acceptor {
    /// Registers an open server with the runtime of this thread.
    pub fn new(OpenServer { config, listener, clients }: OpenServer) -> io::Result<Acceptor> {
        let (socket, file) = accept_on(listener)?;
        Ok(Acceptor { config, socket, file, connections: clients })
    }

    /// Accepts and serves clients, at most `limit` at a time, until the plane ends. Returns the connections that the next
    /// plane continues, once all others have ended.
    pub async fn run(
        self,
        shared: Rc<PlaneContext>,
        limit: usize,
        mut state: watch::Receiver<PlaneState>,
        check_file: watch::Receiver<()>,
    ) -> IdleConnections {
        // The sender is gone only if the handle was dropped.
        let started = state.wait_for(|state| *state != PlaneState::Starting).await.map(|state| *state);
        match started {
            Ok(PlaneState::Accepting) => self.accept_all(shared, limit, state, check_file).await,
            Ok(PlaneState::HandingOver) => {
                let section = self.config.section;
                self.connections.into_iter().map(|connection| (section.clone(), connection)).collect()
            }
            Ok(PlaneState::Starting | PlaneState::Closing) | Err(_) => IdleConnections::new(),
        }
    }

    async fn accept_all(
        mut self,
        shared: Rc<PlaneContext>,
        limit: usize,
        mut state: watch::Receiver<PlaneState>,
        mut check_file: watch::Receiver<()>,
    ) -> IdleConnections {
        let server = Rc::new(OpenConnections {
            section: self.config.section.clone(),
            server: Server::new(self.config.clone()),
            connections: Connections::new(limit),
            shared,
            state: state.clone(),
            idle: RefCell::default(),
        });
        let evictor = tokio::task::spawn_local({
            let server = server.clone();
            async move { server.connections.evict_slow_readers(&server.shared.api.answers).await }
        });
        for connection in mem::take(&mut self.connections) {
            // A connection that cannot be resumed was closed by its client.
            if let Ok(resumed) = self.socket.resume(connection) {
                server.serve(Socket::new(resumed));
            }
        }
        let mut is_refusing = false;
        loop {
            let accepted = tokio::select! {
                accepted = poll_fn(|cx| self.socket.poll_accept(cx)) => accepted,
                Ok(()) = check_file.changed() => {
                    self.check_file(&server.shared.api).await;
                    self.reload_certificates(&server.shared.api).await;
                    continue;
                }
                _ = state.wait_for(PlaneState::is_ending) => break,
            };
            match accepted {
                Err(error) if concerns_one_client(&error) => (),
                Err(error) => {
                    server.log_refusal(&mut is_refusing, &error);
                    sleep(ACCEPT_PAUSE).await;
                }
                Ok(_) if !is_possible(0) => server.log_refusal(&mut is_refusing, &"there is no memory"),
                Ok(accepted) => {
                    is_refusing = false;
                    let socket = Socket::new(accepted);
                    tokio::select! {
                        () = server.connections.make_room() => (),
                        ending = state.wait_for(PlaneState::is_ending) => {
                            if ending.is_ok_and(|state| *state == PlaneState::HandingOver) {
                                server.keep(socket.hand_over());
                            }
                            break;
                        }
                    }
                    server.serve(socket);
                }
            }
        }
        drop(self);
        server.connections.all_closed().await;
        evictor.abort();
        server.idle.take()
    }

    /// Reads the certificates again. Connections keep those that they began with.
    async fn reload_certificates(&self, api: &Api) {
        let Some(tls) = self.socket.tls().cloned() else { return };
        let section = &self.config.section;
        match api.blocking.run(move || tls.reload()).await {
            Ok(Ok(())) => {
                api.activity.log(LogLevel::Info, &format!("Server '{section}' has read its certificates again"));
            }
            Ok(Err(error)) => {
                let text = format!("Server '{section}' keeps the certificates it has: {error}");
                api.activity.log(LogLevel::Error, &text);
            }
            Err(_) => (),
        }
    }

    /// Creates the socket again if somebody has removed its file: nobody could connect to the old one any more. Clients that
    /// are connected stay.
    async fn check_file(&mut self, api: &Api) {
        let Some(file) = &mut self.file else { return };
        let (config, is_missing) = (self.config.clone(), file.is_missing());
        let check = move || if is_missing() { listen::replacement(&config) } else { Ok(None) };
        let replaced = match api.blocking.run(check).await {
            Ok(Ok(None)) | Err(_) => return,
            Ok(Ok(Some(replacement))) => accept_on_unix(file.replace(replacement)).map_err(ListenError::from),
            Ok(Err(error)) => Err(error),
        };
        let path = file.path();
        match replaced {
            Ok(socket) => {
                api.activity.log(LogLevel::Warn, &listen::created_again(path));
                self.socket = socket;
            }
            Err(error) => {
                let text = format!("the socket {path} has been removed, and cannot be created again: {error}");
                api.activity.log(LogLevel::Error, &text);
            }
        }
    }
}

/// A server whose clients are accepted, with their connections.
struct OpenConnections {
    section: String,
    server: Rc<Server>,
    connections: Rc<Connections>,
    shared: Rc<PlaneContext>,
    state: watch::Receiver<PlaneState>,
    idle: RefCell<IdleConnections>,
}

impl OpenConnections {
    /// Serves a connection in a task of its own.
    fn serve(self: &Rc<Self>, socket: Socket) {
        let server = self.clone();
        let socket = Rc::new(socket);
        let admission = self.connections.admit(socket.clone());
        let service = Service::new(self.shared.clone(), self.server.clone(), socket.clone());
        tokio::task::spawn_local(async move {
            let _admission = admission;
            let idle = connection::serve(socket, service, server.shared.limits, server.state.clone()).await;
            server.shared.left.notify_one();
            server.keep(idle);
        });
    }

    fn keep(&self, idle: Option<OwnedFd>) {
        self.idle.borrow_mut().extend(idle.map(|connection| (self.section.clone(), connection)));
    }

    /// Logs the first of several refusals in a row.
    fn log_refusal(&self, is_refusing: &mut bool, reason: &dyn fmt::Display) {
        if !mem::replace(is_refusing, true) {
            let text = format!("Server '{}' cannot accept clients: {reason}", self.section);
            self.shared.api.activity.log(LogLevel::Error, &text);
        }
    }
}

/// Whether the connection itself failed before it was accepted.
fn concerns_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, InvalidInput, NotConnected,
    };
    let kinds = [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, InvalidInput, NotConnected];
    kinds.contains(&error.kind())
}
