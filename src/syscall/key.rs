//! Kernel keys: add_key(2), request_key(2), keyctl(2) (the kernel's `security/keys/keyctl.c`).

use super::arg::{BytesIn, StrPtr};
use super::host::{HostArg, args};
use crate::abi::{Errno, UserAddr};
use crate::proc::Task;

/// Longest type of a key with its NUL.
const TYPE_MAX: usize = 32;
/// Longest description of a key with its NUL (`KEY_MAX_DESC_SIZE`).
const DESCRIPTION_MAX: usize = 4096;
/// Most bytes of a key's contents, and more than any answer has.
const PAYLOAD_MAX: u64 = 1024 * 1024;

/// Operations of keyctl(2) (the kernel's `include/uapi/linux/keyctl.h`).
mod operation {
    pub(super) const JOIN_SESSION_KEYRING: u32 = 1;
    pub(super) const UPDATE: u32 = 2;
    pub(super) const REVOKE: u32 = 3;
    pub(super) const SETPERM: u32 = 5;
    pub(super) const DESCRIBE: u32 = 6;
    pub(super) const CLEAR: u32 = 7;
    pub(super) const UNLINK: u32 = 9;
    pub(super) const SEARCH: u32 = 10;
    pub(super) const READ: u32 = 11;
    pub(super) const INSTANTIATE: u32 = 12;
    pub(super) const NEGATE: u32 = 13;
    pub(super) const ASSUME_AUTHORITY: u32 = 16;
    pub(super) const GET_SECURITY: u32 = 17;
    pub(super) const SESSION_TO_PARENT: u32 = 18;
    pub(super) const REJECT: u32 = 19;
    pub(super) const INVALIDATE: u32 = 21;
    pub(super) const GET_PERSISTENT: u32 = 22;
    pub(super) const MOVE: u32 = 30;
    pub(super) const CAPABILITIES: u32 = 31;
}

pub(super) fn sys_add_key(
    task: &mut Task,
    kind: StrPtr,
    description: StrPtr,
    payload: BytesIn,
    len: u64,
    keyring: i32,
) -> Result<u64, Errno> {
    let kind = task.string(kind.0, TYPE_MAX);
    let description = task.string(description.0, DESCRIPTION_MAX);
    task.host(libc::SYS_add_key, args![&kind, &description, contents(payload.0, len), len, keyring])
}

pub(super) fn sys_request_key(
    task: &mut Task,
    kind: StrPtr,
    description: StrPtr,
    callout: StrPtr,
    keyring: i32,
) -> Result<u64, Errno> {
    let kind = task.string(kind.0, TYPE_MAX);
    let description = task.string(description.0, DESCRIPTION_MAX);
    let callout = task.string(callout.0, DESCRIPTION_MAX);
    task.host(libc::SYS_request_key, args![&kind, &description, &callout, keyring])
}

pub(super) fn sys_keyctl(task: &mut Task, operation: u32, a: u64, b: u64, c: u64, d: u64) -> Result<u64, Errno> {
    let call = |rest: [HostArg<'_>; 4]| {
        let [a, b, c, d] = rest;
        task.host(libc::SYS_keyctl, &mut [operation.into(), a, b, c, d])
    };
    let number = HostArg::Int;
    let (b_addr, c_addr) = (UserAddr::new(b), UserAddr::new(c));
    match operation {
        0
        | operation::REVOKE..=operation::SETPERM
        | operation::CLEAR..=operation::UNLINK
        | operation::NEGATE..=operation::ASSUME_AUTHORITY
        | operation::SESSION_TO_PARENT
        | operation::REJECT
        | operation::INVALIDATE
        | operation::GET_PERSISTENT
        | operation::MOVE => call([a, b, c, d].map(number)),
        operation::JOIN_SESSION_KEYRING => {
            call([(&task.string(UserAddr::new(a), DESCRIPTION_MAX)).into(), number(b), number(c), number(d)])
        }
        operation::UPDATE
        | operation::DESCRIBE
        | operation::READ
        | operation::INSTANTIATE
        | operation::GET_SECURITY => call([number(a), contents(b_addr, c), number(c), number(d)]),
        operation::SEARCH => {
            let (kind, description) = (task.string(b_addr, TYPE_MAX), task.string(c_addr, DESCRIPTION_MAX));
            call([number(a), (&kind).into(), (&description).into(), number(d)])
        }
        operation::CAPABILITIES => call([contents(UserAddr::new(a), b), number(b), number(c), number(d)]),
        _ => {
            task.missing(format_args!("keyctl operation {operation}"));
            Err(Errno::EOPNOTSUPP)
        }
    }
}

/// Contents of a key; the host refuses more than it takes, and writes no more than there are.
fn contents(addr: UserAddr, len: u64) -> HostArg<'static> {
    HostArg::Guest(addr, len.min(PAYLOAD_MAX))
}
