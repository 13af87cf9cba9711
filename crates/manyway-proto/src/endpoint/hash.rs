//! A quick hash for numbers that no stranger chooses: our own tags and the numbers of associations.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys this side has made up.
pub(super) type OwnMap<K, V> = HashMap<K, V, BuildHasherDefault<OwnHasher>>;

/// Spreads a number over all bits by one multiplication.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OwnHasher(u64);

impl OwnHasher {
    fn mix(&mut self, number: u64) {
        // 2^64 divided by the golden ratio; its high bits depend on all bits of the number.
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }
}

impl Hasher for OwnHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.mix(self.0 ^ u64::from(byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }
}
