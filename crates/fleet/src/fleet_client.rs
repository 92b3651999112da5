//! Somebody who asks hosts for something.

use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::{Message, StatusCode, Subscriber};
use futures_util::StreamExt;

use crate::clock::{epoch_millis, steady_millis};
use crate::fleet_error::FleetError;
use crate::fleet_view::FleetView;
use crate::gathering::Gathering;
use crate::host_name::{HostName, PersonName};
use crate::host_selector::{HostSelector, is_selected};
use crate::nats_link::NatsLink;
use crate::random_id::random_id;
use crate::request::{FleetAnswer, FleetRequest, FleetVerb};
use crate::stream_reader::StreamReader;
use crate::subjects::{self, ALL_EVENTS, ALL_KEYS, BUCKET_STREAM, EVENTS_STREAM, FleetRole};

/// How long the server may take to tell which hosts there are.
const VIEW_WITHIN: Duration = Duration::from_secs(5);
/// After how long without another key nothing more is expected.
const QUIET: Duration = Duration::from_secs(2);
/// How often a host that says nothing is asked again.
const AGAIN_EVERY: Duration = Duration::from_millis(500);
/// After how many times that, hosts that have begun are asked, too.
const BEGUN_AFTER: u32 = 10;
/// For how long a host may begin with a command, at the most.
const BEGIN_WITHIN: Duration = Duration::from_secs(30);

/// A connection, and for whom it asks.
#[derive(Clone)]
pub struct FleetClient {
    link: NatsLink,
}

/// A request on its way to many hosts.
pub struct OpenRequest {
    id: String,
    hosts: Vec<HostName>,
    inbox: String,
    answers: Subscriber,
    role: FleetRole,
    person: PersonName,
    /// What each host is sent.
    messages: Vec<bytes::Bytes>,
}

impl FleetClient {
    /// Asks over a connection.
    pub fn new(link: NatsLink) -> FleetClient {
        FleetClient { link }
    }

    /// The connection.
    pub fn link(&self) -> &NatsLink {
        &self.link
    }

    /// What the bucket says about all hosts.
    pub async fn view(&self) -> Result<FleetView, FleetError> {
        let read = async {
            let mut view = FleetView::default();
            let (mut entries, pending) = self.keys().await?;
            // Keys that are written meanwhile come again, and those that are deleted do not come.
            for _ in 0..pending {
                match tokio::time::timeout(QUIET, entries.next()).await {
                    Ok(entry) => drop(take(&mut view, &entry)),
                    Err(_) => break,
                }
            }
            Ok(view)
        };
        let late = || FleetError::NoServer("the NATS server does not tell which hosts there are".to_owned());
        tokio::time::timeout(VIEW_WITHIN, read)
            .await
            .unwrap_or_else(|_| Err(late()))
            .map_err(|error| self.explained(error))
    }

    /// All keys of the bucket, and those that come; and how many there are now.
    pub async fn keys(&self) -> Result<(StreamReader, u64), FleetError> {
        StreamReader::open(self.link.clone(), BUCKET_STREAM, ALL_KEYS, DeliverPolicy::LastPerSubject).await
    }

    /// The events of all hosts.
    pub async fn events(&self, from: DeliverPolicy) -> Result<(StreamReader, u64), FleetError> {
        StreamReader::open(self.link.clone(), EVENTS_STREAM, ALL_EVENTS, from).await
    }

    /// The error, with what the server complained about.
    fn explained(&self, error: FleetError) -> FleetError {
        match self.link.take_complaint() {
            Some(complaint) if complaint.contains("ermissions") => FleetError::Denied(complaint),
            Some(complaint) => FleetError::Other(format!("{error} ({complaint})")),
            None => error,
        }
    }

    /// Sends a request to hosts, for somebody who waits so long: what a host has not begun by then, it does not begin later.
    pub async fn send(
        &self,
        person: &PersonName,
        hosts: Vec<HostName>,
        verb: FleetVerb,
        limit: Duration,
    ) -> Result<OpenRequest, FleetError> {
        let failed = |error: &dyn std::fmt::Display| FleetError::Other(error.to_string());
        let role = verb.needs();
        let id = random_id().map_err(|error| failed(&error))?;
        let message: bytes::Bytes = FleetRequest { id: id.clone(), deadline: deadline(limit), verb }.message().into();
        let messages = vec![message; hosts.len()];
        let inbox = self.link.client.new_inbox();
        let answers = self.link.client.subscribe(format!("{inbox}.*")).await.map_err(|error| failed(&error))?;
        let request = OpenRequest { id, hosts, inbox, answers, role, person: person.clone(), messages };
        self.ask_again(&request, &request.hosts).await?;
        Ok(request)
    }

    /// Sends a request once more: hosts know its id.
    pub async fn ask_again(&self, request: &OpenRequest, hosts: &[HostName]) -> Result<(), FleetError> {
        let sent = request.hosts.iter().zip(&request.messages).enumerate();
        for (number, (host, message)) in sent.filter(|(_, (host, _))| hosts.contains(host)) {
            let subject = subjects::request(request.role, &request.person, host);
            let reply = format!("{}.{number}", request.inbox);
            let sent = self.link.client.publish_with_reply(subject, reply, message.clone()).await;
            sent.map_err(|error| FleetError::Other(error.to_string()))?;
        }
        Ok(())
    }

    /// Sends a followed request once more, with a new deadline: hosts that know its id go on, others begin.
    pub async fn renew(
        &self,
        request: &mut OpenRequest,
        verb: impl Fn(&HostName) -> FleetVerb,
    ) -> Result<(), FleetError> {
        let deadline = deadline(BEGIN_WITHIN);
        let message = |host| FleetRequest { id: request.id.clone(), deadline, verb: verb(host) }.message();
        request.messages = request.hosts.iter().map(|host| message(host).into()).collect();
        self.ask_again(request, &request.hosts).await
    }

    /// Sends a followed request as a new one, which hosts begin again: what they have sent before may be lost.
    pub async fn send_anew(
        &self,
        request: &mut OpenRequest,
        verb: impl Fn(&HostName) -> FleetVerb,
    ) -> Result<(), FleetError> {
        let failed = |error: &dyn std::fmt::Display| FleetError::Other(error.to_string());
        request.id = random_id().map_err(|error| failed(&error))?;
        request.inbox = self.link.client.new_inbox();
        let answers = self.link.client.subscribe(format!("{}.*", request.inbox)).await;
        request.answers = answers.map_err(|error| failed(&error))?;
        self.renew(request, verb).await
    }

    /// Asks hosts for something, and waits until all have answered or the time is over.
    pub async fn ask(
        &self,
        person: &PersonName,
        hosts: Vec<HostName>,
        verb: FleetVerb,
        limit: Duration,
    ) -> Result<Gathering, FleetError> {
        self.ask_until(std::future::pending(), person, hosts, verb, limit).await
    }

    /// The same, and no longer than until something ends the wait.
    pub async fn ask_until(
        &self,
        ended: impl Future<Output = ()>,
        person: &PersonName,
        hosts: Vec<HostName>,
        verb: FleetVerb,
        limit: Duration,
    ) -> Result<Gathering, FleetError> {
        let mut ended = std::pin::pin!(ended);
        let mut gathering = Gathering::of(hosts.iter().cloned());
        let mut request = self.send(person, hosts, verb, limit).await?;
        let end = tokio::time::Instant::now() + limit;
        let mut again = tokio::time::interval(AGAIN_EVERY);
        again.tick().await;
        let mut ticks = 0u32;
        while !gathering.is_complete(steady_millis()) {
            tokio::select! {
                answer = request.next() => match answer {
                    None => {
                        gathering.cut_short();
                        break;
                    }
                    Some((host, None)) => gathering.not_connected(&host, steady_millis()),
                    Some((host, Some(answer))) => gathering.take(&host, answer),
                },
                _ = again.tick() => {
                    if let Some(complaint) = self.link.take_complaint().filter(|text| text.contains("ermissions")) {
                        return Err(FleetError::Denied(complaint));
                    }
                    ticks += 1;
                    // An agent that was restarted after it has begun does not answer by itself.
                    let hosts = match ticks % BEGUN_AFTER {
                        0 => gathering.awaited(steady_millis()).cloned().collect(),
                        _ => gathering.to_ask_again(steady_millis()),
                    };
                    self.ask_again(&request, &hosts).await?;
                }
                () = tokio::time::sleep_until(end) => break,
                () = &mut ended => {
                    gathering.cut_short();
                    break;
                }
            }
        }
        Ok(gathering)
    }
}

impl OpenRequest {
    /// The next answer: from which host, and which; none where the server says that nobody listens there.
    pub async fn next(&mut self) -> Option<(HostName, Option<FleetAnswer>)> {
        loop {
            let message = self.answers.next().await?;
            let number = message.subject.rsplit('.').next().and_then(|number| number.parse::<usize>().ok());
            let Some(host) = number.and_then(|number| self.hosts.get(number)) else { continue };
            let is_nobody = message.status == Some(StatusCode::NO_RESPONDERS);
            return Some((host.clone(), (!is_nobody).then(|| FleetAnswer::read(&message.payload))));
        }
    }
}

/// Until when a host may begin with what somebody waits for so long.
fn deadline(limit: Duration) -> u64 {
    epoch_millis() + limit.min(BEGIN_WITHIN).as_millis() as u64
}

/// An entry of the bucket reaches the view.
pub fn take(view: &mut FleetView, entry: &async_nats::jetstream::Message) -> Option<HostName> {
    let published = entry.info().map(|info| info.published.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    let message: &Message = entry;
    view.take(&message.subject, &message.payload, u64::try_from(published).unwrap_or_default(), steady_millis())
}

/// The hosts of a view that are meant, by name.
pub fn selected(view: &FleetView, selectors: &[HostSelector]) -> Vec<HostName> {
    let is_meant = |(name, host): &(&HostName, &crate::fleet_view::KnownHost)| {
        is_selected(selectors, name.as_str(), &host.inventory.labels)
    };
    view.hosts().iter().filter(is_meant).map(|(name, _)| name.clone()).collect()
}
