//! What the thread that compresses a rotated log tells the output plane.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;

use supervisord_config::log_compression::LogCompression;

use super::sink_id::SinkId;

/// How the compression of a rotated log ended.
pub struct CompressionEnd {
    pub(super) sink: SinkId,
    /// What the file was called that was compressed.
    pub(super) path: PathBuf,
    /// Device and inode of the file that was compressed, whatever it is called by now.
    pub(super) source: (u64, u64),
    pub(super) form: LogCompression,
    /// The compressed file.
    pub(super) part: PathBuf,
    pub(super) outcome: io::Result<()>,
    /// The thread holds the original open until this is dropped: the system frees its blocks then, which may take long.
    pub(super) _held: SyncSender<()>,
}
