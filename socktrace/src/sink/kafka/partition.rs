//! Which partition a key belongs to: what Kafka's own clients do, so that records of one key meet whoever
//! writes them.

/// The place of a partition among `count`.
pub(super) fn of_key(key: &[u8], count: usize) -> usize {
    // The sign is cut off, not turned (org.apache.kafka.common.utils.Utils.toPositive).
    let positive = murmur2(key) & 0x7fff_ffff;
    usize::try_from(positive)
        .unwrap_or(0)
        .checked_rem(count)
        .unwrap_or(0)
}

/// `MurmurHash2` with the seed that Kafka uses.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let mut words = key.chunks_exact(4);
    for word in words.by_ref() {
        let word = word
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
        let mut k = word.wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of Kafka's own client (UtilsTest.testMurmur2).
    #[test]
    fn keys_hash_as_elsewhere() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
        assert_eq!(of_key(b"abc", 1), 0);
        assert_eq!(of_key(b"abc", 7), 479_470_107 % 7);
        assert_eq!(of_key(b"abc", 0), 0);
    }
}
