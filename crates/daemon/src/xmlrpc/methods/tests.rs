use super::*;

const ALL: Methods = Methods { supervisor: true };

fn parse(method: &str, arguments: &[Value]) -> Result<MethodRequest, Fault> {
    ALL.parse(method, arguments.to_vec(), Mood::Running)
}

/// The request in its debug form, which shows all of its parts.
fn request(method: &str, arguments: &[Value]) -> String {
    match parse(method, arguments) {
        Ok(request) => format!("{request:?}"),
        Err(fault) => fault.text,
    }
}

fn text(text: &str) -> Value {
    text.into()
}

#[test]
fn there_are_the_41_methods_of_the_original_and_eight_more() {
    let expected = "supervisor.addProcessGroup supervisor.clearAllProcessLogs supervisor.clearLog \
        supervisor.clearProcessLog supervisor.clearProcessLogs supervisor.disableProcess supervisor.enableProcess supervisor.getAPIVersion supervisor.getAllConfigInfo \
        supervisor.getAllProcessInfo supervisor.getConfigWarnings supervisor.getDisabledProcesses supervisor.getIdentification supervisor.getPID supervisor.getProcessInfo \
        supervisor.getState supervisor.getSupervisorVersion supervisor.getVersion supervisor.readLog \
        supervisor.readMainLog supervisor.readProcessLog supervisor.readProcessStderrLog \
        supervisor.readProcessStdoutLog supervisor.reloadConfig supervisor.reloadProcess supervisor.removeProcessGroup supervisor.restart supervisor.scaleProgram \
        supervisor.sendProcessStdin supervisor.sendRemoteCommEvent supervisor.shutdown \
        supervisor.signalAllProcesses supervisor.signalProcess supervisor.signalProcessGroup \
        supervisor.startAllProcesses supervisor.startProcess supervisor.startProcessGroup \
        supervisor.stopAllProcesses supervisor.stopProcess supervisor.stopProcessGroup supervisor.stopProcessWithDependents \
        supervisor.tailProcessLog supervisor.tailProcessStderrLog supervisor.tailProcessStdoutLog \
        supervisor.upgrade \
        system.listMethods system.methodHelp system.methodSignature system.multicall";
    assert_eq!(ALL.list().join(" "), expected);
}

#[test]
fn signatures_are_those_of_the_original() {
    for (method, signature) in [
        ("supervisor.getState", "struct"),
        ("supervisor.getPID", "int"),
        ("supervisor.readLog", "string int int"),
        ("supervisor.clearLog", "boolean"),
        ("supervisor.reloadConfig", "array"),
        ("supervisor.addProcessGroup", "boolean string"),
        ("supervisor.getProcessInfo", "struct string"),
        ("supervisor.startProcess", "boolean string boolean"),
        ("supervisor.startProcessGroup", "array string boolean"),
        ("supervisor.startAllProcesses", "array boolean"),
        ("supervisor.signalProcess", "boolean string string"),
        ("supervisor.signalAllProcesses", "array string"),
        ("supervisor.sendProcessStdin", "boolean string string"),
        ("supervisor.sendRemoteCommEvent", "boolean string string"),
        ("supervisor.readProcessLog", "string string int int"),
        ("supervisor.tailProcessStderrLog", "array string int int"),
        ("supervisor.clearProcessLogs", "boolean string"),
        ("supervisor.clearAllProcessLogs", "array"),
        ("system.listMethods", "array"),
        ("system.methodHelp", "string string"),
        ("system.methodSignature", "array string"),
        ("system.multicall", "array array"),
    ] {
        let types = ALL.signature(&text(method)).map(|types| types.join(" "));
        assert_eq!(types.as_deref(), Ok(signature), "{method}");
    }
    for unknown in [text("x"), Value::Nil, Value::Int(1)] {
        assert_eq!(ALL.signature(&unknown), Err(Fault::new(FaultCode::SignatureUnsupported)));
        assert_eq!(ALL.help(&unknown), Err(Fault::new(FaultCode::SignatureUnsupported)));
    }
}

#[test]
fn help_and_signature_agree() {
    for method in ALL.list() {
        let help = ALL.help(&text(method)).expect("every method has help");
        let (about, _) = help.split_once("\n\n").expect("a description");
        assert!(!about.is_empty() && !about.contains(['\n', '@']), "{method}: {about}");
        let type_of = |line: &str| line.split(' ').nth(1).map(str::to_owned);
        let returned = help.lines().filter(|line| line.starts_with("@return "));
        let taken = help.lines().filter(|line| line.starts_with("@param "));
        let types: Vec<_> = returned.chain(taken).filter_map(type_of).collect();
        assert_eq!(Ok(types), ALL.signature(&text(method)).map(|types| types.into_iter().map(str::to_owned).collect()));
    }
}

#[test]
fn without_its_section_there_is_only_system() {
    let methods = Methods { supervisor: false };
    assert_eq!(methods.list().len(), 4);
    let fault = methods.parse("supervisor.getPID", vec![], Mood::Running).expect_err("no such method");
    assert!(fault.is(FaultCode::UnknownMethod));
}

#[test]
fn names_are_exact() {
    for name in
        ["", "getPID", "supervisor", " supervisor.getPID ", "a.b.c", ".x", "supervisor._update", "SUPERVISOR.getPID"]
    {
        assert_eq!(request(name, &[]), "UNKNOWN_METHOD", "{name}");
    }
}

#[test]
fn the_number_of_arguments_is_checked() {
    for (method, arguments) in [
        ("supervisor.getPID", 1),
        ("supervisor.startProcess", 0),
        ("supervisor.startProcess", 3),
        ("supervisor.startAllProcesses", 2),
        ("supervisor.readLog", 1),
        ("system.multicall", 0),
        ("system.listMethods", 1),
    ] {
        assert_eq!(request(method, &vec![text("1"); arguments]), "INCORRECT_PARAMETERS", "{method} {arguments}");
    }
}

#[test]
fn checks_come_in_the_order_of_the_original() {
    for mood in [Mood::Shutdown, Mood::Restarting] {
        let refused = |method: &str, arguments: &[Value]| {
            ALL.parse(method, arguments.to_vec(), mood).map(|_| ()).map_err(|fault| fault.text)
        };
        assert_eq!(refused("supervisor.nosuch", &[]), Err("UNKNOWN_METHOD".to_owned()));
        assert_eq!(refused("supervisor.getPID", &[Value::Nil]), Err("INCORRECT_PARAMETERS".to_owned()));
        assert_eq!(refused("supervisor.readLog", &[Value::Nil, Value::Nil]), Err("SHUTDOWN_STATE".to_owned()));
        for method in ["getState", "getPID", "getAPIVersion", "getVersion", "shutdown", "restart"] {
            assert_eq!(refused(&format!("supervisor.{method}"), &[]), Err("SHUTDOWN_STATE".to_owned()), "{method}");
        }
        assert_eq!(refused("supervisor.sendRemoteCommEvent", &[text("a"), text("b")]), Ok(()));
        assert_eq!(refused("system.listMethods", &[]), Ok(()));
    }
}

#[test]
fn numbers_may_come_in_many_clothes() {
    let read = |offset: Value, length: Value| request("supervisor.readLog", &[offset, length]);
    for one in [Value::Int(1), Value::Bool(true), Value::Double(1.9), text(" 1 "), text("+0_1")] {
        assert_eq!(read(one.clone(), one), "Read(Log { offset: 1, length: 1 })");
    }
    assert_eq!(
        read(Value::Double(-1.9), text("99999999999999999999")),
        "Read(Log { offset: -1, length: 9223372036854775807 })"
    );
    let wrong = [
        Value::Nil,
        Value::Array(vec![]),
        Value::Struct(vec![]),
        text("x"),
        text(""),
        text("1.5"),
        Value::Double(f64::NAN),
    ];
    for value in wrong {
        assert_eq!(read(value.clone(), Value::Int(0)), "INCORRECT_PARAMETERS", "{value:?}");
        assert_eq!(read(Value::Int(0), value), "INCORRECT_PARAMETERS");
    }
}

#[test]
fn names_must_be_strings() {
    for value in [Value::Nil, Value::Int(5), Value::Bool(true), Value::Double(1.5), Value::Array(vec![])] {
        for method in ["getProcessInfo", "startProcess", "stopProcessGroup", "addProcessGroup", "clearProcessLogs"] {
            let fault = request(&format!("supervisor.{method}"), std::slice::from_ref(&value));
            assert_eq!(fault, "INCORRECT_PARAMETERS", "{method} {value:?}");
        }
    }
}

#[test]
fn waiting_is_the_default() {
    let start = |wait: &[Value]| request("supervisor.startAllProcesses", wait);
    assert_eq!(start(&[]), "Call(StartAllProcesses { wait: true })");
    for yes in [Value::Bool(true), Value::Int(2), text("0"), Value::Double(0.5), Value::Array(vec![Value::Nil])] {
        assert_eq!(start(&[yes]), "Call(StartAllProcesses { wait: true })");
    }
    for no in [Value::Bool(false), Value::Int(0), text(""), Value::Nil, Value::Array(vec![])] {
        assert_eq!(start(&[no]), "Call(StartAllProcesses { wait: false })");
    }
    assert_eq!(
        request("supervisor.stopProcess", &[text("g:*"), Value::Bool(false)]),
        "Call(StopProcess { name: \"g:*\", wait: false })"
    );
}

#[test]
fn a_number_of_processes_with_a_sign_is_a_change() {
    let scale = |number: Value| request("supervisor.scaleProgram", &[text("web"), number]);
    let scaled = |wanted: &str| format!("Scale {{ program: \"web\", wanted: {wanted}, persists: false }}");
    assert_eq!(scale(Value::Int(4)), scaled("Exactly(4)"));
    assert_eq!(scale(text("4")), scaled("Exactly(4)"));
    assert_eq!(scale(text("+4")), scaled("Change(4)"));
    assert_eq!(scale(text("-1")), scaled("Change(-1)"));
    for wrong in [text("many"), text(""), Value::Nil, Value::Bool(true), Value::Double(1.5), Value::Array(vec![])] {
        assert_eq!(scale(wrong.clone()), "INCORRECT_PARAMETERS", "{wrong:?}");
    }
    let persisted = request("supervisor.scaleProgram", &[text("web"), Value::Int(4), Value::Bool(true)]);
    assert_eq!(persisted, "Scale { program: \"web\", wanted: Exactly(4), persists: true }");
}

#[test]
fn signals_are_names_or_numbers() {
    let signal = |value: Value| request("supervisor.signalAllProcesses", &[value]);
    assert_eq!(signal(text("hup ")), "Call(SignalAllProcesses { signal: \"hup \" })");
    assert_eq!(signal(Value::Int(-1)), "Call(SignalAllProcesses { signal: \"-1\" })");
    assert_eq!(signal(Value::Double(15.9)), "Call(SignalAllProcesses { signal: \"15\" })");
    assert_eq!(signal(Value::Bool(true)), "Call(SignalAllProcesses { signal: \"1\" })");
    for wrong in [Value::Nil, Value::Array(vec![]), Value::Struct(vec![]), Value::Double(f64::NAN)] {
        assert_eq!(signal(wrong), "INCORRECT_PARAMETERS");
    }
}

#[test]
fn only_text_goes_to_stdin() {
    let send = |name: Value, chars: Value| request("supervisor.sendProcessStdin", &[name, chars]);
    assert_eq!(send(text("a"), text("é")), "Call(SendProcessStdin { name: \"a\", chars: [195, 169] })");
    assert_eq!(send(text("a"), Value::Nil), "INCORRECT_PARAMETERS");
    assert_eq!(send(Value::Int(5), text("x")), "INCORRECT_PARAMETERS");
    let all_sorts = Value::Array(vec![
        text("a"),
        Value::Double(1.5),
        Value::Bool(true),
        Value::Nil,
        Value::Struct(vec![("k".to_owned(), text("it's"))]),
    ]);
    assert_eq!(send(Value::Int(5), all_sorts), "INCORRECT_PARAMETERS: ['a', 1.5, True, None, {'k': \"it's\"}]");
    assert_eq!(
        send(text("a"), Value::DateTime("20200102T03:04:05".to_owned())),
        "INCORRECT_PARAMETERS: 2020-01-02 03:04:05"
    );
    let long = send(text("a"), Value::Array(vec![Value::Int(7); 10_000]));
    assert!(long.ends_with("7, ...") && long.len() < 1100, "{long}");
}

#[test]
fn remote_events_take_anything() {
    let arguments = [Value::Int(5), Value::Struct(vec![("k".to_owned(), Value::Nil)])];
    let expected = "Call(SendRemoteCommEvent { kind: \"5\", data: \"{'k': None}\" })";
    assert_eq!(request("supervisor.sendRemoteCommEvent", &arguments), expected);
    let expected = "Call(SendRemoteCommEvent { kind: \"x\", data: \"True\" })";
    assert_eq!(request("supervisor.sendRemoteCommEvent", &[text("x"), Value::Bool(true)]), expected);
}

#[test]
fn aliases_are_the_same_request() {
    for (alias, method, arguments) in [
        ("getVersion", "getAPIVersion", vec![]),
        ("readMainLog", "readLog", vec![Value::Int(1), Value::Int(2)]),
        ("readProcessLog", "readProcessStdoutLog", vec![text("a"), Value::Int(1), Value::Int(2)]),
        ("tailProcessLog", "tailProcessStdoutLog", vec![text("a"), Value::Int(1), Value::Int(2)]),
        ("clearProcessLog", "clearProcessLogs", vec![text("a")]),
    ] {
        let alias = request(&format!("supervisor.{alias}"), &arguments);
        assert_eq!(alias, request(&format!("supervisor.{method}"), &arguments));
    }
    let tail = request("supervisor.tailProcessStderrLog", &[text("a"), Value::Int(1), Value::Int(2)]);
    assert_eq!(tail, "Read(ProcessLogTail { channel: Stderr, name: \"a\", offset: 1, length: 2 })");
}

#[test]
fn a_multicall_is_an_array_of_structs() {
    assert_eq!(request("system.multicall", &[Value::Array(vec![])]), "Multicall { entries: [] }");
    let wrong = [Value::Nil, Value::Int(5), text("x"), Value::Struct(vec![]), Value::Array(vec![Value::Int(1)])];
    for value in wrong {
        assert_eq!(request("system.multicall", std::slice::from_ref(&value)), "INCORRECT_PARAMETERS", "{value:?}");
    }
}
