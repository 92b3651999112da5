//! Output through stripping, capturing and watching: the result does not depend on how the output is split into reads.

use supervisord_core::output::ChannelPlan;
use supervisord_core::output::pipeline::{Piece, Pipeline};

/// The resulting pieces; adjacent pieces of one kind are joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    log: Vec<u8>,
    observed: Vec<u8>,
    sections: Vec<(Vec<u8>, u64)>,
    cut: u64,
}

fn note(seen: &mut Seen, piece: Piece<'_>) {
    match piece {
        Piece::Log(bytes) => seen.log.extend_from_slice(bytes),
        Piece::Records(bytes) => seen.log.extend_from_slice(&bytes),
        Piece::Unformatted(_) | Piece::Line { .. } => {}
        Piece::Observed(bytes) => seen.observed.extend_from_slice(&bytes),
        Piece::Section(held) => seen.sections.push((held.bytes, held.dropped)),
        Piece::Cut(bytes) => seen.cut += bytes,
    }
}

fn pass(output: &[u8], cuts: &[u8], capture: u64, strip: bool) -> Seen {
    let plan = ChannelPlan {
        file: None,
        maxbytes: 0,
        backups: 0,
        rotation_rules: None,
        capture_maxbytes: capture,
        events_enabled: true,
        syslog: false,
        keeps_end: false,
        records: None,
        markers: false,
        when_blocked: None,
        memory: None,
        forward: None,
        ready_line: None,
        is_private: false,
    };
    let mut pipeline = Pipeline::new(&plan, strip, true);
    let mut seen = Seen::default();
    let mut rest = output;
    for cut in cuts {
        let (now, later) = rest.split_at(usize::from(*cut).min(rest.len()));
        pipeline.push(now, &mut |piece| note(&mut seen, piece));
        rest = later;
    }
    pipeline.push(rest, &mut |piece| note(&mut seen, piece));
    pipeline.finish(&mut |piece| note(&mut seen, piece));
    seen
}

/// The first byte chooses the settings, the next eight the cuts, the rest is output.
pub fn run(data: &[u8]) {
    let Some((settings, rest)) = data.split_first() else { return };
    let (cuts, output) = rest.split_at(rest.len().min(8));
    let (capture, strip) = ([0, 1, 10, 1 << 20][usize::from(settings & 3)], settings & 4 != 0);
    let whole = pass(output, &[], capture, strip);
    assert_eq!(pass(output, cuts, capture, strip), whole, "cut by {cuts:?}");
    let single = vec![1; output.len()];
    assert_eq!(pass(output, &single, capture, strip), whole, "cut everywhere");
    if capture == 0 && !strip {
        assert_eq!(whole.log, output, "nothing is to be done");
    }
    for (bytes, _) in &whole.sections {
        assert!(bytes.len() as u64 <= capture, "more was kept than allowed");
    }
}
