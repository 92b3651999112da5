//! The tools: what they are called, which arguments they take, and which action each of them is.

use serde_json::{Map, Value, json};

/// What an action has printed, and its exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolReport {
    /// The lines that it printed.
    pub output: String,
    /// The exit status of its own.
    pub status: u8,
}

/// A tool.
struct Tool {
    name: &'static str,
    description: &'static str,
    effect: Effect,
    arguments: &'static [Argument],
    /// The action, up to its arguments.
    action: &'static str,
    output: Output,
}

/// What a tool does to programs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    /// Nothing ends by it.
    Starts,
    /// Something may end, or be lost.
    Ends,
}

/// What an action prints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    Lines,
    /// One document.
    Json,
    /// A document a line, which become the array of this name.
    JsonLines(&'static str),
}

struct Argument {
    name: &'static str,
    description: &'static str,
    kind: Kind,
    is_required: bool,
}

/// The values that an argument takes, and how they stand in the line of the action.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Words,
    OneOf(&'static [&'static str]),
    /// A number from 1 to the greatest, with the default and what stands in front of it.
    Number {
        prefix: &'static str,
        default: u64,
        greatest: u64,
    },
}

const NAME: Argument =
    Argument { name: "name", description: "The program, as `status` names it.", kind: Kind::Word, is_required: true };

const NAMES: Argument = Argument {
    name: "names",
    description: "The programs: NAME, GROUP:NAME, GROUP:* for a whole group, or all.",
    kind: Kind::Words,
    is_required: true,
};

const SOME_NAMES: Argument = Argument { is_required: false, description: "The programs; all without it.", ..NAMES };

const BYTES: Argument = Argument {
    name: "bytes",
    description: "How many bytes from the end.",
    kind: Kind::Number { prefix: "-", default: 8192, greatest: 65536 },
    is_required: false,
};

const TOOLS: [Tool; 17] = [
    Tool {
        name: "status",
        description: "All that is known of programs: state, since when, process id, restarts, the last end, health, what they wait for.",
        effect: Effect::Reads,
        arguments: &[SOME_NAMES],
        action: "status --json",
        output: Output::Json,
    },
    Tool {
        name: "why",
        description: "Why a program is in its state, with the chain of causes, the last lines of its stderr, and what to do.",
        effect: Effect::Reads,
        arguments: &[NAME],
        action: "why",
        output: Output::Lines,
    },
    Tool {
        name: "health",
        description: "Whether all programs that should run are up and healthy, and what is the matter with those that are not.",
        effect: Effect::Reads,
        arguments: &[SOME_NAMES],
        action: "health --json",
        output: Output::Json,
    },
    Tool {
        name: "logs",
        description: "The end of what a program wrote to stdout or stderr.",
        effect: Effect::Reads,
        arguments: &[
            BYTES,
            NAME,
            Argument {
                name: "stream",
                description: "Which of the two; stdout without it.",
                kind: Kind::OneOf(&["stdout", "stderr"]),
                is_required: false,
            },
        ],
        action: "tail",
        output: Output::Lines,
    },
    Tool {
        name: "daemon_log",
        description: "The end of the log of supervisord itself.",
        effect: Effect::Reads,
        arguments: &[BYTES],
        action: "maintail",
        output: Output::Lines,
    },
    Tool {
        name: "events",
        description: "What has happened to programs: changes of state and health, oldest first.",
        effect: Effect::Reads,
        arguments: &[Argument {
            name: "last",
            description: "How many events.",
            kind: Kind::Number { prefix: "-n ", default: 50, greatest: 512 },
            is_required: false,
        }],
        action: "events --json",
        output: Output::JsonLines("events"),
    },
    Tool {
        name: "disabled",
        description: "The disabled programs, with who has disabled them: nothing starts them until they are enabled. Those that were \
             removed from the configuration are among them.",
        effect: Effect::Reads,
        arguments: &[],
        action: "disable --list --json",
        output: Output::Json,
    },
    Tool {
        name: "plan",
        description: "What `update` would do: reads the configuration file again, and names the groups that it would add, restart \
             and remove. Nothing is started or stopped.",
        effect: Effect::Reads,
        arguments: &[],
        action: "reread --json",
        output: Output::Json,
    },
    Tool {
        name: "start",
        description: "Starts programs, and what they depend on, and waits until they run.",
        effect: Effect::Starts,
        arguments: &[NAMES],
        action: "start",
        output: Output::Lines,
    },
    Tool {
        name: "stop",
        description: "Stops programs and waits until they have ended.",
        effect: Effect::Ends,
        arguments: &[NAMES],
        action: "stop",
        output: Output::Lines,
    },
    Tool {
        name: "restart",
        description: "Stops programs and starts them again.",
        effect: Effect::Ends,
        arguments: &[NAMES],
        action: "restart",
        output: Output::Lines,
    },
    Tool {
        name: "disable",
        description: "Stops programs and keeps them down: nothing starts them until they are enabled, not even a reboot.",
        effect: Effect::Ends,
        arguments: &[NAMES],
        action: "disable",
        output: Output::Lines,
    },
    Tool {
        name: "enable",
        description: "Lets disabled programs be started again. They are not started; see `start`.",
        effect: Effect::Starts,
        arguments: &[NAMES],
        action: "enable",
        output: Output::Lines,
    },
    Tool {
        name: "scale",
        description: "Gives programs other numbers of processes. Only the difference starts or stops; it lasts until the configuration \
             file says another number.",
        effect: Effect::Ends,
        arguments: &[Argument {
            name: "programs",
            description: "NAME=NUMBER for each program, such as workers=12; with a sign how many more or fewer: workers=+2.",
            kind: Kind::Words,
            is_required: true,
        }],
        action: "scale",
        output: Output::Lines,
    },
    Tool {
        name: "signal",
        description: "Sends a signal to programs.",
        effect: Effect::Ends,
        arguments: &[
            Argument {
                name: "signal",
                description: "The name of the signal, such as HUP.",
                kind: Kind::Word,
                is_required: true,
            },
            NAMES,
        ],
        action: "signal",
        output: Output::Lines,
    },
    Tool {
        name: "clear_logs",
        description: "Empties the logs of programs.",
        effect: Effect::Ends,
        arguments: &[NAMES],
        action: "clear",
        output: Output::Lines,
    },
    Tool {
        name: "update",
        description: "Reads the configuration file again and applies it: groups are added, removed and restarted; see `plan`.",
        effect: Effect::Ends,
        arguments: &[Argument { name: "groups", description: "Only these groups; all without it.", ..SOME_NAMES }],
        action: "update",
        output: Output::Lines,
    },
];

/// The tools there are, as clients see them.
pub fn list(may_control: bool) -> Vec<Value> {
    TOOLS.iter().filter(|tool| tool.is_allowed(may_control)).map(Tool::described).collect()
}

/// Carries out a tool. The error says that there is no such tool.
pub fn call(
    may_control: bool,
    name: &str,
    arguments: &Value,
    act: &mut impl FnMut(&str) -> ToolReport,
) -> Result<Value, String> {
    let tool = TOOLS.iter().find(|tool| tool.name == name).ok_or_else(|| format!("there is no tool {name:?}"))?;
    if !tool.is_allowed(may_control) {
        return Err(format!("{name} changes something, which this server may not: start it with --allow-control"));
    }
    // The model can mend what is wrong with arguments, and so it must read it.
    Ok(match tool.line(arguments) {
        Ok(line) => tool.result(&act(&line)),
        Err(problem) => result(&problem, None, true),
    })
}

impl Tool {
    fn is_allowed(&self, may_control: bool) -> bool {
        may_control || self.effect == Effect::Reads
    }

    fn described(&self) -> Value {
        let properties: Map<String, Value> =
            self.arguments.iter().map(|argument| (argument.name.to_owned(), argument.schema())).collect();
        let required: Vec<&str> =
            self.arguments.iter().filter(|argument| argument.is_required).map(|argument| argument.name).collect();
        json!({
            "name": self.name,
            "description": self.description,
            "inputSchema": {
                "type": "object", "properties": properties, "required": required, "additionalProperties": false,
            },
            "annotations": {
                "readOnlyHint": self.effect == Effect::Reads,
                "destructiveHint": self.effect == Effect::Ends,
                "openWorldHint": false,
            },
        })
    }

    /// The line of the action. The error says what is wrong with the arguments.
    fn line(&self, arguments: &Value) -> Result<String, String> {
        let none = Map::new();
        let given = match arguments {
            Value::Object(given) => given,
            Value::Null => &none,
            _ => return Err("the arguments are no object".to_owned()),
        };
        if let Some(name) = given.keys().find(|name| self.arguments.iter().all(|argument| argument.name != **name)) {
            let known: Vec<&str> = self.arguments.iter().map(|argument| argument.name).collect();
            return Err(format!("{} has no argument {name:?}; it has: {}", self.name, known.join(", ")));
        }
        let mut line = self.action.to_owned();
        for argument in self.arguments {
            for word in argument.words(given.get(argument.name).filter(|value| !value.is_null()))? {
                line.push(' ');
                line.push_str(&word);
            }
        }
        Ok(line)
    }

    fn result(&self, report: &ToolReport) -> Value {
        let document = match self.output {
            Output::Lines => return result(&report.output, None, report.status != 0),
            Output::Json => serde_json::from_str(&report.output).ok(),
            Output::JsonLines(name) => {
                let documents: Result<Vec<Value>, _> = report.output.lines().map(serde_json::from_str).collect();
                documents.ok().map(|documents| json!({ name: documents }))
            }
        };
        match document {
            // The exit status of `status` and `health` is what the document says.
            Some(document) if report.status == 0 || self.output == Output::Json => {
                result(&document.to_string(), Some(&document), false)
            }
            _ => result(&report.output, None, true),
        }
    }
}

fn result(text: &str, document: Option<&Value>, is_error: bool) -> Value {
    let mut result = json!({ "content": [{ "type": "text", "text": text }], "isError": is_error });
    if let (Some(document), Some(members)) = (document, result.as_object_mut()) {
        members.insert("structuredContent".to_owned(), document.clone());
    }
    result
}

impl Argument {
    fn schema(&self) -> Value {
        let description = self.description;
        match self.kind {
            Kind::Word => json!({ "type": "string", "description": description }),
            Kind::Words => {
                let least = usize::from(self.is_required);
                json!({ "type": "array", "items": { "type": "string" }, "minItems": least, "description": description })
            }
            Kind::OneOf(words) => json!({ "type": "string", "enum": words, "description": description }),
            Kind::Number { default, greatest, .. } => json!({
                "type": "integer", "minimum": 1, "maximum": greatest, "default": default, "description": description,
            }),
        }
    }

    /// The words of a value, or of the default.
    fn words(&self, value: Option<&Value>) -> Result<Vec<String>, String> {
        let name = self.name;
        match (self.kind, value) {
            (Kind::Number { prefix, default, greatest }, value) => {
                let number =
                    value.map_or(Some(default), Value::as_u64).filter(|number| (1..=greatest).contains(number));
                let number = number.ok_or_else(|| format!("{name} is a whole number from 1 to {greatest}"))?;
                Ok(vec![format!("{prefix}{number}")])
            }
            (_, None) if self.is_required => Err(format!("{name} is missing: {}", self.description)),
            (_, None) => Ok(Vec::new()),
            (Kind::Word, Some(Value::String(word))) => Ok(vec![plain(name, word)?]),
            (Kind::Word, Some(_)) => Err(format!("{name} is a string")),
            (Kind::OneOf(words), Some(value)) => {
                let word = value.as_str().filter(|word| words.contains(word));
                Ok(vec![word.ok_or_else(|| format!("{name} is one of: {}", words.join(", ")))?.to_owned()])
            }
            (Kind::Words, Some(Value::Array(items))) if !(items.is_empty() && self.is_required) => {
                let word = |item: &Value| plain(name, item.as_str().ok_or_else(|| format!("{name} are strings"))?);
                items.iter().map(word).collect()
            }
            (Kind::Words, Some(_)) => Err(format!("{name} is an array of strings, such as [\"web\"]")),
        }
    }
}

/// A word that cannot be taken for several, for an option, or for another action.
fn plain(name: &str, word: &str) -> Result<String, String> {
    let is_plain =
        !word.is_empty() && !word.starts_with('-') && !word.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_plain { Ok(word.to_owned()) } else { Err(format!("{name} cannot be {word:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str) -> &'static Tool {
        TOOLS.iter().find(|tool| tool.name == name).unwrap()
    }

    #[test]
    fn arguments_become_the_words_of_the_action() {
        for (name, arguments, line) in [
            ("status", json!({}), "status --json"),
            ("status", json!({"names": ["web:*", "db"]}), "status --json web:* db"),
            ("status", json!({"names": []}), "status --json"),
            ("why", json!({"name": "web"}), "why web"),
            ("logs", json!({"name": "web"}), "tail -8192 web"),
            ("logs", json!({"name": "web", "stream": "stderr", "bytes": 100}), "tail -100 web stderr"),
            ("daemon_log", json!(null), "maintail -8192"),
            ("events", json!({"last": 5}), "events --json -n 5"),
            ("plan", json!({}), "reread --json"),
            ("signal", json!({"signal": "HUP", "names": ["web"]}), "signal HUP web"),
            ("update", json!({"groups": ["web"]}), "update web"),
            ("disabled", json!({}), "disable --list --json"),
            ("disable", json!({"names": ["web:*"]}), "disable web:*"),
            ("enable", json!({"names": ["web"]}), "enable web"),
            ("scale", json!({"programs": ["web=+2", "db=1"]}), "scale web=+2 db=1"),
        ] {
            assert_eq!(tool(name).line(&arguments).as_deref(), Ok(line));
        }
    }

    #[test]
    fn bad_arguments_never_become_another_action() {
        for (name, arguments, part) in [
            ("why", json!({}), "name is missing"),
            ("why", json!({"name": 3}), "name is a string"),
            ("why", json!({"name": "a b"}), "cannot be"),
            ("why", json!({"name": "a\nshutdown"}), "cannot be"),
            ("why", json!({"name": ""}), "cannot be"),
            ("stop", json!({"names": ["--dependents", "db"]}), "cannot be"),
            ("stop", json!({"names": []}), "an array of strings"),
            ("enable", json!({"names": ["--now", "db"]}), "cannot be"),
            ("scale", json!({"programs": ["--persist", "db=2"]}), "cannot be"),
            ("scale", json!({"programs": ["db=2 web=3"]}), "cannot be"),
            ("stop", json!({"names": "db"}), "an array of strings"),
            ("stop", json!({"names": [3]}), "are strings"),
            ("stop", json!({"name": "db"}), "has no argument \"name\"; it has: names"),
            ("stop", json!(["db"]), "no object"),
            ("logs", json!({"name": "web", "stream": "stdin"}), "one of: stdout, stderr"),
            ("logs", json!({"name": "web", "bytes": 0}), "from 1 to 65536"),
            ("logs", json!({"name": "web", "bytes": -5}), "from 1 to 65536"),
            ("events", json!({"last": "many"}), "from 1 to 512"),
        ] {
            let problem = tool(name).line(&arguments).unwrap_err();
            assert!(problem.contains(part), "{name} {arguments}: {problem}");
        }
    }

    #[test]
    fn documents_are_results_whatever_the_exit_status_and_other_lines_are_errors() {
        let report = |output: &str, status| ToolReport { output: output.to_owned(), status };
        let stopped = tool("status").result(&report("{\"programs\":[]}\n", 3));
        assert_eq!((&stopped["isError"], &stopped["structuredContent"]), (&json!(false), &json!({"programs": []})));
        let unknown = tool("status").result(&report("x: ERROR (no such process)\n{\"programs\":[]}\n", 4));
        assert_eq!(unknown["isError"], true);
        let events = tool("events").result(&report("{\"event\":\"a\"}\n{\"event\":\"b\"}\n", 0));
        assert_eq!(events["structuredContent"], json!({"events": [{"event": "a"}, {"event": "b"}]}));
        assert_eq!(tool("start").result(&report("web: ERROR (spawn error)\n", 7))["isError"], true);
    }

    #[test]
    fn names_are_unique_and_only_reading_tools_are_listed_without_leave() {
        let mut names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(list(false).iter().all(|tool| tool["annotations"]["readOnlyHint"] == true));
        assert_eq!(list(true).len(), TOOLS.len());
    }
}
