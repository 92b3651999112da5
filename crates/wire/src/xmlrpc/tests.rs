use proptest::prelude::*;

use super::decode::decode_items;
use super::*;
use crate::fault::{Fault, FaultCode};
use crate::info::ProcessInfo;
use crate::state::ProcessState;
use crate::value::Value;

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn structure(members: &[(&str, Value)]) -> Value {
    Value::Struct(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// The one argument of a call, from its XML.
fn argument(xml: &str) -> Result<Value, DecodeError> {
    let body = format!("<methodCall><methodName>m</methodName><params><param>{xml}</param></params></methodCall>");
    decode_call(body.as_bytes()).map(|(_, mut params)| {
        assert_eq!(params.len(), 1, "{xml}");
        params.remove(0)
    })
}

fn value(inner: &str) -> Result<Value, DecodeError> {
    argument(&format!("<value>{inner}</value>"))
}

#[test]
fn a_response_looks_like_the_original() {
    let state = structure(&[("statecode", Value::Int(1)), ("statename", text("RUNNING"))]);
    assert_eq!(
        encode_response(&state),
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><struct>\n<member>\n<name>statecode</name>\n\
         <value><int>1</int></value>\n</member>\n<member>\n<name>statename</name>\n<value><string>RUNNING</string></value>\n\
         </member>\n</struct></value>\n</param>\n</params>\n</methodResponse>\n"
    );
    let lists = Value::Array(vec![Value::Array(vec![]), Value::Bool(true), text("")]);
    assert_eq!(
        encode_response(&lists),
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n<value><array><data>\n\
         </data></array></value>\n<value><boolean>1</boolean></value>\n<value><string></string></value>\n\
         </data></array></value>\n</param>\n</params>\n</methodResponse>\n"
    );
}

#[test]
fn a_fault_looks_like_the_original() {
    assert_eq!(
        encode_fault(&Fault::new(FaultCode::UnknownMethod)),
        "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n\
         <value><int>1</int></value>\n</member>\n<member>\n<name>faultString</name>\n\
         <value><string>UNKNOWN_METHOD</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n"
    );
}

#[test]
fn a_call_looks_like_the_one_of_pythons_client() {
    assert_eq!(
        encode_call("a.b", &[text("x"), Value::Int(-1)]),
        "<?xml version='1.0'?>\n<methodCall>\n<methodName>a.b</methodName>\n<params>\n<param>\n\
         <value><string>x</string></value>\n</param>\n<param>\n<value><int>-1</int></value>\n</param>\n</params>\n</methodCall>\n"
    );
    assert_eq!(
        encode_call("a.b", &[]),
        "<?xml version='1.0'?>\n<methodCall>\n<methodName>a.b</methodName>\n<params>\n</params>\n</methodCall>\n"
    );
}

/// The text between `<value>` and `</value>` of a one-value response.
fn encoded(value: Value) -> String {
    let document = encode_response(&value);
    let (_, rest) = document.split_once("<param>\n<value>").expect("the document has a value");
    rest.strip_suffix("</value>\n</param>\n</params>\n</methodResponse>\n").expect("one value").to_owned()
}

#[test]
fn other_types_look_like_those_of_pythons_library() {
    assert_eq!(encoded(Value::Double(1e16)), "<double>1e+16</double>");
    assert_eq!(
        encoded(Value::DateTime("20200102T03:04:05".into())),
        "<dateTime.iso8601>20200102T03:04:05</dateTime.iso8601>"
    );
    assert_eq!(encoded(Value::Base64(b"abc".to_vec())), "<base64>\nYWJj\n</base64>");
    let two_lines = encoded(Value::Base64(vec![0; 58]));
    assert_eq!(two_lines, format!("<base64>\n{}\nAA==\n</base64>", "A".repeat(76)));
    assert_eq!(encoded(Value::Nil), "<nil/>");
}

#[test]
fn integers_are_clamped_to_32_bits() {
    assert_eq!(encoded(Value::Int(i64::MAX)), "<int>2147483647</int>");
    assert_eq!(encoded(Value::Int(-3_000_000_000)), "<int>-2147483648</int>");
}

#[test]
fn text_is_escaped_and_always_legal() {
    assert_eq!(encoded(text("<a href=\"x\">&'")), "<string>&lt;a href=\"x\"&gt;&amp;'</string>");
    assert_eq!(encoded(text("a\tb\r\nc\x7f\u{85}é")), "<string>a\tb&#13;\nc\x7f\u{85}é</string>");
    assert_eq!(
        encoded(text("\0\x1b[m\u{fffe}\u{ffff}\u{fffd}ﾀ")),
        "<string>\u{fffd}\u{fffd}[m\u{fffd}\u{fffd}\u{fffd}ﾀ</string>"
    );
}

#[test]
fn a_process_has_the_members_of_the_original_in_its_order() {
    let info = ProcessInfo {
        name: "a<b".into(),
        group: "g".into(),
        start: i64::MAX,
        stop: 0,
        now: 1,
        state: ProcessState::Fatal,
        spawnerr: "can't".into(),
        exitstatus: -1,
        stdout_logfile: "/x".into(),
        stderr_logfile: String::new(),
        pid: 7,
        description: "d".into(),
    };
    let value = decode_response(encode_response(&info).as_bytes()).unwrap().unwrap();
    let Value::Struct(members) = &value else { panic!("{value:?}") };
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    let expected = "name group start stop now state statename spawnerr exitstatus logfile stdout_logfile stderr_logfile pid \
         description";
    assert_eq!(names.join(" "), expected);
    assert_eq!((value.member("statename"), value.member("logfile")), (Some(&text("FATAL")), Some(&text("/x"))));
    assert_eq!(ProcessInfo::from_value(value.clone()), Some(ProcessInfo { start: i32::MAX.into(), ..info.clone() }));
    assert_eq!(encode_response(&info), encode_response(&value), "no different from any other struct");
    let mut item = String::new();
    info.encode(&mut item);
    assert_eq!(item.len(), info.encoded_len());
    let [begin, end] = ARRAY_RESPONSE;
    assert_eq!(format!("{begin}{item}{end}"), encode_response(&Value::Array(vec![value.clone()])));
    assert_eq!(encode_response(&[info][..]), encode_response(&Value::Array(vec![value])));
}

#[test]
fn decode_items_passes_on_only_the_items_of_an_array() {
    let given = |value: &Value| {
        let mut items = Vec::new();
        let rest = decode_items(encode_response(value).as_bytes(), |item| items.push(item)).unwrap().unwrap();
        (items, rest)
    };
    let items = vec![Value::Array(vec![text("a"), Value::Array(vec![Value::Int(1)])]), structure(&[("b", text("c"))])];
    assert_eq!(given(&Value::Array(items.clone())), (items.clone(), Value::Array(vec![])));
    for other in [text("x"), structure(&[("list", Value::Array(items))])] {
        assert_eq!(given(&other), (vec![], other));
    }
    let fault = encode_fault(&Fault::new(FaultCode::BadName));
    let refused = decode_items(fault.as_bytes(), |item| panic!("{item:?}")).unwrap();
    assert_eq!(refused, Err(Fault::new(FaultCode::BadName)));
}

#[test]
fn an_array_can_grow_item_by_item() {
    let mut array = EncodedArray::default();
    assert_eq!((array.len(), encode_response(&array)), (0, encode_response(&Value::Array(vec![]))));
    array.push(&Value::Int(1));
    array.push(&Fault::new(FaultCode::BadName));
    let fault = structure(&[("faultCode", Value::Int(10)), ("faultString", text("BAD_NAME"))]);
    assert_eq!(encode_response(&array), encode_response(&Value::Array(vec![Value::Int(1), fault])));
}

#[test]
fn text_is_a_string() {
    for (xml, expected) in [
        ("x y", "x y"),
        ("", ""),
        (" <string>a</string> ", "a"),
        ("<string/>", ""),
        ("a<!--c-->b", "ab"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("<![CDATA[a\r\n<b>]]>", "a\n<b>"),
        ("a&#13;b&lt;&quot;&#x41;", "a\rb<\"A"),
        ("<i8>5</i8>", "5"),
        ("<foo>t<bar/>u</foo>", "t"),
        ("<foo> </foo>", " "),
        ("<string>t<bar/>u</string>", "t"),
        ("t<string>u</string>", "u"),
        ("<string>a</string><string>b</string>", "a"),
        ("<name>n</name>", "n"),
        ("<value>zz</value>", "zz"),
        ("<array><value>a</value></array>", "a"),
    ] {
        assert_eq!(value(xml), Ok(text(expected)), "{xml}");
    }
    assert_eq!(argument("<string>q</string>"), Ok(text("q")));
}

#[test]
fn base64_is_text_in_a_request_and_bytes_in_an_answer() {
    assert_eq!(value("<base64>Y*W\nJj</base64>"), Ok(text("abc")));
    assert_eq!(value("<base64/>"), Ok(text("")));
    assert_eq!(value("<base64>/w==</base64>"), Err(DecodeError::BadContent("base64")));
    assert_eq!(value("<base64>YWJ</base64>"), Err(DecodeError::BadContent("base64")));
    let bytes = Value::Base64(vec![0xff, 0]);
    assert_eq!(decode_response(encode_response(&bytes).as_bytes()), Ok(Ok(bytes)));
}

#[test]
fn scalars_are_read_as_the_original_reads_them() {
    for (xml, expected) in [
        ("<int> +1_0 </int>", Value::Int(10)),
        ("<i4>-3</i4>", Value::Int(-3)),
        ("<boolean>1</boolean>", Value::Bool(true)),
        ("<boolean> 1 </boolean>", Value::Bool(false)),
        ("<boolean>true</boolean>", Value::Bool(false)),
        ("<boolean/>", Value::Bool(false)),
        ("<double> 1_0.5 </double>", Value::Double(10.5)),
        ("<double>1e400</double>", Value::Double(f64::INFINITY)),
        ("<dateTime.iso8601>20200102T03:04:05</dateTime.iso8601>", Value::DateTime("20200102T03:04:05".into())),
        ("<nil/>", Value::Nil),
        ("<foo/>", Value::Nil),
        ("<fault><value>x</value></fault>", Value::Nil),
        ("<member><name>a</name><value>1</value></member>", Value::Nil),
    ] {
        assert_eq!(value(xml), Ok(expected), "{xml}");
    }
    for (xml, tag) in [
        ("<int>1__0</int>", "int"),
        ("<int/>", "int"),
        ("<double/>", "double"),
        ("<dateTime.iso8601>20201302T03:04:05</dateTime.iso8601>", "dateTime.iso8601"),
        ("<dateTime.iso8601>2020-01-02T03:04:05</dateTime.iso8601>", "dateTime.iso8601"),
    ] {
        assert_eq!(value(xml), Err(DecodeError::BadContent(tag)), "{xml}");
    }
}

#[test]
fn containers_are_read_by_position() {
    let items = Value::Array(vec![text("a"), Value::Int(1), Value::Nil]);
    for (xml, expected) in [
        ("<array><data/></array>", Value::Array(vec![])),
        ("<data/>", Value::Array(vec![])),
        ("<array><data> <value>a</value><value><int>1</int></value> <value><nil/></value></data></array>", items),
        ("<struct/>", Value::Struct(vec![])),
        ("<struct><member><value>b</value><name>a</name></member></struct>", structure(&[("b", text("a"))])),
        ("<struct><member><name/><value>b</value></member></struct>", structure(&[("", text("b"))])),
        ("<struct><member><int>1</int><int>2</int></member></struct>", structure(&[("1", Value::Int(2))])),
        (
            "<struct><member><name>a</name><value>b</value></member><member><name>c</name><value/></member>\
             <member><name>a</name><value>d</value></member></struct>",
            structure(&[("a", text("d")), ("c", text(""))]),
        ),
    ] {
        assert_eq!(value(xml), Ok(expected), "{xml}");
    }
    for (xml, tag) in [
        ("<array/>", "array"),
        ("<struct><member><name>a</name></member></struct>", "member"),
        ("<struct><member><name>a</name><value>b</value><x/></member></struct>", "member"),
        ("<struct><value>ab</value></struct>", "struct"),
    ] {
        assert_eq!(value(xml), Err(DecodeError::BadContent(tag)), "{xml}");
    }
    assert_eq!(argument(""), Err(DecodeError::BadContent("param")));
}

#[test]
fn elements_around_the_method_name_are_ignored() {
    for body in [
        "<methodCall><methodName>m</methodName></methodCall>",
        "<foo><bar><methodName>m</methodName></bar></foo>",
        "<methodName>m</methodName>",
        " <foo><methodName>m</methodName></foo>\n",
        "\u{feff}<foo><methodName>m</methodName></foo>",
        "<?xml version=\"1.0\" encoding=\"latin-1\"?><foo><methodName>m</methodName></foo>",
        "<?xml version='1.0'?>\n<foo><methodName>x</methodName><methodName>m</methodName></foo><!--x--><?pi x?>",
        "<foo><methodName>m</methodName><params>text</params></foo>",
    ] {
        assert_eq!(decode_call(body.as_bytes()), Ok(("m".to_owned(), vec![])), "{body}");
    }
    let last = "<c><params><param><value>b</value></param></params><methodName>m</methodName>\
                <params><value>a</value></params></c>";
    assert_eq!(decode_call(last.as_bytes()), Ok(("m".to_owned(), vec![text("a")])));
}

#[test]
fn a_request_needs_the_name_of_a_method() {
    for body in ["<a/>", "<a><methodName/></a>", "<a xmlns=\"x\"><methodName>m</methodName></a>"] {
        assert_eq!(decode_call(body.as_bytes()), Err(DecodeError::NoMethodName), "{body}");
    }
}

#[test]
fn only_well_formed_documents_are_read() {
    for body in [
        "",
        " ",
        " <?xml version='1.0'?><methodName>m</methodName>",
        "<methodName>m</methodName>x",
        "x<methodName>m</methodName>",
        "<methodName>m</methodName><b/>",
        "<methodName>m</methodName>&lt;",
        "<methodName>m",
        "<methodName>m</method>",
        "<a><methodName>m</methodName><1a/></a>",
        "<a><methodName>m</methodName><!-- a -- b --></a>",
        "<methodName>a]]>b</methodName>",
        "<methodName>a&#1;</methodName>",
        "<methodName>a&nope;</methodName>",
        "<methodName>a & b</methodName>",
        "<methodName>a\u{1}</methodName>",
        "<methodName a='1' a='2'>a</methodName>",
        "<methodName a=1>a</methodName>",
    ] {
        let read = decode_call(body.as_bytes());
        assert!(matches!(read, Err(DecodeError::Malformed(_))), "{body}: {read:?}");
    }
    assert_eq!(decode_call(b"<methodName>\xff</methodName>"), Err(DecodeError::Encoding));
}

#[test]
fn a_document_type_is_refused() {
    let body = "<!DOCTYPE a [<!ENTITY b 'c'>]><methodName>&b;</methodName>";
    assert_eq!(decode_call(body.as_bytes()), Err(DecodeError::Doctype));
}

#[test]
fn size_and_depth_are_limited() {
    let deep = format!("<methodName>{}", "<a>".repeat(100_000));
    assert_eq!(decode_call(deep.as_bytes()), Err(DecodeError::TooLarge("depth")));
    let many = format!("<a>{}</a>", "<b/>".repeat(500_000));
    assert_eq!(decode_call(many.as_bytes()), Err(DecodeError::TooLarge("elements")));
    assert_eq!(decode_call(&vec![b' '; MAX_CALL_BYTES + 1]), Err(DecodeError::TooLarge("bytes")));
}

#[test]
fn answers_are_values_or_faults() {
    let fault = Fault::with(FaultCode::BadName, "a&b");
    assert_eq!(decode_response(encode_fault(&fault).as_bytes()), Ok(Err(fault)));
    assert_eq!(decode_response(b"<methodResponse><params/></methodResponse>"), Err(DecodeError::NoAnswer));
    assert_eq!(decode_response(b"<a><fault><value>x</value></fault></a>"), Err(DecodeError::BadContent("fault")));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::Bool),
        any::<String>().prop_map(|text| Value::Str(text.chars().filter(|c| is_xml_char(*c)).collect())),
        any::<f64>().prop_filter("nan is not itself", |number| !number.is_nan()).prop_map(Value::Double),
        prop::collection::vec(any::<u8>(), 0..100).prop_map(Value::Base64),
        Just(Value::DateTime("20240229T23:59:59".to_owned())),
        Just(Value::Nil),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map("[a-z&<]{0,3}", inner, 0..5)
                .prop_map(|members| Value::Struct(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(value in values()) {
        prop_assert_eq!(decode_response(encode_response(&value).as_bytes()), Ok(Ok(value)));
    }

    #[test]
    fn any_text_gives_a_parsable_document(text in any::<String>()) {
        let document = encode_call("m", &[Value::Str(text)]);
        prop_assert!(decode_call(document.as_bytes()).is_ok());
    }

    #[test]
    fn no_body_makes_the_decoder_panic(body in "(<(/?(a|value|int|struct|member|name|params|methodName)/?>|!--|\\?|!\\[CDATA\\[|!DOCTYPE)|[a-z&;#\\]>]{0,3}| |\n){0,30}") {
        let _ = decode_call(body.as_bytes());
        let _ = decode_response(body.as_bytes());
    }
}
