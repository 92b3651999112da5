//! What the JSON API answers about programs, with types.

use serde::Deserialize;
use serde_json::Value;
use supervisord_wire::name::namespec;
use supervisord_wire::state::ProcessState;

/// A program. Times are seconds since the epoch.
#[derive(Clone, Debug)]
pub struct ProgramStatus {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ProcessState,
    /// Its tags.
    pub labels: Vec<String>,
    /// What comes next if nobody asks for anything, as a word.
    pub outlook: String,
    /// Why it is not up, in one line.
    pub reason: Option<String>,
    /// Its process id.
    pub pid: Option<u32>,
    /// When its state changed last.
    pub since: Option<i64>,
    /// Whether it was asked to be up last.
    pub is_wanted: bool,
    /// How often it was started again by itself.
    pub restarts: u32,
    /// When it is started next by itself.
    pub next_start: Option<i64>,
    /// How its last process ended.
    pub last_end: Option<ProgramEnd>,
    /// Its health, as a word; none where nothing tells.
    pub health: Option<String>,
    /// What says that it is ready, and why the last probe failed; none where it is ready, or nothing tells.
    pub not_ready: Option<String>,
    /// What was lost of its output; none where nothing was.
    pub lost_bytes: Option<LostBytes>,
    /// How many of its lines did not get to log services; none where nothing was lost.
    pub lost_lines: Option<LostBytes>,
    /// What it says about itself (`STATUS=` of the protocol of systemd).
    pub status_text: Option<String>,
    /// The whole answer.
    pub json: Value,
}

/// How a process ended.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ProgramEnd {
    /// When.
    pub at: i64,
    /// As log lines have it.
    pub description: String,
    /// What it meant, as a word.
    #[serde(default)]
    pub judgement: String,
    /// The last line of stderr.
    pub last_line: Option<String>,
}

/// What became of the start of a program.
#[derive(Clone, Debug, Deserialize)]
pub struct StartResult {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Whether it runs.
    #[serde(rename = "ok")]
    pub is_up: bool,
    /// Why not, or that it ran already.
    pub detail: Option<String>,
}

/// The members that are read as they are.
#[derive(Deserialize)]
struct Members {
    group: String,
    name: String,
    state: String,
    #[serde(default)]
    tags: Vec<String>,
    outlook: String,
    reason: Option<String>,
    pid: Option<u32>,
    since: Option<i64>,
    wanted: String,
    restarts: u32,
    next_start: Option<i64>,
    last_end: Option<ProgramEnd>,
    health: Option<Health>,
    readiness: Option<Readiness>,
    service: Option<Service>,
    lost_bytes: Option<LostBytes>,
    #[serde(default)]
    lost_lines: Option<LostBytes>,
}

/// How much of the output of a program was lost.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LostBytes {
    pub stdout: u64,
    pub stderr: u64,
}

#[derive(Deserialize)]
struct Health {
    status: String,
}

#[derive(Deserialize)]
struct Readiness {
    when: String,
    ready: bool,
    last_failure: Option<String>,
}

#[derive(Deserialize)]
struct Service {
    status: String,
}

impl Readiness {
    /// What is missing; none where nothing is.
    fn lack(self) -> Option<String> {
        let failure = self.last_failure.map(|failure| format!(": {failure}")).unwrap_or_default();
        (!self.ready).then(|| format!("{}{failure}", self.when))
    }
}

/// Why a program is in its state.
#[derive(Clone, Debug, Deserialize)]
pub struct Explanation {
    /// Lines to read.
    pub explanation: Vec<String>,
    /// The whole answer but for them.
    #[serde(flatten)]
    pub json: serde_json::Map<String, Value>,
}

impl ProgramStatus {
    /// The program of an answer; none where it is none.
    pub(super) fn from_json(json: &Value) -> Option<ProgramStatus> {
        let members = Members::deserialize(json).ok()?;
        let Members {
            group,
            name,
            state,
            tags,
            outlook,
            reason,
            pid,
            since,
            wanted,
            restarts,
            next_start,
            last_end,
            ..
        } = members;
        Some(ProgramStatus {
            group,
            name,
            state: ProcessState::from_name(&state)?,
            labels: tags,
            outlook,
            reason,
            pid,
            since,
            is_wanted: wanted == "up",
            restarts,
            next_start,
            last_end,
            health: members.health.map(|health| health.status),
            not_ready: members.readiness.and_then(Readiness::lack),
            status_text: members.service.map(|service| service.status).filter(|text| !text.is_empty()),
            lost_bytes: members.lost_bytes,
            lost_lines: members.lost_lines,
            json: json.clone(),
        })
    }

    /// Whether it was to do its work and end, and has done so.
    pub fn has_completed(&self) -> bool {
        self.outlook == "completed"
    }

    /// What it depends on, each as `GROUP:NAME:CONDITION`.
    pub fn dependencies(&self) -> impl Iterator<Item = &str> {
        self.json.get("dependencies").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// The name by which clients know it.
    pub fn namespec(&self) -> String {
        namespec(&self.group, &self.name)
    }
}
