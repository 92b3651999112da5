//! What a log has until now: its end, and where that is not enough, its rotated files.

use supervisord_wire::channel::Channel;

use crate::client::{Client, ClientError};
use crate::line_time::{self, Reach, UtcOffset};
use crate::log_lines::last_lines;

/// How much is read first, and at the most at once, in bytes.
const FIRST_PART: u64 = 16 << 10;
const LARGEST_PART: u64 = 4 << 20;

/// The most bytes that are read to find a number of lines, and those since a time.
const MOST_FOR_LINES: usize = 4 << 20;
const MOST_SINCE: usize = 64 << 20;

/// How far back the lines go that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// So many lines.
    Lines(usize),
    /// Since a time, in milliseconds since the epoch.
    Since(i64),
}

/// What there is of a log.
pub(super) struct History {
    /// The lines.
    pub text: Vec<u8>,
    /// Where the log goes on.
    pub end: u64,
    /// Why there may be fewer lines than were asked for.
    pub gap: Option<&'static str>,
}

/// A log.
pub(super) struct HistoryOf<'a> {
    pub group: &'a str,
    pub name: &'a str,
    pub channel: Channel,
    pub offset: UtcOffset<'a>,
}

impl HistoryOf<'_> {
    /// Its last lines. The HTTP status of the error is 404 where there is no log.
    pub fn read(&self, client: &mut Client, extent: Extent) -> Result<History, ClientError> {
        let mut found = Vec::new();
        let (mut end, mut is_enough) = (0, false);
        self.extend(client, None, extent, &mut found, &mut is_enough, &mut end)?;
        if !is_enough && !self.is_full(extent, &found) {
            // A daemon that cannot tell has no rotated files for us.
            let files = client.log_files(self.group, self.name, self.channel).unwrap_or_default();
            for file in files.into_iter().skip(1) {
                if is_enough || self.is_full(extent, &found) || self.is_too_old(extent, file.modified) {
                    break;
                }
                match self.extend(client, Some(&file.name), extent, &mut found, &mut is_enough, &mut 0) {
                    // It has been removed meanwhile, and older ones before it.
                    Err(error) if error.is_status(404) => break,
                    read => read?,
                }
            }
        }
        let (text, reach) = self.cut(extent, &found, true);
        let gap = match extent {
            Extent::Since(_) if !found.is_empty() && reach == Reach::Untimed => {
                Some("its lines have no time: write stdout_log_format=text or json, or use -n")
            }
            Extent::Since(_) if !is_enough && self.is_full(extent, &found) => Some("only the last 64 MB are shown"),
            _ => None,
        };
        Ok(History { text: text.to_vec(), end, gap })
    }

    /// Puts the end of a file before what was found, as much as is needed.
    fn extend(
        &self,
        client: &mut Client,
        file: Option<&str>,
        extent: Extent,
        found: &mut Vec<u8>,
        is_enough: &mut bool,
        end: &mut u64,
    ) -> Result<(), ClientError> {
        let (mut start, mut length) = (None, FIRST_PART);
        loop {
            let (offset, wanted) = match start {
                None => (-(length as i64), length),
                Some(start) => {
                    let wanted = length.min(start);
                    (i64::try_from(start - wanted).unwrap_or(i64::MAX), wanted)
                }
            };
            let part = client.log_part((self.group, self.name, self.channel), file, offset, wanted)?;
            if start.is_none() {
                *end = part.offset + part.bytes.len() as u64;
            }
            let is_stuck = start == Some(part.offset);
            start = Some(part.offset);
            found.splice(..0, part.bytes);
            let is_whole = part.offset == 0;
            *is_enough = match extent {
                Extent::Lines(lines) => last_lines(found, lines, false).1,
                Extent::Since(time) => line_time::since(found, time, self.offset).1 == Reach::Earlier,
            };
            if *is_enough || is_whole || is_stuck || self.is_full(extent, found) {
                return Ok(());
            }
            length = (length * 4).min(LARGEST_PART);
        }
    }

    fn cut<'t>(&self, extent: Extent, text: &'t [u8], is_whole: bool) -> (&'t [u8], Reach) {
        match extent {
            Extent::Lines(lines) => (last_lines(text, lines, is_whole).0, Reach::Later),
            Extent::Since(time) => line_time::since(text, time, self.offset),
        }
    }

    fn is_full(&self, extent: Extent, found: &[u8]) -> bool {
        let most = if let Extent::Lines(_) = extent { MOST_FOR_LINES } else { MOST_SINCE };
        found.len() >= most
    }

    fn is_too_old(&self, extent: Extent, modified: i64) -> bool {
        matches!(extent, Extent::Since(time) if modified.saturating_add(1).saturating_mul(1000) < time)
    }
}
