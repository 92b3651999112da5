use proptest::prelude::*;

use super::*;

/// Feeds bytes and takes all output, accepting every result.
fn say(listener: &mut Listener, bytes: &[u8]) -> Vec<ListenerOutput> {
    listener.feed(bytes);
    let mut said = Vec::new();
    while let Some(output) = listener.next_output() {
        if matches!(output, ListenerOutput::Result(_)) {
            listener.judged(true);
        }
        said.push(output);
    }
    said
}

fn busy() -> Listener {
    let mut listener = Listener::new();
    assert_eq!(say(&mut listener, b"READY\n"), [ListenerOutput::Ready]);
    listener.sent();
    listener
}

fn result(bytes: &[u8]) -> ListenerOutput {
    ListenerOutput::Result(bytes.to_vec())
}

/// A listener of which something may have been missed.
fn doubted(mut listener: Listener) -> Listener {
    listener.doubt();
    listener
}

#[test]
fn who_may_have_missed_something_learns_it_from_a_word_out_of_turn() {
    let mut listener = doubted(busy());
    assert_eq!(say(&mut listener, b"RESULT 2\nOKREADY\n"), [result(b"OK"), ListenerOutput::Ready]);
    assert_eq!(say(&mut listener, b"RESULT 4\nFAIL"), []);
    assert_eq!(listener.state(), ListenerState::Busy);
    assert_eq!(say(&mut listener, b"READY\n"), [ListenerOutput::CaughtUp(b"RESULT 4\nFAIL".to_vec())]);
    assert_eq!(listener.state(), ListenerState::Ready);
    assert_eq!(say(&mut listener, b"x"), [ListenerOutput::ProtocolError], "all is known again");
    assert_eq!(say(&mut doubted(busy()), b"READY\n"), [ListenerOutput::CaughtUp(Vec::new())]);
    let mut listener = doubted(Listener::new());
    assert_eq!(say(&mut listener, b"RESULT 2\nOK"), []);
    assert_eq!(say(&mut listener, b"READY\n"), [ListenerOutput::CaughtUp(b"RESULT 2\nOK".to_vec())]);
}

#[test]
fn little_is_kept_of_what_cannot_be_understood() {
    let mut listener = doubted(Listener::presumed_ready());
    for _ in 0..64 {
        assert_eq!(say(&mut listener, &vec![b'x'; MAX_RESULT / 16]), []);
        assert!(listener.buffer.len() <= MAX_RESULT);
    }
    assert!(matches!(say(&mut listener, b"READY\n").as_slice(), [ListenerOutput::CaughtUp(_)]));
}

#[test]
fn a_conversation_goes_round() {
    let mut listener = Listener::new();
    for _ in 0..3 {
        assert_eq!(listener.state(), ListenerState::Acknowledged);
        assert_eq!(say(&mut listener, b"READY\n"), [ListenerOutput::Ready]);
        listener.sent();
        assert_eq!(say(&mut listener, b"RESULT 2\nOK"), [result(b"OK")]);
    }
}

#[test]
fn readiness_may_follow_the_result_directly() {
    assert_eq!(say(&mut busy(), b"RESULT 2\nOKREADY\n"), [result(b"OK"), ListenerOutput::Ready]);
}

#[test]
fn fewer_than_six_bytes_are_waited_for_even_when_wrong() {
    let mut listener = Listener::new();
    assert_eq!(say(&mut listener, b"hello"), []);
    assert_eq!(listener.state(), ListenerState::Acknowledged);
    assert_eq!(say(&mut listener, b"!"), [ListenerOutput::ProtocolError]);
    assert_eq!(listener.state(), ListenerState::Unknown);
}

#[test]
fn a_ready_listener_must_be_silent() {
    let mut listener = Listener::new();
    assert_eq!(say(&mut listener, b"READY\nREADY\n"), [ListenerOutput::Ready, ListenerOutput::ProtocolError]);
    assert_eq!(say(&mut listener, b"READY\n"), []);
    assert_eq!(listener.state(), ListenerState::Unknown);
}

#[test]
fn the_word_before_the_length_is_not_checked() {
    assert_eq!(say(&mut busy(), b"resULT \t+0_2 \nOK"), [result(b"OK")]);
}

#[test]
fn an_empty_result_is_complete_at_once() {
    assert_eq!(say(&mut busy(), b"RESULT 0\n"), [result(b"")]);
}

#[test]
fn a_line_without_a_usable_length_is_bad() {
    let too_long = format!("RESULT {}", MAX_RESULT + 1);
    let lines: [&[u8]; 7] = [
        b"RESULT x",
        b"RESULT -1",
        b"RESULT ",
        b"OK",
        b"RESULT \xff",
        b"RESULT 99999999999999999999",
        too_long.as_bytes(),
    ];
    for line in lines {
        let mut listener = busy();
        assert_eq!(say(&mut listener, &[line, b"\nREADY\n"].concat()), [ListenerOutput::BadResultLine(line.to_vec())]);
        assert_eq!(listener.state(), ListenerState::Unknown);
    }
}

#[test]
fn a_line_that_never_ends_is_bad() {
    let mut listener = busy();
    assert_eq!(say(&mut listener, &[b'x'; MAX_RESULT_LINE - 1]), []);
    assert_eq!(say(&mut listener, b"xx"), [ListenerOutput::BadResultLine(vec![b'x'; MAX_RESULT_LINE])]);
}

#[test]
fn the_longest_result_is_accepted() {
    let bytes = vec![b'r'; MAX_RESULT];
    let mut listener = busy();
    assert_eq!(say(&mut listener, format!("RESULT {MAX_RESULT}\n").as_bytes()), []);
    assert_eq!(say(&mut listener, &bytes), [ListenerOutput::Result(bytes)]);
}

#[test]
fn a_result_waits_for_its_judgement() {
    let mut listener = busy();
    listener.feed(b"RESULT 2\nOKREADY\n");
    assert_eq!(listener.next_output(), Some(result(b"OK")));
    assert_eq!((listener.next_output(), listener.state()), (None, ListenerState::Busy));
    listener.judged(true);
    assert_eq!(listener.state(), ListenerState::Acknowledged);
    assert_eq!(listener.next_output(), Some(ListenerOutput::Ready));
}

#[test]
fn a_failing_handler_ends_the_conversation() {
    let mut listener = busy();
    listener.feed(b"RESULT 2\nOKREADY\n");
    listener.next_output();
    listener.judged(false);
    assert_eq!((listener.next_output(), listener.state()), (None, ListenerState::Unknown));
}

/// Speech of a listener that is asked again as soon as it is ready, so that only the bytes decide.
fn conversation(pieces: &[Vec<u8>]) -> (Vec<ListenerOutput>, ListenerState) {
    let mut listener = Listener::new();
    let mut said = Vec::new();
    for piece in pieces {
        listener.feed(piece);
        while let Some(output) = listener.next_output() {
            match output {
                ListenerOutput::Ready => listener.sent(),
                ListenerOutput::Result(_) => listener.judged(true),
                _ => {}
            }
            said.push(output);
        }
    }
    (said, listener.state())
}

proptest! {
    #[test]
    fn it_does_not_matter_how_bytes_are_cut(
        words in prop::collection::vec(
            prop_oneof![
                5 => Just(b"READY\n".to_vec()),
                5 => prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| {
                    [format!("RESULT {}\n", bytes.len()).into_bytes(), bytes].concat()
                }),
                1 => prop::collection::vec(any::<u8>(), 0..10),
            ],
            0..12,
        ),
        sizes in prop::collection::vec(1..9usize, 1..9),
    ) {
        let bytes = words.concat();
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = after;
        }
        prop_assert_eq!(conversation(&pieces), conversation(&[bytes]));
    }
}
