//! Values from text. Every complaint is in the original's words.

use crate::complaint::Complaint;
use crate::dependency::OnDependencyFailure;
use crate::disk_reserve::DiskReserve;
use crate::expand::arithmetic::{NoValue, evaluate};
use crate::host::DaemonHost;
use crate::model::{ActivityFormat, AutoRestart, ExitWhen, LogLevel, StopScope, UpdateMode, WhenBlocked};
use crate::pyrepr::repr;
use crate::pytext::{digit, strip};
use crate::suggest::did_you_mean;
use crate::words;

/// What stands for the number of processors.
const CPUS: &str = "cpus";

/// A whole number in any base up to ten; what does not fit counts as the largest (or smallest) that does.
fn number(text: &str, base: u32) -> Option<i64> {
    let text = strip(text);
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let digits = match digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")) {
        Some(rest) if base == 8 => rest.strip_prefix('_').unwrap_or(rest),
        _ => digits,
    };
    let mut size: i64 = 0;
    let mut after_digit = false;
    for c in digits.chars() {
        if c == '_' && after_digit {
            after_digit = false;
            continue;
        }
        let value = digit(c).filter(|&value| value < base)?;
        size = size.saturating_mul(i64::from(base)).saturating_add(i64::from(value));
        after_digit = true;
    }
    after_digit.then_some(if negative { -size } else { size })
}

/// A decimal number, with optional sign, white space around it and single underscores between digits.
pub fn integer(text: &str) -> Result<i64, Complaint> {
    number(text, 10).ok_or_else(|| {
        Complaint::quoting("invalid literal for int() with base 10: ", repr(text), "").advise(without_unit(text))
    })
}

/// What to write for a number of seconds with a unit, which options do not have.
fn without_unit(text: &str) -> Option<String> {
    let text = strip(text).to_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|&digits| digits > 0)?;
    let seconds = match strip(&text[digits..]) {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        _ => return None,
    };
    Some(format!("write {}", number(&text[..digits], 10)?.saturating_mul(seconds)))
}

/// `yes true on 1` or `no false off 0`, in any case.
pub fn boolean(text: &str) -> Result<bool, Complaint> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(Complaint::quoting("not a valid boolean value: ", repr(text), "")
            .advise(did_you_mean(text, ["true", "false"]))),
    }
}

/// A number of bytes, with `KB`, `MB` or `GB` (in any case) for powers of 1024. The error shows what is left of the
/// text in lower case without the suffix, as the original's does.
pub fn byte_size(text: &str) -> Result<i64, Complaint> {
    let lower = text.to_lowercase();
    for (suffix, factor) in [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)] {
        if let Some(rest) = lower.strip_suffix(suffix) {
            return integer(rest).map(|size: i64| size.saturating_mul(factor));
        }
    }
    integer(&lower).map_err(|complaint| complaint.advise(with_unit(&lower)))
}

/// How much of a disk is to stay free.
///
/// # Errors
/// What is wrong with it.
pub fn disk_reserve(text: &str) -> Result<DiskReserve, Complaint> {
    let complaint = || Complaint::quoting("not a valid reserve of a disk: ", repr(text), "");
    if let Some(percent) = strip(text).strip_suffix('%') {
        let percent = strip(percent).parse().ok().filter(|percent| (1..=99).contains(percent));
        let advice = || complaint().advise("write a percentage from 1% to 99%".to_owned());
        return percent.map(DiskReserve::Percent).ok_or_else(advice);
    }
    let bytes = byte_size(text)
        .map_err(|wrong| complaint().advise(wrong.advice().map_or("write 500MB or 5%".to_owned(), str::to_owned)))?;
    match u64::try_from(bytes) {
        Ok(bytes) if bytes > 0 => Ok(DiskReserve::Bytes(bytes)),
        _ => Err(complaint().advise("write a size above 0, or remove the option".to_owned())),
    }
}

/// What to write for a size with a unit that is none of the three.
fn with_unit(lower: &str) -> Option<String> {
    let lower = strip(lower);
    let digits = lower.find(|c: char| !c.is_ascii_digit()).filter(|&digits| digits > 0)?;
    let unit = match strip(&lower[digits..]) {
        "k" | "ki" | "kib" => "KB",
        "m" | "mi" | "mib" => "MB",
        "g" | "gi" | "gib" => "GB",
        _ => return None,
    };
    Some(format!("write {}{unit}", &lower[..digits]))
}

/// Permission bits in octal. Negative numbers are refused: as a mask they would mean something else than written.
pub fn octal(text: &str) -> Result<u32, Complaint> {
    let bits = number(text, 8).and_then(|bits| u32::try_from(bits).ok());
    bits.ok_or_else(|| Complaint::quoting("", text, " can not be converted to an octal type"))
}

/// The name of a level, in any case.
pub fn log_level(text: &str) -> Result<LogLevel, Complaint> {
    Ok(match text.to_lowercase().as_str() {
        "critical" => LogLevel::Critical,
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        "trace" => LogLevel::Trace,
        "blather" => LogLevel::Blather,
        _ => {
            let names = ["critical", "error", "warn", "info", "debug", "trace", "blather"];
            return Err(Complaint::quoting("bad logging level name ", repr(text), "").advise(did_you_mean(text, names)));
        }
    })
}

/// Exit statuses separated by commas; empty for none.
pub fn exit_codes(text: &str) -> Result<Vec<i32>, Complaint> {
    let code = |item: &str| u8::try_from(integer(item).ok()?).ok().map(i32::from);
    let codes: Option<Vec<i32>> = strings(text).iter().map(|item| code(item)).collect();
    codes.ok_or_else(|| Complaint::quoting("not a valid list of exit codes: ", repr(text), ""))
}

/// Items separated by commas, without the white space around them; empty for none.
pub fn strings(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { text.split(',').map(|item| strip(item).to_owned()).collect() }
}

/// A whole number, or an expression with `cpus`, which is how many processors there are; that is at least 1.
pub(crate) fn count(text: &str, host: &dyn DaemonHost) -> Result<i64, Complaint> {
    if !text.contains(CPUS) {
        return integer(text);
    }
    let value_of = |name: &str| match name {
        CPUS => Ok(host.processors()),
        other => Err(NoValue::Unknown(other.to_owned())),
    };
    match strip(text) {
        CPUS => Ok(host.processors()),
        expression => match evaluate(expression, &value_of) {
            Ok(number) => Ok(number.max(1)),
            Err(NoValue::Bad(reason)) => {
                Err(Complaint::quoting("", repr(text), format!(" cannot be calculated: {reason}")))
            }
            Err(NoValue::NotAnExpression | NoValue::Unknown(_)) => integer(text),
        },
    }
}

/// Words that are separated by commas, each once.
pub fn labels(text: &str) -> Result<Vec<String>, Complaint> {
    let mut labels: Vec<String> = Vec::new();
    for word in strings(strip(text)) {
        let is_part = |letter: char| letter.is_alphanumeric() || ['.', '-', '_'].contains(&letter);
        if word.is_empty() || !word.chars().all(is_part) {
            let advice = word.strip_prefix('@').map(|tag| format!("write {tag}; the @ belongs to selectors"));
            return Err(Complaint::quoting("not a valid tag: ", repr(&word), "").advise(advice));
        }
        if !labels.contains(&word) {
            labels.push(word);
        }
    }
    Ok(labels)
}

/// Paths of files of variables, as they are written.
pub fn environment_files(text: &str) -> Result<Vec<String>, Complaint> {
    let files = strings(strip(text));
    match files.iter().find(|file| ["", "-"].contains(&file.as_str())) {
        Some(_) => {
            let complaint = Complaint::quoting("not a list of files: ", repr(text), "");
            Err(complaint.advise("a path is missing before or behind a comma".to_owned()))
        }
        None => Ok(files),
    }
}

/// A command line that consists of at least one word.
pub fn command(text: &str) -> Result<String, Complaint> {
    match words::split(text) {
        Ok(words) if words.first().is_some_and(|program| !program.is_empty()) => Ok(strip(text).to_owned()),
        Ok(_) => {
            let complaint = Complaint::quoting("not a valid command: ", repr(text), " has no program");
            Err(complaint.advise("write a program with its arguments, or remove the line".to_owned()))
        }
        Err(error) => Err(Complaint::quoting("not a valid command: ", repr(text), format!(" ({error})"))
            .advise("commands are split like in a shell, but are not run by one".to_owned())),
    }
}

/// The name of a program, process or group, without the white space around it.
pub fn name(text: &str) -> Result<String, Complaint> {
    let name = strip(text);
    if name.is_empty() {
        let complaint = Complaint::quoting("Invalid name: ", repr(text), " because it is empty");
        return Err(complaint.advise("write at least one letter or digit".to_owned()));
    }
    match [" ", ":", "/"].into_iter().find(|forbidden| name.contains(forbidden)) {
        Some(forbidden) => {
            let reason = format!(" because of character: {}", repr(forbidden));
            let advice = match forbidden {
                ":" => "leave out the colon; a [group:NAME] section puts the name of a group before it",
                _ => "write _ or - in its place",
            };
            Err(Complaint::quoting("Invalid name: ", repr(text), reason).advise(advice.to_owned()))
        }
        None => Ok(name.to_owned()),
    }
}

/// A boolean or `unexpected`, in any case.
pub fn auto_restart(text: &str) -> Result<AutoRestart, Complaint> {
    let lower = text.to_lowercase();
    match boolean(&lower) {
        Ok(true) => Ok(AutoRestart::Always),
        Ok(false) => Ok(AutoRestart::Never),
        Err(_) if lower == "unexpected" => Ok(AutoRestart::Unexpected),
        Err(_) => Err(Complaint::quoting("invalid 'autorestart' value ", repr(&lower), "")
            .advise(did_you_mean(&lower, ["true", "false", "unexpected"]))),
    }
}

/// When the daemon ends by itself, in any case.
pub fn exit_when(text: &str) -> Result<ExitWhen, Complaint> {
    let lower = strip(text).to_lowercase();
    ExitWhen::ALL.into_iter().find(|when| when.word() == lower).ok_or_else(|| {
        let words = ExitWhen::ALL.map(ExitWhen::word);
        Complaint::quoting("invalid exit condition ", repr(text), "").advise(did_you_mean(&lower, words))
    })
}

/// What an update of the configuration restarts, in any case.
pub fn update_mode(text: &str) -> Result<UpdateMode, Complaint> {
    let lower = strip(text).to_lowercase();
    UpdateMode::from_word(&lower).ok_or_else(|| {
        let words = UpdateMode::ALL.map(UpdateMode::word);
        Complaint::quoting("invalid 'update' value ", repr(text), "").advise(did_you_mean(&lower, words))
    })
}

/// In which form the entries of the activity log are, in any case.
pub fn activity_format(text: &str) -> Result<ActivityFormat, Complaint> {
    let lower = strip(text).to_lowercase();
    ActivityFormat::ALL.into_iter().find(|format| format.word() == lower).ok_or_else(|| {
        let words = ActivityFormat::ALL.map(ActivityFormat::word);
        Complaint::quoting("invalid format of the activity log ", repr(text), "").advise(did_you_mean(&lower, words))
    })
}

/// What happens to output that a log cannot take, in any case.
pub fn when_blocked(text: &str) -> Result<WhenBlocked, Complaint> {
    let lower = strip(text).to_lowercase();
    let complaint = || Complaint::quoting("invalid policy for a log ", repr(text), "");
    if let Some(size) = lower.strip_prefix("spill") {
        let bytes = size.strip_prefix(':').and_then(|size| byte_size(strip(size)).ok());
        let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
        let advice = || complaint().advise("write how much may wait in a file, for example spill:64MB".to_owned());
        return bytes.map(WhenBlocked::Spill).ok_or_else(advice);
    }
    WhenBlocked::ALL.into_iter().find(|policy| policy.word() == lower).ok_or_else(|| {
        let words = WhenBlocked::ALL.map(WhenBlocked::word);
        complaint().advise(did_you_mean(&lower, words))
    })
}

/// Whom the signals of a stop reach, in any case.
pub fn stop_scope(text: &str) -> Result<StopScope, Complaint> {
    let lower = strip(text).to_lowercase();
    StopScope::ALL.into_iter().find(|scope| scope.word() == lower).ok_or_else(|| {
        let words = StopScope::ALL.map(StopScope::word);
        Complaint::quoting("invalid scope of signals ", repr(text), "").advise(did_you_mean(&lower, words))
    })
}

/// Names separated by commas, each of which is there; empty for none.
pub fn dependencies(text: &str) -> Result<Vec<String>, Complaint> {
    let names = strings(text);
    match names.iter().any(|name| name.is_empty()) {
        true => {
            let complaint = Complaint::quoting("not a list of names: ", repr(text), "");
            Err(complaint.advise("a name is missing before or behind a comma".to_owned()))
        }
        false => Ok(names),
    }
}

/// `ignore`, `stop` or `restart`, in any case.
pub fn dependency_reaction(text: &str) -> Result<OnDependencyFailure, Complaint> {
    let lower = text.to_lowercase();
    OnDependencyFailure::from_word(&lower).ok_or_else(|| {
        let words = OnDependencyFailure::ALL.map(OnDependencyFailure::word);
        Complaint::quoting("not a reaction to a failure: ", repr(text), "").advise(did_you_mean(&lower, words))
    })
}

/// A TCP port.
pub fn port(text: &str) -> Result<u16, Complaint> {
    let number = integer(text)?;
    if number < 1 {
        return Err(Complaint::quoting("", number.to_string(), " is below lower bound (1)"));
    }
    u16::try_from(number).map_err(|_| Complaint::quoting("", number.to_string(), " is above upper bound (65535)"))
}

/// `PORT`, `:PORT`, `*:PORT` or `HOST:PORT`, where an IPv6 address may stand in brackets. The host is in lower case,
/// without brackets, and empty for all interfaces.
pub fn inet_address(text: &str) -> Result<(String, u16), Complaint> {
    let Some((host, number)) = text.rsplit_once(':') else {
        // The blank at the end is the original's.
        return port(text)
            .map(|port| (String::new(), port))
            .map_err(|_| Complaint::quoting("not a valid port number: ", repr(text), " "));
    };
    if number.is_empty() {
        return Err("no port number specified in ''".to_owned().into());
    }
    let port = port(number)?;
    let host = host.to_lowercase();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    Ok((if host == "*" { String::new() } else { host.to_owned() }, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_saturate() {
        let huge = "9".repeat(30);
        assert_eq!(integer(&huge), Ok(i64::MAX));
        assert_eq!(byte_size(&format!("{huge}GB")), Ok(i64::MAX));
        assert_eq!(byte_size("9999999999GB"), Ok(i64::MAX));
        assert!(integer(&format!("-{huge}")).is_ok_and(|number| number <= -i64::MAX));
    }

    #[test]
    fn a_policy_may_have_a_size() {
        for policy in WhenBlocked::ALL.into_iter().chain([WhenBlocked::Spill(64 << 20)]) {
            assert_eq!(when_blocked(&policy.to_string()), Ok(policy));
        }
        assert_eq!(when_blocked(" Spill: 64MB "), Ok(WhenBlocked::Spill(64 << 20)));
        for text in ["spill", "spill:", "spill:0", "spill:-1", "spill:much", "spilled"] {
            let advice = when_blocked(text).expect_err(text).advice().map(str::to_owned);
            assert_eq!(advice.as_deref(), Some("write how much may wait in a file, for example spill:64MB"), "{text}");
        }
    }

    #[test]
    fn a_reserve_is_a_size_or_a_part() {
        for (text, reserve) in [
            ("500MB", DiskReserve::Bytes(500 << 20)),
            ("1", DiskReserve::Bytes(1)),
            ("5%", DiskReserve::Percent(5)),
            (" 5 % ", DiskReserve::Percent(5)),
        ] {
            assert_eq!(disk_reserve(text), Ok(reserve), "{text}");
            assert_eq!(disk_reserve(&reserve.to_string()), Ok(reserve));
        }
        for (text, advice) in [
            ("0%", "write a percentage from 1% to 99%"),
            ("100%", "write a percentage from 1% to 99%"),
            ("0", "write a size above 0, or remove the option"),
            ("-1", "write a size above 0, or remove the option"),
            ("500M", "write 500MB"),
            ("much", "write 500MB or 5%"),
        ] {
            assert_eq!(disk_reserve(text).expect_err(text).advice(), Some(advice), "{text}");
        }
    }
}
