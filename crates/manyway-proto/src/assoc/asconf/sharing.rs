//! Several requests in one chunk, and what its answer says of each (RFC 5061, section 5.1).

use manyway_wire::{AsconfAck, AsconfOutcome, AsconfSerial};

use super::{AddressChange, AddressRefusal, Ask};
use crate::assoc::Association;

/// Requests that share a chunk. With the longest addresses they fit any packet, and so does an
/// answer that refuses all of them.
const MAX_SHARING: usize = 8;

impl Association {
    /// Whether a request may share a chunk: it takes no address away, on which the choice of the
    /// path would depend, and names its address, so that it may come from anywhere.
    fn may_share(&self, change: AddressChange) -> bool {
        let adds = matches!(change, AddressChange::Add(_) | AddressChange::SetPrimary(_));
        adds && !self.asks_by_wildcard(change)
    }

    /// Takes the requests that wait next and can leave together with `first`.
    pub(super) fn take_companions(&mut self, first: AddressChange) -> Vec<AddressChange> {
        let mut all = vec![first];
        if !self.may_share(first) {
            return all;
        }
        while all.len() < MAX_SHARING
            && let Some(Ask::Address(next)) = self.asconf.queue.front().map(|w| w.ask)
            && self.may_share(next)
        {
            self.asconf.queue.pop_front();
            all.push(next);
        }
        all
    }
}

/// The correlation id of the request at a place in its chunk.
pub(super) fn correlation_id(serial: AsconfSerial, at: usize) -> u32 {
    serial.0.wrapping_add(at as u32)
}

//= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
//# The endpoint MUST process all of the TLVs within the ASCONF-ACK(s) to find out particular status information returned to the various requests that were sent.
/// What came of each of `count` requests.
pub(super) fn outcomes_of(
    ack: &AsconfAck<'_>,
    asked: AsconfSerial,
    count: usize,
) -> Vec<Result<(), AddressRefusal>> {
    let mut reported = vec![None; count];
    for response in ack.responses.iter() {
        let Ok(response) = response else {
            return vec![Err(AddressRefusal::Other(0)); count];
        };
        let at = response.correlation_id.wrapping_sub(asked.0) as usize;
        if let Some(place) = reported.get_mut(at) {
            *place = Some(match response.outcome {
                AsconfOutcome::Success => Ok(()),
                AsconfOutcome::Error(code) => Err(AddressRefusal::from_code(code)),
            });
        }
    }
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# If an error response is received for a TLV parameter, all TLVs with no response before the failed TLV are considered successful if not reported. All TLVs after the failed response are considered unsuccessful unless a specific success indication is present for the parameter.
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# If there is no response(s) to specific TLV parameter(s), and no failures are indicated, then all request(s) are considered successful.
    let mut silence = Ok(());
    let settled = reported.into_iter().map(|outcome| {
        let outcome = outcome.unwrap_or(silence);
        silence = if outcome.is_err() { outcome } else { silence };
        outcome
    });
    settled.collect()
}

#[cfg(test)]
mod tests {
    use manyway_wire::{AsconfResponse, AsconfResponses};

    use super::*;

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //= type=test
    //# If an error response is received for a TLV parameter, all TLVs with no response before the failed TLV are considered successful if not reported. All TLVs after the failed response are considered unsuccessful unless a specific success indication is present for the parameter.
    #[test]
    fn what_is_not_reported_counts_as_done_up_to_the_first_failure() {
        let serial = AsconfSerial(u32::MAX);
        let outcomes = |told: &[(u32, u16)]| {
            let told: Vec<_> = told
                .iter()
                .map(|(at, code)| AsconfResponse {
                    correlation_id: correlation_id(serial, *at as usize),
                    outcome: match code {
                        0 => AsconfOutcome::Success,
                        code => AsconfOutcome::Error(*code),
                    },
                })
                .collect();
            let responses = AsconfResponses::new(&told);
            outcomes_of(&AsconfAck { serial, responses }, serial, 4)
        };
        use AddressRefusal::{NotAuthorized, Resources};
        assert_eq!(outcomes(&[]), [Ok(()); 4]);
        assert_eq!(outcomes(&[(9, 0xa1)]), [Ok(()); 4], "of another chunk");
        let refused = [Ok(()), Err(Resources), Err(Resources), Err(Resources)];
        assert_eq!(outcomes(&[(1, 0xa1)]), refused);
        let mixed = [Ok(()), Err(Resources), Ok(()), Err(NotAuthorized)];
        assert_eq!(outcomes(&[(3, 0xa4), (2, 0), (1, 0xa1)]), mixed);
    }
}
