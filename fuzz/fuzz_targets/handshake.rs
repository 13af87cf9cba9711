//! Arbitrary packets during set-up.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manyway_fuzz::handshake::run(bytes));
