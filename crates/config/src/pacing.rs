//! How the restarts of a program are spaced and limited, as text.

use std::time::Duration;

use crate::complaint::Complaint;
use crate::duration;
use crate::model::{Backoff, RestartLimit};
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(advice(limit_of_restarts("5/1m")).1.as_deref(), Some("write 1min"));
        for text in ["", "x/60", "5/0", "-5/60"] {
            assert_eq!(advice(limit_of_restarts(text)).0, format!("not a valid limit of restarts: {}", repr(text)));
        }
    }
}
