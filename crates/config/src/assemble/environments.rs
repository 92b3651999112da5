//! What is mentioned of an environment.

use crate::environment::Environment;
use crate::notices::Notices;
use crate::reader::Reader;

/// The pairs of an environment; what of it has no effect is mentioned.
pub(super) fn without_losses(
    reader: &Reader<'_>,
    Environment { pairs, losses }: Environment,
    notices: &mut Notices,
) -> Vec<(String, String)> {
    for loss in losses {
        let text = format!("In the environment of [{}], {}", reader.section(), loss.describe());
        notices.warn_at(text, reader.place("environment").advise(loss.advice()));
    }
    pairs
}
