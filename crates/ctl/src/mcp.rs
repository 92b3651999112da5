//! A server of the Model Context Protocol, without I/O: <https://modelcontextprotocol.io/specification>.
//!
//! Its tools are actions of this client, so that they say and refuse the same in the same words. It is written here because it
//! is four methods over JSON-RPC 2.0; the libraries for it bring an asynchronous runtime and schema generators along.

mod tools;

use serde_json::{Value, json};

pub use tools::ToolReport;

/// The versions of the protocol, the latest first. They differ in nothing that this server does.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const INSTRUCTIONS: &str = "Programs that a supervisord supervises. Begin with `status`; `why` explains the state of a program, \
     and `logs` shows what it wrote. Names are those of `status`: NAME, or GROUP:NAME; GROUP:* is a whole group.";

/// The codes of errors that JSON-RPC defines.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

/// What need not wait until the requests before it have been answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Urgent {
    /// Whether the server is there: the answer, in one line.
    Ping(String),
    /// Nobody needs the answer to the request with this id any more.
    Cancelled(Value),
}

impl Urgent {
    /// None for a message that waits for its turn.
    pub fn of(message: &str) -> Option<Urgent> {
        let message: Value = serde_json::from_str(message).ok()?;
        let id = message.get("id");
        match (message.get("method")?.as_str()?, id) {
            ("ping", Some(id)) => Some(Urgent::Ping(json!({ "jsonrpc": "2.0", "id": id, "result": {} }).to_string())),
            ("notifications/cancelled", None) => {
                Some(Urgent::Cancelled(message.get("params")?.get("requestId")?.clone()))
            }
            _ => None,
        }
    }
}

/// The id of a request; none for what has no answer, and for a batch.
pub fn request_id(message: &str) -> Option<Value> {
    serde_json::from_str::<Value>(message).ok()?.get("id").cloned()
}

/// A server. It has no state but what it may do.
#[derive(Clone, Copy, Debug)]
pub struct McpServer {
    /// Whether there are tools that change something.
    pub may_control: bool,
}

/// Why a request has no result.
struct RpcError {
    code: i32,
    message: String,
}

impl McpServer {
    /// The answer to a message, in one line; none where there is nothing to answer. `act` carries out the line of an action.
    pub fn answer(&self, message: &str, mut act: impl FnMut(&str) -> ToolReport) -> Option<String> {
        let answer = match serde_json::from_str(message) {
            Err(error) => Some(failed(&Value::Null, PARSE_ERROR, &format!("this is no JSON: {error}"))),
            Ok(Value::Array(batch)) if !batch.is_empty() => {
                let answers: Vec<Value> = batch.iter().filter_map(|message| self.respond(message, &mut act)).collect();
                Some(Value::Array(answers)).filter(|answers| *answers != json!([]))
            }
            Ok(message) => self.respond(&message, &mut act),
        };
        answer.map(|answer| answer.to_string())
    }

    fn respond(&self, message: &Value, act: &mut impl FnMut(&str) -> ToolReport) -> Option<Value> {
        let id = message.get("id");
        let Some(method) = message.get("method").and_then(Value::as_str) else {
            // Who answers a question that was never asked is not answered.
            let is_answer = message.get("result").is_some() || message.get("error").is_some();
            let id = id.unwrap_or(&Value::Null);
            return (!is_answer).then(|| failed(id, INVALID_REQUEST, "a request has a method, which is a string"));
        };
        // Notifications, such as that the client is initialized, have no id and no answer.
        let id = id?;
        let none = json!({});
        let answer = match self.call(method, message.get("params").unwrap_or(&none), act) {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err(RpcError { code, message }) => failed(id, code, &message),
        };
        Some(answer)
    }

    fn call(&self, method: &str, params: &Value, act: &mut impl FnMut(&str) -> ToolReport) -> Result<Value, RpcError> {
        match method {
            "initialize" => Ok(initialized(params)),
            "ping" => Ok(json!({})),
            "tools/list" => Ok(json!({ "tools": tools::list(self.may_control) })),
            "tools/call" => {
                let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
                let none = json!({});
                tools::call(self.may_control, name, params.get("arguments").unwrap_or(&none), act)
                    .map_err(|message| RpcError { code: INVALID_PARAMS, message })
            }
            _ => Err(RpcError { code: METHOD_NOT_FOUND, message: format!("there is no method {method}") }),
        }
    }
}

fn failed(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

/// The version that the client asks for, where it is known, or else the latest, which the client may refuse.
fn initialized(params: &Value) -> Value {
    let wanted = params.get("protocolVersion").and_then(Value::as_str);
    let version = wanted.filter(|wanted| VERSIONS.contains(wanted)).unwrap_or(VERSIONS[0]);
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "supervisorctl", "version": env!("CARGO_PKG_VERSION") },
        "instructions": INSTRUCTIONS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server answers, and the lines of actions that were carried out.
    fn asked(may_control: bool, message: &str) -> (Value, Vec<String>) {
        let mut lines = Vec::new();
        let answer = McpServer { may_control }.answer(message, |line| {
            lines.push(line.to_owned());
            ToolReport { output: "done\n".to_owned(), status: 0 }
        });
        (answer.map_or(Value::Null, |answer| serde_json::from_str(&answer).unwrap()), lines)
    }

    #[test]
    fn the_version_of_the_client_is_taken_where_it_is_known() {
        for (wanted, agreed) in [("2024-11-05", "2024-11-05"), ("1999-01-01", VERSIONS[0])] {
            let message =
                json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": wanted}});
            let (answer, _) = asked(false, &message.to_string());
            assert_eq!(answer["result"]["protocolVersion"], agreed);
            assert_eq!((&answer["id"], &answer["result"]["serverInfo"]["name"]), (&json!(1), &json!("supervisorctl")));
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_code() {
        for (message, code, id) in [
            ("nonsense", PARSE_ERROR, json!(null)),
            ("{}", INVALID_REQUEST, json!(null)),
            ("[]", INVALID_REQUEST, json!(null)),
            ("7", INVALID_REQUEST, json!(null)),
            (r#"{"id":"a","method":3}"#, INVALID_REQUEST, json!("a")),
            (r#"{"id":"a","method":"resources/list"}"#, METHOD_NOT_FOUND, json!("a")),
            (r#"{"id":2,"method":"tools/call","params":{"name":"format_disk"}}"#, INVALID_PARAMS, json!(2)),
            (r#"{"id":2,"method":"tools/call","params":3}"#, INVALID_PARAMS, json!(2)),
        ] {
            let (answer, lines) = asked(true, message);
            assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{message}");
            assert!(lines.is_empty());
        }
    }

    #[test]
    fn notifications_and_answers_are_not_answered() {
        for message in [
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"stop","arguments":{"names":["web"]}}}"#,
            r#"{"jsonrpc":"2.0","id":9,"result":{}}"#,
            r#"[{"jsonrpc":"2.0","method":"notifications/cancelled"}]"#,
        ] {
            assert_eq!(asked(true, message), (Value::Null, Vec::new()), "{message}");
        }
    }

    #[test]
    fn pings_and_cancellations_do_not_wait() {
        let ping = Urgent::of(r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#);
        let answer = json!({"jsonrpc": "2.0", "id": "a", "result": {}}).to_string();
        assert_eq!(ping, Some(Urgent::Ping(answer)));
        let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
        assert_eq!(Urgent::of(cancelled), Some(Urgent::Cancelled(json!(7))));
        for message in [r#"{"id":1,"method":"tools/list"}"#, r#"{"method":"ping"}"#, "[]", "nonsense"] {
            assert_eq!(Urgent::of(message), None, "{message}");
        }
        assert_eq!((request_id(r#"{"id":7}"#), request_id("[]")), (Some(json!(7)), None));
    }

    #[test]
    fn a_batch_is_answered_as_a_whole() {
        let (answer, _) = asked(false, r#"[{"id":1,"method":"ping"},{"method":"x"},{"id":2,"method":"ping"}]"#);
        assert_eq!(answer, json!([{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]));
    }

    #[test]
    fn a_tool_is_an_action_and_what_acts_needs_leave() {
        let call = |name: &str, arguments: Value| {
            json!({"id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}).to_string()
        };
        let restart = call("restart", json!({"names": ["web:*", "db"]}));
        let (answer, lines) = asked(true, &restart);
        assert_eq!(lines, ["restart web:* db"]);
        assert_eq!(answer["result"], json!({"content": [{"type": "text", "text": "done\n"}], "isError": false}));
        let (answer, lines) = asked(false, &restart);
        let text = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(text.contains("--allow-control") && lines.is_empty(), "{answer}");
        let (listed, _) = asked(false, r#"{"id":1,"method":"tools/list"}"#);
        assert!(!listed.to_string().contains("\"restart\""), "{listed}");
    }
}
