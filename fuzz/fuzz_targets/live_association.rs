//! Forged chunks in an established association.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manyway_fuzz::live_association::run(bytes));
