use proptest::prelude::*;

use super::*;

/// Feeds bytes and takes all messages, accepting every result.
fn feed_all(listener: &mut ListenerProtocol, bytes: &[u8]) -> Vec<ListenerOutput> {
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

fn busy() -> ListenerProtocol {
    let mut listener = ListenerProtocol::new();
    assert_eq!(feed_all(&mut listener, b"READY\n"), [ListenerOutput::Ready]);
    listener.sent();
    listener
}

fn result(bytes: &[u8]) -> ListenerOutput {
    ListenerOutput::Result(bytes.to_vec())
}

/// A listener whose output may have been missed.
fn with_possible_loss(mut listener: ListenerProtocol) -> ListenerProtocol {
    listener.output_may_be_missing();
    listener
}

#[test]
fn an_unexpected_message_shows_that_output_was_missed() {
    let mut listener = with_possible_loss(busy());
    assert_eq!(feed_all(&mut listener, b"RESULT 2\nOKREADY\n"), [result(b"OK"), ListenerOutput::Ready]);
    assert_eq!(feed_all(&mut listener, b"RESULT 4\nFAIL"), []);
    assert_eq!(listener.state(), ListenerState::Busy);
    assert_eq!(feed_all(&mut listener, b"READY\n"), [ListenerOutput::Resynchronized(b"RESULT 4\nFAIL".to_vec())]);
    assert_eq!(listener.state(), ListenerState::Ready);
    assert_eq!(feed_all(&mut listener, b"x"), [ListenerOutput::ProtocolError], "all is known again");
    assert_eq!(feed_all(&mut with_possible_loss(busy()), b"READY\n"), [ListenerOutput::Resynchronized(Vec::new())]);
    let mut listener = with_possible_loss(ListenerProtocol::new());
    assert_eq!(feed_all(&mut listener, b"RESULT 2\nOK"), []);
    assert_eq!(feed_all(&mut listener, b"READY\n"), [ListenerOutput::Resynchronized(b"RESULT 2\nOK".to_vec())]);
}

#[test]
fn unparsable_output_is_kept_only_up_to_a_limit() {
    let mut listener = with_possible_loss(ListenerProtocol::presumed_ready());
    for _ in 0..64 {
        assert_eq!(feed_all(&mut listener, &vec![b'x'; MAX_RESULT / 16]), []);
        assert!(listener.buffer.len() <= MAX_RESULT);
    }
    assert!(matches!(feed_all(&mut listener, b"READY\n").as_slice(), [ListenerOutput::Resynchronized(_)]));
}

#[test]
fn a_listener_processes_several_events() {
    let mut listener = ListenerProtocol::new();
    for _ in 0..3 {
        assert_eq!(listener.state(), ListenerState::Acknowledged);
        assert_eq!(feed_all(&mut listener, b"READY\n"), [ListenerOutput::Ready]);
        listener.sent();
        assert_eq!(feed_all(&mut listener, b"RESULT 2\nOK"), [result(b"OK")]);
    }
}

#[test]
fn readiness_may_follow_the_result_directly() {
    assert_eq!(feed_all(&mut busy(), b"RESULT 2\nOKREADY\n"), [result(b"OK"), ListenerOutput::Ready]);
}

#[test]
fn fewer_than_six_bytes_are_incomplete_even_when_wrong() {
    let mut listener = ListenerProtocol::new();
    assert_eq!(feed_all(&mut listener, b"hello"), []);
    assert_eq!(listener.state(), ListenerState::Acknowledged);
    assert_eq!(feed_all(&mut listener, b"!"), [ListenerOutput::ProtocolError]);
    assert_eq!(listener.state(), ListenerState::Unknown);
}

#[test]
fn a_ready_listener_must_be_silent() {
    let mut listener = ListenerProtocol::new();
    assert_eq!(feed_all(&mut listener, b"READY\nREADY\n"), [ListenerOutput::Ready, ListenerOutput::ProtocolError]);
    assert_eq!(feed_all(&mut listener, b"READY\n"), []);
    assert_eq!(listener.state(), ListenerState::Unknown);
}

#[test]
fn the_word_before_the_length_is_not_checked() {
    assert_eq!(feed_all(&mut busy(), b"resULT \t+0_2 \nOK"), [result(b"OK")]);
}

#[test]
fn an_empty_result_is_complete_at_once() {
    assert_eq!(feed_all(&mut busy(), b"RESULT 0\n"), [result(b"")]);
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
        assert_eq!(
            feed_all(&mut listener, &[line, b"\nREADY\n"].concat()),
            [ListenerOutput::BadResultLine(line.to_vec())]
        );
        assert_eq!(listener.state(), ListenerState::Unknown);
    }
}

#[test]
fn a_line_that_never_ends_is_bad() {
    let mut listener = busy();
    assert_eq!(feed_all(&mut listener, &[b'x'; MAX_RESULT_LINE - 1]), []);
    assert_eq!(feed_all(&mut listener, b"xx"), [ListenerOutput::BadResultLine(vec![b'x'; MAX_RESULT_LINE])]);
}

#[test]
fn the_longest_result_is_accepted() {
    let bytes = vec![b'r'; MAX_RESULT];
    let mut listener = busy();
    assert_eq!(feed_all(&mut listener, format!("RESULT {MAX_RESULT}\n").as_bytes()), []);
    assert_eq!(feed_all(&mut listener, &bytes), [ListenerOutput::Result(bytes)]);
}

#[test]
fn no_message_follows_a_result_before_its_judgement() {
    let mut listener = busy();
    listener.feed(b"RESULT 2\nOKREADY\n");
    assert_eq!(listener.next_output(), Some(result(b"OK")));
    assert_eq!((listener.next_output(), listener.state()), (None, ListenerState::Busy));
    listener.judged(true);
    assert_eq!(listener.state(), ListenerState::Acknowledged);
    assert_eq!(listener.next_output(), Some(ListenerOutput::Ready));
}

#[test]
fn a_failing_handler_ends_the_protocol() {
    let mut listener = busy();
    listener.feed(b"RESULT 2\nOKREADY\n");
    listener.next_output();
    listener.judged(false);
    assert_eq!((listener.next_output(), listener.state()), (None, ListenerState::Unknown));
}

/// The messages of a listener that gets an event as soon as it is ready, so that only the bytes decide.
fn messages(pieces: &[Vec<u8>]) -> (Vec<ListenerOutput>, ListenerState) {
    let mut listener = ListenerProtocol::new();
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
    fn the_split_of_the_bytes_does_not_matter(
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
        prop_assert_eq!(messages(&pieces), messages(&[bytes]));
    }
}
