//! The processes as `getAllProcessInfo` shows them. The document is written piece by piece as the client takes it, so that
//! even a long list takes little memory.

use std::sync::Arc;

use supervisord_core::row::{LocalTime, Row};
use supervisord_wire::xmlrpc::{ARRAY_RESPONSE, Encode};

use crate::api::Clock;

/// The bytes from which on a piece is long enough. A list of no more than one piece is written at once.
const PIECE: usize = 32 << 10;

/// The moment at which processes are described.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    /// Seconds since the epoch.
    now: i64,
    local: fn(i64) -> LocalTime,
}

impl Moment {
    pub(super) fn present(clock: Clock) -> Moment {
        Moment { now: (clock.now)(), local: clock.local }
    }

    /// Appends what `getProcessInfo` answers; `scratch` is for its description.
    pub(super) fn push_info(self, row: &Row, scratch: &mut String, out: &mut String) {
        row.info(self.now, self.local, scratch).encode(out);
    }
}

/// The document that answers with a list of processes.
pub struct ProcessList {
    rows: std::vec::IntoIter<Arc<Row>>,
    moment: Moment,
    begin: Option<&'static str>,
    end: Option<&'static str>,
    left: usize,
    scratch: String,
}

impl ProcessList {
    pub(super) fn new(rows: Vec<Arc<Row>>, moment: Moment) -> ProcessList {
        let [begin, end] = ARRAY_RESPONSE;
        let mut scratch = String::new();
        let length = |row: &Arc<Row>| row.info(moment.now, moment.local, &mut scratch).encoded_len();
        let left = begin.len() + rows.iter().map(length).sum::<usize>() + end.len();
        ProcessList { rows: rows.into_iter(), moment, begin: Some(begin), end: Some(end), left, scratch }
    }

    /// All that is left of it.
    pub(super) fn into_text(self) -> String {
        let mut text = String::with_capacity(self.left);
        self.for_each(|piece| text.push_str(&piece));
        text
    }

    /// How many bytes of it are left.
    pub fn left(&self) -> usize {
        self.left
    }
}

/// The pieces of the document.
impl Iterator for ProcessList {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.end?;
        // The last row goes beyond the end of the piece.
        let mut piece = String::with_capacity(self.left.min(PIECE + PIECE / 8));
        piece.extend(self.begin.take());
        while piece.len() < PIECE {
            match self.rows.next() {
                Some(row) => self.moment.push_info(&row, &mut self.scratch, &mut piece),
                None => {
                    piece.extend(self.end.take());
                    break;
                }
            }
        }
        self.left = self.left.saturating_sub(piece.len());
        Some(piece)
    }
}

impl std::fmt::Debug for ProcessList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessList").field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use supervisord_core::process::ProcessPhase;
    use supervisord_core::samples;
    use supervisord_wire::xmlrpc::encode_response;

    use super::*;

    const LOCAL: LocalTime =
        LocalTime { year: 2026, month: 11, day: 3, hour: 9, minute: 5, second: 0, weekday: 2, utc_offset: 0 };

    #[test]
    fn the_pieces_make_the_document_that_was_announced() {
        let moment = Moment { now: 100_000, local: |_| LOCAL };
        for count in [0, 1, 30, 300] {
            let row = |number: usize| {
                let phase = ProcessPhase::ALL[number % ProcessPhase::ALL.len()];
                let spawnerr =
                    if number.is_multiple_of(2) { "can't <start> & \u{ffff}".to_owned() } else { String::new() };
                Arc::new(Row { phase, spawnerr, start: number as i64, ..samples::row("g", &format!("p{number}")) })
            };
            let rows: Vec<_> = (0..count).map(row).collect();
            let mut scratches: Vec<String> = vec![String::new(); count];
            let infos: Vec<_> =
                rows.iter().zip(&mut scratches).map(|(row, scratch)| row.info(100_000, |_| LOCAL, scratch)).collect();
            let expected = encode_response(&infos[..]);
            let list = ProcessList::new(rows.clone(), moment);
            assert_eq!(list.left(), expected.len());
            let pieces: Vec<String> = list.collect();
            assert!(pieces.iter().all(|piece| piece.len() < PIECE + PIECE / 8));
            assert_eq!(pieces.len(), expected.len().div_ceil(PIECE), "of {} bytes", expected.len());
            assert_eq!(pieces.concat(), expected);
        }
    }
}
