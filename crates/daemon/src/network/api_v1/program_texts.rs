//! The programs as JSON text, which is kept from one list to the next: few of a thousand programs change between two.
//!
//! Of a program that runs, only its uptime is another one each time. The list is written piece by piece as the client takes it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use supervisord_core::row::{LocalTime, Row, push_uptime};

use super::program_resource::ProgramResource;

/// What stands around the programs of a list, and between them.
const BEGIN: &str = r#"{"programs":["#;
const SEPARATOR: &str = ",";
const END: &str = "]}";

/// The name of the member with the uptime, up to its text. Within a string the quotes would be escaped.
const DESCRIPTION: &str = r#","description":""#;

/// The bytes from which on a piece is long enough.
const PIECE: usize = 32 << 10;

/// The texts of rows, as long as these are published.
#[derive(Default)]
pub struct ProgramTexts {
    /// By the address of the row, which no other row has as long as the text holds it.
    by_row: RefCell<HashMap<*const Row, Rc<ProgramText>>>,
}

/// A row as JSON.
pub(super) struct ProgramText {
    row: Arc<Row>,
    /// The whole text, without the uptime.
    json: Box<str>,
    /// Where the uptime belongs; none where none is shown.
    uptime: Option<usize>,
}

impl ProgramText {
    pub fn new(row: Arc<Row>, local: fn(i64) -> LocalTime) -> Result<ProgramText, serde_json::Error> {
        let mut json = serde_json::to_string(&ProgramResource::new(&row, row.start, local))?;
        let uptime = row.before_uptime().and_then(|prefix| {
            let begin = json.find(DESCRIPTION)? + DESCRIPTION.len() + prefix.len();
            let length = json[begin..].find('"')?;
            json.replace_range(begin..begin + length, "");
            Some(begin)
        });
        Ok(ProgramText { row, json: json.into(), uptime })
    }

    /// Whether it is the same as long as the row is. Moments on the monotonic clock are told as moments of the wall clock, which
    /// may be set.
    fn is_lasting(&self) -> bool {
        let Row { next_start, ready_by, runs_until, .. } = &*self.row;
        next_start.is_none() && ready_by.is_none() && runs_until.is_none()
    }

    /// Its length at a time. The uptime is made in `scratch`.
    fn length(&self, now: i64, scratch: &mut String) -> usize {
        self.json.len() + self.uptime(now, scratch).len()
    }

    fn push(&self, now: i64, scratch: &mut String, out: &mut String) {
        let (before, behind) = self.json.split_at(self.uptime.unwrap_or(0));
        out.extend([before, self.uptime(now, scratch), behind]);
    }

    fn uptime<'s>(&self, now: i64, scratch: &'s mut String) -> &'s str {
        scratch.clear();
        if self.uptime.is_some() {
            push_uptime(scratch, now - self.row.start);
        }
        scratch
    }
}

impl ProgramTexts {
    /// The texts of these rows; none of each whose text is still to be made.
    pub(super) fn find(&self, rows: &[Arc<Row>]) -> Vec<Option<Rc<ProgramText>>> {
        let by_row = self.by_row.borrow();
        let find = |row: &Arc<Row>| by_row.get(&Arc::as_ptr(row)).filter(|text| text.is_lasting()).cloned();
        rows.iter().map(find).collect()
    }

    /// Puts texts that have just been made in the places where there was none, keeps them for the next list, and forgets those of
    /// rows that nobody else holds any more.
    pub(super) fn complete(&self, found: Vec<Option<Rc<ProgramText>>>, made: Vec<ProgramText>) -> Vec<Rc<ProgramText>> {
        if !made.is_empty() {
            self.by_row.borrow_mut().retain(|_, text| Arc::strong_count(&text.row) > 1);
        }
        let mut made = made.into_iter().map(Rc::new).inspect(|text| {
            self.by_row.borrow_mut().insert(Arc::as_ptr(&text.row), text.clone());
        });
        found.into_iter().filter_map(|known| known.or_else(|| made.next())).collect()
    }

    /// Forgets all of them: nobody is there who may ask soon.
    pub fn forget(&self) {
        *self.by_row.borrow_mut() = HashMap::new();
    }
}

/// The document that lists programs.
pub(super) struct ProgramList {
    texts: std::vec::IntoIter<Rc<ProgramText>>,
    now: i64,
    /// What comes before the next program.
    before: &'static str,
    end: Option<&'static str>,
    left: usize,
    scratch: String,
}

impl ProgramList {
    /// The list of these programs as they are `now`, in seconds since the epoch.
    pub fn new(texts: Vec<Rc<ProgramText>>, now: i64) -> ProgramList {
        let mut scratch = String::new();
        let separators = SEPARATOR.len() * texts.len().saturating_sub(1);
        let lengths = texts.iter().map(|text| text.length(now, &mut scratch)).sum::<usize>();
        let left = BEGIN.len() + separators + lengths + END.len();
        ProgramList { texts: texts.into_iter(), now, before: BEGIN, end: Some(END), left, scratch }
    }

    /// How many bytes of it are left.
    pub fn left(&self) -> usize {
        self.left
    }
}

/// The pieces of the document.
impl Iterator for ProgramList {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.end?;
        // The last program goes beyond the end of the piece.
        let mut piece = String::with_capacity(self.left.min(PIECE + PIECE / 8));
        while piece.len() < PIECE {
            match self.texts.next() {
                Some(text) => {
                    piece.push_str(std::mem::replace(&mut self.before, SEPARATOR));
                    text.push(self.now, &mut self.scratch, &mut piece);
                }
                None => {
                    piece.push_str(if self.before == BEGIN { BEGIN } else { "" });
                    piece.extend(self.end.take());
                    break;
                }
            }
        }
        self.left = self.left.saturating_sub(piece.len());
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use supervisord_core::process::ProcessPhase;
    use supervisord_core::samples;

    use super::*;

    const LOCAL: fn(i64) -> LocalTime =
        |_| LocalTime { year: 2026, month: 11, day: 3, hour: 9, minute: 5, second: 0, weekday: 2, utc_offset: 0 };

    fn row(number: usize) -> Arc<Row> {
        let phase = ProcessPhase::ALL[number % ProcessPhase::ALL.len()];
        let spawnerr =
            if number.is_multiple_of(2) { r#"can't ","description":"start"#.to_owned() } else { String::new() };
        let group = r#"g,"description":"pid 1, uptime "#;
        Arc::new(Row { phase, spawnerr, pid: 7, start: number as i64, ..samples::row(group, &format!("p{number}")) })
    }

    fn text(texts: &ProgramTexts, rows: &[Arc<Row>], now: i64) -> (String, usize) {
        let found = texts.find(rows);
        let missing = rows.iter().zip(&found).filter(|(_, text)| text.is_none());
        let made: Vec<_> = missing.map(|(row, _)| ProgramText::new(row.clone(), LOCAL).expect("text")).collect();
        let made_count = made.len();
        let list = ProgramList::new(texts.complete(found, made), now);
        let left = list.left();
        let pieces: Vec<String> = list.collect();
        assert!(pieces.iter().all(|piece| piece.len() < PIECE + PIECE / 8));
        let text = pieces.concat();
        assert_eq!(text.len(), left, "the length that was announced");
        (text, made_count)
    }

    #[test]
    fn the_list_is_that_of_the_resources_at_every_time() {
        for count in [0, 1, 30, 300] {
            let (texts, rows) = (ProgramTexts::default(), (0..count).map(row).collect::<Vec<_>>());
            for now in [0, 100, 10_000_000] {
                let resources: Vec<_> = rows.iter().map(|row| ProgramResource::new(row, now, LOCAL)).collect();
                let expected = serde_json::json!({ "programs": resources });
                let (text, made) = text(&texts, &rows, now);
                assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), expected);
                assert_eq!(made, if now == 0 { count } else { 0 }, "the others are known");
            }
        }
    }

    #[test]
    fn a_row_that_was_replaced_is_forgotten_and_one_with_a_deadline_made_anew() {
        let texts = ProgramTexts::default();
        let mut rows: Vec<_> = (0..3).map(row).collect();
        text(&texts, &rows, 9);
        rows[1] = row(1);
        rows[2] = Arc::new(Row { runs_until: Some(Duration::from_secs(1)), ..Row::clone(&row(2)) });
        assert_eq!(text(&texts, &rows, 9).1, 2);
        assert_eq!(texts.by_row.borrow().len(), 3);
        assert_eq!(text(&texts, &rows, 9).1, 1, "its time on the wall clock may be another one");
        texts.forget();
        assert_eq!(text(&texts, &rows, 9).1, 3);
    }
}
