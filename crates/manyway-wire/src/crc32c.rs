//! The packet checksum (RFC 9260 section 6.8 and appendix A).

use crc_fast::{CrcAlgorithm, Digest};

use crate::packet::COMMON_HEADER_LEN;

/// CRC32c of the concatenation of `parts`.
///
/// The value's most significant byte travels last: a packet carries it in little-endian order
/// (RFC 9260 appendix A).
///
/// ```
/// assert_eq!(manyway_wire::crc32c(&[b"1234", b"56789"]), 0xe306_9283);
/// ```
#[must_use]
pub fn crc32c(parts: &[&[u8]]) -> u32 {
    if let [whole] = parts {
        return crc_fast::crc32_iscsi(whole);
    }
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    for part in parts {
        digest.update(part);
    }
    low_half(digest.finalize())
}

/// CRC32c of a packet, counting its checksum field as zero whatever it holds.
///
/// `packet` holds at least a common header.
pub(crate) fn packet_crc32c(packet: &[u8]) -> u32 {
    let (header, rest) = packet.split_at(COMMON_HEADER_LEN);
    let mut blanked = [0; COMMON_HEADER_LEN];
    blanked[..8].copy_from_slice(&header[..8]);
    crc32c(&[&blanked, rest])
}

/// A 32-bit CRC out of the library's common 64-bit result.
fn low_half(crc: u64) -> u32 {
    (crc & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_value_of_the_crc_catalogue_is_met() {
        assert_eq!(crc32c(&[b"123456789"]), 0xe306_9283);
        assert_eq!(crc32c(&[b"", b"123", b"456789"]), 0xe306_9283);
        assert_eq!(crc32c(&[]), 0);
    }

    #[test]
    fn parts_and_whole_agree_at_every_length() {
        let bytes: alloc::vec::Vec<u8> = (0..600u32).map(|i| (i * 7 + 3) as u8).collect();
        for end in 0..bytes.len() {
            let whole = &bytes[..end];
            let (a, b) = whole.split_at(end / 3);
            assert_eq!(crc32c(&[a, b]), crc32c(&[whole]), "length {end}");
        }
    }

    #[test]
    fn whatever_the_checksum_field_holds_it_counts_as_zero() {
        let mut packet = [7u8; 40];
        let before = packet_crc32c(&packet);
        packet[8..12].fill(0);
        assert_eq!(packet_crc32c(&packet), before);
        assert_eq!(crc32c(&[&packet]), before);
    }

    #[test]
    fn a_captured_packet_checks_out() {
        // An NR-SACK for tag 0xdeadbeef on ports 5001, as tshark shows it with a good checksum.
        let packet = crate::packet::tests::CAPTURED_NR_SACK;
        assert_eq!(packet_crc32c(&packet).to_le_bytes(), packet[8..12]);
    }
}
