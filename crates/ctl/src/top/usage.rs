//! What programs use of the machine, from what the daemon has counted, without I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// What the processes of a program use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProgramUsage {
    /// Of one processor, since the last time; none at first.
    pub cpu_percent: Option<f64>,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
}

/// A program as the daemon counts it.
#[derive(Deserialize)]
struct Counted {
    group: String,
    name: String,
    cpu_seconds: Option<f64>,
    memory_bytes: Option<u64>,
}

/// The usage of all programs, by group and name.
#[derive(Debug, Default)]
pub struct UsageTable {
    programs: BTreeMap<(String, String), (ProgramUsage, f64)>,
    at: Option<Duration>,
}

impl UsageTable {
    /// Takes a count of the time `at`.
    pub fn take(&mut self, counted: &Value, at: Duration) {
        let listed = counted.get("programs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let passed = self.at.map(|before| at.saturating_sub(before).as_secs_f64()).filter(|passed| *passed > 0.0);
        let before = std::mem::take(&mut self.programs);
        for program in listed {
            let Ok(Counted { group, name, cpu_seconds, memory_bytes }) = Counted::deserialize(program) else {
                continue;
            };
            let key = (group, name);
            let used = cpu_seconds.unwrap_or_default();
            // A new process begins at 0.
            let since = before.get(&key).map(|(_, before)| if used < *before { used } else { used - before });
            let cpu_percent = since.zip(passed).map(|(used, passed)| used / passed * 100.0);
            self.programs
                .insert(key, (ProgramUsage { cpu_percent, memory_bytes: memory_bytes.unwrap_or_default() }, used));
        }
        self.at = Some(at);
    }

    /// The usage of a program, where it is known.
    pub fn of(&self, group: &str, name: &str) -> Option<ProgramUsage> {
        self.programs.get(&(group.to_owned(), name.to_owned())).map(|(usage, _)| *usage)
    }
}

/// A number of bytes in at most five characters, such as `12.5M`.
pub fn size(bytes: u64) -> String {
    let mut number = bytes as f64;
    for unit in ["", "K", "M", "G"] {
        if number < 1000.0 {
            return match unit {
                "" => format!("{number:.0}"),
                _ if number < 100.0 => format!("{number:.1}{unit}"),
                _ => format!("{number:.0}{unit}"),
            };
        }
        number /= 1024.0;
    }
    format!("{number:.1}T")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_share_of_a_processor_is_that_since_the_last_count() {
        let mut table = UsageTable::default();
        let counted = |seconds: f64| json!({"programs": [{"group": "web", "name": "web", "cpu_seconds": seconds, "memory_bytes": 2048}]});
        table.take(&counted(10.0), Duration::from_secs(1));
        assert_eq!(table.of("web", "web"), Some(ProgramUsage { cpu_percent: None, memory_bytes: 2048 }));
        table.take(&counted(11.0), Duration::from_secs(3));
        assert_eq!(table.of("web", "web").and_then(|usage| usage.cpu_percent), Some(50.0));
        table.take(&counted(0.5), Duration::from_secs(4));
        assert_eq!(table.of("web", "web").and_then(|usage| usage.cpu_percent), Some(50.0), "it was restarted");
        table.take(&json!({}), Duration::from_secs(5));
        assert_eq!(table.of("web", "web"), None);
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in
            [(0, "0"), (999, "999"), (1000, "1.0K"), (1 << 20, "1.0M"), (150 << 20, "150M"), (3 << 40, "3.0T")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
