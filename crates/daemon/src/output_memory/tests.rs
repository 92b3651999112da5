use super::*;

const CAPACITY: u64 = 5000;

fn plan(process: &str, bytes: u64) -> MemoryPlan {
    MemoryPlan { process: process.into(), bytes }
}

fn memory() -> Arc<OutputMemory> {
    Arc::default()
}

fn all(log: &MemoryLog) -> (u64, String) {
    let (range, bytes) = log.read(0..u64::MAX).expect("read");
    assert_eq!(range, log.extent().bytes);
    (range.start, String::from_utf8(bytes).expect("text"))
}

/// The same memory as another daemon finds it.
fn next(memory: &OutputMemory) -> Arc<OutputMemory> {
    let next = self::memory();
    next.take_over(memory.file().expect("a file")).expect("understood");
    next
}

#[test]
fn nothing_is_there_before_somebody_asks_for_it() {
    let memory = memory();
    assert!(memory.file().is_none() && memory.find("web", Channel::Stdout).is_none());
    memory.retain(|_, _| false);
    assert_eq!(memory.size(), 0);
}

#[test]
fn streams_are_apart_and_go_on_with_another_daemon_and_another_size() {
    let memory = memory();
    let stdout = memory.keep(&plan("web", CAPACITY), Channel::Stdout).expect("kept");
    let stderr = memory.keep(&plan("web", 3), Channel::Stderr).expect("kept");
    stdout.push(b"one\n").expect("pushed");
    stderr.push(b"12345").expect("pushed");
    let memory = next(&memory);
    let found = |channel| memory.find("web", channel).expect("found");
    assert_eq!(all(&found(Channel::Stdout)), (0, "one\n".to_owned()));
    assert_eq!(all(&found(Channel::Stderr)), (2, "345".to_owned()));
    let begun = found(Channel::Stderr).extent().beginning;
    let stderr = memory.keep(&plan("web", 10), Channel::Stderr).expect("kept");
    stderr.push(b"6").expect("pushed");
    assert_eq!((all(&stderr), stderr.extent().beginning), ((2, "3456".to_owned()), begun));
    let stderr = memory.keep(&plan("web", 2), Channel::Stderr).expect("kept");
    assert_eq!(all(&stderr), (4, "56".to_owned()));
    assert_eq!(all(&next(&memory).find("web", Channel::Stderr).expect("found")), (4, "56".to_owned()));
}

#[test]
fn a_stream_that_is_forgotten_or_cleared_makes_room() {
    let memory = memory();
    let log = memory.keep(&plan("web", 1 << 20), Channel::Stdout).expect("kept");
    log.push(&[b'x'; 1 << 20]).expect("pushed");
    let blocks = |memory: &OutputMemory| {
        let file = std::fs::File::from(memory.file().expect("a file"));
        std::os::unix::fs::MetadataExt::blocks(&file.metadata().expect("found"))
    };
    assert!(blocks(&memory) > 2000 && memory.size() > 1 << 20);
    log.clear().expect("cleared");
    assert!(blocks(&memory) < 100 && memory.size() < 10_000);
    log.push(b"new").expect("pushed");
    assert_eq!(all(&log), (0, "new".to_owned()));
    memory.forget("web", Channel::Stdout);
    assert!(memory.find("web", Channel::Stdout).is_none() && memory.size() == 0);
    log.push(b"to nobody").expect("nothing happens");
    assert_eq!(log.extent(), Extent::default());
    let length =
        |memory: &OutputMemory| std::fs::File::from(memory.file().expect("a file")).metadata().expect("found").len();
    let before = length(&memory);
    let other = next(&memory).keep(&plan("api", 1 << 20), Channel::Stdout).expect("kept");
    assert_eq!((all(&other), length(&memory)), ((0, String::new()), before), "the room is used again");
}

#[test]
fn what_is_not_understood_or_too_long_is_refused() {
    let memory = memory();
    assert!(memory.keep(&plan(&"x".repeat(5000), 10), Channel::Stdout).is_err());
    let file = supervisord_sys::exec::memory_file(&[1; 8192]).expect("a file");
    assert!(memory.take_over(file).is_err());
}

#[test]
fn a_daemon_that_is_killed_while_it_writes_leaves_what_was_there_before() {
    let memory = memory();
    let log = memory.keep(&plan("web", 10), Channel::Stdout).expect("kept");
    log.push(b"0123456789").expect("pushed");
    // It has said that three bytes will come, and written one of them.
    let file = std::fs::File::from(memory.file().expect("a file"));
    let write = |bytes: &[u8], place| std::os::unix::fs::FileExt::write_all_at(&file, bytes, place).expect("written");
    write(&13_u64.to_le_bytes(), 32);
    write(b"x", 4096);
    let log = next(&memory).find("web", Channel::Stdout).expect("found");
    assert_eq!(all(&log), (3, "3456789".to_owned()));
    log.push(b"abc").expect("pushed");
    assert_eq!(all(&log), (3, "3456789abc".to_owned()));
}

#[test]
fn it_has_the_end_of_what_was_pushed() {
    for capacity in 0..8 {
        for length in 0..6 {
            let memory = memory();
            let log = memory.keep(&plan("web", capacity), Channel::Stdout).expect("kept");
            let mut whole = String::new();
            for (number, letter) in ('a'..'k').enumerate() {
                let piece = letter.to_string().repeat(length * (number % 3 + 1));
                log.push(piece.as_bytes()).expect("pushed");
                whole += &piece;
                let start = whole.len() - whole.len().min(capacity as usize);
                assert_eq!(all(&log), (start as u64, whole[start..].to_owned()));
                assert_eq!(all(&next(&memory).find("web", Channel::Stdout).expect("found")), all(&log));
            }
            let size = whole.len() as u64;
            for from in 0..=size {
                let (range, bytes) = log.read(from..from + 2).expect("read");
                assert_eq!(bytes, whole.as_bytes()[range.start as usize..range.end as usize]);
                let expected = from.max(size.saturating_sub(capacity));
                assert_eq!(range, expected..(from + 2).clamp(expected, size));
            }
        }
    }
}
