//! Probes without a process: requests to HTTP servers, connections to ports and sockets, and questions for files.
//!
//! Control sends a [`ProbeRequest`] to a task of the network plane, which runs each probe as a task of its own and answers it
//! exactly once. Only the end of the plane leaves requests unanswered. The time limit counts from the moment at which the probe
//! is begun, so that a daemon that is busy makes no program look worse than it is. What may wait for a disk or a name server is
//! asked on another thread. Connections are limited in number, those for readiness apart from those for health.

mod blocking_questions;
mod connect;
mod connection_places;
mod http;
mod response_head;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::duration::Shown;
use supervisord_config::probe::{HttpProbe, HttpTarget, Probe};
use supervisord_core::supervisor::{ProbePurpose, ProcessId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout_at};

use blocking_questions::BlockingQuestions;
use connect::{Stage, connect_tcp, connect_unix};
use connection_places::ConnectionPlaces;
use http::Answered;

use crate::blocking::BlockingThreads;

/// A probe to be run.
#[derive(Debug)]
pub struct ProbeRequest {
    /// The process it is about.
    pub process: ProcessId,
    /// What its result is for.
    pub purpose: ProbePurpose,
    /// Which of the probes for this purpose it is.
    pub attempt: u64,
    /// What is to be asked.
    pub probe: Arc<Probe>,
    /// How long the answer may take.
    pub timeout: Duration,
}

/// What came of a probe.
#[derive(Debug)]
pub struct ProbeAnswer {
    /// The process it is about.
    pub process: ProcessId,
    /// What its result is for.
    pub purpose: ProbePurpose,
    /// Which of the probes for this purpose it was.
    pub attempt: u64,
    /// Success, or why it failed.
    pub result: Result<(), String>,
}

/// The way to the task that runs probes.
pub struct Prober {
    requests: mpsc::UnboundedSender<ProbeRequest>,
}

impl Prober {
    /// Has a probe run. Once the network plane has ended, requests vanish. There is at most one request for each process and
    /// purpose at a time, which bounds the queue.
    pub fn send(&self, request: ProbeRequest) {
        let _ = self.requests.send(request);
    }
}

/// The work of running probes, for a task of the network plane.
pub(crate) struct ProbeWork {
    requests: mpsc::UnboundedReceiver<ProbeRequest>,
    answer: Box<dyn Fn(ProbeAnswer) + Send>,
    log: Box<dyn Fn(&str) + Send>,
    threads: BlockingThreads,
    connections: usize,
}

/// The way to the probes, and the work of running them, with at most so many `connections` at a time for each purpose. What may
/// wait for a disk is asked on these threads. `answer` and `log` must not block.
pub(crate) fn queue(
    connections: usize,
    threads: BlockingThreads,
    answer: impl Fn(ProbeAnswer) + Send + 'static,
    log: impl Fn(&str) + Send + 'static,
) -> (Prober, ProbeWork) {
    let (sender, requests) = mpsc::unbounded_channel();
    let (answer, log) = (Box::new(answer), Box::new(log));
    (Prober { requests: sender }, ProbeWork { requests, answer, log, threads, connections })
}

impl ProbeWork {
    /// Runs what is asked for, until nobody can ask any more.
    pub(crate) async fn run(mut self) {
        let log: Rc<dyn Fn(&str)> = Rc::from(self.log as Box<dyn Fn(&str)>);
        let places = |what| Rc::new(ConnectionPlaces::new(what, self.connections, log.clone()));
        let (readiness, health) = (places("readiness probes"), places("health checks"));
        let answer: Rc<dyn Fn(ProbeAnswer)> = Rc::from(self.answer as Box<dyn Fn(ProbeAnswer)>);
        let questions = Rc::new(BlockingQuestions::new(self.threads));
        while let Some(request) = self.requests.recv().await {
            let places = match request.purpose {
                ProbePurpose::Readiness => readiness.clone(),
                ProbePurpose::Health => health.clone(),
            };
            let (answer, questions) = (answer.clone(), questions.clone());
            spawn_local(async move {
                let ProbeRequest { process, purpose, attempt, probe, timeout } = request;
                let place = match &*probe {
                    Probe::Http(_) | Probe::Tcp(_) | Probe::Unix(_) => places.take().await,
                    Probe::File(_) | Probe::Exec(_) => None,
                };
                let give = |result| answer(ProbeAnswer { process, purpose, attempt, result });
                run_probe(&probe, timeout, &questions, give).await;
                drop(place);
            });
        }
    }
}

/// Runs one probe, and gives its result as soon as it is known.
async fn run_probe(
    probe: &Probe,
    limit: Duration,
    questions: &BlockingQuestions,
    give: impl FnOnce(Result<(), String>),
) {
    let deadline = Instant::now() + limit;
    let stage = Stage::default();
    let asked = async {
        match probe {
            Probe::Http(HttpProbe { server: HttpTarget::Tcp(address), .. }) | Probe::Tcp(address) => {
                let mut stream = connect_tcp(address, questions, deadline, &stage).await?;
                ask_page(probe, &mut stream, &stage).await?;
                Ok(Some(Answered::Tcp(stream)))
            }
            Probe::Http(HttpProbe { server: HttpTarget::Unix(path), .. }) | Probe::Unix(path) => {
                let mut stream = connect_unix(path, questions, deadline, &stage).await?;
                ask_page(probe, &mut stream, &stage).await?;
                Ok(Some(Answered::Unix(stream)))
            }
            Probe::File(path) => questions.ask_for_file(path).await.map(|()| None),
            Probe::Exec(_) => Err("a command cannot be run without a process".to_owned()),
        }
    };
    let too_late = |_| Err(format!("{} within {}", stage.missing(), Shown(limit)));
    let result = timeout_at(deadline, asked).await.unwrap_or_else(too_late);
    let (result, stream) = match result {
        Ok(stream) => (Ok(()), stream),
        Err(reason) => (Err(reason), None),
    };
    give(result);
    match (probe, stream) {
        (Probe::Http(_), Some(stream)) => http::take_leave(stream).await,
        (Probe::Http(_) | Probe::Tcp(_) | Probe::Unix(_) | Probe::File(_) | Probe::Exec(_), _) => {}
    }
}

/// Asks for a page on a new connection, where that is asked for.
async fn ask_page(
    probe: &Probe,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    stage: &Stage,
) -> Result<(), String> {
    match probe {
        Probe::Http(request) => http::ask(stream, request, stage).await,
        Probe::Tcp(_) | Probe::Unix(_) | Probe::File(_) | Probe::Exec(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
