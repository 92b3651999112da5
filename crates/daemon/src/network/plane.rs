//! The thread of the network plane: it accepts clients and keeps room for more.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use supervisord_config::model::{HttpServer, LogLevel};
use supervisord_sys::memory;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, watch};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::api::Api;
use crate::follow::FollowHub;
use crate::memory_budget::{MemoryBudget, is_possible};
use crate::network::connection;
use crate::network::limits::Limits;
use crate::network::listen::{self, ListenError, Listener, OpenServer, SocketFile};
use crate::network::service::{Server, Service, Shared};
use crate::network::socket::{Peer, Phase, Socket, Stream};
use crate::network::stop::Stop;
use crate::xmlrpc::Responder;

/// How long to wait before accepting again when the system refuses.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// How long a client that has just come is waited for before it is sent away for its silence.
const GRACE: Duration = Duration::from_millis(50);

/// How often somebody who does not take a long answer is sent away while others wait for the memory.
const EVICT_PAUSE: Duration = Duration::from_millis(100);

/// How long a client may take nothing of a long answer while others wait for the memory.
const UNTAKEN: Duration = Duration::from_secs(2);

/// How long it may take over a long answer while others wait for the memory.
const TAKEN_SLOWLY: Duration = Duration::from_secs(20);

/// How long a call may take while others wait for the connection. The call goes on; only its answer is lost.
const CALLED: Duration = Duration::from_secs(20);

/// How long after clients have left their memory is given back. Others may need it until then.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// How long after the connections have been closed their threads may take.
const LAST_THREADS: Duration = Duration::from_millis(100);

/// Something else that runs on the thread of the plane, until that ends.
pub type Task = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A task from what makes its future, on that thread.
pub fn task<F: Future<Output = ()> + 'static>(make: impl FnOnce() -> F + Send + 'static) -> Task {
    Box::new(move || Box::pin(make()))
}

/// Connections that go on in the next plane, by the section of their server.
pub type Kept = Vec<(String, OwnedFd)>;

/// The running plane. Dropping it without [`stop`](NetworkHandle::stop) lets the thread go on.
#[derive(Debug)]
pub struct NetworkHandle {
    thread: JoinHandle<Kept>,
    stop: watch::Sender<Stop>,
    answering: watch::Sender<bool>,
    looking: watch::Sender<()>,
}

impl NetworkHandle {
    /// Puts sockets back whose files somebody has removed, as those do who tidy up `/tmp`.
    pub fn look_after_sockets(&self) {
        let _ = self.looking.send(());
    }

    /// Lets clients in. Those who came before have waited in the backlog.
    pub fn answer(&self) {
        let _ = self.answering.send(true);
    }

    /// Writes what is already answered, closes all connections and listeners, removes the socket files and ends the
    /// thread. Takes about a second at the most.
    pub fn stop(self) {
        self.end(Stop::Close);
    }

    /// The same, but gives the connections on which nothing is under way, instead of closing them.
    pub fn hand_over(self) -> Kept {
        self.end(Stop::HandOver)
    }

    fn end(self, how: Stop) -> Kept {
        // A plane that is gone already needs no telling.
        let _ = self.stop.send(how);
        self.thread.join().unwrap_or_default()
    }
}

/// Starts the plane for these servers; it answers after [`NetworkHandle::answer`]. The error is the system's, when it refuses a thread or a descriptor; the
/// servers are then closed.
pub fn start(
    servers: Vec<OpenServer>,
    xmlrpc: Arc<Responder>,
    follow: Arc<FollowHub>,
    beside: Option<Task>,
) -> io::Result<NetworkHandle> {
    let available = usize::try_from(xmlrpc.api.view.config().supervisord.minfds).unwrap_or(usize::MAX);
    let limits = Limits::default();
    // Children need descriptors too: the network never takes more than a quarter of those the daemon asked for.
    let connections = (available / 4).clamp(64, limits.connections);
    start_with(servers, xmlrpc, follow, beside, Limits { connections, ..limits })
}

/// [`start`] with limits of one's own.
pub fn start_with(
    servers: Vec<OpenServer>,
    xmlrpc: Arc<Responder>,
    follow: Arc<FollowHub>,
    beside: Option<Task>,
    limits: Limits,
) -> io::Result<NetworkHandle> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let servers = {
        let _inside = runtime.enter();
        servers.into_iter().map(Acceptor::new).collect::<io::Result<Vec<Acceptor>>>()?
    };
    let (stop, stopped) = watch::channel(Stop::Not);
    let (answering, may_answer) = watch::channel(false);
    let (looking, look) = watch::channel(());
    let thread = std::thread::Builder::new().name("network".to_owned()).spawn(move || {
        run(runtime, servers, xmlrpc, follow, beside, limits, Told { stop: stopped, may_answer, look })
    })?;
    Ok(NetworkHandle { thread, stop, answering, looking })
}

/// What the plane is told from outside.
struct Told {
    stop: watch::Receiver<Stop>,
    may_answer: watch::Receiver<bool>,
    /// Changes when the files of sockets are to be looked after.
    look: watch::Receiver<()>,
}

fn run(
    runtime: Runtime,
    servers: Vec<Acceptor>,
    xmlrpc: Arc<Responder>,
    follow: Arc<FollowHub>,
    beside: Option<Task>,
    limits: Limits,
    told: Told,
) -> Kept {
    let Told { mut stop, may_answer, look } = told;
    let room = (limits.connections / servers.len().max(1)).max(1);
    let blocking = xmlrpc.api.blocking.clone();
    let shared = Shared::new(xmlrpc, follow, limits, stop.clone(), room / 2);
    let kept = LocalSet::new().block_on(&runtime, async {
        if let Some(task) = beside {
            tokio::task::spawn_local(task());
        }
        tokio::task::spawn_local(give_back_memory(shared.clone()));
        let servers: Vec<_> = servers
            .into_iter()
            .map(|acceptor| {
                let (shared, stop, may_answer, look) = (shared.clone(), stop.clone(), may_answer.clone(), look.clone());
                tokio::task::spawn_local(async move {
                    match let_in(may_answer, stop.clone()).await {
                        Ok(()) => accept(acceptor, shared, room, stop, look).await,
                        Err(Stop::HandOver) => acceptor.into_clients(),
                        Err(Stop::Close | Stop::Not) => Kept::new(),
                    }
                })
            })
            .collect();
        // The other end of the channel is gone only when the handle was dropped: then go on until the process ends.
        if stop.wait_for(Stop::is_near).await.is_err() {
            std::future::pending::<()>().await;
        }
        let mut kept = Kept::new();
        for server in servers {
            kept.extend(server.await.unwrap_or_default());
        }
        kept
    });
    drop(runtime);
    blocking.close(LAST_THREADS);
    kept
}

/// Waits until clients are answered. The error says how the plane ends before that.
async fn let_in(mut may_answer: watch::Receiver<bool>, mut stop: watch::Receiver<Stop>) -> Result<(), Stop> {
    tokio::select! {
        let_in = may_answer.wait_for(|may| *may) => let_in.map(drop).map_err(|_| Stop::Not),
        how = stop.wait_for(Stop::is_near) => Err(how.map_or(Stop::Not, |how| *how)),
    }
}

/// A server's listening socket within the runtime.
struct Acceptor {
    config: HttpServer,
    listener: AsyncListener,
    /// Clients of the plane before.
    clients: Vec<OwnedFd>,
}

enum AsyncListener {
    Inet(TcpListener),
    /// The file lives and dies with the listener.
    Unix(UnixListener, SocketFile),
}

impl Acceptor {
    fn new(server: OpenServer) -> io::Result<Acceptor> {
        let listener = match server.listener {
            Listener::Inet(listener) => {
                listener.set_nonblocking(true)?;
                // Accepted sockets inherit it: clients that vanish without a word are found out in the end.
                let same = std::net::TcpStream::from(listener.as_fd().try_clone_to_owned()?);
                TcpSocket::from_std_stream(same).set_keepalive(true)?;
                AsyncListener::Inet(TcpListener::from_std(listener)?)
            }
            Listener::Unix(listener, file) => {
                listener.set_nonblocking(true)?;
                AsyncListener::Unix(UnixListener::from_std(listener)?, file)
            }
        };
        Ok(Acceptor { config: server.config, listener, clients: server.clients })
    }

    /// The clients of the plane before. One that cannot be taken over has left.
    fn take_clients(&mut self) -> impl Iterator<Item = Socket> {
        let is_inet = matches!(self.listener, AsyncListener::Inet(_));
        let socket = move |client: OwnedFd| -> io::Result<Socket> {
            if is_inet {
                let stream = std::net::TcpStream::from(client);
                stream.set_nonblocking(true)?;
                let peer = stream.peer_addr()?;
                Ok(Socket::new(Stream::Inet(TcpStream::from_std(stream)?), Peer::Inet(peer)))
            } else {
                let stream = std::os::unix::net::UnixStream::from(client);
                stream.set_nonblocking(true)?;
                Ok(Socket::new(Stream::Unix(UnixStream::from_std(stream)?), Peer::Local))
            }
        };
        std::mem::take(&mut self.clients).into_iter().filter_map(move |client| socket(client).ok())
    }

    /// The clients of the plane before, for the next one: this plane ends before it has answered anybody.
    fn into_clients(self) -> Kept {
        let section = self.config.section;
        self.clients.into_iter().map(|client| (section.clone(), client)).collect()
    }

    /// Where somebody has removed the file of the socket, goes on with a new socket. Nobody could connect to the old one any
    /// more; clients that are connected stay.
    async fn look_after_file(&mut self, api: &Api) {
        let AsyncListener::Unix(listener, file) = &mut self.listener else { return };
        let (config, is_missing) = (self.config.clone(), file.is_missing());
        let look = move || if is_missing() { listen::replacement(&config) } else { Ok(None) };
        let replaced = match api.blocking.run(look).await {
            Ok(Ok(None)) | Err(_) => return,
            Ok(Ok(Some(replacement))) => UnixListener::from_std(file.replace(replacement)).map_err(ListenError::from),
            Ok(Err(error)) => Err(error),
        };
        let path = file.path();
        match replaced {
            Ok(replacement) => {
                api.activity.log(LogLevel::Warn, &listen::created_again(path));
                *listener = replacement;
            }
            Err(error) => {
                let text = format!("the socket {path} has been removed, and cannot be created again: {error}");
                api.activity.log(LogLevel::Error, &text);
            }
        }
    }

    async fn next(&self) -> io::Result<Socket> {
        match &self.listener {
            AsyncListener::Inet(listener) => {
                let (stream, address) = listener.accept().await?;
                // Replies are written whole; waiting to fill a segment would only delay them.
                stream.set_nodelay(true)?;
                Ok(Socket::new(Stream::Inet(stream), Peer::Inet(address)))
            }
            AsyncListener::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok(Socket::new(Stream::Unix(stream), Peer::Local))
            }
        }
    }
}

/// Accepts clients of one server until the plane stops, then waits for the connections to end. Gives those that go on
/// elsewhere.
async fn accept(
    mut acceptor: Acceptor,
    shared: Rc<Shared>,
    room: usize,
    stop: watch::Receiver<Stop>,
    mut look: watch::Receiver<()>,
) -> Kept {
    let open = Rc::new(Open::default());
    let kept = Rc::new(RefCell::new(Kept::new()));
    let server = Server::new(acceptor.config.clone());
    let evictor = {
        let (open, shared) = (open.clone(), shared.clone());
        tokio::task::spawn_local(async move { open.evict_slow_readers(&shared.api.answers).await })
    };
    let section = acceptor.config.section.clone();
    let serve = |socket: Socket| {
        let socket = Rc::new(socket);
        let guest = open.admit(socket.clone());
        let shared = shared.clone();
        let service = Service::new(shared.clone(), server.clone(), socket.clone());
        let (limits, stop) = (shared.limits, stop.clone());
        let (kept, section) = (kept.clone(), section.clone());
        tokio::task::spawn_local(async move {
            let _guest = guest;
            let goes_on = connection::serve(socket, service, limits, stop).await;
            shared.left.notify_one();
            kept.borrow_mut().extend(goes_on.map(|client| (section, client)));
        });
    };
    acceptor.take_clients().for_each(&serve);
    let mut stopped = stop.clone();
    let mut refused = false;
    loop {
        let accepted = tokio::select! {
            accepted = acceptor.next() => accepted,
            Ok(()) = look.changed() => {
                acceptor.look_after_file(&shared.api).await;
                continue;
            }
            _ = stopped.wait_for(Stop::is_near) => break,
        };
        match accepted {
            Err(error) if is_of_one_client(&error) => (),
            Err(error) => {
                if !refused {
                    let text = format!("Server '{}' cannot accept clients: {error}", acceptor.config.section);
                    shared.api.activity.log(LogLevel::Error, &text);
                }
                refused = true;
                sleep(ACCEPT_PAUSE).await;
            }
            Ok(_) if !is_possible(0) => {
                if !refused {
                    let text =
                        format!("Server '{}' cannot accept clients: there is no memory", acceptor.config.section);
                    shared.api.activity.log(LogLevel::Error, &text);
                }
                refused = true;
            }
            Ok(socket) => {
                refused = false;
                tokio::select! {
                    () = open.make_room(room) => (),
                    how = stopped.wait_for(Stop::is_near) => {
                        let goes_on = how.is_ok_and(|how| *how == Stop::HandOver).then(|| socket.hand_over()).flatten();
                        kept.borrow_mut().extend(goes_on.map(|client| (section, client)));
                        break;
                    }
                }
                serve(socket);
            }
        }
    }
    drop(acceptor);
    open.wait_for_the_last().await;
    evictor.abort();
    kept.take()
}

/// Gives back to the system, a while after clients have left, what serving them took.
async fn give_back_memory(shared: Rc<Shared>) {
    loop {
        shared.left.notified().await;
        sleep(AFTERWARDS).await;
        memory::give_back_what_is_unused();
    }
}

/// Failures of a connection that was gone before it was accepted.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, InvalidInput, NotConnected,
    };
    let kinds = [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, InvalidInput, NotConnected];
    kinds.contains(&error.kind())
}

/// Why a client may be sent away for the sake of others; the first is missed least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    OneOfMany,
    Silent,
    TakesNothing,
    TakesLittle,
    Calls,
    Stranger,
}

/// Whether a client has never been served.
fn is_stranger(socket: &Socket) -> bool {
    matches!(socket.phase(), Phase::Fresh | Phase::Head)
}

/// The open connections of one server.
#[derive(Default)]
struct Open {
    sockets: RefCell<BTreeMap<u64, Rc<Socket>>>,
    next: std::cell::Cell<u64>,
    left: Notify,
}

impl Open {
    /// Returns when there are fewer than `room` connections; asks the one that is missed least to go.
    async fn make_room(&self, room: usize) {
        while self.sockets.borrow().len() >= room {
            if let Some(socket) = self.least_missed(room) {
                socket.evict();
            }
            tokio::select! {
                () = self.left.notified() => (),
                // Somebody may have become idle, which nobody tells us.
                () = sleep(GRACE) => (),
            }
        }
    }

    /// Returns when all connections have ended, which each does by itself when the plane stops.
    async fn wait_for_the_last(&self) {
        while !self.sockets.borrow().is_empty() {
            self.left.notified().await;
        }
    }

    /// Strangers, who have never been served, where they take more than half of the room; then those who are served
    /// and silent, those who do not take what they asked for, and those whose call takes very long; the longest first.
    /// None where that would be a stranger who has only just come.
    fn least_missed(&self, room: usize) -> Option<Rc<Socket>> {
        let sockets = self.sockets.borrow();
        let strangers = sockets.values().filter(|socket| is_stranger(socket)).count();
        let candidates = sockets.values().filter_map(|socket| {
            let standing = match (socket.phase(), socket.blocked()) {
                (Phase::Fresh | Phase::Head, _) if strangers * 2 > room => (Standing::OneOfMany, socket.since()),
                (Phase::Idle, _) => (Standing::Silent, socket.since()),
                (Phase::Replying | Phase::Streaming, Some(blocked)) => (Standing::TakesNothing, blocked),
                (Phase::Handling, _) if socket.since().elapsed() > CALLED => (Standing::Calls, socket.since()),
                (Phase::Fresh | Phase::Head, _) => (Standing::Stranger, socket.since()),
                _ => return None,
            };
            Some((standing, socket))
        });
        let ((_, since), socket) = candidates.min_by_key(|(standing, _)| *standing)?;
        let has_just_come = is_stranger(socket) && since.elapsed() < GRACE;
        (!has_just_come).then(|| socket.clone())
    }

    /// As long as somebody waits for memory, asks those to go who hold it for an answer they do not take.
    async fn evict_slow_readers(&self, answers: &MemoryBudget) {
        loop {
            answers.wanted().await;
            if let Some(socket) = self.slowest_reader() {
                socket.evict();
            }
            sleep(EVICT_PAUSE).await;
        }
    }

    /// First those who take nothing, then those who take little; the longest first.
    fn slowest_reader(&self) -> Option<Rc<Socket>> {
        let sockets = self.sockets.borrow();
        let candidates = sockets.values().filter_map(|socket| {
            let owes = socket.owes_since()?;
            let standing = match socket.blocked() {
                Some(blocked) if blocked.elapsed() > UNTAKEN => (Standing::TakesNothing, blocked),
                _ if owes.elapsed() > TAKEN_SLOWLY => (Standing::TakesLittle, owes),
                _ => return None,
            };
            Some((standing, socket))
        });
        candidates.min_by_key(|(standing, _)| *standing).map(|(_, socket)| socket.clone())
    }

    fn admit(self: &Rc<Self>, socket: Rc<Socket>) -> Guest {
        let id = self.next.get();
        self.next.set(id + 1);
        self.sockets.borrow_mut().insert(id, socket);
        Guest { open: self.clone(), id }
    }
}

/// Counts as an open connection until it is dropped.
struct Guest {
    open: Rc<Open>,
    id: u64,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.open.sockets.borrow_mut().remove(&self.id);
        self.open.left.notify_one();
    }
}
