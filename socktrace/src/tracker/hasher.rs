//! A hasher for tables whose keys are the kernel's numbers.

use std::hash::Hasher;

/// Spreads one number over all bits.
///
/// Cookies and addresses are given out by the kernel, so nobody outside can choose those that collide, and
/// a hash that withstands that costs ten times as much. The same numbers make the same order, everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberHasher(u64);

/// 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming, volume 3, section 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The table takes its buckets from the low bits and its tags from the high ones: multiplying
        // mixes upwards only, so the halves are folded together.
        let product = u128::from(self.0 ^ number) * u128::from(GOLDEN);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        self.0 = half(product >> 64) ^ half(product);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher as _, BuildHasherDefault};

    use super::*;

    /// Cookies count up, addresses of sockets lie some thousand bytes apart.
    #[test]
    fn neighbours_fall_into_different_buckets() {
        let build = BuildHasherDefault::<NumberHasher>::default();
        for (first, step) in [
            (1_u64, 1),
            (0xffff_8881_0000_0000, 2496),
            (1 << 32, 1 << 20),
        ] {
            let hashes = (0..4096).map(|index| build.hash_one(first + index * step));
            let (low, high): (HashSet<_>, HashSet<_>) =
                hashes.map(|hash| (hash & 0xfff, hash >> 57)).unzip();
            // By chance it would be 2589 of 4096 buckets.
            assert!(low.len() > 2000, "{step}: {}", low.len());
            assert_eq!(high.len(), 128, "{step}");
        }
    }
}
