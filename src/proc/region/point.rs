//! Where regions of interest begin and end: the grammar of `--roi`.
//!
//! ```text
//! REGION = POINT ".." POINT | POINT ".." | ".." POINT | CALL
//! CALL   = NAME | "sym=" NAME [":" N]                     a function is called
//! POINT  = CALL
//!        | "pc=" ADDR [":" N]                             code at this address is executed
//!        | "syscall=" NAME [":" N]                        a system call is made
//!        | "m5=" OP [":" ID]                              an m5op is executed, work_begin and work_end with this work id
//! ```
//!
//! A point with `:N` is reached once, the N-th time in the run; one without each time.

use std::fmt;

/// Kinds of m5ops that regions may begin and end at.
pub const M5_POINTS: [&str; 5] = ["work_begin", "work_end", "reset_stats", "dump_stats", "dump_reset_stats"];

/// A point in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// The start or the end of the run.
    Outermost,
    /// The function of this name is called.
    Function(String, Option<u64>),
    /// The instruction at this address (GVA) is about to be executed.
    Address(u64, Option<u64>),
    /// The system call of this number is made.
    Syscall(u32, Option<u64>),
    /// The m5op of this index in [`M5_POINTS`] is executed, for this work item if there is one.
    M5(usize, Option<u64>),
    /// The call with which the region began returns.
    Return,
}

/// A region: from one point to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub from: Point,
    /// Where it ends.
    pub to: Point,
}

impl Point {
    /// How often it must be passed to be reached; `None` if it is reached each time.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Function(_, count) | Self::Address(_, count) | Self::Syscall(_, count) => *count,
            Self::Outermost | Self::M5(..) | Self::Return => None,
        }
    }

    /// Must code be stopped there?
    pub fn is_in_code(&self) -> bool {
        matches!(self, Self::Function(..) | Self::Address(..) | Self::Return)
    }

    /// `syscall_nr` knows the numbers of system calls.
    fn parse(text: &str, syscall_nr: &dyn Fn(&str) -> Option<u32>) -> Result<Self, String> {
        let Some((kind, rest)) = text.split_once('=') else { return named(text, None) };
        if kind == "sym" {
            let (name, count) = counted(rest)?;
            return named(name, count);
        }
        let (what, number) = counted(rest)?;
        match kind {
            "pc" => {
                let digits = what.strip_prefix("0x").ok_or_else(|| format!("pc={what}: an address begins with 0x"))?;
                let addr = u64::from_str_radix(digits, 16).map_err(|_| format!("pc={what}: this is no address"))?;
                Ok(Self::Address(addr, number))
            }
            "syscall" => {
                let nr = what.parse().ok().or_else(|| syscall_nr(what));
                Ok(Self::Syscall(nr.ok_or_else(|| format!("syscall={what}: there is no such system call"))?, number))
            }
            "m5" => match M5_POINTS.iter().position(|op| *op == what) {
                Some(op) if op < 2 || number.is_none() => Ok(Self::M5(op, number)),
                Some(_) => Err(format!("m5={what}: it has no work id")),
                None => Err(format!("m5={what}: a region begins and ends at one of {}", M5_POINTS.join(", "))),
            },
            _ => Err(format!("{kind}=: a point is NAME, sym=NAME:N, pc=0xADDR:N, syscall=NAME:N or m5=OP:ID")),
        }
    }
}

fn named(name: &str, count: Option<u64>) -> Result<Point, String> {
    if name.is_empty() {
        return Err("a point has no name".to_owned());
    }
    Ok(Point::Function(name.to_owned(), count))
}

/// What stands before the last colon, and the number behind it. Names have colons, too.
fn counted(text: &str) -> Result<(&str, Option<u64>), String> {
    match text.rsplit_once(':') {
        Some((what, number)) if !what.ends_with(':') => {
            let parsed = number.parse().map_err(|_| format!("{text}: {number:?} is no number"))?;
            if parsed == 0 { Err(format!("{text}: numbers begin with 1")) } else { Ok((what, Some(parsed))) }
        }
        _ => Ok((text, None)),
    }
}

impl Span {
    /// Reads a region.
    ///
    /// # Errors
    /// What is wrong with it, for the user.
    pub fn parse(text: &str, syscall_nr: &dyn Fn(&str) -> Option<u32>) -> Result<Self, String> {
        let point = |text: &str| match text {
            "" => Ok(Point::Outermost),
            text => Point::parse(text, syscall_nr),
        };
        let Some((from, to)) = text.split_once("..") else {
            return match Point::parse(text, syscall_nr)? {
                from @ Point::Function(..) => Ok(Self { from, to: Point::Return }),
                _ => Err(format!("{text}: a region has two ends, FROM..TO")),
            };
        };
        let span = Self { from: point(from)?, to: point(to)? };
        if span.from == Point::Outermost && span.to == Point::Outermost {
            return Err(format!("{text}: that is the whole run"));
        }
        Ok(span)
    }

    /// Does one of its ends satisfy `test`?
    pub fn any(&self, test: impl Fn(&Point) -> bool) -> bool {
        test(&self.from) || test(&self.to)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self {
            Self::M5(_, id) => *id,
            point => point.count(),
        };
        match self {
            Self::Outermost | Self::Return => {}
            Self::Function(name, _) => write!(f, "sym={name}")?,
            Self::Address(addr, _) => write!(f, "pc={addr:#x}")?,
            Self::Syscall(nr, _) => write!(f, "syscall={nr}")?,
            Self::M5(op, _) => write!(f, "m5={}", M5_POINTS[*op])?,
        }
        number.map_or(Ok(()), |number| write!(f, ":{number}"))
    }
}

/// As [`Span::parse`] reads it, system calls by their numbers.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Point::Return => write!(f, "{}", self.from),
            _ => write!(f, "{}..{}", self.from, self.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Span, String> {
        Span::parse(text, &|name| (name == "write").then_some(1))
    }

    #[test]
    fn regions_are_read_as_they_are_shown() {
        let function = |name: &str, count| Point::Function(name.to_owned(), count);
        for (text, from, to) in [
            ("main..exit", function("main", None), function("exit", None)),
            ("sym=f:3", function("f", Some(3)), Point::Return),
            ("f", function("f", None), Point::Return),
            ("sym=a::b:2..a::c", function("a::b", Some(2)), function("a::c", None)),
            ("pc=0x401000:7..", Point::Address(0x40_1000, Some(7)), Point::Outermost),
            ("..syscall=write", Point::Outermost, Point::Syscall(1, None)),
            ("syscall=write:3..syscall=231", Point::Syscall(1, Some(3)), Point::Syscall(231, None)),
            ("m5=work_begin:5..m5=work_end", Point::M5(0, Some(5)), Point::M5(1, None)),
        ] {
            let span = Span { from, to };
            assert_eq!(parse(text), Ok(span.clone()), "{text}");
            assert_eq!(parse(&span.to_string()), Ok(span), "{text}");
        }
    }

    #[test]
    fn what_is_no_region_is_refused() {
        for text in [
            "",
            "..",
            "pc=1..",
            "pc=0xg..",
            "syscall=none..",
            "syscall=write",
            "pc=0x1",
            "m5=exit..",
            "m5=dump_stats:1..",
            "sym=:1",
            "sym=f:0",
            "sym=f:x",
            "tid=1..",
            "m5=work_begin",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
