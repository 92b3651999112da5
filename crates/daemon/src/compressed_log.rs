//! Compressed logs: how they are made and read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use supervisord_config::log_compression::LogCompression;

/// How much of a log is one frame of Zstandard, in bytes.
const FRAME: usize = 1 << 20;

/// What a file of Zstandard begins with that was made here: a frame that is skipped, with a name in it.
const MARK: &[u8; 19] = b"\x5b\x2a\x4d\x18\x0b\0\0\0supervisord";

/// The same of gzip: no name and no time, but a comment.
const GZIP_MARK: &[u8; 22] = b"\x1f\x8b\x08\x10\0\0\0\0\0\xffsupervisord\0";

/// What stands for the system in it.
const UNKNOWN_SYSTEM: u8 = 0xff;

/// The comment in it.
const GZIP_COMMENT: &str = "supervisord";

/// Whether a compressed file was made here, as far as its beginning tells.
pub fn is_made_here(form: LogCompression, file: &File) -> bool {
    let mut beginning = [0; GZIP_MARK.len()];
    let count = file.read_at(&mut beginning, 0).unwrap_or(0);
    let expected: &[u8] = match form {
        LogCompression::None => return false,
        LogCompression::Gzip => GZIP_MARK,
        LogCompression::Zstd => MARK,
    };
    beginning[..count].starts_with(expected)
}

/// Compresses what is written to it.
pub enum Encoder {
    None(File),
    Gzip(Box<GzEncoder<File>>),
    /// The file, what is not in a frame yet, and whether the file has its mark.
    Zstd(File, Vec<u8>, bool),
}

impl Encoder {
    /// What is written goes to this file.
    pub fn new(form: LogCompression, target: File) -> Encoder {
        match form {
            LogCompression::None => Encoder::None(target),
            LogCompression::Gzip => {
                let builder = GzBuilder::new().comment(GZIP_COMMENT).operating_system(UNKNOWN_SYSTEM);
                Encoder::Gzip(Box::new(builder.write(target, Compression::default())))
            }
            LogCompression::Zstd => Encoder::Zstd(target, Vec::with_capacity(FRAME), false),
        }
    }

    /// Writes what is held back; the answer is the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> io::Result<File> {
        match self {
            Encoder::None(file) => Ok(file),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(mut file, rest, mut is_marked) => {
                mark(&mut file, &mut is_marked)?;
                file.write_all(&frame(&rest))?;
                Ok(file)
            }
        }
    }
}

impl Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Encoder::None(file) => file.write(bytes),
            Encoder::Gzip(encoder) => encoder.write(bytes),
            Encoder::Zstd(file, rest, is_marked) => {
                rest.extend_from_slice(bytes);
                if rest.len() >= FRAME {
                    mark(file, is_marked)?;
                    file.write_all(&frame(rest))?;
                    rest.clear();
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn mark(file: &mut File, is_marked: &mut bool) -> io::Result<()> {
    if std::mem::replace(is_marked, true) { Ok(()) } else { file.write_all(MARK) }
}

/// In memory, where nothing can fail: the library panics when a file does.
fn frame(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// Reads a log as it was before it was compressed.
///
/// # Errors
/// It is not compressed like that, or cannot be read.
pub fn decoder(form: LogCompression, mut file: File) -> io::Result<Box<dyn Read + Send>> {
    if form == LogCompression::Zstd && is_made_here(form, &file) {
        file.seek(SeekFrom::Start(MARK.len() as u64))?;
    }
    Ok(match form {
        LogCompression::None => Box::new(file),
        LogCompression::Gzip => Box::new(MultiGzDecoder::new(io::BufReader::new(file))),
        LogCompression::Zstd => Box::new(Frames { file: Some(Ahead::new(io::BufReader::new(file))), frame: None }),
    })
}

/// The frames of a file, one after the other.
struct Frames {
    /// None while a frame is read from it.
    file: Option<Ahead>,
    frame: Option<Box<StreamingDecoder<Ahead, ruzstd::decoding::FrameDecoder>>>,
}

/// A file, of which a byte may have been read ahead.
struct Ahead {
    file: io::BufReader<File>,
}

impl Ahead {
    fn new(file: io::BufReader<File>) -> Ahead {
        Ahead { file }
    }

    fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(io::BufRead::fill_buf(&mut self.file)?.is_empty())
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(frame) = &mut self.frame {
                match frame.read(buffer)? {
                    0 => self.file = self.frame.take().map(|frame| frame.into_inner()),
                    count => return Ok(count),
                }
            }
            let Some(mut file) = self.file.take() else { return Ok(0) };
            if file.is_at_end()? {
                return Ok(0);
            }
            let frame =
                StreamingDecoder::new(file).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.frame = Some(Box::new(frame));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes of numbered lines.
    fn lines(length: usize) -> Vec<u8> {
        (0..).flat_map(|number: u64| format!("{number:09} {}\n", number * number).into_bytes()).take(length).collect()
    }

    #[test]
    fn what_was_compressed_can_be_read() {
        for form in LogCompression::ALL {
            for length in [0, 1, 100, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME + 77] {
                let bytes = lines(length);
                let mut encoder = Encoder::new(form, tempfile::tempfile().expect("a file"));
                bytes.chunks(64 << 10).for_each(|piece| encoder.write_all(piece).expect("written"));
                let mut file = encoder.finish().expect("finished");
                assert_eq!(is_made_here(form, &file), form != LogCompression::None, "{form:?} {length}");
                file.rewind().expect("rewound");
                let size = file.metadata().expect("found").len();
                let mut read = Vec::new();
                decoder(form, file).expect("opened").read_to_end(&mut read).expect("read");
                assert!(read == bytes, "{form:?} {length}");
                assert!(form == LogCompression::None || length < 1000 || size * 2 < length as u64, "{form:?} {size}");
            }
        }
    }

    /// Every program that compresses with common libraries writes the same ten first bytes.
    #[test]
    fn what_others_have_compressed_is_not_made_here() {
        let text = lines(1000);
        let plain = GzEncoder::new(tempfile::tempfile().expect("a file"), Compression::default());
        let commented = GzBuilder::new()
            .comment("supervisord2")
            .write(tempfile::tempfile().expect("a file"), Compression::default());
        let named = GzBuilder::new()
            .filename("supervisord")
            .write(tempfile::tempfile().expect("a file"), Compression::default());
        for mut encoder in [plain, commented, named] {
            encoder.write_all(&text).expect("written");
            let mut file = encoder.finish().expect("finished");
            assert!(!is_made_here(LogCompression::Gzip, &file));
            file.rewind().expect("rewound");
            let mut read = Vec::new();
            decoder(LogCompression::Gzip, file).expect("opened").read_to_end(&mut read).expect("read");
            assert!(read == text);
        }
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&compress_to_vec(text.as_slice(), CompressionLevel::Fastest)).expect("written");
        assert!(!is_made_here(LogCompression::Zstd, &file));
    }

    #[test]
    fn a_file_that_was_cut_is_an_error() {
        for form in [LogCompression::Gzip, LogCompression::Zstd] {
            let mut encoder = Encoder::new(form, tempfile::tempfile().expect("a file"));
            encoder.write_all(&lines(100_000)).expect("written");
            let mut file = encoder.finish().expect("finished");
            file.set_len(file.metadata().expect("found").len() / 2).expect("cut");
            file.rewind().expect("rewound");
            let read = decoder(form, file).and_then(|mut log| log.read_to_end(&mut Vec::new()));
            assert!(read.is_err(), "{form:?}");
        }
    }
}
