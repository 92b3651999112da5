//! What `top` shows, and what keys mean, without I/O.

use std::time::Duration;

use supervisord_wire::state::ProcessState;

use super::help::HELP;
use super::news::{Details, News};
use super::target::{Action, Target};
use super::usage::{ProgramUsage, UsageTable};
use crate::client::{Channel, ProgramStatus};
use crate::keys::Key;

/// A daemon that says nothing for this long, although it tells every two seconds what programs use, may be stopped or hung.
const SILENCE_AFTER: Duration = Duration::from_secs(6);

/// What a key asks for that is not done by the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    Quit,
    Suspend,
    /// Draw everything again, whatever others have written to the terminal.
    Redraw,
    /// With the name of a program.
    Act(Action, String),
}

/// What keys mean at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Table,
    /// What is typed narrows the table.
    Filter,
    /// One program.
    Details,
    Help,
}

/// The order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    Name,
    /// What has failed comes first.
    State,
    Cpu,
    Memory,
}

impl SortKey {
    /// The column.
    pub fn word(self) -> &'static str {
        match self {
            SortKey::Name => "name",
            SortKey::State => "state",
            SortKey::Cpu => "CPU",
            SortKey::Memory => "memory",
        }
    }

    fn next(self) -> SortKey {
        match self {
            SortKey::Name => SortKey::State,
            SortKey::State => SortKey::Cpu,
            SortKey::Cpu => SortKey::Memory,
            SortKey::Memory => SortKey::Name,
        }
    }
}

/// What is said in the last line.
pub struct Notice {
    pub text: String,
    pub is_failure: bool,
}

/// What is shown.
pub struct Model {
    /// The address of the daemon.
    pub url: String,
    pub is_read_only: bool,
    /// All programs; none before they are known.
    pub programs: Option<Vec<ProgramStatus>>,
    /// Why they are not as they are now.
    pub trouble: Option<String>,
    pub mode: Mode,
    pub order: SortKey,
    /// What names, states and reasons must contain.
    pub filter: String,
    pub notice: Option<Notice>,
    /// What is done when the user says yes.
    pub question: Option<(Action, String)>,
    /// What is shown of the selected program.
    pub details: Option<Details>,
    pub channel: Channel,
    /// The first line of the help that is shown.
    pub help_row: usize,
    /// How long the daemon has said nothing, where that is too long.
    pub silence: Option<Duration>,
    /// When it was heard last; none before it has told what programs use, which it then does all the time.
    heard: Option<Duration>,
    usage: UsageTable,
    selected: Option<(String, String)>,
}

impl Model {
    /// Before anything is known.
    pub fn new(url: String, is_read_only: bool) -> Model {
        Model {
            url,
            is_read_only,
            programs: None,
            trouble: None,
            mode: Mode::Table,
            order: SortKey::Name,
            filter: String::new(),
            notice: None,
            question: None,
            details: None,
            channel: Channel::Stdout,
            help_row: 0,
            silence: None,
            heard: None,
            usage: UsageTable::default(),
            selected: None,
        }
    }

    /// Takes news that came at this time.
    pub fn take(&mut self, news: News, at: Duration) {
        match news {
            News::Programs(programs) => {
                self.programs = Some(programs);
                self.trouble = None;
            }
            News::Usage(counted) => {
                self.usage.take(&counted, at);
                self.heard = Some(at);
            }
            News::Lost(reason) => {
                self.trouble = Some(reason);
                self.heard = None;
            }
            News::Done { text, is_failure } => self.notice = Some(Notice { text, is_failure }),
            News::Details(details) => self.details = Some(details),
            News::Keys(_) | News::InputEnded | News::Resized | News::Interrupted => {}
        }
    }

    /// Notes that it is this time now.
    pub fn pass(&mut self, now: Duration) {
        let silence = self.heard.map(|heard| now.saturating_sub(heard));
        self.silence = silence.filter(|silence| *silence > SILENCE_AFTER);
    }

    /// Nobody has listened until now.
    pub fn resume(&mut self) {
        self.heard = None;
    }

    /// The usage of a program, where it is known.
    pub fn usage_of(&self, program: &ProgramStatus) -> Option<ProgramUsage> {
        self.usage.of(&program.group, &program.name)
    }

    /// The programs of the table, in its order.
    pub fn listed(&self) -> Vec<&ProgramStatus> {
        let filter = self.filter.to_lowercase();
        let contains = |text: &str| text.to_lowercase().contains(&filter);
        let matches = |program: &&ProgramStatus| {
            contains(&program.namespec())
                || contains(program.state.name())
                || program.reason.as_deref().is_some_and(contains)
                || program.health.as_deref().is_some_and(contains)
        };
        let mut listed: Vec<&ProgramStatus> = self.programs.iter().flatten().filter(matches).collect();
        match self.order {
            SortKey::Name => {}
            SortKey::State => listed.sort_by_key(|program| severity(program)),
            SortKey::Cpu => listed.sort_by(|one, other| {
                let cpu = |program| self.usage_of(program).and_then(|usage| usage.cpu_percent).unwrap_or(-1.0);
                cpu(other).total_cmp(&cpu(one))
            }),
            SortKey::Memory => {
                let memory = |program| self.usage_of(program).map(|usage| usage.memory_bytes);
                listed.sort_by_key(|program| std::cmp::Reverse(memory(program)));
            }
        }
        listed
    }

    /// The selected program and its place among those listed: the first one where the selected one is not there any more.
    pub fn selection(&self) -> Option<(usize, &ProgramStatus)> {
        let listed = self.listed();
        let is_selected = |program: &&ProgramStatus| {
            self.selected.as_ref().is_some_and(|(group, name)| *group == program.group && *name == program.name)
        };
        let place = listed.iter().position(is_selected).unwrap_or(0);
        listed.get(place).map(|program| (place, *program))
    }

    /// The program of which more is shown.
    pub fn wanted(&self) -> Option<Target> {
        let (_, program) = self.selection().filter(|_| self.mode == Mode::Details)?;
        let (group, name) = (program.group.clone(), program.name.clone());
        Some(Target { group, name, channel: self.channel })
    }

    /// What a key does. A page has so many rows.
    pub fn press(&mut self, key: Key, rows: usize) -> Option<Wish> {
        match key {
            Key::Control('c') => return Some(Wish::Quit),
            Key::Control('z') => return Some(Wish::Suspend),
            Key::Control('l') => return Some(Wish::Redraw),
            _ => {}
        }
        if let Some((action, name)) = self.question.take() {
            return (key == Key::Char('y')).then_some(Wish::Act(action, name));
        }
        self.notice = None;
        match self.mode {
            Mode::Filter => {
                match key {
                    Key::Enter => self.mode = Mode::Table,
                    Key::Escape => {
                        self.filter.clear();
                        self.mode = Mode::Table;
                    }
                    Key::Backspace => drop(self.filter.pop()),
                    Key::Char(letter) => self.filter.push(letter),
                    Key::Up => self.move_by(-1),
                    Key::Down => self.move_by(1),
                    _ => {}
                }
                None
            }
            Mode::Help => {
                // Between the first line and the last one there are those of the frame.
                let last = HELP.len().saturating_sub(rows.saturating_sub(2));
                match key {
                    _ if last == 0 => self.mode = Mode::Table,
                    Key::Down | Key::Char('j') => self.help_row = (self.help_row + 1).min(last),
                    Key::Up | Key::Char('k') => self.help_row = self.help_row.saturating_sub(1),
                    Key::PageDown | Key::Char(' ') => self.help_row = (self.help_row + rows).min(last),
                    Key::PageUp => self.help_row = self.help_row.saturating_sub(rows),
                    _ => self.mode = Mode::Table,
                }
                None
            }
            Mode::Table | Mode::Details => self.press_in_view(key, rows),
        }
    }

    fn press_in_view(&mut self, key: Key, rows: usize) -> Option<Wish> {
        let page = isize::try_from(rows.saturating_sub(4)).unwrap_or(isize::MAX).max(1);
        match key {
            Key::Char('q') | Key::Escape if self.mode == Mode::Details => self.mode = Mode::Table,
            Key::Char('q') => return Some(Wish::Quit),
            Key::Escape => self.filter.clear(),
            Key::Up | Key::Char('k') => self.move_by(-1),
            Key::Down | Key::Char('j') => self.move_by(1),
            Key::PageUp => self.move_by(-page),
            Key::PageDown | Key::Char(' ') => self.move_by(page),
            Key::Home | Key::Char('g') => self.move_by(isize::MIN),
            Key::End | Key::Char('G') => self.move_by(isize::MAX),
            Key::Enter if self.selection().is_some() => self.mode = Mode::Details,
            Key::Tab if self.mode == Mode::Details => {
                self.channel = match self.channel {
                    Channel::Stdout => Channel::Stderr,
                    Channel::Stderr => Channel::Stdout,
                };
            }
            Key::Char('/') => self.mode = Mode::Filter,
            Key::Char('o') => self.order = self.order.next(),
            Key::Char('?' | 'h') => (self.mode, self.help_row) = (Mode::Help, 0),
            Key::Char('s') => return self.act(Action::Start),
            Key::Char('x') => return self.act(Action::Stop),
            Key::Char('r') => return self.act(Action::Restart),
            Key::Char('u') => return self.act(Action::HangUp),
            Key::Char('c') => return self.act(Action::ClearLogs),
            Key::Char('d') => return self.act(Action::Disable),
            Key::Char('e') => return self.act(Action::Enable),
            Key::Char('+') => return self.act(Action::ScaleUp),
            Key::Char('-') => return self.act(Action::ScaleDown),
            _ => {}
        }
        None
    }

    fn move_by(&mut self, rows: isize) {
        let listed = self.listed();
        let (Some((place, _)), Some(last)) = (self.selection(), listed.len().checked_sub(1)) else { return };
        let place = place.saturating_add_signed(rows).min(last);
        self.selected = listed.get(place).map(|program| (program.group.clone(), program.name.clone()));
    }

    /// What ends something is asked first.
    fn act(&mut self, action: Action) -> Option<Wish> {
        if self.is_read_only {
            let text = "this view is read-only: begin without --read-only to act".to_owned();
            self.notice = Some(Notice { text, is_failure: true });
            return None;
        }
        let name = self.selection()?.1.namespec();
        // The question is about this program, wherever the table moves.
        if !action.is_asked() {
            self.notice = Some(Notice { text: format!("{name}: is being {}", action.done()), is_failure: false });
            return Some(Wish::Act(action, name));
        }
        self.question = Some((action, name));
        None
    }
}

/// What needs attention comes first.
fn severity(program: &ProgramStatus) -> u8 {
    match program.state {
        ProcessState::Fatal | ProcessState::Unknown => 0,
        ProcessState::Backoff => 1,
        ProcessState::Running if program.health.as_deref() == Some("unhealthy") => 1,
        ProcessState::Exited if program.is_wanted => 2,
        ProcessState::Starting | ProcessState::Stopping => 3,
        ProcessState::Running => 4,
        ProcessState::Exited | ProcessState::Stopped => 5,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::samples::program;

    fn model() -> Model {
        let mut model = Model::new("unix:///s.sock".to_owned(), false);
        let mut fatal = program("db", "FATAL", "out_of_attempts");
        fatal.reason = Some("exit status 3".to_owned());
        let programs = vec![program("cache", "RUNNING", "runs"), fatal, program("web", "RUNNING", "runs")];
        model.take(News::Programs(programs), Duration::ZERO);
        model
    }

    fn listed(model: &Model) -> Vec<&str> {
        model.listed().iter().map(|program| program.name.as_str()).collect()
    }

    fn selected(model: &Model) -> Option<&str> {
        model.selection().map(|(_, program)| program.name.as_str())
    }

    fn press(model: &mut Model, keys: &[Key]) -> Option<Wish> {
        keys.iter().filter_map(|key| model.press(*key, 24)).last()
    }

    #[test]
    fn the_selection_stays_on_its_program_whatever_moves() {
        let mut model = model();
        assert_eq!(selected(&model), Some("cache"));
        press(&mut model, &[Key::Down, Key::Down, Key::Down]);
        assert_eq!(selected(&model), Some("web"));
        press(&mut model, &[Key::Char('o')]);
        assert_eq!((listed(&model), selected(&model)), (vec!["db", "cache", "web"], Some("web")));
        press(&mut model, &[Key::Home]);
        assert_eq!(selected(&model), Some("db"));
        model.take(News::Programs(vec![program("web", "RUNNING", "runs")]), Duration::ZERO);
        assert_eq!(selected(&model), Some("web"));
        model.take(News::Programs(Vec::new()), Duration::ZERO);
        assert_eq!(press(&mut model, &[Key::Down, Key::Enter, Key::Char('x')]), None);
        assert_eq!(selected(&model), None);
    }

    #[test]
    fn a_filter_looks_at_names_states_and_reasons() {
        let mut model = model();
        for (typed, found) in
            [("WE", vec!["web"]), ("fatal", vec!["db"]), ("status 3", vec!["db"]), ("nothing", vec![])]
        {
            press(&mut model, &[Key::Char('/')]);
            typed.chars().for_each(|letter| drop(model.press(Key::Char(letter), 24)));
            assert_eq!(listed(&model), found, "{typed}");
            press(&mut model, &[Key::Enter, Key::Escape]);
            assert_eq!((listed(&model).len(), model.mode), (3, Mode::Table));
        }
        press(&mut model, &[Key::Char('/'), Key::Char('x'), Key::Char('q'), Key::Backspace, Key::Escape]);
        assert_eq!((listed(&model).len(), model.mode), (3, Mode::Table), "letters are no commands here");
    }

    #[test]
    fn what_ends_something_is_asked_first_and_about_the_program_of_then() {
        let mut model = model();
        assert_eq!(press(&mut model, &[Key::Char('s')]), Some(Wish::Act(Action::Start, "cache".to_owned())));
        assert_eq!(press(&mut model, &[Key::Char('x')]), None);
        model.take(News::Programs(vec![program("web", "RUNNING", "runs")]), Duration::ZERO);
        assert_eq!(press(&mut model, &[Key::Char('y')]), Some(Wish::Act(Action::Stop, "cache".to_owned())));
        assert_eq!(press(&mut model, &[Key::Char('r'), Key::Char('n'), Key::Char('y')]), None);
        for (key, action) in [('d', Action::Disable), ('-', Action::ScaleDown)] {
            let done = press(&mut model, &[Key::Char(key), Key::Char('y')]);
            assert_eq!(done, Some(Wish::Act(action, "web".to_owned())), "{key}");
        }
        for (key, action) in [('e', Action::Enable), ('+', Action::ScaleUp)] {
            assert_eq!(press(&mut model, &[Key::Char(key)]), Some(Wish::Act(action, "web".to_owned())), "{key}");
        }
        model.is_read_only = true;
        for key in ['s', 'x', 'd', 'e', '+', '-'] {
            assert_eq!(press(&mut model, &[Key::Char(key), Key::Char('y')]), None, "{key}");
        }
    }

    #[test]
    fn one_program_is_looked_at_until_the_user_goes_back() {
        let mut model = model();
        assert_eq!(model.wanted(), None);
        press(&mut model, &[Key::End, Key::Enter, Key::Tab]);
        let target = model.wanted().expect("one");
        assert_eq!((target.namespec().as_str(), target.channel), ("web", Channel::Stderr));
        assert_eq!((press(&mut model, &[Key::Char('q')]), model.wanted()), (None, None));
        assert_eq!(press(&mut model, &[Key::Char('q')]), Some(Wish::Quit));
        assert_eq!(press(&mut model, &[Key::Char('/'), Key::Control('c')]), Some(Wish::Quit));
    }

    #[test]
    fn a_daemon_that_has_spoken_and_says_nothing_more_is_silent() {
        let mut model = model();
        let silence = |model: &mut Model, seconds| {
            model.pass(Duration::from_secs(seconds));
            model.silence.map(|silence| silence.as_secs())
        };
        assert_eq!(silence(&mut model, 100), None, "one that tells nothing by itself");
        model.take(News::Usage(json!({})), Duration::from_secs(101));
        assert_eq!((silence(&mut model, 105), silence(&mut model, 108)), (None, Some(7)));
        model.take(News::Usage(json!({})), Duration::from_secs(109));
        assert_eq!(silence(&mut model, 109), None);
        model.resume();
        assert_eq!(silence(&mut model, 200), None, "nobody has listened");
    }

    #[test]
    fn a_help_that_does_not_fit_can_be_moved() {
        let mut model = model();
        model.press(Key::Char('?'), 24);
        model.press(Key::Down, 24);
        assert_eq!(model.mode, Mode::Table, "all of it is shown");
        model.press(Key::Char('?'), 10);
        for _ in 0..30 {
            model.press(Key::Down, 10);
        }
        assert_eq!((model.mode, model.help_row), (Mode::Help, HELP.len() - 8));
        model.press(Key::PageUp, 10);
        model.press(Key::Char('q'), 10);
        assert_eq!((model.mode, model.help_row), (Mode::Table, 3));
    }

    #[test]
    fn the_order_by_memory_begins_with_the_most() {
        let mut model = model();
        let counted = json!({"programs": [
            {"group": "web", "name": "web", "cpu_seconds": 1.0, "memory_bytes": 5000},
            {"group": "cache", "name": "cache", "cpu_seconds": 1.0, "memory_bytes": 100},
        ]});
        model.take(News::Usage(counted), Duration::ZERO);
        press(&mut model, &[Key::Char('o'), Key::Char('o'), Key::Char('o')]);
        assert_eq!((model.order, listed(&model)), (SortKey::Memory, vec!["web", "cache", "db"]));
    }
}
