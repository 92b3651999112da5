//! Dates in the names of rotated logs, as they are written: `%Y%m%d`.

use std::borrow::Cow;
use std::fmt;

use crate::complaint::Complaint;
use crate::pyrepr::repr;
use crate::pytext::strip;

/// What stands between the parts of a date.
const SEPARATORS: &str = "-_.T";

/// A part of a date, the most significant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatePart {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl DatePart {
    const ALL: [(DatePart, char); 6] = [
        (DatePart::Year, 'Y'),
        (DatePart::Month, 'm'),
        (DatePart::Day, 'd'),
        (DatePart::Hour, 'H'),
        (DatePart::Minute, 'M'),
        (DatePart::Second, 'S'),
    ];

    /// How many digits it has.
    pub const fn width(self) -> usize {
        match self {
            DatePart::Year => 4,
            _ => 2,
        }
    }

    fn letter(self) -> char {
        DatePart::ALL.into_iter().find(|(part, _)| *part == self).map_or('Y', |(_, letter)| letter)
    }
}

/// A piece of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateItem {
    Part(DatePart),
    Separator(char),
}

/// A format of dates: parts of fixed width, each less significant than the one before, so that names sort as dates do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateFormat(Box<[DateItem]>);

impl DateFormat {
    /// What a text means.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<DateFormat, Complaint> {
        let complaint =
            |advice: String| Err(Complaint::quoting("not a valid format of dates: ", repr(text), "").advise(advice));
        let (mut items, mut last) = (Vec::new(), None);
        let mut letters = strip(text).chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                if !SEPARATORS.contains(letter) {
                    return complaint(format!("between %Y, %m, %d, %H, %M and %S write one of {SEPARATORS}"));
                }
                items.push(DateItem::Separator(letter));
                continue;
            }
            let letter = letters.next();
            let Some((part, _)) = DatePart::ALL.into_iter().find(|(_, known)| Some(*known) == letter) else {
                return complaint("use %Y, %m, %d, %H, %M and %S, such as %Y%m%d".to_owned());
            };
            if last.is_none() && part != DatePart::Year || last.is_some_and(|last| last >= part) {
                return complaint(
                    "write the parts in the order %Y, %m, %d, %H, %M, %S, so that names sort by time".to_owned(),
                );
            }
            last = Some(part);
            items.push(DateItem::Part(part));
        }
        if last.is_none() {
            return complaint("write a format such as %Y%m%d".to_owned());
        }
        Ok(DateFormat(items.into()))
    }

    /// Its pieces, in order.
    pub fn items(&self) -> &[DateItem] {
        &self.0
    }

    /// The text with percent signs that survive the expansion of names: those of a format are written once.
    pub fn escape(text: &str) -> Cow<'_, str> {
        let mut escaped = String::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            escaped.push(letter);
            match letters.peek() {
                Some('%') if letter == '%' => escaped.extend(letters.next()),
                Some('(') | None => {}
                Some(_) if letter == '%' => escaped.push('%'),
                Some(_) => {}
            }
        }
        escaped.into()
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|item| match item {
            DateItem::Part(part) => write!(f, "%{}", part.letter()),
            DateItem::Separator(letter) => write!(f, "{letter}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_shown_as_it_is_written() {
        for text in ["%Y%m%d", "%Y-%m-%dT%H.%M.%S", "%Y%m%d-%H", "%Y"] {
            assert_eq!(DateFormat::parse(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_does_not_sort_by_time_is_refused() {
        for (text, part) in [
            ("", "such as %Y%m%d"),
            ("-", "such as %Y%m%d"),
            ("%d%m%Y", "in the order"),
            ("%m%d", "in the order"),
            ("%Y%Y", "in the order"),
            ("%Y%j", "use %Y"),
            ("%Y%", "use %Y"),
            ("%Y/%m", "write one of"),
            ("web-%Y", "write one of"),
        ] {
            let complaint = DateFormat::parse(text).expect_err(text);
            assert!(complaint.advice().is_some_and(|advice| advice.contains(part)), "{text}: {complaint:?}");
        }
    }

    #[test]
    fn percent_signs_need_not_be_doubled() {
        for (text, escaped) in [("%Y%m", "%%Y%%m"), ("%%Y", "%%Y"), ("%(x)s%Y", "%(x)s%%Y"), ("%", "%"), ("", "")] {
            assert_eq!(DateFormat::escape(text), escaped);
        }
    }
}
