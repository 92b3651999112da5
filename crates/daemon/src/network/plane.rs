//! The thread of the network plane, and the handle to it.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use supervisord_sys::{memory, signal};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use crate::follow::FollowHub;
use crate::network::acceptor::{Acceptor, IdleConnections};
use crate::network::limits::Limits;
use crate::network::listen::OpenServer;
use crate::network::service::PlaneContext;
use crate::network::state::PlaneState;
use crate::xmlrpc::Responder;

/// How long after clients have left the plane gives their memory back to the system. Others may need it until then.
const MEMORY_RELEASE_DELAY: Duration = Duration::from_secs(1);

/// How long the threads for blocking work may take to end after the connections have been closed.
const THREADS_END: Duration = Duration::from_millis(100);

/// Something else that runs on the thread of the plane, until the plane ends, and may watch its state.
pub type PlaneTask = Box<dyn FnOnce(watch::Receiver<PlaneState>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A task from what makes its future, on that thread.
pub fn task<F: Future<Output = ()> + 'static>(make: impl FnOnce() -> F + Send + 'static) -> PlaneTask {
    watching_task(move |_| make())
}

/// A task that watches the state of the plane.
pub fn watching_task<F: Future<Output = ()> + 'static>(
    make: impl FnOnce(watch::Receiver<PlaneState>) -> F + Send + 'static,
) -> PlaneTask {
    Box::new(move |state| Box::pin(make(state)))
}

/// The running plane. Dropping it without [`stop`](NetworkHandle::stop) lets the thread go on.
#[derive(Debug)]
pub struct NetworkHandle {
    thread: JoinHandle<IdleConnections>,
    state: watch::Sender<PlaneState>,
    check_files: watch::Sender<()>,
}

impl NetworkHandle {
    /// Creates sockets again whose files were removed, as cleaners of `/tmp` do.
    pub fn check_socket_files(&self) {
        let _ = self.check_files.send(());
    }

    /// Begins to accept clients. Those who came before have waited in the backlog.
    pub fn accept_clients(&self) {
        let _ = self.state.send(PlaneState::Accepting);
    }

    /// Writes what is already answered, closes all connections and listeners, removes the socket files and ends the
    /// thread. Takes about a second at the most.
    pub fn stop(self) {
        self.end(PlaneState::Closing);
    }

    /// The same, but returns the idle connections instead of closing them.
    pub fn hand_over(self) -> IdleConnections {
        self.end(PlaneState::HandingOver)
    }

    fn end(self, state: PlaneState) -> IdleConnections {
        // Sending fails only if the plane has ended already.
        let _ = self.state.send(state);
        self.thread.join().unwrap_or_default()
    }
}

/// Starts the plane for these servers, with other tasks on its thread; it accepts clients after
/// [`NetworkHandle::accept_clients`]. The error is the system's, when it refuses a thread or a descriptor; the servers are
/// then closed.
pub fn start(
    servers: Vec<OpenServer>,
    xmlrpc: Arc<Responder>,
    follow: Arc<FollowHub>,
    tasks: Vec<PlaneTask>,
) -> io::Result<NetworkHandle> {
    let available = xmlrpc.api.descriptors();
    let limits = Limits::default();
    // Children need descriptors too: the network never takes more than a quarter of those the daemon asked for.
    let connections = (available / 4).clamp(64, limits.connections);
    start_with(servers, xmlrpc, follow, tasks, Limits { connections, ..limits })
}

/// [`start`] with limits of one's own.
pub fn start_with(
    servers: Vec<OpenServer>,
    xmlrpc: Arc<Responder>,
    follow: Arc<FollowHub>,
    tasks: Vec<PlaneTask>,
    limits: Limits,
) -> io::Result<NetworkHandle> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let acceptors = {
        let _inside = runtime.enter();
        servers.into_iter().map(Acceptor::new).collect::<io::Result<Vec<Acceptor>>>()?
    };
    let (state, watched_state) = watch::channel(PlaneState::Starting);
    let (check_files, checks) = watch::channel(());
    let plane = NetworkPlane { acceptors, xmlrpc, follow, tasks, limits, state: watched_state, check_files: checks };
    let thread = std::thread::Builder::new().name("network".to_owned()).spawn(move || plane.run(runtime))?;
    Ok(NetworkHandle { thread, state, check_files })
}

/// What the thread starts with.
struct NetworkPlane {
    acceptors: Vec<Acceptor>,
    xmlrpc: Arc<Responder>,
    follow: Arc<FollowHub>,
    tasks: Vec<PlaneTask>,
    limits: Limits,
    state: watch::Receiver<PlaneState>,
    /// Changes when the files of the sockets are to be checked.
    check_files: watch::Receiver<()>,
}

impl NetworkPlane {
    /// Runs until the plane ends. Returns the connections that the next plane continues.
    fn run(self, runtime: Runtime) -> IdleConnections {
        signal::block_in_this_thread();
        let NetworkPlane { acceptors, xmlrpc, follow, tasks, limits, mut state, check_files } = self;
        let connections = (limits.connections / acceptors.len().max(1)).max(1);
        let blocking = xmlrpc.api.blocking.clone();
        let shared = PlaneContext::new(xmlrpc, follow, limits, state.clone(), connections / 2);
        let idle = LocalSet::new().block_on(&runtime, async {
            for task in tasks {
                spawn_local(task(state.clone()));
            }
            spawn_local(release_memory(shared.clone()));
            let run = |acceptor: Acceptor| {
                spawn_local(acceptor.run(shared.clone(), connections, state.clone(), check_files.clone()))
            };
            let acceptors: Vec<_> = acceptors.into_iter().map(run).collect();
            // The sender is gone only if the handle was dropped: then the plane goes on until the process ends.
            if state.wait_for(PlaneState::is_ending).await.is_err() {
                std::future::pending::<()>().await;
            }
            let mut idle = IdleConnections::new();
            for acceptor in acceptors {
                idle.extend(acceptor.await.unwrap_or_default());
            }
            idle
        });
        drop(runtime);
        blocking.close(THREADS_END);
        idle
    }
}

/// Gives back to the system, a while after clients have left, the memory that serving them took.
async fn release_memory(shared: Rc<PlaneContext>) {
    loop {
        shared.left.notified().await;
        sleep(MEMORY_RELEASE_DELAY).await;
        shared.program_texts.forget();
        memory::trim_heap();
    }
}
