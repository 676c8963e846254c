//! Text for people.

use similar::TextDiff;

/// `content` as far as it is text, and not endlessly.
pub(crate) fn text(content: &[u8]) -> String {
    const LONGEST: usize = 4000;
    match content.get(..LONGEST) {
        Some(start) if content.len() > LONGEST => {
            format!("{}… ({} bytes)\n", String::from_utf8_lossy(start), content.len())
        }
        _ => String::from_utf8_lossy(content).into_owned(),
    }
}

/// Where two outputs differ: `-` is the native run, `+` is kvm-se.
pub(crate) fn difference(native: &[u8], guest: &[u8]) -> String {
    const MOST_LINES: usize = 40;
    let (native, guest) = (String::from_utf8_lossy(native), String::from_utf8_lossy(guest));
    let diff = TextDiff::from_lines(&native[..], &guest[..]);
    let shown = diff.unified_diff().context_radius(2).to_string();
    let mut lines: Vec<&str> = shown.lines().take(MOST_LINES).collect();
    if shown.lines().nth(MOST_LINES).is_some() {
        lines.push("…");
    }
    lines.join("\n")
}
