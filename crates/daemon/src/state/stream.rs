//! An output stream of a child: which it is, and what its pipeline holds back.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use supervisord_core::output::capture;
use supervisord_core::output::characters::WholeCharacters;
use supervisord_core::output::pipeline::{self, PipelineData};
use supervisord_core::output::records::UnfinishedLine;
use supervisord_core::output::strip::{self, Stripper};

/// Which stream.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Channel {
    Stdout,
    Stderr,
}

/// A pipeline.
#[derive(Debug, Serialize, Deserialize)]
struct Pipeline {
    stripper: Option<Strip>,
    /// Always empty; the first readers of version 2 require it.
    #[serde(default)]
    stripped: Vec<u8>,
    stages: Stages,
}

#[derive(Debug, Serialize, Deserialize)]
struct Strip {
    state: StripState,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum StripState {
    Text,
    Escape,
    Sequence,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stages {
    capture: Option<Capture>,
    #[serde(rename = "onlookers")]
    observers: Option<Observers>,
    /// None where nothing has come of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<Line>,
    /// The same of a line that will be forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forwarded: Option<Line>,
}

/// A line that has not ended.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    bytes: Vec<u8>,
    is_continued: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Capture {
    limit: usize,
    pending: Vec<u8>,
    section: Option<Section>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Section {
    bytes: Vec<u8>,
    dropped: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Observers {
    held: Vec<u8>,
}

/// Which stream, as a field of another record.
pub mod channel {
    use super::{Channel, Deserialize, Deserializer, Serialize, Serializer};
    use supervisord_core::output;

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(channel: &output::Channel, serializer: S) -> Result<S::Ok, S::Error> {
        let record = match channel {
            output::Channel::Stdout => Channel::Stdout,
            output::Channel::Stderr => Channel::Stderr,
        };
        record.serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<output::Channel, D::Error> {
        Channel::deserialize(deserializer).map(|record| match record {
            Channel::Stdout => output::Channel::Stdout,
            Channel::Stderr => output::Channel::Stderr,
        })
    }
}

/// A pipeline that may be missing, as a field of another record.
pub mod optional_pipeline {
    use super::{Deserialize, Deserializer, Pipeline, Serialize, Serializer, pipeline};

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(pipeline: &Option<pipeline::Pipeline>, serializer: S) -> Result<S::Ok, S::Error> {
        pipeline.as_ref().map(Pipeline::from).serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<pipeline::Pipeline>, D::Error> {
        Ok(Option::<Pipeline>::deserialize(deserializer)?.map(pipeline::Pipeline::from))
    }
}

impl From<&pipeline::Pipeline> for Pipeline {
    fn from(pipeline: &pipeline::Pipeline) -> Pipeline {
        let PipelineData { stripper, capture, observers, line, forwarded } = pipeline.into();
        Pipeline {
            stripper: stripper.map(Strip::from),
            stripped: Vec::new(),
            stages: Stages {
                capture: capture.map(Capture::from),
                observers: observers.map(|WholeCharacters { held }| Observers { held }),
                line: Line::of(line),
                forwarded: Line::of(forwarded),
            },
        }
    }
}

impl From<Pipeline> for pipeline::Pipeline {
    fn from(pipeline: Pipeline) -> pipeline::Pipeline {
        let Pipeline { stripper, stripped: _, stages } = pipeline;
        let Stages { capture, observers, line, forwarded } = stages;
        let data = PipelineData {
            stripper: stripper.map(Stripper::from),
            capture: capture.map(capture::Capture::from),
            observers: observers.map(|Observers { held }| WholeCharacters { held }),
            line: line.map(UnfinishedLine::from).unwrap_or_default(),
            forwarded: forwarded.map(UnfinishedLine::from).unwrap_or_default(),
        };
        data.into()
    }
}

impl Line {
    /// None where nothing has come of one.
    fn of(line: UnfinishedLine) -> Option<Line> {
        let is_begun = !line.is_at_rest();
        let UnfinishedLine { bytes, is_continued } = line;
        is_begun.then_some(Line { bytes, is_continued })
    }
}

impl From<Line> for UnfinishedLine {
    fn from(Line { bytes, is_continued }: Line) -> UnfinishedLine {
        UnfinishedLine { bytes, is_continued }
    }
}

impl From<Stripper> for Strip {
    fn from(Stripper { state }: Stripper) -> Strip {
        let state = match state {
            strip::StripState::Text => StripState::Text,
            strip::StripState::Escape => StripState::Escape,
            strip::StripState::Sequence => StripState::Sequence,
        };
        Strip { state }
    }
}

impl From<Strip> for Stripper {
    fn from(Strip { state }: Strip) -> Stripper {
        let state = match state {
            StripState::Text => strip::StripState::Text,
            StripState::Escape => strip::StripState::Escape,
            StripState::Sequence => strip::StripState::Sequence,
        };
        Stripper { state }
    }
}

impl From<capture::Capture> for Capture {
    fn from(capture::Capture { limit, pending, section }: capture::Capture) -> Capture {
        let section =
            section.map(|capture::CaptureSection { bytes, dropped }| Section { bytes: bytes.into(), dropped });
        Capture { limit, pending, section }
    }
}

impl From<Capture> for capture::Capture {
    fn from(Capture { limit, pending, section }: Capture) -> capture::Capture {
        let section =
            section.map(|Section { bytes, dropped }| capture::CaptureSection { bytes: bytes.into(), dropped });
        capture::Capture { limit, pending, section }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A field with each of the forms.
    #[derive(Serialize, Deserialize)]
    struct Fields {
        #[serde(with = "channel")]
        channel: supervisord_core::output::Channel,
        #[serde(with = "optional_pipeline")]
        pipeline: Option<pipeline::Pipeline>,
    }

    #[test]
    fn a_stream_keeps_its_form() {
        let stages = [
            json!({"capture": null, "onlookers": null}),
            json!({"capture": {"limit": 9, "pending": [60], "section": null}, "onlookers": {"held": [226, 130]}}),
            json!({"capture": {"limit": 9, "pending": [], "section": {"bytes": [1, 2], "dropped": 3}}, "onlookers": null}),
            json!({"capture": null, "onlookers": null, "line": {"bytes": [104, 105], "is_continued": true}}),
            json!({"capture": null, "onlookers": null, "forwarded": {"bytes": [104, 105], "is_continued": true}}),
        ];
        let strippers =
            [Value::Null, json!({"state": "Text"}), json!({"state": "Escape"}), json!({"state": "Sequence"})];
        for stages in stages {
            for stripper in &strippers {
                for channel in ["Stdout", "Stderr"] {
                    let pipeline = json!({"stripper": stripper, "stripped": [], "stages": stages});
                    let form = json!({"channel": channel, "pipeline": pipeline});
                    let fields: Fields = serde_json::from_value(form.clone()).unwrap();
                    assert_eq!(serde_json::to_value(fields).unwrap(), form);
                }
            }
        }
    }
}
