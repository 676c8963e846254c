//! Traces as the records themselves, compressed by zstd, and their reader.

use std::io::{self, BufRead, Read, Write};

use super::Sink;
use crate::proc::trace::record::Record;

/// The first bytes of a trace, before it is compressed.
const MAGIC: &[u8; 8] = b"kvmset01";
/// Quick enough for stepping, and not much larger than what takes longer.
const LEVEL: i32 = 3;
const PIECE: usize = 256 << 10;

/// Writes compressed records.
pub(super) struct Binary {
    to: zstd::Encoder<'static, Box<dyn Write>>,
    last: u64,
    bytes: Vec<u8>,
}

impl Binary {
    pub(super) fn begin(to: Box<dyn Write>) -> io::Result<Self> {
        let mut to = zstd::Encoder::new(to, LEVEL)?;
        to.write_all(MAGIC)?;
        Ok(Self { to, last: 0, bytes: Vec::new() })
    }
}

impl Sink for Binary {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.bytes.clear();
        record.write(&mut self.last, &mut self.bytes);
        self.to.write_all(&self.bytes)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.to.finish()?.flush()
    }
}

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("this is no trace of kvm-se")]
    NotTrace,
    /// It ends early, or is damaged.
    #[error("the trace is damaged, or not all there, after {0} records")]
    Damaged(u64),
}

/// Reads a compressed trace, and passes each record to `act`, which may stop it by an error.
///
/// # Errors
/// What is wrong with the trace, behind the records that could be read.
pub fn read<E: From<ReadError>>(
    mut from: impl BufRead,
    mut act: impl FnMut(&Record) -> Result<(), E>,
) -> Result<(), E> {
    /// With it begins whatever zstd has compressed.
    const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
    if !from.fill_buf().map_err(ReadError::Io)?.starts_with(ZSTD) {
        return Err(ReadError::NotTrace.into());
    }
    let mut decoder = zstd::Decoder::with_buffer(from).map_err(ReadError::Io)?;
    let mut magic = [0; MAGIC.len()];
    decoder.read_exact(&mut magic).map_err(|_| ReadError::Damaged(0))?;
    if magic != *MAGIC {
        return Err(ReadError::NotTrace.into());
    }
    let (mut bytes, mut last, mut count) = (Vec::new(), 0, 0);
    let mut piece = vec![0; PIECE];
    loop {
        let got = decoder.read(&mut piece).map_err(|_| ReadError::Damaged(count))?;
        if got == 0 {
            return if bytes.is_empty() { Ok(()) } else { Err(ReadError::Damaged(count).into()) };
        }
        bytes.extend_from_slice(&piece[..got]);
        let mut rest = &bytes[..];
        while let Some((record, len)) = Record::read(&mut last, rest).map_err(|_| ReadError::Damaged(count))? {
            act(&record)?;
            count += 1;
            rest = &rest[len..];
        }
        let done = bytes.len() - rest.len();
        bytes.drain(..done);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn records(bytes: &[u8]) -> (usize, Result<(), ReadError>) {
        let mut count = 0;
        let result = read(bytes, |_| {
            count += 1;
            Ok(())
        });
        (count, result)
    }

    #[test]
    fn a_trace_is_read_and_a_part_of_one_is_not() {
        let to = Shared::default();
        let mut sink = Box::new(Binary::begin(Box::new(to.clone())).unwrap());
        (0..100).for_each(|thread| sink.record(&Record::Left { thread }).unwrap());
        sink.finish().unwrap();
        let bytes = to.0.lock().unwrap().clone();
        assert!(matches!(records(&bytes), (100, Ok(()))));
        assert!(matches!(records(&bytes[..bytes.len() - 3]), (_, Err(ReadError::Damaged(_)))));
        assert!(matches!(records(b"text"), (0, Err(ReadError::NotTrace))));
        assert!(matches!(records(b""), (0, Err(ReadError::NotTrace))));
    }
}
