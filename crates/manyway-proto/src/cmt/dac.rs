//! Delayed acknowledgements for CMT (DAC).
//!
//! A SACK says in two bits of its flags how many packets with data it answers, so that reordering
//! between paths need not be acknowledged packet by packet.

use manyway_wire::Sack;

/// The SACK flags that report `packets` data packets since the last SACK.
pub(crate) fn flags(packets: u32) -> u8 {
    // Two bits; more than three packets are reported as three.
    Sack::cmt_dac_flags(packets.min(3) as u8)
}
