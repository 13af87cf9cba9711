//! Decodes a packet, walks everything inside it, and encodes it again.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manyway_fuzz::packet_decode::run(bytes));
