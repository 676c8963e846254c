//! How long things took: a log-linear histogram, whose buckets grow with the time.

/// Buckets a power of two.
const SUB_BUCKETS: u64 = 1 << SUB_BITS;
const SUB_BITS: u32 = 4;
/// Times from this many ns on share the last bucket: 2^40 ns are 18 minutes.
const HIGHEST_BITS: u32 = 40;

/// Number of buckets.
pub(super) const NR_BUCKETS: usize = ((HIGHEST_BITS - SUB_BITS + 1) * (1 << SUB_BITS)) as usize;

/// A bucket is a sixteenth as wide as its lowest time, and stands for its middle: so a quantile is at most so far from
/// a time that was measured, in per cent of that.
pub const ERROR_PERCENT: f64 = 100.0 / (2 * SUB_BUCKETS) as f64;

/// The bucket of a time in ns.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "it is one of the buckets")]
pub(super) fn bucket(nanos: u64) -> usize {
    if nanos < SUB_BUCKETS {
        return nanos as usize;
    }
    let power = nanos.ilog2();
    let sub = (nanos >> (power - SUB_BITS)) & (SUB_BUCKETS - 1);
    (u64::from(power - SUB_BITS + 1) * SUB_BUCKETS + sub).min(NR_BUCKETS as u64 - 1) as usize
}

/// The middle of a bucket, in ns.
fn middle(bucket: usize) -> u64 {
    let (group, sub) = (bucket as u64 / SUB_BUCKETS, bucket as u64 % SUB_BUCKETS);
    if group == 0 {
        return sub;
    }
    let width = 1 << (group - 1);
    (SUB_BUCKETS + sub) * width + width / 2
}

/// How many of something took how long. Only buckets with something in them are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Bucket and count, by bucket.
    counts: Vec<(usize, u64)>,
}

impl Histogram {
    /// Adds `count` to `bucket`.
    pub fn add(&mut self, bucket: usize, count: u64) {
        match self.counts.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.counts[at].1 += count,
            Err(at) => self.counts.insert(at, (bucket, count)),
        }
    }

    /// Adds all that `other` has.
    pub fn merge(&mut self, other: &Self) {
        other.counts.iter().for_each(|&(bucket, count)| self.add(bucket, count));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// The time in ns that `percent` of 100 took at most (the nearest-rank method); `longest` is that of all. `None` of none.
    pub fn percentile(&self, percent: u64, longest: u64) -> Option<u64> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.counts.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        found.map(|&(bucket, _)| if bucket == NR_BUCKETS - 1 { longest } else { middle(bucket).min(longest) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut last = 0;
        for nanos in (0..100_000).chain((17..40).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1])) {
            let bucket = bucket(nanos);
            assert!(bucket == last || bucket == last + 1 || nanos >= 100_000, "{nanos} is in {bucket} after {last}");
            last = bucket;
        }
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket((1 << HIGHEST_BITS) - 1), NR_BUCKETS - 1);
        assert_eq!(bucket(u64::MAX), NR_BUCKETS - 1);
    }

    #[test]
    fn the_middle_of_a_bucket_is_near_all_that_is_in_it() {
        for nanos in (1..200_000).chain((200_000..1 << 30).step_by(99_991)) {
            let (found, truth) = (middle(bucket(nanos)) as f64, nanos as f64);
            assert!((found - truth).abs() <= truth * ERROR_PERCENT / 100.0, "{nanos} is shown as {found}");
        }
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(99, 0), None);
        histogram.add(bucket(10), 99);
        histogram.add(bucket(1_000_000), 1);
        assert_eq!(histogram.percentile(99, 1_000_000), Some(10));
        histogram.add(bucket(1_000_000), 1);
        let near = histogram.percentile(99, 2_000_000).unwrap();
        assert!((968_000..1_032_000).contains(&near), "{near}");
        assert_eq!(histogram.percentile(50, 2_000_000), Some(10));
        assert_eq!(histogram.percentile(100, 1_000_000), Some(near.min(1_000_000)), "never more than the longest");
        assert_eq!(histogram.count(), 101);
        let mut both = histogram.clone();
        both.merge(&histogram);
        assert_eq!(both.count(), 202);
        let mut long = Histogram::default();
        long.add(bucket(u64::MAX / 2), 1);
        assert_eq!(long.percentile(99, u64::MAX / 2), Some(u64::MAX / 2));
    }
}
