//! The hub: one page and one `/metrics` over all hosts.
//!
//! It watches the bucket, and asks hosts in the name of whoever has logged in. Daemons of the original are members, too: they know
//! nothing of a fleet, so the hub asks them by XML-RPC.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use signal_hook::consts::SIGHUP;
use supervisord_tls::server_certificates::TlsContext;
use supervisord_tls::server_files::ServerTlsFiles;
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::clock::steady_millis;
use crate::fleet_client::{FleetClient, take};
use crate::fleet_error::FleetError;
use crate::nats_link::{NatsLink, NatsOptions, Patience};
use crate::signal_pipe::SignalPipe;
use crate::termination::Termination;
use context::HubContext;
use owed_starts::OwedStarts;

mod context;
mod host_check;
mod left_out_starts;
mod metrics;
mod owed_starts;
mod page;
mod people;
mod python_actions;
mod python_look;
mod python_member;
mod python_watch;
mod reloading;
mod resources;
mod server;
mod settling;

/// How long to wait before the bucket is read again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often it is looked at who is lost.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What a hub is told on its command line.
pub struct HubOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its certificate; none for a hub that speaks plain HTTP.
    pub tls: Option<ServerTlsFiles>,
    /// The file that says who may log in; none for a hub that everybody may read.
    pub people: Option<PathBuf>,
    /// The text of the file with the daemons of the original.
    pub python: Option<String>,
    /// The server.
    pub nats: NatsOptions,
    /// Where complaints go.
    pub log: fn(&str),
}

/// Runs until somebody ends it.
pub async fn run(options: HubOptions) -> Result<(), FleetError> {
    let HubOptions { listen, tls, people: people_file, python, nats, log } = options;
    let people = reloading::people(people_file.as_deref())?;
    let tls = tls.map(TlsContext::load).transpose().map_err(|error| FleetError::Other(error.to_string()))?;
    if !people.ask_for_a_token() && !listen.ip().is_loopback() {
        let why = format!(
            "--listen {listen}: everybody could read everything there; write --people FILE, or a loopback address"
        );
        return Err(FleetError::Usage(why));
    }
    if people.ask_for_a_token() && tls.is_none() && !listen.ip().is_loopback() {
        log(&format!("--listen {listen}: tokens travel unencrypted there; write --listen-cert and --listen-key"));
    }
    let python = python_member::read(python.as_deref().unwrap_or_default()).map_err(FleetError::Usage)?;
    let name = "supervisor-fleet hub".to_owned();
    let link = NatsLink::open(&nats, name, "_INBOX.hub".to_owned(), Patience::Endless, log).await?;
    let context = Rc::new(HubContext {
        client: FleetClient::new(link),
        view: RefCell::default(),
        revision: watch::channel(0).0,
        people: RefCell::new(people),
        python,
        owed_starts: OwedStarts::default(),
        is_ending: Cell::new(false),
        log,
    });
    let other = |error: std::io::Error| FleetError::Other(error.to_string());
    let termination = Termination::watch().map_err(other)?;
    let reloads = SignalPipe::of(&[SIGHUP]).map_err(other)?;
    let tasks = LocalSet::new();
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| FleetError::Other(format!("--listen {listen}: {error}")))?;
    let listens = listener.local_addr().map_err(other)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    log(&format!("the hub listens on {scheme}://{listens}"));
    tasks.spawn_local(watch_bucket(context.clone()));
    tasks.spawn_local(notice_losses(context.clone()));
    let watch = |number| tasks.spawn_local(python_watch::watch(context.clone(), number));
    let watches: Vec<_> = (0..context.python.len()).map(watch).collect();
    tasks.spawn_local(reloading::obey(context.clone(), reloads, people_file, tls.clone()));
    tasks.spawn_local(server::serve(context.clone(), listener, tls));
    tasks.run_until(termination.requested()).await;
    context.is_ending.set(true);
    watches.iter().for_each(tokio::task::JoinHandle::abort);
    let settled = async {
        tokio::select! {
            () = settling::settle(&context) => {}
            () = termination.insisted() => {}
        }
    };
    tasks.run_until(settled).await;
    for (host, program) in context.owed_starts.all() {
        log(&format!(
            "--python {host}: restart of {program:?}: it may be stopped, and the hub that would start it ends"
        ));
    }
    Ok(())
}

/// Keeps the view as new as the bucket, for ever.
async fn watch_bucket(context: Rc<HubContext>) {
    let mut told = String::new();
    loop {
        context.client.link().connected().await;
        match context.client.keys().await {
            Err(error) => {
                let text = error.to_string();
                if told != text {
                    (context.log)(&text);
                    told = text;
                }
            }
            Ok((mut entries, _)) => {
                loop {
                    let entry = entries.next().await;
                    // What the hub itself asks for is newer.
                    if context.is_python_key(&entry.subject) {
                        continue;
                    }
                    let view = &mut context.view.borrow_mut();
                    // Most messages say that a host still lives, and change nothing on the page.
                    let before = view.changes();
                    take(view, &entry);
                    if view.changes() != before {
                        context.revision.send_modify(|revision| *revision += 1);
                    }
                }
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// A host is lost, and at last forgotten, by saying nothing: somebody has to look.
async fn notice_losses(context: Rc<HubContext>) {
    let mut known = Vec::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let links: Vec<_> = {
            let view = &mut *context.view.borrow_mut();
            let now = view.server_now(steady_millis());
            view.forget_silent(now);
            view.hosts().values().map(|host| host.link(now)).collect()
        };
        if known != links {
            known = links;
            context.revision.send_modify(|revision| *revision += 1);
        }
    }
}
