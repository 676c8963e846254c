//! The doctor's report: what was examined, what came of it, and the table that says so. Pure.

use std::fmt;

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was examined.
    pub what: &'static str,
    /// Yes, no, or a value.
    pub result: String,
    /// What that means for the user.
    pub meaning: String,
    /// No program can run because of it.
    pub is_fatal: bool,
}

/// Findings of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// In the order in which they are shown.
    pub findings: Vec<Finding>,
}

/// All findings. Its [`Display`](fmt::Display) is the text that the user sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which they are shown.
    pub sections: Vec<Section>,
}

impl Report {
    /// Why programs cannot run, if they cannot.
    pub fn obstacle(&self) -> Option<&Finding> {
        self.findings().find(|finding| finding.is_fatal)
    }

    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.sections.iter().flat_map(|section| &section.findings)
    }

    fn widths(&self) -> (usize, usize) {
        let widest = |text: fn(&Finding) -> &str| self.findings().map(|finding| text(finding).len()).max();
        (widest(|finding| finding.what).unwrap_or(0), widest(|finding| &finding.result).unwrap_or(0))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what_width, result_width) = self.widths();
        for section in &self.sections {
            writeln!(f, "{}", section.title)?;
            for Finding { what, result, meaning, .. } in &section.findings {
                let line = format!("  {what:what_width$}  {result:result_width$}  {meaning}");
                writeln!(f, "{}", line.trim_end())?;
            }
            writeln!(f)?;
        }
        match self.obstacle() {
            None => writeln!(f, "programs can run"),
            Some(Finding { what, meaning, .. }) => writeln!(f, "programs cannot run: {what}: {meaning}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(what: &'static str, result: &str, meaning: &str) -> Finding {
        Finding { what, result: result.to_owned(), meaning: meaning.to_owned(), is_fatal: false }
    }

    fn report() -> Report {
        let host = vec![finding("kernel", "6.1.0", "")];
        let memory = vec![finding("memslots", "509", "at most 8 GiB"), finding("page faults", "yes", "as touched")];
        Report {
            sections: vec![Section { title: "Host", findings: host }, Section { title: "Memory", findings: memory }],
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_entry() {
        let expected = "\
Host
  kernel       6.1.0

Memory
  memslots     509    at most 8 GiB
  page faults  yes    as touched

programs can run
";
        assert_eq!(report().to_string(), expected);
    }

    #[test]
    fn the_first_obstacle_is_the_reason() {
        let mut report = report();
        for finding in &mut report.sections[1].findings {
            finding.is_fatal = true;
        }
        assert_eq!(report.obstacle().map(|finding| finding.what), Some("memslots"));
        assert!(report.to_string().ends_with("\n\nprograms cannot run: memslots: at most 8 GiB\n"));
    }

    #[test]
    fn an_empty_report_has_no_obstacle() {
        assert_eq!(Report::default().to_string(), "programs can run\n");
    }
}
