//! A flame graph: a picture with the outermost functions at the bottom, each as wide as its share.

use std::io::{self, Write};

use inferno::flamegraph::{Options, from_lines};

use super::folded;
use crate::profile::model::{Event, Profile};

pub(super) fn write(profile: &Profile, to: &mut dyn Write) -> io::Result<()> {
    let lines = folded::lines(profile);
    let mut options = Options::default();
    options.title = title(&profile.command.join(" "));
    options.count_name = if profile.event.is_time() { "us" } else { "pages" }.to_owned();
    options.subtitle = Some(match profile.event {
        Event::Faults => "pages used for the first time".to_owned(),
        time => format!("{} time", time.name()),
    });
    if lines.is_empty() {
        // It would refuse to draw nothing.
        return from_lines(&mut options, ["(no samples) 1"], to);
    }
    from_lines(&mut options, lines.iter().map(String::as_str), to)
}

/// As much of a command as there is room for.
fn title(command: &str) -> String {
    const ROOM: usize = 100;
    let mut title: String = command.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = title.char_indices().nth(ROOM) {
        title.truncate(end);
        title.push('…');
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_cut() {
        assert_eq!(title("python3 -c \n  pass"), "python3 -c pass");
        let title = title(&"é".repeat(200));
        assert_eq!((title.chars().count(), title.ends_with("é…")), (101, true));
    }
}
