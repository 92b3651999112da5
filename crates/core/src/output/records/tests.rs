use std::time::{Duration, Instant};

use proptest::prelude::*;
use supervisord_wire::calendar::LocalTime;
use supervisord_wire::calendar::utc;

use super::*;
use crate::output::Channel;
use crate::output::cuts::{cut, cuts};

const SOURCE: RecordSource<'_> =
    RecordSource { program: "web", group: "app", process: "web_03", number: 3, channel: Channel::Stdout };

fn records(format: &str) -> Records {
    let format = LogFormat::parse(format).unwrap();
    let mut records = Records::new(RecordPlan::new(&format, &SOURCE, Some(77)).unwrap());
    let wall = Duration::from_millis(1_796_040_000_123);
    records.set_time(ReadTime { wall, local: LocalTime { utc_offset: 3600, hour: 13, ..utc(wall) } });
    records
}

fn run(mut records: Records, pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    pieces.iter().for_each(|piece| out.append(&mut records.push(piece)));
    out.append(&mut records.finish());
    assert!(records.is_at_rest());
    out
}

fn lines(format: &str, text: &[u8]) -> Vec<String> {
    let out = String::from_utf8(run(records(format), &[text])).expect("text");
    assert!(out.is_empty() || out.ends_with('\n'));
    out.lines().map(str::to_owned).collect()
}

#[test]
fn text_says_when_whose_and_what() {
    let head = "2026-11-30T12:00:00.123Z app:web_03 stdout | ";
    assert_eq!(lines("text", b"a\r\n\nb \rc"), [format!("{head}a"), head.to_owned(), format!("{head}b \rc")]);
    assert!(lines("text", b"").is_empty());
}

#[test]
fn json_is_one_object_for_each_line() {
    let head =
        r#"{"time":"2026-11-30T12:00:00.123Z","program":"web","group":"app","number":3,"pid":77,"stream":"stdout""#;
    let expected = [
        format!(r#"{head},"message":"a \"b\""}}"#),
        format!(r#"{head},"level":"error","message":"ERROR é\ufffd"}}"#).replace("\\ufffd", "\u{fffd}"),
    ];
    assert_eq!(lines("json", b"a \"b\"\nERROR \xc3\xa9\xff\n"), expected);
}

#[test]
fn a_template_has_its_fields() {
    let template = "%(time:%d.%m. %H:%M:%S.%L %z)s|%(time)s %(program)s %(group)s %(process)s %(pid)s %(stream)s %(level)s> %(message)s 5%%";
    assert_eq!(
        lines(template, b"WARN x\ny"),
        [
            "30.11. 13:00:00.123 +0100|2026-11-30T12:00:00.123Z web app web_03 77 stdout warn> WARN x 5%",
            "30.11. 13:00:00.123 +0100|2026-11-30T12:00:00.123Z web app web_03 77 stdout -> y 5%",
        ]
    );
}

#[test]
fn a_long_line_is_continued_and_no_character_divided() {
    let long = format!("{}€{}", "x".repeat(LONGEST - 1), "y".repeat(LONGEST));
    let found = lines("%(message)s", format!("{long}\r\nnext\n").as_bytes());
    let parts = [LONGEST - 1, 2 * LONGEST - 1];
    assert_eq!(
        found,
        [&long[..parts[0]], &format!("+{}", &long[parts[0]..parts[1]]), &format!("+{}", &long[parts[1]..]), "next"]
    );
    assert!(lines("json", long.as_bytes())[1].contains(r#","continued":true,"message":"€y"#));
    assert!(lines("text", long.as_bytes())[1].contains(" stdout + €y"));
    let exact = "z".repeat(LONGEST) + "\r\n";
    assert_eq!(lines("%(message)s", exact.as_bytes()), [&exact[..LONGEST]]);
}

#[test]
fn a_megabyte_without_a_line_feed_takes_little_memory() {
    let mut records = records("json");
    for _ in 0..256 {
        records.push(&[0xff; 4096]);
        assert!(records.line.bytes.len() <= LONGEST + 1);
    }
}

#[test]
fn what_is_noted_late_stands_in_the_next_record() {
    let plan = RecordPlan { pid: None, ..records("%(pid)s %(message)s").plan };
    let mut records = Records::new(plan.clone());
    assert!(!records.knows_process());
    records.push(b"a");
    records.set_pid(5);
    assert_eq!(records.push(b"b\n"), b"5 ab\n");
    records.set_plan(plan);
    assert_eq!(records.push(b"c\n"), b"5 c\n");
}

#[test]
fn a_marker_is_told_from_lines() {
    let marker = |format| String::from_utf8(records(format).marker("web ended, exit status 3")).unwrap();
    assert_eq!(marker("text"), "2026-11-30T12:00:00.123Z app:web_03 stdout * web ended, exit status 3\n");
    assert!(marker("json").ends_with(",\"marker\":true,\"message\":\"web ended, exit status 3\"}\n"));
    assert_eq!(marker("%(level)s %(message)s"), "- * web ended, exit status 3\n");
}

/// Lines of all lengths, some of them near the limit.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let near = (LONGEST - 5..LONGEST + 6).prop_map(|length| vec![b'x'; length]);
    let piece = prop_oneof![
        3 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        2 => Just("é€😀".as_bytes().to_vec()),
        3 => proptest::collection::vec(any::<u8>(), 0..9),
        1 => near,
        1 => Just("€".repeat(LONGEST / 2).into_bytes()),
    ];
    proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

/// The bytes of the lines that records were made of.
fn messages(records: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for record in records.split_inclusive(|byte| *byte == b'\n') {
        match record.strip_prefix(b"A+") {
            Some(rest) => {
                all.pop();
                all.extend_from_slice(rest);
            }
            None => all.extend_from_slice(&record[1..]),
        }
    }
    all
}

/// The lines of a text with line feeds alone, the last one too.
fn plain(text: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        all.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        all.push(b'\n');
    }
    all
}

proptest! {
    #[test]
    fn cuts_make_no_difference(text in texts(), cuts in cuts(), format in prop::sample::select(vec!["text", "json", "%(level)s %(message)s"])) {
        prop_assert_eq!(run(records(format), &cut(&text, &cuts)), run(records(format), &[&text]));
    }

    #[test]
    fn nothing_is_lost(text in texts(), cuts in cuts()) {
        // A plus that a line begins with would be taken for a mark.
        let text: Vec<u8> = text.into_iter().filter(|byte| *byte != b'+').collect();
        let found = run(records("A%(message)s"), &cut(&text, &cuts));
        prop_assert_eq!(messages(&found), plain(&text));
    }

    #[test]
    fn another_goes_on_from_the_note(text in texts(), cuts in cuts()) {
        let mut out = Vec::new();
        let mut last = records("json");
        let time = last.time;
        for piece in cut(&text, &cuts) {
            let mut note = Vec::new();
            last.note(&mut note);
            let mut rest = &note[..];
            last = Records::from_note(&mut rest).unwrap();
            prop_assert!(rest.is_empty());
            prop_assert!((0..note.len().min(40)).all(|end| Records::from_note(&mut &note[..end]).is_none()));
            last.set_time(time);
            out.append(&mut last.push(piece));
        }
        out.append(&mut last.finish());
        prop_assert_eq!(out, run(records("json"), &[&text]));
    }
}

/// How fast records are made: `cargo test --release -p supervisord-core --lib -- --ignored --nocapture speed_of_records`.
#[test]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures, and prints for who runs it")]
#[ignore = "it prints numbers, which differ from machine to machine"]
fn speed_of_records() {
    let line = "2026-11-30 12:00:00,123 INFO request 0123456789 took 17 ms and read 4096 bytes from the disk of web\n";
    let piece = line.repeat((128 << 10) / line.len());
    for format in ["text", "json", "%(time:%F %T)s [%(level)s] %(message)s"] {
        let (mut records, start) = (records(format), Instant::now());
        let mut made = 0;
        let rounds = (1 << 30) / piece.len();
        for round in 0..rounds as u64 {
            let wall = Duration::from_millis(round);
            records.set_time(ReadTime { wall, local: utc(wall) });
            made += records.push(piece.as_bytes()).len();
        }
        let seconds = start.elapsed().as_secs_f64();
        println!("{format}: {seconds:.2} s per GiB read, {} bytes written", made);
    }
}
