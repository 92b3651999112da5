use proptest::prelude::*;

use super::*;
use crate::output::cuts::{cut, cuts};

/// Parts with their bytes, adjacent ones of a kind joined: the result does not depend on the split.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Plain(Vec<u8>),
    Captured(Vec<u8>),
    Section(Held),
    Unfinished(Held),
}

fn note(seen: &mut Vec<Seen>, part: Part<'_>) {
    match (part, seen.last_mut()) {
        (Part::Plain(bytes), Some(Seen::Plain(before))) => before.extend_from_slice(bytes),
        (Part::Captured(bytes), Some(Seen::Captured(before))) => before.extend_from_slice(bytes),
        (Part::Plain(bytes), _) => seen.push(Seen::Plain(bytes.to_vec())),
        (Part::Captured(bytes), _) => seen.push(Seen::Captured(bytes.to_vec())),
        (Part::Section(held), _) => seen.push(Seen::Section(held)),
        (Part::Unfinished(held), _) => seen.push(Seen::Unfinished(held)),
    }
}

fn scan(limit: u64, chunks: &[&[u8]]) -> Vec<Seen> {
    let mut capture = Capture::new(limit);
    let mut seen = Vec::new();
    for chunk in chunks {
        capture.push(chunk, &mut |part| note(&mut seen, part));
    }
    capture.finish(&mut |part| note(&mut seen, part));
    seen
}

fn plain(text: &str) -> Seen {
    Seen::Plain(text.as_bytes().to_vec())
}

fn captured(text: &str) -> Seen {
    Seen::Captured(text.as_bytes().to_vec())
}

fn section(text: &str, dropped: u64) -> Seen {
    Seen::Section(Held { bytes: text.as_bytes().to_vec(), dropped })
}

#[test]
fn a_section_is_captured() {
    let seen = scan(100, &[b"a<!--XSUPERVISOR:BEGIN-->b<!--XSUPERVISOR:END-->c"]);
    assert_eq!(seen, [plain("a"), captured("b"), section("b", 0), plain("c")]);
}

#[test]
fn short_output_is_not_held_back() {
    let mut capture = Capture::new(100);
    let mut seen = Vec::new();
    capture.push(b"hello\n", &mut |part| note(&mut seen, part));
    assert_eq!(seen, [plain("hello\n")]);
    capture.push(b"x<!--X", &mut |part| note(&mut seen, part));
    assert_eq!(seen, [plain("hello\nx")]);
    capture.push(b"Y", &mut |part| note(&mut seen, part));
    assert_eq!(seen, [plain("hello\nx<!--XY")]);
}

#[test]
fn a_held_back_beginning_is_flushed_at_the_end() {
    assert_eq!(scan(100, &[b"tail<!--XSUP"]), [plain("tail<!--XSUP")]);
}

#[test]
fn a_nested_begin_and_a_stray_end_are_data() {
    let seen = scan(100, &[b"<!--XSUPERVISOR:END-->", BEGIN, b"1", BEGIN, b"2", END]);
    let inside = "1<!--XSUPERVISOR:BEGIN-->2";
    assert_eq!(seen, [plain("<!--XSUPERVISOR:END-->"), captured(inside), section(inside, 0)]);
}

#[test]
fn an_empty_section_is_a_section() {
    assert_eq!(scan(100, &[BEGIN, END]), [section("", 0)]);
}

#[test]
fn the_limit_is_exact_and_keeps_the_newest() {
    assert_eq!(scan(3, &[BEGIN, b"ab", b"cd", b"e", END]).last(), Some(&section("cde", 2)));
    assert_eq!(scan(3, &[BEGIN, b"abcdefgh", END]).last(), Some(&section("fgh", 5)));
}

#[test]
fn an_unfinished_section_is_emitted() {
    let seen = scan(4, &[b"x", BEGIN, b"abcdef", b"<!--"]);
    let held = Held { bytes: b"<!--".to_vec(), dropped: 6 };
    assert_eq!(seen, [plain("x"), captured("abcdef<!--"), Seen::Unfinished(held)]);
}

#[test]
fn clearing_keeps_the_mode() {
    let mut capture = Capture::new(100);
    let mut seen = Vec::new();
    capture.push(BEGIN, &mut |part| note(&mut seen, part));
    capture.push(b"old", &mut |part| note(&mut seen, part));
    capture.clear();
    capture.push(b"new", &mut |part| note(&mut seen, part));
    capture.push(END, &mut |part| note(&mut seen, part));
    assert_eq!(seen, [captured("oldnew"), section("new", 0)]);
}

/// Text in which tokens and broken tokens are likely.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let bit = prop_oneof![
        Just(BEGIN.to_vec()),
        Just(END.to_vec()),
        Just(BEGIN[..9].to_vec()),
        Just(END[..20].to_vec()),
        Just(b"<".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(bit, 0..8).prop_map(|bits| bits.concat())
}

proptest! {
    #[test]
    fn cuts_make_no_difference(text in text(), cuts in cuts(), limit in 1u64..40) {
        prop_assert_eq!(scan(limit, &cut(&text, &cuts)), scan(limit, &[&text]));
    }

    #[test]
    fn nothing_is_lost_but_tokens(text in text()) {
        let mut bytes = Vec::new();
        let mut inside = false;
        for seen in scan(1000, &[&text]) {
            match seen {
                Seen::Plain(plain) => bytes.extend(plain),
                Seen::Captured(captured) => {
                    bytes.extend_from_slice(BEGIN);
                    bytes.extend(captured);
                    inside = true;
                }
                Seen::Section(held) => {
                    if !inside {
                        prop_assert!(held.bytes.is_empty());
                        bytes.extend_from_slice(BEGIN);
                    }
                    bytes.extend_from_slice(END);
                    inside = false;
                }
                Seen::Unfinished(_) => {
                    if !inside {
                        bytes.extend_from_slice(BEGIN);
                    }
                }
            }
        }
        prop_assert_eq!(bytes, text);
    }
}
