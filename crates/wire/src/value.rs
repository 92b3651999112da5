//! The values of XML-RPC.

/// One XML-RPC value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `<nil/>`, and every empty element that the original does not know.
    Nil,
    /// `<int>`; the encoder clamps it to 32 bits.
    Int(i64),
    /// `<boolean>`.
    Bool(bool),
    /// `<string>`.
    Str(String),
    /// `<double>`.
    Double(f64),
    /// `<dateTime.iso8601>`, as its text `YYYYMMDDTHH:MM:SS`.
    DateTime(String),
    /// `<base64>`, decoded.
    Base64(Vec<u8>),
    /// `<array>`.
    Array(Vec<Value>),
    /// `<struct>`; members in order, names unique.
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// The member of a struct; none if the value is no struct or has no such member.
    pub fn member(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Struct(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Consumes a string value and returns its text.
    pub fn into_text(self) -> Option<String> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an integer value.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The items of an array value.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Consumes a struct and returns its members.
    pub fn into_members(self) -> Option<impl Members> {
        match self {
            Value::Struct(mut members) => {
                members.reverse();
                Some(OwnMembers { reversed: members })
            }
            _ => None,
        }
    }
}

/// The members of a struct, to be taken one by one. Taking them in their order is fastest.
pub trait Members {
    /// Takes a string; none when it is missing.
    fn text(&mut self, name: &str) -> Option<String>;
    /// Takes an integer; none when it is missing.
    fn number(&mut self, name: &str) -> Option<i64>;
    /// Takes a boolean; none when it is missing.
    fn truth(&mut self, name: &str) -> Option<bool>;
}

/// What a struct is read as.
pub trait FromMembers: Sized {
    /// Reads the members; none when one is missing or has another type.
    fn from_members(members: &mut impl Members) -> Option<Self>;
}

/// The members of a [`Value::Struct`].
struct OwnMembers {
    reversed: Vec<(String, Value)>,
}

impl OwnMembers {
    fn take(&mut self, name: &str) -> Option<Value> {
        let place = self.reversed.iter().rposition(|(known, _)| known == name)?;
        Some(self.reversed.remove(place).1)
    }
}

impl Members for OwnMembers {
    fn text(&mut self, name: &str) -> Option<String> {
        self.take(name)?.into_text()
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        self.take(name)?.as_int()
    }

    fn truth(&mut self, name: &str) -> Option<bool> {
        self.take(name)?.as_bool()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Str(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::Int(number.into())
    }
}
