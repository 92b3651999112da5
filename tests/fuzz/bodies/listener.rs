//! The output of a listener: the result does not depend on how it is split into reads, and little of it is buffered.

use supervisord_wire::listener::{ListenerOutput, ListenerProtocol, ListenerState, MAX_RESULT};

/// Everything the listener sent, when each READY is answered with an event at once.
fn converse<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<ListenerOutput>, ListenerState) {
    let mut listener = ListenerProtocol::new();
    let mut said = Vec::new();
    for piece in pieces {
        listener.feed(piece);
        while let Some(output) = listener.next_output() {
            match &output {
                ListenerOutput::Ready => listener.sent(),
                ListenerOutput::Result(result) => {
                    assert!(result.len() <= MAX_RESULT);
                    listener.judged(true);
                }
                ListenerOutput::Resynchronized(_) => panic!("nothing was missed"),
                ListenerOutput::BadResultLine(_) | ListenerOutput::ProtocolError => {
                    assert_eq!(listener.state(), ListenerState::Unknown);
                }
            }
            said.push(output);
        }
    }
    (said, listener.state())
}

pub fn run(data: &[u8]) {
    let whole = converse(std::iter::once(data));
    assert_eq!(converse(data.chunks(1)), whole);
    let size = data.first().map_or(1, |byte| usize::from(byte % 13) + 1);
    assert_eq!(converse(data.chunks(size)), whole);
}
