//! Has rotated logs compressed, one after the other.

use supervisord_config::model::LogLevel;
use supervisord_sys::trusted;

use super::Sinks;
use crate::output::compression::Compressor;
use crate::output::compression_end::CompressionEnd;
use crate::output::loss::Entries;

impl Sinks {
    /// From now on rotated logs can be compressed.
    pub fn set_compressor(&mut self, compressor: Compressor) {
        self.compressor = Some(compressor);
    }

    /// Begins to compress a rotated log, if there is one and no other is being compressed.
    pub fn compress_next(&mut self) {
        while let Some(compressor) = self.compressor.as_mut().filter(|compressor| compressor.is_free())
            && let Some(id) = self.uncompressed.iter().next().copied()
        {
            let Some(shared) = self.open.get_mut(&id) else {
                self.uncompressed.remove(&id);
                continue;
            };
            let mut entries = Entries::new();
            let begun = match shared.sink.next_compression(id, self.disk_guard.clone(), &mut entries) {
                Ok(Some(job)) => compressor.begin(job),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            self.uncompressed.remove(&id);
            if let Err(error) = begun {
                let text = format!("could not compress rotated files of {}: {error}", shared.sink.path());
                entries.push((LogLevel::Warn, text));
            }
            self.queue_notices(id, entries);
        }
    }

    /// A rotated log has been compressed, or could not be.
    pub fn end_compression(&mut self, end: CompressionEnd) {
        if let Some(compressor) = &mut self.compressor {
            compressor.finish();
        }
        match self.open.get_mut(&end.sink) {
            Some(shared) => {
                let entries = shared.sink.end_compression(&end);
                self.queue_notices(end.sink, entries);
            }
            // It is compressed when the log is opened again.
            None => drop(trusted::remove(&end.part)),
        }
    }

    /// Nobody waits for what is being compressed.
    pub fn abandon_compression(&self) {
        self.compressor.iter().for_each(Compressor::abandon);
    }
}
