//! The names of rotated logs: `web.log.3`, or `web-20261130.log` and `web-20261130.log.1` with dates.
//!
//! A name is made of that of the log, so that no program can take the files of another one for its own.

use supervisord_config::date_format::{DateFormat, DateItem, DatePart};
use supervisord_config::log_compression::LogCompression;
use supervisord_wire::calendar::LocalTime;

/// What tells a backup from the others of its log. The first one is the oldest where all have dates, the newest where all have
/// numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackupLabel {
    /// The numbers from 1, of which the largest is that of the oldest one.
    Number(u32),
    /// A date, and a number from 1 where it is not the first one with this date.
    Dated(String, u32),
}

/// How the backups of a log are called.
#[derive(Clone, Copy, Debug)]
pub struct BackupNames<'a> {
    /// The file name of the log.
    pub log: &'a str,
    /// The format of their dates; none for numbers.
    pub dates: Option<&'a DateFormat>,
}

impl BackupNames<'_> {
    /// The file name of a backup in this form.
    pub fn file(&self, label: &BackupLabel, form: LogCompression) -> String {
        self.name(label) + form.suffix()
    }

    /// What tells the backup with this file name from the others, and its form; none where it is no backup of this log.
    pub fn find(&self, file: &str) -> Option<(BackupLabel, LogCompression)> {
        let plain = self.label(file).map(|label| (label, LogCompression::None));
        // A log may itself be called so.
        plain.or_else(|| {
            let (form, name) = LogCompression::of_name(file);
            Some((self.label(name)?, form)).filter(|_| form != LogCompression::None)
        })
    }

    /// How the file names of all backups begin.
    pub fn start(&self) -> &str {
        if self.dates.is_some() { self.parts().0 } else { self.log }
    }

    /// The file name of a backup that is not compressed.
    pub fn name(&self, label: &BackupLabel) -> String {
        match label {
            BackupLabel::Number(number) => super::name(self.log, *number),
            BackupLabel::Dated(date, number) => {
                let (stem, extension) = self.parts();
                super::name(&format!("{stem}-{date}{extension}"), *number)
            }
        }
    }

    /// What tells the backup with this file name from the others; none where it is no backup of this log.
    pub fn label(&self, file: &str) -> Option<BackupLabel> {
        let Some(dates) = self.dates else { return super::number(self.log, file).map(BackupLabel::Number) };
        let (stem, extension) = self.parts();
        let rest = file.strip_prefix(stem)?.strip_prefix('-')?;
        let date = &rest[..length_of_date(dates, rest)?];
        let label = |number| BackupLabel::Dated(date.to_owned(), number);
        let first = label(0);
        if self.name(&first) == file {
            return Some(first);
        }
        let number = rest.strip_prefix(date)?.strip_prefix(extension)?.strip_prefix('.')?.parse().ok()?;
        let found = label(number);
        (number > 0 && self.name(&found) == file).then_some(found)
    }

    /// The label of a backup whose last line is of this time, beside those that are there.
    pub fn next<'l>(
        &self,
        dates: &DateFormat,
        time: LocalTime,
        there: impl Iterator<Item = &'l BackupLabel>,
    ) -> BackupLabel {
        let date = date(dates, time);
        let of_the_date = there.filter_map(|label| match label {
            BackupLabel::Dated(other, number) if *other == date => Some(*number),
            _ => None,
        });
        let number = of_the_date.max().map_or(0, |number| number.saturating_add(1));
        BackupLabel::Dated(date, number)
    }

    /// The name of the log without its extension, and the extension.
    fn parts(&self) -> (&str, &str) {
        match self.log.rfind('.') {
            None | Some(0) => (self.log, ""),
            Some(dot) => self.log.split_at(dot),
        }
    }
}

/// A date in a format.
pub fn date(format: &DateFormat, time: LocalTime) -> String {
    let item = |item: &DateItem| match item {
        DateItem::Separator(letter) => letter.to_string(),
        DateItem::Part(DatePart::Year) => format!("{:04}", time.year),
        DateItem::Part(DatePart::Month) => format!("{:02}", time.month),
        DateItem::Part(DatePart::Day) => format!("{:02}", time.day),
        DateItem::Part(DatePart::Hour) => format!("{:02}", time.hour),
        DateItem::Part(DatePart::Minute) => format!("{:02}", time.minute),
        DateItem::Part(DatePart::Second) => format!("{:02}", time.second),
    };
    format.items().iter().map(item).collect()
}

/// How long the date is that a text begins with; none where it begins with none.
fn length_of_date(format: &DateFormat, text: &str) -> Option<usize> {
    let mut rest = text;
    for item in format.items() {
        rest = match item {
            DateItem::Separator(letter) => rest.strip_prefix(*letter)?,
            DateItem::Part(part) => {
                let (digits, rest) = rest.split_at_checked(part.width())?;
                digits.bytes().all(|digit| digit.is_ascii_digit()).then_some(rest)?
            }
        };
    }
    Some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: LocalTime =
        LocalTime { year: 2026, month: 11, day: 3, hour: 4, minute: 5, second: 6, weekday: 2, utc_offset: 0 };

    fn format(text: &str) -> DateFormat {
        DateFormat::parse(text).expect("a format")
    }

    fn dated(date: &str, number: u32) -> BackupLabel {
        BackupLabel::Dated(date.to_owned(), number)
    }

    #[test]
    fn a_date_stands_before_the_extension() {
        for (log, text, expected) in [
            ("web.log", "%Y%m%d", "web-20261103.log"),
            ("web", "%Y-%m-%d", "web-2026-11-03"),
            (".hidden", "%Y", ".hidden-2026"),
            ("a.b.log", "%Y%m%dT%H%M%S", "a.b-20261103T040506.log"),
        ] {
            let dates = format(text);
            let names = BackupNames { log, dates: Some(&dates) };
            let label = names.next(&dates, TIME, [].iter());
            assert_eq!(names.name(&label), expected);
            assert_eq!(names.label(expected), Some(label));
        }
    }

    #[test]
    fn a_second_one_of_a_date_gets_a_number() {
        let dates = format("%Y%m%d");
        let names = BackupNames { log: "web.log", dates: Some(&dates) };
        let there = [dated("20261103", 0), dated("20261103", 4), dated("20261102", 9), BackupLabel::Number(7)];
        let label = names.next(&dates, TIME, there.iter());
        assert_eq!(
            label,
            dated("20261103", 5),
            "a number that was used is not used again while its successors are there"
        );
        assert_eq!(names.name(&label), "web-20261103.log.5");
        assert_eq!(names.label("web-20261103.log.5"), Some(label));
    }

    #[test]
    fn other_files_are_none() {
        let dates = format("%Y%m%d");
        let names = BackupNames { log: "web.log", dates: Some(&dates) };
        for other in [
            "web.log",
            "web.log.1",
            "web-2026110.log",
            "web-202611033.log",
            "web-2026110x.log",
            "web-20261103.log.0",
            "web-20261103.log.01",
            "web-20261103.log.x",
            "web-20261103.txt",
            "web-20261103",
            "web-api.log",
            "web-api-20261103.log",
            "web-ü",
            "other-20261103.log",
        ] {
            assert_eq!(names.label(other), None, "{other}");
        }
        assert_eq!(names.find("web-20261103.log.5.gz"), Some((dated("20261103", 5), LogCompression::Gzip)));
        assert_eq!(names.find("web-20261103.log.zst"), Some((dated("20261103", 0), LogCompression::Zstd)));
        assert_eq!(names.find("web-20261103.log.bz2"), None);
        assert_eq!(names.find("web.log.gz"), None);
        let numbered = BackupNames { log: "web.log", dates: None };
        assert_eq!(numbered.label("web.log.3"), Some(BackupLabel::Number(3)));
        assert_eq!(numbered.label("web-20261103.log"), None);
    }
}
