//! What is mentioned of an environment.

use crate::environment::ParsedEnvironment;
use crate::notices::Notices;
use crate::reader::Reader;

/// The pairs of an environment; what of it has no effect is mentioned.
pub(super) fn without_losses(
    reader: &Reader<'_>,
    ParsedEnvironment { pairs, losses }: ParsedEnvironment,
    notices: &mut Notices,
) -> Vec<(String, String)> {
    for loss in losses {
        let text = format!("In the environment of [{}], {}", reader.section(), loss.describe());
        notices.warn_at(text, reader.place("environment").advise(loss.advice()));
    }
    pairs
}
