//! What `perf script` prints, which FlameGraph, speedscope and the Firefox Profiler read: a block for each sample, its
//! period (ns, or 1 for a page fault), the innermost frame first.

use std::io::{self, Write};

use super::plain;
use crate::profile::model::{Event, Frame, Profile};

pub(super) fn write(profile: &Profile, to: &mut dyn Write) -> io::Result<()> {
    let mut samples: Vec<_> = profile.samples().collect();
    samples.sort_by_key(|(_, _, sample)| sample.time);
    for (process, thread, sample) in samples {
        let (seconds, micros) = (sample.time / 1_000_000_000, sample.time / 1000 % 1_000_000);
        let name = thread.name.replace(['\n', '\0'], " ");
        let event = match profile.event {
            Event::Faults => "page-faults".to_owned(),
            time => format!("{}-clock", time.name()),
        };
        writeln!(to, "{name} {}/{} {seconds}.{micros:06}: {:>10} {event}: ", process.pid, thread.tid, sample.weight)?;
        for frame in profile.frames_of(sample.stack) {
            write_frame(profile, frame, to)?;
        }
        writeln!(to)?;
    }
    Ok(())
}

fn write_frame(profile: &Profile, frame: &Frame, to: &mut dyn Write) -> io::Result<()> {
    let function = profile.function(frame);
    let module = match function.module.as_str() {
        "" => "[unknown]",
        module => module,
    };
    writeln!(to, "\t{:16x} {} ({})", frame.address, plain(&function.name), plain(module))
}
