use proptest::prelude::*;

use super::super::{encode_fault, encode_response};
use super::*;
use crate::fault::FaultCode;
use crate::info::ProcessInfo;
use crate::state::ProcessState;

fn info(number: usize) -> ProcessInfo {
    ProcessInfo {
        name: format!("p{number}"),
        group: "grp".into(),
        start: -1,
        stop: 0,
        now: 1,
        state: ProcessState::ALL[number % 8],
        spawnerr: ["", "can't find <it> & \"that\"\r\n", "ünï\u{fffd}"][number % 3].into(),
        exitstatus: -1,
        stdout_logfile: "/x".into(),
        stderr_logfile: String::new(),
        pid: 7,
        description: "d".into(),
    }
}

/// What an item reader makes of a document that comes in pieces of this size.
fn read<T: FromMembers>(document: &[u8], size: usize) -> Result<Result<Option<Vec<T>>, Fault>, DecodeError> {
    let mut reader = ItemReader::default();
    document.chunks(size).for_each(|piece| reader.push(piece));
    reader.finish()
}

/// What the decoder for all documents makes of it.
fn read_whole<T: FromMembers>(document: &[u8]) -> Result<Result<Option<Vec<T>>, Fault>, DecodeError> {
    let mut items = Some(Vec::new());
    let give = |item: Value| keep(&mut items, item.into_members().and_then(|mut item| T::from_members(&mut item)));
    let answer = decode_items(document, give)?;
    Ok(answer.map(|answer| items.filter(|_| answer == Value::Array(vec![]))))
}

/// Reads a few members of every kind, and says of each whether it is there.
#[derive(Debug, PartialEq)]
struct Probe([Option<String>; 2], [Option<i64>; 2], [Option<bool>; 2]);

impl FromMembers for Probe {
    fn from_members(members: &mut impl Members) -> Option<Probe> {
        let texts = ["a", "b&"].map(|name| members.text(name));
        Some(Probe(texts, ["c", "d"].map(|name| members.number(name)), ["e", "f"].map(|name| members.truth(name))))
    }
}

#[test]
fn processes_are_read_while_they_arrive() {
    let infos: Vec<ProcessInfo> = (0..100).map(info).collect();
    let document = encode_response(&infos[..]);
    for size in [1, 7, 100, 1000, document.len()] {
        assert_eq!(read(document.as_bytes(), size), Ok(Ok(Some(infos.clone()))), "{size}");
    }
    let mut reader = ItemReader::<ProcessInfo>::default();
    for piece in document.as_bytes()[..document.len() - 100].chunks(1000) {
        reader.push(piece);
        assert!(reader.unread.len() < 2000, "no more than an item is kept, and none is left to the other decoder");
    }
    assert_eq!(reader.items.as_deref(), Some(&infos[..99]));
}

#[test]
fn an_answer_that_is_something_else_is_told_apart() {
    let fault = Fault::new(FaultCode::ShutdownState);
    assert_eq!(read::<ProcessInfo>(encode_fault(&fault).as_bytes(), 10), Ok(Err(fault)));
    for other in [Value::Bool(true), Value::Array(vec![Value::Int(1)]), Value::Array(vec![Value::Struct(vec![])])] {
        assert_eq!(read::<ProcessInfo>(encode_response(&other).as_bytes(), 10), Ok(Ok(None)), "{other:?}");
    }
    let cut = &encode_response(&[info(1), info(2)][..]).into_bytes()[..900];
    assert!(matches!(read::<ProcessInfo>(cut, 10), Err(DecodeError::Malformed(_))));
    assert!(matches!(read::<ProcessInfo>(b"", 10), Err(DecodeError::Malformed(_))));
}

#[test]
fn an_item_of_any_length_is_read() {
    let mut long = info(1);
    long.description = "x".repeat(3 * LONGEST_ITEM);
    let infos = vec![info(0), long, info(2)];
    assert_eq!(read(encode_response(&infos[..]).as_bytes(), 64 << 10), Ok(Ok(Some(infos))));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => "[ -~\t\r\n]{0,6}|\\PC{0,3}".prop_map(Value::Str),
        2 => any::<i64>().prop_map(Value::Int),
        2 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Nil),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| proptest::collection::vec(inner, 0..3).prop_map(Value::Array))
}

fn items() -> impl Strategy<Value = Vec<Value>> {
    let name = proptest::sample::select(vec!["a", "b&", "c", "d", "e", "f"]).prop_map(str::to_owned);
    let members = proptest::collection::vec((name, value()), 0..8);
    proptest::collection::vec(members.prop_map(Value::Struct), 0..6)
}

proptest! {
    #[test]
    fn every_document_is_read_as_by_the_other_decoder(
        items in items(),
        size in 1_usize..200,
        damage in proptest::option::of((any::<prop::sample::Index>(), 0_usize..3, any::<u8>())),
    ) {
        let mut document = encode_response(&items[..]).into_bytes();
        if let Some((place, removed, inserted)) = damage {
            let place = place.index(document.len());
            let end = document.len().min(place + removed);
            document.splice(place..end, [inserted]);
        }
        let (read, whole) = (read::<Probe>(&document, size), read_whole::<Probe>(&document));
        match (read, whole) {
            // What is wrong with it may be found at another place first.
            (Err(_), Err(_)) => {}
            (read, whole) => prop_assert_eq!(read, whole),
        }
    }
}
