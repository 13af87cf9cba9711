//! Heartbeats in flight on a path and what their answers prove.

use std::collections::VecDeque;

use crate::path::PathId;
use crate::time::Instant;

/// A heartbeat's secret: whoever returns it received it. RFC 9260, section 8.3 asks for 64 bits.
pub(crate) type Nonce = [u8; 16];

/// Bytes of our Heartbeat Information: path number and nonce.
pub(crate) const HEARTBEAT_INFO_LEN: usize = 4 + 16;

/// Heartbeats remembered per path; older ones are no longer believed.
const REMEMBERED: usize = 8;

/// One heartbeat in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    nonce: Nonce,
    pub(crate) at: Instant,
    /// The whole packet's size if it was padded to probe for it.
    pub(crate) probe: Option<usize>,
}

/// The heartbeats of a path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeats {
    in_flight: VecDeque<Sent>,
    /// One shall be sent as soon as possible.
    pub(crate) due: bool,
    /// One was sent and the timer waits for its answer.
    pub(crate) awaiting: bool,
}

impl Heartbeats {
    pub(crate) fn on_sent(&mut self, nonce: Nonce, at: Instant, probe: Option<usize>) {
        if self.in_flight.len() == REMEMBERED {
            self.in_flight.pop_front();
        }
        self.in_flight.push_back(Sent { nonce, at, probe });
        if probe.is_none() {
            self.due = false;
            self.awaiting = true;
        }
    }

    /// An answer arrived: the heartbeat it belongs to, once.
    pub(crate) fn on_answer(&mut self, nonce: &[u8]) -> Option<Sent> {
        let at = self.in_flight.iter().position(|sent| sent.nonce == nonce)?;
        let sent = self.in_flight.remove(at)?;
        self.awaiting = false;
        Some(sent)
    }

    /// The information field of a heartbeat.
    pub(crate) fn encode(path: PathId, nonce: &Nonce) -> [u8; HEARTBEAT_INFO_LEN] {
        let mut info = [0; HEARTBEAT_INFO_LEN];
        info[..4].copy_from_slice(&path.number().to_be_bytes());
        info[4..].copy_from_slice(nonce);
        info
    }

    /// The path and nonce of an information field that came back.
    pub(crate) fn decode(info: &[u8]) -> Option<(PathId, &[u8])> {
        let (number, nonce) = info.split_first_chunk::<4>()?;
        (info.len() == HEARTBEAT_INFO_LEN)
            .then(|| (PathId::new(u32::from_be_bytes(*number)), nonce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_and_only_with_the_right_nonce() {
        let mut heartbeats = Heartbeats::default();
        heartbeats.on_sent([7; 16], Instant::ZERO, None);
        assert!(heartbeats.on_answer(&[8; 16]).is_none());
        assert!(heartbeats.on_answer(&[7; 16]).is_some());
        assert!(heartbeats.on_answer(&[7; 16]).is_none());
    }

    #[test]
    fn information_of_another_length_is_not_ours() {
        let info = Heartbeats::encode(PathId::new(3), &[9; 16]);
        assert_eq!(
            Heartbeats::decode(&info),
            Some((PathId::new(3), &[9; 16][..]))
        );
        assert_eq!(Heartbeats::decode(&info[..19]), None);
        assert_eq!(Heartbeats::decode(&[]), None);
    }
}
