//! What the search for holes remembers, so that a program with many mappings does not pay for all of them each time.

/// From `below` up to `limit` no hole is longer than `longest` bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed {
    limit: u64,
    below: u64,
    longest: u64,
}

impl Packed {
    /// Nothing is known.
    pub(super) const NOTHING: Self = Self { limit: 0, below: 0, longest: 0 };

    /// Where a search from `limit` downwards for `len` bytes can begin.
    pub(super) fn start(&self, limit: u64, len: u64) -> u64 {
        if limit == self.limit && len > self.longest { self.below } else { limit }
    }

    /// After a search from `limit` that began at `start` and found no hole longer than `longest` above `below`.
    pub(super) fn after_search(&self, limit: u64, start: u64, below: u64, longest: u64) -> Self {
        // What lies above `start` is as it was.
        let known = if start == limit { 0 } else { self.longest };
        Self { limit, below, longest: longest.max(known) }
    }

    /// After something below `end` has gone, where no hole can now be longer than `len`.
    pub(super) fn after_removal(&mut self, end: u64, len: u64) {
        if end > self.below {
            self.longest = self.longest.max(len);
        }
    }
}
