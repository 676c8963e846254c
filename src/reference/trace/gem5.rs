//! Traces as gem5's instruction tracer writes them (`src/proto/inst.proto`, `src/proto/protoio.cc`): protocol buffers, each
//! behind its length. A tick is an instruction.

use std::io::{self, Write};

use prost::Message;

use super::Sink;
use crate::proc::trace::record::{Executed, Record};

/// "gem5"
const MAGIC: u32 = 0x356d_6567;

#[derive(Clone, PartialEq, Message)]
struct InstHeader {
    #[prost(string, optional, tag = "1")]
    obj_id: Option<String>,
    #[prost(uint32, optional, tag = "2")]
    ver: Option<u32>,
    #[prost(uint64, optional, tag = "3")]
    tick_freq: Option<u64>,
    #[prost(bool, optional, tag = "4")]
    has_mem: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
struct MemAccess {
    #[prost(uint64, optional, tag = "1")]
    addr: Option<u64>,
    #[prost(uint32, optional, tag = "2")]
    size: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    mem_flags: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct Inst {
    #[prost(uint64, optional, tag = "1")]
    pc: Option<u64>,
    #[prost(uint32, optional, tag = "3")]
    nodeid: Option<u32>,
    #[prost(uint32, optional, tag = "4")]
    cpuid: Option<u32>,
    #[prost(fixed64, optional, tag = "5")]
    tick: Option<u64>,
    #[prost(message, repeated, tag = "8")]
    mem_access: Vec<MemAccess>,
    #[prost(bytes = "vec", optional, tag = "9")]
    inst_bytes: Option<Vec<u8>>,
}

/// Writes messages.
pub(super) struct Gem5 {
    to: Box<dyn Write>,
    count: u64,
}

impl Gem5 {
    pub(super) fn begin(mut to: Box<dyn Write>) -> io::Result<Self> {
        to.write_all(&MAGIC.to_le_bytes())?;
        let header = InstHeader {
            obj_id: Some("kvm-se".to_owned()),
            ver: Some(0),
            tick_freq: Some(1_000_000_000_000),
            has_mem: Some(true),
        };
        to.write_all(&header.encode_length_delimited_to_vec())?;
        Ok(Self { to, count: 0 })
    }

    fn executed(&mut self, executed: &Executed) -> io::Result<()> {
        let accesses = executed.memory.iter().map(|memory| MemAccess {
            addr: Some(memory.addr),
            size: u32::try_from(memory.bytes.len()).ok(),
            mem_flags: Some(0),
        });
        let message = Inst {
            pc: Some(executed.pc),
            nodeid: Some(0),
            cpuid: Some(executed.thread),
            tick: Some(self.count),
            mem_access: accesses.collect(),
            inst_bytes: Some(executed.bytes.clone()),
        };
        self.count += 1;
        self.to.write_all(&message.encode_length_delimited_to_vec())
    }
}

impl Sink for Gem5 {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Executed(executed) if !executed.is_partial => self.executed(executed),
            _ => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.to.flush()
    }
}
