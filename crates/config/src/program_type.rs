//! Whether a program is to stay or to do its work and end, as it is written: `oneshot`.

use crate::complaint::Complaint;
use crate::model::{Process, ProgramType};
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::suggest::did_you_mean;

impl ProgramType {
    /// The type of a word, in any case.
    ///
    /// # Errors
    /// There is no such type.
    pub fn parse(text: &str) -> Result<ProgramType, Complaint> {
        let lower = strip(text).to_lowercase();
        ProgramType::ALL.into_iter().find(|kind| kind.word() == lower).ok_or_else(|| {
            let words = ProgramType::ALL.map(ProgramType::word);
            Complaint::quoting("invalid type of program ", repr(text), "").advise(did_you_mean(&lower, words))
        })
    }
}

impl Process {
    /// Whether it is to do its work and end.
    pub fn is_oneshot(&self) -> bool {
        self.start.r#type == ProgramType::Oneshot
    }
}
