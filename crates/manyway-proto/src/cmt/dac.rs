//! Delayed acknowledgements for CMT (DAC).
//!
//! A SACK says in two bits of its flags how many packets with data it answers, so that reordering
//! between paths need not be acknowledged packet by packet.

use manyway_wire::Sack;

/// The SACK flags that report `packets` data packets since the last SACK.
pub(crate) fn flags(packets: u32) -> u8 {
    // Two bits; more than three packets are reported as three.
    (packets.min(3) as u8) << 6
}

/// The number of packets that a SACK answers, at least one.
pub(crate) fn packets(sack: &Sack<'_>) -> u32 {
    u32::from(sack.cmt_dac_packets()).max(1)
}
