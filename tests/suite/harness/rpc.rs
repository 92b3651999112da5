//! An XML-RPC client of the tests' own, so that an error in the product's codec cannot cancel itself out.

use std::fmt;
use std::io;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::http;

/// A value as a client sends or sees it. Struct members keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    /// Base64 text, not decoded.
    Binary(String),
    Array(Vec<Value>),
    Struct(Vec<(String, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

impl Value {
    /// The member of a struct; nil when there is none.
    pub fn get(&self, name: &str) -> &Value {
        match self {
            Value::Struct(members) => members.iter().find(|(known, _)| known == name).map_or(&Value::Nil, |(_, v)| v),
            _ => &Value::Nil,
        }
    }

    /// The text of a string; empty for everything else.
    pub fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// The number of an int; 0 for everything else.
    pub fn int(&self) -> i64 {
        match self {
            Value::Int(number) => *number,
            _ => 0,
        }
    }

    /// The items of an array.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::Array(items) => items,
            _ => &[],
        }
    }
}

/// One line per member, so that differences are easy to see.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Double(number) => write!(f, "{number:?}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Binary(text) => write!(f, "binary {text}"),
            Value::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Value::Struct(members) => {
                f.write_str("{\n")?;
                for (name, value) in members {
                    writeln!(f, "  {name}: {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A fault, as its code and its text.
pub type Fault = (i64, String);

/// The result of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Value(Value),
    Fault(Fault),
    /// An HTTP status other than 200.
    Http(u16),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Value(value) => write!(f, "{value}"),
            Answer::Fault((code, text)) => write!(f, "fault {code} {text}"),
            Answer::Http(status) => write!(f, "HTTP status {status}"),
        }
    }
}

/// Calls a method over a unix socket and returns any kind of answer.
pub fn ask(socket: &Path, method: &str, parameters: &[Value]) -> io::Result<Answer> {
    let mut stream = http::unix(socket)?;
    let body = encode(method, parameters);
    let response = http::request(&mut *stream, "POST", "/RPC2", &["Content-Type: text/xml"], body.as_bytes())?;
    if response.status() != 200 {
        return Ok(Answer::Http(response.status()));
    }
    match decode(&response.text()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
        Ok(value) => Ok(Answer::Value(value)),
        Err(fault) => Ok(Answer::Fault(fault)),
    }
}

/// Calls a method over a unix socket.
pub fn call(socket: &Path, method: &str, parameters: &[Value]) -> io::Result<Result<Value, Fault>> {
    match ask(socket, method, parameters)? {
        Answer::Value(value) => Ok(Ok(value)),
        Answer::Fault(fault) => Ok(Err(fault)),
        Answer::Http(status) => Err(io::Error::other(format!("HTTP status {status}"))),
    }
}

/// The body of a call.
pub fn encode(method: &str, parameters: &[Value]) -> String {
    let mut xml =
        format!("<?xml version='1.0'?>\n<methodCall>\n<methodName>{}</methodName>\n<params>\n", escape(method));
    for parameter in parameters {
        xml.push_str("<param>\n");
        write(&mut xml, parameter);
        xml.push_str("</param>\n");
    }
    xml.push_str("</params>\n</methodCall>\n");
    xml
}

fn write(xml: &mut String, value: &Value) {
    xml.push_str("<value>");
    match value {
        Value::Nil => xml.push_str("<nil/>"),
        Value::Bool(truth) => xml.push_str(&format!("<boolean>{}</boolean>", u8::from(*truth))),
        Value::Int(number) => xml.push_str(&format!("<int>{number}</int>")),
        Value::Double(number) => xml.push_str(&format!("<double>{number:?}</double>")),
        Value::Text(text) => xml.push_str(&format!("<string>{}</string>", escape(text))),
        Value::Binary(text) => xml.push_str(&format!("<base64>{text}</base64>")),
        Value::Array(items) => {
            xml.push_str("<array><data>\n");
            items.iter().for_each(|item| write(xml, item));
            xml.push_str("</data></array>");
        }
        Value::Struct(members) => {
            xml.push_str("<struct>\n");
            for (name, value) in members {
                xml.push_str(&format!("<member><name>{}</name>", escape(name)));
                write(xml, value);
                xml.push_str("</member>\n");
            }
            xml.push_str("</struct>");
        }
    }
    xml.push_str("</value>\n");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Reads the body of a response.
pub fn decode(xml: &str) -> Result<Result<Value, Fault>, String> {
    let root = parse(xml)?;
    let response = root.child("methodResponse").ok_or("no methodResponse")?;
    if let Some(fault) = response.child("fault") {
        let fault = value(fault.child("value").ok_or("a fault without a value")?)?;
        return Ok(Err((fault.get("faultCode").int(), fault.get("faultString").text().to_owned())));
    }
    let parameter = response.child("params").and_then(|params| params.child("param")).ok_or("no result")?;
    value(parameter.child("value").ok_or("a result without a value")?).map(Ok)
}

fn value(element: &Element) -> Result<Value, String> {
    let Some(typed) = element.children.first() else { return Ok(Value::Text(element.text.clone())) };
    let number = || typed.text.trim().parse::<i64>().map_err(|_| format!("bad number {:?}", typed.text));
    Ok(match typed.name.as_str() {
        "string" => Value::Text(typed.text.clone()),
        "int" | "i4" => Value::Int(number()?),
        "boolean" => Value::Bool(number()? == 1),
        "double" => Value::Double(typed.text.trim().parse().map_err(|_| format!("bad number {:?}", typed.text))?),
        "base64" => Value::Binary(typed.text.trim().to_owned()),
        "nil" => Value::Nil,
        "array" => {
            let data = typed.child("data").ok_or("an array without data")?;
            Value::Array(data.children.iter().map(value).collect::<Result<_, _>>()?)
        }
        "struct" => Value::Struct(
            typed
                .children
                .iter()
                .map(|member| {
                    let name = member.child("name").ok_or("a member without a name")?.text.clone();
                    Ok((name, value(member.child("value").ok_or("a member without a value")?)?))
                })
                .collect::<Result<_, String>>()?,
        ),
        other => return Err(format!("unknown type {other}")),
    })
}

/// An element with its text joined and its children in order.
#[derive(Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }
}

fn parse(xml: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        let inner = open.last_mut().expect("the document itself stays open");
        match reader.read_event().map_err(|error| format!("{error} in {xml:?}"))? {
            Event::Start(tag) => {
                let name = tag.name().as_ref().to_owned();
                open.push(Element { name, ..Element::default() });
            }
            Event::Empty(tag) => {
                let name = tag.name().as_ref().to_owned();
                inner.children.push(Element { name, ..Element::default() });
            }
            Event::End(_) => {
                let done = open.pop().expect("the reader checks that tags match");
                open.last_mut().ok_or("a tag too many is closed")?.children.push(done);
            }
            Event::Text(text) => inner.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                inner.text.push_str(match &*reference {
                    "lt" => "<",
                    "gt" => ">",
                    "amp" => "&",
                    "quot" => "\"",
                    "apos" => "'",
                    "#13" => "\r",
                    other => return Err(format!("unknown entity {other}")),
                });
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if open.len() == 1 { Ok(open.remove(0)) } else { Err(format!("unclosed tags in {xml:?}")) }
}
