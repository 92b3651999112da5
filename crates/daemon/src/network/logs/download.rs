//! A whole log file, as it is when it is asked for, read while the client takes it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::Bytes;

use crate::blocking::BlockingThreads;
use crate::file_end;
use crate::network::reply::Broken;
use crate::network::streams::{PIECE, StreamSource};

/// A file of which so many bytes are sent. The answer has their number as its length, so that nothing is read behind them.
pub(super) struct Download {
    /// `None` while another thread has it.
    file: Option<File>,
    position: u64,
    size: u64,
    blocking: BlockingThreads,
}

impl Download {
    /// The file at this path, and its size. It may block.
    pub(super) fn open(path: &str, blocking: BlockingThreads) -> io::Result<(Download, u64)> {
        let file = file_end::open(path)?;
        let size = file.metadata()?.len();
        Ok((Download { file: Some(file), position: 0, size, blocking }, size))
    }
}

impl StreamSource for Download {
    async fn read(&mut self) -> Result<Option<Bytes>, Broken> {
        let left = usize::try_from(self.size - self.position).unwrap_or(usize::MAX);
        let (file, position) = (self.file.take().ok_or(Broken)?, self.position);
        let read = self.blocking.run(move || {
            let mut bytes = vec![0; left.min(PIECE)];
            let count = file.read_at(&mut bytes, position);
            bytes.truncate(count.as_ref().copied().unwrap_or(0));
            (file, count.map(|_| bytes))
        });
        let (file, bytes) = read.await.map_err(|_| Broken)?;
        self.file = Some(file);
        let bytes = bytes.map_err(|_| Broken)?;
        if bytes.is_empty() {
            // The file was cut meanwhile: the client sees that something is missing.
            return Err(Broken);
        }
        self.position += bytes.len() as u64;
        Ok(Some(bytes.into()))
    }

    async fn changed(&mut self) {}

    fn recheck(&mut self) {}
}
