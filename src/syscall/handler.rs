//! Handlers are plain functions; this trait calls them with decoded arguments.

use super::arg::{Arg, ArgKind};
use super::{IntoSysResult, SysResult};
use crate::proc::Task;

/// A function `fn(&mut Task, A, B, …) -> Result<…, Errno>` with up to six [`Arg`]s.
pub trait Handler<Args> {
    /// Kinds of the arguments, in order.
    const ARGS: &'static [ArgKind];

    /// Decodes the raw registers and calls it.
    fn call(&self, task: &mut Task, raw: &[u64; 6]) -> SysResult;
}

/// The kinds of a handler's arguments, by type inference.
pub(super) const fn args_of<Args, H: Handler<Args>>(_: &H) -> &'static [ArgKind] {
    H::ARGS
}

macro_rules! impl_handler {
    ($($arg:ident $index:literal)*) => {
        impl<F, R, $($arg,)*> Handler<($($arg,)*)> for F
        where
            F: Fn(&mut Task, $($arg),*) -> R,
            R: IntoSysResult,
            $($arg: Arg,)*
        {
            const ARGS: &'static [ArgKind] = &[$($arg::KIND),*];

            fn call(&self, task: &mut Task, _raw: &[u64; 6]) -> SysResult {
                self(task, $($arg::decode(_raw[$index])?),*).into_sys_result()
            }
        }
    };
}

impl_handler!();
impl_handler!(A 0);
impl_handler!(A 0 B 1);
impl_handler!(A 0 B 1 C 2);
impl_handler!(A 0 B 1 C 2 D 3);
impl_handler!(A 0 B 1 C 2 D 3 E 4);
impl_handler!(A 0 B 1 C 2 D 3 E 4 G 5);
