//! How the restarts of a program are spaced and limited, as text.

use std::fmt;
use std::time::Duration;

use crate::complaint::Complaint;
use crate::duration;
use crate::model::{Backoff, RecycleAfter, RestartLimit};
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::suggest::did_you_mean;

/// The times of the restarts within the window are kept in memory and in the state.
const MOST_RESTARTS: u32 = 1000;

/// `fixed`, `linear` or `exponential`, in any case.
pub fn backoff(text: &str) -> Result<Backoff, Complaint> {
    let words = [Backoff::Fixed, Backoff::Linear, Backoff::Exponential];
    words.into_iter().find(|backoff| backoff.word() == text.to_lowercase()).ok_or_else(|| {
        Complaint::quoting("not a valid backoff: ", repr(text), "").advise(did_you_mean(text, words.map(Backoff::word)))
    })
}

/// A decimal number from 0 to 1.
pub fn fraction(text: &str) -> Result<f64, Complaint> {
    let stripped = strip(text);
    let is_decimal = stripped.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match stripped.parse::<f64>() {
        Ok(number) if is_decimal && number <= 1.0 => Ok(number),
        Ok(_) if is_decimal => Err(Complaint::quoting("", stripped, " is above upper bound (1)")),
        _ => {
            let percent = stripped.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
            let advice = percent.map(|number| format!("write {}", number / 100.0));
            Err(Complaint::quoting("not a number from 0 to 1: ", repr(text), "").advise(advice))
        }
    }
}

/// `COUNT/DURATION`, or `unlimited` in any case.
pub fn limit_of_restarts(text: &str) -> Result<RestartLimit, Complaint> {
    let stripped = strip(text);
    if stripped.eq_ignore_ascii_case("unlimited") {
        return Ok(RestartLimit::Unlimited);
    }
    let invalid = || Complaint::quoting("not a valid limit of restarts: ", repr(text), "");
    let Some((count, window)) = stripped.split_once('/') else {
        let is_count = !stripped.is_empty() && stripped.bytes().all(|byte| byte.is_ascii_digit());
        return Err(invalid().advise(is_count.then(|| format!("write {stripped}/60s"))));
    };
    let restarts: u32 = strip(count).parse().map_err(|_| invalid())?;
    if !(1..=MOST_RESTARTS).contains(&restarts) {
        let bound = if restarts == 0 { "below lower bound (1)" } else { "above upper bound (1000)" };
        let advice = (restarts == 0).then(|| "autorestart=false restarts nothing".to_owned());
        return Err(Complaint::quoting("", restarts.to_string(), format!(" is {bound}")).advise(advice));
    }
    let window = duration::parse(window)?;
    if window == Duration::ZERO {
        return Err(invalid().advise("write unlimited to allow any number of restarts".to_owned()));
    }
    Ok(RestartLimit::Within { restarts, window })
}

/// The shortest time after which a program is recycled.
const SOONEST: Duration = Duration::from_secs(1);

/// `DURATION`, `DURATION±DURATION`, or `DURATION+-DURATION` for those who write ASCII.
pub fn time_to_recycle(text: &str) -> Result<RecycleAfter, Complaint> {
    let (after, spread) = match text.split_once('±').or_else(|| text.split_once("+-")) {
        Some((after, spread)) => (after, Some(spread)),
        None => (text, None),
    };
    let after = duration::parse(after)?;
    let spread = spread.map_or(Ok(Duration::ZERO), duration::parse)?;
    match after.checked_sub(spread).filter(|soonest| *soonest >= SOONEST) {
        Some(_) => Ok(RecycleAfter { after, spread }),
        None => {
            let advice = match spread.is_zero() {
                true => "write 1s or more".to_owned(),
                false => format!("write a spread that leaves at least 1s of {}", duration::Shown(after)),
            };
            Err(Complaint::quoting("too short a time to run: ", repr(text), "").advise(advice))
        }
    }
}

impl RecycleAfter {
    /// The latest time.
    pub fn latest(self) -> Duration {
        self.after + self.spread
    }
}

/// As it may be written.
impl fmt::Display for RecycleAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", duration::Shown(self.after))?;
        if self.spread.is_zero() { Ok(()) } else { write!(f, "±{}", duration::Shown(self.spread)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_run_may_be_spread() {
        let minutes = |after: u64, spread: u64| RecycleAfter {
            after: Duration::from_secs(60 * after),
            spread: Duration::from_secs(60 * spread),
        };
        for (text, expected, shown) in [
            ("6h", minutes(360, 0), "6h"),
            ("6h±20m", minutes(360, 20), "6h±20min"),
            ("6h+-20min", minutes(360, 20), "6h±20min"),
            (" 90 min ± 60 ", minutes(90, 1), "90min±1min"),
        ] {
            assert_eq!(time_to_recycle(text), Ok(expected), "{text}");
            assert_eq!(expected.to_string(), shown);
            assert_eq!(time_to_recycle(shown), Ok(expected));
        }
        for text in ["", "6h±", "±1h", "6h-20m", "6h±20x", "6h±20min±1"] {
            assert!(advice(time_to_recycle(text)).0.starts_with("not a valid duration: "), "{text}");
        }
        assert_eq!(advice(time_to_recycle("0")).1.as_deref(), Some("write 1s or more"));
        let (text, advice) = advice(time_to_recycle("10s±10s"));
        assert_eq!(text, "too short a time to run: '10s±10s'");
        assert_eq!(advice.as_deref(), Some("write a spread that leaves at least 1s of 10s"));
    }

    fn advice<T>(result: Result<T, Complaint>) -> (String, Option<String>) {
        let complaint = result.err().unwrap();
        (complaint.to_string(), complaint.advice().map(str::to_owned))
    }

    #[test]
    fn a_backoff_is_one_of_three_words() {
        assert_eq!(backoff("Exponential"), Ok(Backoff::Exponential));
        let (text, advice) = advice(backoff("exponental"));
        assert_eq!(
            (&*text, advice.as_deref()),
            ("not a valid backoff: 'exponental'", Some("did you mean exponential?"))
        );
    }

    #[test]
    fn a_fraction_is_from_0_to_1() {
        assert_eq!([fraction("0"), fraction("0.25"), fraction(" 1 ")], [Ok(0.0), Ok(0.25), Ok(1.0)]);
        assert_eq!(advice(fraction("1.5")).0, "1.5 is above upper bound (1)");
        for text in ["", "nan", "inf", "-0.5", "1e-3", ".", "a"] {
            assert_eq!(advice(fraction(text)).0, format!("not a number from 0 to 1: {}", repr(text)));
        }
        assert_eq!(advice(fraction("25%")).1.as_deref(), Some("write 0.25"));
    }

    #[test]
    fn a_limit_is_a_number_of_restarts_within_a_time() {
        let within = |restarts, seconds| Ok(RestartLimit::Within { restarts, window: Duration::from_secs(seconds) });
        assert_eq!(limit_of_restarts("5/60s"), within(5, 60));
        assert_eq!(limit_of_restarts(" 1000 / 1h "), within(1000, 3600));
        assert_eq!(limit_of_restarts("Unlimited"), Ok(RestartLimit::Unlimited));
        assert_eq!(advice(limit_of_restarts("5")).1.as_deref(), Some("write 5/60s"));
        assert_eq!(advice(limit_of_restarts("0/60")).0, "0 is below lower bound (1)");
        assert_eq!(advice(limit_of_restarts("1001/60")).0, "1001 is above upper bound (1000)");
        assert_eq!(advice(limit_of_restarts("5/1sec")).1.as_deref(), Some("write 1s"));
        for text in ["", "x/60", "5/0", "-5/60"] {
            assert_eq!(advice(limit_of_restarts(text)).0, format!("not a valid limit of restarts: {}", repr(text)));
        }
    }
}
