//! Every parser and the whole core, with arbitrary input.
//!
//! Each module below [`bodies`] is the body of one fuzz target: a function of bytes that panics when it finds a
//! mistake. There are two ways to run it. `cargo test --test fuzz` has proptest make inputs from a dictionary, for a
//! bounded time (`PROPTEST_CASES` makes it longer), and replays `fuzz/corpus`; CI does that. `RUSTC_BOOTSTRAP=1 cargo
//! fuzz run -s none NAME` in `fuzz/` explores with coverage. Add an input that caused a failure to `fuzz/corpus/NAME`,
//! which every later run replays.

#![expect(clippy::print_stderr, reason = "the output is for the user of the command")]

mod bodies {
    pub mod calls;
    pub mod capture;
    pub mod client;
    pub mod configuration;
    pub mod difference;
    pub mod environment;
    pub mod expansion;
    pub mod http;
    pub mod ini;
    pub mod listener;
    pub mod log_reading;
    pub mod plugin;
    pub mod rotation;
    pub mod supervisor;
    pub mod values;
    pub mod words;
    pub mod xmlrpc;
}

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The default number of inputs.
const CASES: u32 = 500;

/// Runs a body with its whole corpus, and with random inputs made of these words.
fn explore(name: &str, body: fn(&[u8]), words: &'static [&'static str]) {
    for path in corpus(name) {
        let input = fs::read(&path).expect("the corpus can be read");
        eprintln!("{}", path.display());
        body(&input);
    }
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let word = proptest::sample::select(words).prop_map(|word| word.as_bytes().to_vec());
    let piece = prop_oneof![4 => word, 1 => vec(any::<u8>(), 1..6), 1 => "[ -~\n]{1,6}".prop_map(String::into_bytes)];
    let input = vec(piece, 0..60).prop_map(|pieces| Bytes(pieces.concat()));
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&input, |input| {
        body(&input.0);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}

/// An input that a failure message shows as a literal.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn corpus(name: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root().join("fuzz/corpus").join(name)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

macro_rules! targets {
    ($($name:ident: $words:expr;)*) => {
        $(#[test]
        fn $name() {
            explore(stringify!($name), bodies::$name::run, $words);
        })*

        #[test]
        fn every_body_is_a_target() {
            let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("there is a manifest");
            for name in [$(stringify!($name)),*] {
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is missing in fuzz/Cargo.toml");
                let target = root().join(format!("fuzz/fuzz_targets/{name}.rs"));
                assert!(target.exists(), "{} is missing", target.display());
            }
        }
    };
}

const INI: &[&str] = &[
    "[program:a]\n",
    "[program:b]\n",
    "[supervisord]\n",
    "[DEFAULT]\n",
    "[",
    "]",
    "[]\n",
    "command=",
    "command = cat\n",
    "=",
    ":",
    ";",
    " ;",
    "#",
    "\n",
    "\r\n",
    "\t",
    "  ",
    "\n ",
    "%(here)s",
    "%",
    "numprocs=2\n",
    "process_name=%(process_num)02d\n",
    "[group:g]\nprograms=a,b\n",
    "[eventlistener:l]\ncommand=x\nevents=EVENT\n",
    "[fcgi-program:f]\ncommand=x\nsocket=tcp://localhost:9000\n",
    "[unix_http_server]\nfile=/tmp/s\n",
    "[inet_http_server:x]\nport=*:9001\n",
    "username=u\n",
    "password={SHA}x\n",
    "environment=A=\"1\",B='%(ENV_HOME)s'\n",
    "priority=-1\n",
    "stopsignal=TERM\n",
    "exitcodes=0,2\n",
    "stdout_logfile_maxbytes=1MB\n",
    "autorestart=unexpected\n",
    "[include]\nfiles=*.conf\n",
    "umask=022\n",
    "user=nobody\n",
    "\u{feff}",
    "é",
    "\u{0}",
    "logfile=%(here)s/x\n",
    "startsecs=99999999999999999999\n",
    "numprocs=0\n",
    "numprocs_start=7\n",
    "[rpcinterface:x]\na.rpcinterface_factory=b:c\n",
];

const TEXT: &[&str] = &[
    "%",
    "%%",
    "%(",
    "%(name)s",
    "%(number)d",
    "%(number)02d",
    "%(number)-5.3f",
    "%(ENV_HOME)s",
    "%(x)s",
    ")s",
    "(",
    ")",
    "s",
    "d",
    "x",
    "\"",
    "'",
    "\\",
    ",",
    "=",
    "A=",
    "A=\"b\"",
    " ",
    "\t",
    "\n",
    "#",
    ";",
    "é",
    "a",
    "b=c",
    "''",
    "\"\"",
];

const OUTPUT: &[&str] = &[
    "<!--XSUPERVISOR:BEGIN-->",
    "<!--XSUPERVISOR:END-->",
    "<!--XSUPERVISOR:",
    "BEGIN-->",
    "END-->",
    "<!--",
    "<",
    "-",
    ">",
    "\u{1b}[31m",
    "\u{1b}[",
    "\u{1b}",
    "m",
    "H",
    "é",
    "€",
    "text",
    "\n",
    "\u{0}",
];

const PROTOCOL: &[&str] = &[
    "READY\n",
    "RESULT 2\nOK",
    "RESULT 4\nFAIL",
    "RESULT ",
    "0\n",
    "2\nOK",
    "READY",
    "\n",
    "RESULT -1\n",
    "RESULT 99999999\n",
    "+1",
    "x",
    " ",
];

const XML: &[&str] = &[
    "<?xml version='1.0'?>",
    "<methodCall>",
    "</methodCall>",
    "<methodName>",
    "</methodName>",
    "system.listMethods",
    "<params>",
    "</params>",
    "<param>",
    "</param>",
    "<value>",
    "</value>",
    "<int>",
    "</int>",
    "<i4>1</i4>",
    "<string>",
    "</string>",
    "<boolean>1</boolean>",
    "<double>",
    "</double>",
    "<array><data>",
    "</data></array>",
    "<struct>",
    "</struct>",
    "<member><name>a</name>",
    "</member>",
    "<nil/>",
    "<base64>QUI=</base64>",
    "<dateTime.iso8601>20200101T00:00:00</dateTime.iso8601>",
    "&lt;",
    "&#0;",
    "&#x10ffff;",
    "&",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<!DOCTYPE x [<!ENTITY a 'b'>]>",
    "<methodResponse>",
    "</methodResponse>",
    "<fault>",
    "</fault>",
    "<member><name>faultCode</name><value><int>1</int></value></member>",
    "<member><name>faultString</name><value>x</value></member>",
    "1",
    "-",
    "99999999999",
    "nan",
    "\r",
    "é",
    "<params/>",
    "<value/>",
    "<methodCall><methodName>m</methodName><params><param><value>",
    "</value></param></params></methodCall>",
];

const HTTP: &[&str] = &[
    "\u{0}",
    "\x01",
    "GET ",
    "POST ",
    "HEAD ",
    "OPTIONS ",
    "/",
    "/RPC2",
    "/index.html",
    "/tail.html",
    "/ok.html",
    "/logtail/a",
    "/mainlogtail",
    "/stylesheets/supervisor.css",
    "?action=stopall",
    "?processname=a&limit=99",
    "?message=<b>",
    "%2e",
    "%zz",
    "http://h/",
    " HTTP/1.1",
    " HTTP/1.0",
    " HTTP/9.9",
    "\r\n",
    "\n",
    "\r\n\r\n",
    "Host: h",
    "Content-Length: ",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Connection: close",
    "Connection: keep-alive",
    "Expect: 100-continue",
    "Authorization: Basic dXNlcjoxMjM=",
    "Authorization: Basic ",
    "Origin: http://e",
    "Referer: null",
    "Sec-Fetch-Site: cross-site",
    "Content-Type: application/x-www-form-urlencoded",
    "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
    "\u{0}GET /index.html HTTP/1.1\r\nHost: h\r\n",
    "\u{0}POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: ",
    "\x01POST / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic dXNlcjoxMjM=\r\nContent-Length: 14\r\n\r\naction=stopall",
    "98\r\n\r\n",
    "<methodCall><methodName>supervisor.stopAllProcesses</methodName></methodCall>",
    "<methodCall><methodName>supervisor.getAllConfigInfo</methodName></methodCall>",
    "0",
    "1",
    ";",
    ":",
    "é",
];

/// Lines of a plug-in process and parts of them.
const PLUGIN_PROCESS: &[&str] = &[
    "{\"op\":\"",
    "\",\"id\":1",
    "{\"op\":\"judged\",\"id\":1,\"verdict\":\"accepted\",\"text\":\"\"}\n",
    "{\"op\":\"serving\",\"id\":1,\"interfaces\":[{\"name\":\"x\",\"methods\":[],\"error\":null}]}\n",
    "{\"op\":\"rpc\",\"id\":18446744073709551615,\"xml\":\"<methodCall><methodName>m</methodName></methodCall>\"}\n",
    "{\"op\":\"answer\",\"id\":2,\"xml\":\"<methodResponse><params><param><value>",
    "</value></param></params></methodResponse>\"}\n",
    "{\"op\":\"log\",\"level\":-1,\"text\":\"\\u0000\\ud800\"}\n",
    "{\"op\":\"enlist\",\"id\":3,\"group\":\"g\",\"name\":\"n\",\"section\":\"s\",\"options\":{}}\n",
    "{\"op\":\"subscribe\",\"events\":[\"EVENT\"]}\n",
    "rpc",
    "deferred",
    "snapshot",
    "\"xml\":\"",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "\\",
    "\\u0000",
    "null",
    "1e999",
    "-1",
    "\n",
    "\u{0}",
    "é",
];

/// Pairs of an event and its details: most often a call, an exit, or time that passes.
const STEPS: &[&str] = &[
    "\x00\x01",
    "\x00\u{0}",
    "\x01\x05",
    "\x02\x01",
    "\x02\x02",
    "\x03\x05",
    "\x04\x03",
    "\x05\x03",
    "\x06\x01",
    "\x07\x01",
    "\x0b\x01",
    "\x0d\x01",
    "\x0e\x02",
    "\x0f\x02",
    "\x10\x01",
    "\x10\x02",
    "\x11\x03",
    "\x14\x14",
    "\x14\x70",
    "\x15\x7f",
    "\x17\x01",
    "\x17\x02",
    "\x18\u{0}",
    "\x18\x08",
    "\x18\x10",
    "\x18\x20",
    "\x1b\x01",
    "\x1c\x01",
    "\x1f\x01",
    "\x1f\x04",
    "\x1f\x30",
    "\x1f\x31",
    "\x1e\x01",
];

targets! {
    calls: XML;
    capture: OUTPUT;
    client: INI;
    configuration: INI;
    difference: INI;
    environment: TEXT;
    expansion: TEXT;
    http: HTTP;
    ini: INI;
    listener: PROTOCOL;
    log_reading: OUTPUT;
    plugin: PLUGIN_PROCESS;
    rotation: OUTPUT;
    supervisor: STEPS;
    values: &["-", "+", "1", "0x", "_", ".", "e", "KB", "MB", "true", "off", "SIG", "HUP", "a:", "*", ":", " ", "inf", "nan", "/", "tcp://", "unix://"];
    words: TEXT;
    xmlrpc: XML;
}
