//! Plug-ins: Python code written for the original, run by a process of its own, the plug-in process.
//!
//! [`Plugins`] is what the other planes hold: it forwards calls, results of listeners and events, and never waits. A task of
//! the network plane serves the process (`plugin_process`), restarts it when it ends, and kills it when it does not answer;
//! requests that it leaves unanswered are answered with a fault.

mod notice;
pub mod process;
pub mod resolve;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use supervisord_config::model::{Config, LogLevel, Plugin};
use supervisord_core::event::RenderedEvent;
use supervisord_core::supervisor::ProcessId;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::plugin::{Method, Section};
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::encode_call;
use tokio::sync::{mpsc, oneshot};

use crate::activity::Activity;
pub use notice::{NotifyControl, PluginNotice, SpawnRequest};

/// The specifications of Python code whose behaviour is built in.
pub const BUILT_IN: [&str; 2] =
    ["supervisor.rpcinterface:make_main_rpcinterface", "supervisor.dispatchers:default_handler"];

/// How many requests may wait for the plug-in process.
const MAX_ORDERS: usize = 4096;

/// A request to the plug-in process.
pub(crate) enum Order {
    Call { xml: String, reply: oneshot::Sender<Result<Value, Fault>> },
    Judge { process: ProcessId, judgement: u64, handler: String, event: Arc<RenderedEvent>, result: Vec<u8> },
    Announce(Arc<RenderedEvent>),
}

/// The work of serving plug-ins, for a task of the network plane.
pub(crate) struct Work {
    /// Where the daemon was started.
    pub(crate) directory: PathBuf,
    pub(crate) interfaces: Vec<Section>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) notify: NotifyControl,
    pub(crate) listed: Listed,
}

/// The way to the plug-ins of one generation of the daemon.
pub struct Plugins {
    namespaces: Vec<String>,
    orders: mpsc::Sender<Order>,
    work: Mutex<Option<Work>>,
    listed: Listed,
    lost_events: AtomicU64,
}

/// The methods the plug-ins list, by namespace.
pub(crate) type Listed = Arc<RwLock<BTreeMap<String, Vec<Method>>>>;

impl Plugins {
    /// The plug-ins of a configuration, of a daemon that was started in `directory`. Nothing runs before the network plane
    /// has taken the work.
    pub fn new(config: &Config, directory: &Path, notify: NotifyControl) -> Plugins {
        let interfaces: Vec<Section> = foreign(config).map(section).collect();
        let (orders, queue) = mpsc::channel(MAX_ORDERS);
        let listed = Listed::default();
        Plugins {
            namespaces: interfaces.iter().map(|interface| interface.name.clone()).collect(),
            orders,
            work: Mutex::new(Some(Work {
                directory: directory.to_owned(),
                interfaces,
                orders: queue,
                notify,
                listed: listed.clone(),
            })),
            listed,
            lost_events: AtomicU64::new(0),
        }
    }

    /// Whether a configuration has RPC interfaces that are Python code: then [`PluginNotice::Ready`] will come.
    pub fn are_awaited(&self) -> bool {
        !self.namespaces.is_empty()
    }

    /// What the network plane runs; only once.
    pub(crate) fn take_work(&self) -> Option<Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether this is the namespace of a plug-in.
    pub fn has(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|known| known == namespace)
    }

    /// Whether `method` is `namespace.name` of a plug-in.
    pub fn has_method(&self, method: &str) -> bool {
        method.split_once('.').is_some_and(|(namespace, _)| self.has(namespace))
    }

    /// The full names of the methods the plug-ins list.
    pub fn list(&self) -> Vec<String> {
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        let names = |(space, methods): (&String, &Vec<Method>)| -> Vec<String> {
            methods.iter().map(|method| format!("{space}.{}", method.name)).collect()
        };
        listed.iter().flat_map(names).collect()
    }

    /// A listed method by its full name.
    pub fn describe(&self, method: &str) -> Option<Method> {
        let (namespace, name) = method.split_once('.')?;
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        listed.get(namespace)?.iter().find(|method| method.name == name).cloned()
    }

    /// Calls a method of a plug-in. Ends with a fault when the plug-in does not answer; none when the daemon ends.
    pub async fn call(&self, method: &str, arguments: &[Value]) -> Option<Result<Value, Fault>> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Call { xml: encode_call(method, arguments), reply };
        if self.orders.try_send(order).is_err() {
            return Some(Err(Fault::with(FaultCode::Failed, "too much is waiting for the plug-ins")));
        }
        answer.await.ok()
    }

    /// Has a result handler judge the result of a listener; the verdict arrives as [`PluginNotice::Judged`]. False when too much is waiting.
    pub fn judge(
        &self,
        process: ProcessId,
        judgement: u64,
        handler: String,
        event: Arc<RenderedEvent>,
        result: Vec<u8>,
    ) -> bool {
        self.orders.try_send(Order::Judge { process, judgement, handler, event, result }).is_ok()
    }

    /// Tells the plug-ins of an event. Where the queue is full the event is lost; the daemon logs losses at growing intervals.
    pub fn announce(&self, event: Arc<RenderedEvent>, activity: &Activity) {
        if self.orders.try_send(Order::Announce(event)).is_err() {
            let lost = self.lost_events.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                let text = format!("too much is waiting for the plug-ins, {lost} events have been lost so far");
                activity.log(LogLevel::Warn, &text);
            }
        }
    }
}

/// The RPC interfaces that are Python code. Of several with one name the last one counts, as in the original.
fn foreign(config: &Config) -> impl Iterator<Item = &Plugin> {
    let all = &config.rpc_interfaces;
    all.iter().enumerate().filter_map(move |(index, plugin)| {
        let is_last = all[index + 1..].iter().all(|later| later.name != plugin.name);
        let is_foreign = !BUILT_IN.contains(&plugin.factory.as_str()) && plugin.name != "system";
        (is_last && is_foreign).then_some(plugin)
    })
}

fn section(plugin: &Plugin) -> Section {
    Section { name: plugin.name.clone(), factory: plugin.factory.clone(), options: plugin.options.clone() }
}
