//! Resets that wait until everything that goes before them has arrived and was read.
//!
//! RFC 6525 lets a reset wait for missing chunks ("deferred reset processing"). Here it also waits
//! until the application has read the messages from before it, so that the event falls just
//! between the old messages and the new ones.

use manyway_wire::{NextTsns, ReconfigResult, ReconfigSerial, StreamId};

use super::asking::{Asked, Waiting};
use crate::assoc::{Association, Extension};
use crate::event::Event;
use crate::path::PathId;
use crate::reconfig::{ReconfigRequest, StreamDirection};
use crate::stream::Reach;
use crate::time::Instant;

/// A reset under way at the receiving side. Only one at a time.
#[derive(Debug)]
pub(super) struct Pending {
    what: What,
    /// Messages to be read before it, counted over the association's life; known when all of them
    /// are there.
    read: Option<u64>,
}

#[derive(Debug)]
enum What {
    /// The peer resets these streams once chunks below `until` have arrived.
    Streams {
        serial: ReconfigSerial,
        streams: Vec<StreamId>,
        until: u64,
        path: PathId,
    },
    /// The peer resets the association.
    PeersAssociation {
        serial: ReconfigSerial,
        /// Our messages from this number on wait for it.
        from: u64,
        path: PathId,
    },
    /// The peer has reset the association at our request; chunks below `boundary` go before it.
    OwnAssociation { boundary: u64 },
}

impl Pending {
    pub(super) fn streams(
        serial: ReconfigSerial,
        streams: Vec<StreamId>,
        until: u64,
        path: PathId,
    ) -> Self {
        let what = What::Streams {
            serial,
            streams,
            until,
            path,
        };
        Self { what, read: None }
    }

    pub(super) fn peers_association(serial: ReconfigSerial, from: u64, path: PathId) -> Self {
        let what = What::PeersAssociation { serial, from, path };
        Self { what, read: None }
    }

    pub(super) fn own_association(boundary: u64) -> Self {
        let what = What::OwnAssociation { boundary };
        Self { what, read: None }
    }

    /// The first message of ours that waits until this is done, whatever its stream.
    pub(super) fn holds_all(&self) -> Option<u64> {
        match self.what {
            What::PeersAssociation { from, .. } => Some(from),
            _ => None,
        }
    }

    /// Whether the peer waits for its result.
    pub(super) fn is_peers(&self) -> bool {
        !matches!(self.what, What::OwnAssociation { .. })
    }
}

impl Association {
    /// Performs the reset under way if its time has come.
    pub(super) fn advance_pending(&mut self, now: Instant) {
        if let Some((serial, path)) = self.perform_pending(now)
            && !self.is_closed()
        {
            //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
            //# E5: A Re-configuration Response Parameter MUST be put into a RE-CONFIG chunk indicating successful processing.
            self.push_stored_answer(serial, path);
        }
    }

    /// As [`Association::advance_pending`], but leaves it to the caller to answer the request that
    /// is named.
    pub(super) fn perform_pending(&mut self, now: Instant) -> Option<(ReconfigSerial, PathId)> {
        let ready = self.is_pending_complete(now) && self.is_pending_read();
        let pending = self.reconfig.as_deref_mut()?.pending.take_if(|_| ready)?;
        match pending.what {
            What::Streams {
                serial,
                streams,
                until,
                path,
            } => {
                //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
                //# E3: If no stream numbers are listed in the parameter, then all incoming streams MUST be reset to 0 as the next expected SSN.
                self.reset_incoming(&streams, until);
                //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
                //# E4: Any queued TSNs (queued at step E2) MUST now be released and processed normally.
                self.events.push_back(Event::StreamsReset {
                    direction: StreamDirection::Incoming,
                    streams,
                });
                self.release_barrier(now);
                self.settle_answer(serial, ReconfigResult::PERFORMED);
                Some((serial, path))
            }
            What::PeersAssociation { serial, path, .. } => {
                self.perform_peers_association(now, serial);
                Some((serial, path))
            }
            What::OwnAssociation { boundary } => {
                self.skip_all_below(boundary);
                self.reset_incoming(&[], boundary);
                self.events.push_back(Event::AssociationReset);
                self.release_barrier(now);
                self.advance_shutdown(now);
                None
            }
        }
    }

    /// Whether all messages from before the reset have arrived, and ours been acknowledged as far
    /// as they must be.
    fn is_pending_complete(&mut self, now: Instant) -> bool {
        let pending = self.reconfig.as_deref().and_then(|r| r.pending.as_ref());
        match pending.map(|p| &p.what) {
            None => false,
            //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
            //# When the cumulative acknowledgment point reaches the last assigned TSN, then proceed to the next step.
            Some(What::Streams { until, .. }) => self.receiver.tsns.next_index() >= *until,
            // Rather than taking our own chunks for acknowledged (step G3), wait until they are.
            Some(What::PeersAssociation { .. }) => {
                self.sender.queue.is_exhausted() && self.sender.outstanding.is_empty()
            }
            Some(&What::OwnAssociation { boundary }) => {
                self.release_below(now, boundary);
                true
            }
        }
    }

    fn is_pending_read(&mut self) -> bool {
        let inbound = &self.receiver.inbound;
        let reconfig = self.reconfig.as_deref_mut();
        let Some(pending) = reconfig.and_then(|r| r.pending.as_mut()) else {
            return false;
        };
        let read = *pending.read.get_or_insert_with(|| inbound.completed());
        inbound.taken() >= read
    }

    /// Steps G1 to G6 of RFC 6525, section 5.2.4.
    fn perform_peers_association(&mut self, now: Instant, serial: ReconfigSerial) {
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.4
        //# G1: Compute an appropriate value for the Receiver's Next TSN -- the TSN that the peer should use to send the next DATA chunk. The value SHOULD be the smallest TSN not acknowledged by the receiver of the request plus 2^31.
        let receiver = self.receiver.tsns.cumulative().next().add(1 << 31);
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.4
        //# G2: Compute an appropriate value for the local endpoint's next TSN, i.e., the next TSN assigned by the receiver of the SSN/TSN reset chunk. The value SHOULD be the highest TSN sent by the receiver of the request plus 1.
        let sender = self.sender.outstanding.next_tsn();
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.4
        //# G4: The same processing as though a FWD-TSN chunk (as defined in [RFC3758]) with all streams affected and a new cumulative TSN ACK of the Receiver's Next TSN minus 1 were received MUST be performed.
        let boundary = self.receiver.tsns.restart_at(receiver);
        self.forget_echoes();
        self.skip_all_below(boundary);
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.4
        //# G5: The next expected and outgoing SSNs MUST be reset to 0 for all incoming and outgoing streams.
        self.reset_incoming(&[], boundary);
        self.reset_outgoing(&[]);
        self.settle_answer(serial, ReconfigResult::PERFORMED);
        self.reconfig_mut(|r| {
            r.tsns_reset = Some(now);
            if let Some(answer) = r.answers.iter_mut().find(|a| a.serial == serial) {
                answer.next_tsns = Some(NextTsns { sender, receiver });
            }
        });
        self.events.push_back(Event::AssociationReset);
        // It has done what ours would have.
        let own = |w: &Waiting| w.request == ReconfigRequest::ResetAssociation;
        self.reconfig_mut(|r| r.waiting.retain(|w| !own(w)));
        self.update_holds(&[]);
    }

    /// Takes in what was held behind a reset.
    pub(super) fn release_barrier(&mut self, now: Instant) {
        self.release_below(now, u64::MAX);
        self.receiver.inbound.lift_barrier();
    }

    /// Whether our reset of the association is under way: what arrives is held until it is over.
    pub(in crate::assoc) fn is_resetting_association(&self) -> bool {
        let pending = self.reconfig.as_deref().and_then(|r| r.pending.as_ref());
        let all = |asked: &Asked| asked.what.request == ReconfigRequest::ResetAssociation;
        pending.is_some_and(|p| !p.is_peers()) || self.awaits_answer(all)
    }

    /// The association is over: what was held can be read, as far as it makes sense.
    pub(in crate::assoc) fn abandon_reconfig(&mut self) {
        let Some(reconfig) = self.reconfig.take() else {
            return;
        };
        let (limits, interleaving) = (self.limits(), self.has(Extension::Interleaving));
        let inbound = &mut self.receiver.inbound;
        let had_ready = inbound.has_ready();
        if let Some(What::OwnAssociation { boundary }) = reconfig.pending.map(|p| p.what) {
            let _ = inbound.release_below(boundary, limits);
            inbound.reset_streams(&[], boundary, interleaving);
        }
        let _ = inbound.release_below(u64::MAX, limits);
        inbound.lift_barrier();
        self.tell_readable(had_ready);
    }

    /// The peer numbers its messages from 0 again, in chunks from the index `since` on.
    fn reset_incoming(&mut self, streams: &[StreamId], since: u64) {
        let interleaving = self.has(Extension::Interleaving);
        let inbound = &mut self.receiver.inbound;
        let had_ready = inbound.has_ready();
        inbound.reset_streams(streams, since, interleaving);
        self.tell_readable(had_ready);
    }

    /// What was begun in parts is aborted by a reset, and what waited in vain is given out.
    fn tell_readable(&mut self, had_ready: bool) {
        if !had_ready && self.receiver.inbound.has_ready() {
            self.events.push_back(Event::Readable);
        }
    }

    /// The chunks below `bound` that did not arrive will not come any more.
    fn skip_all_below(&mut self, bound: u64) {
        // In I-DATA chunks nothing is known of them; the reset of their streams drops what is begun.
        if !self.has(Extension::Interleaving) {
            let had_ready = self.receiver.inbound.has_ready();
            self.receiver.inbound.skip_to(Reach {
                bound,
                advance: 0,
                span: 0,
            });
            self.tell_readable(had_ready);
        }
    }

    /// Takes in what was held of the chunks below `boundary`.
    fn release_below(&mut self, now: Instant, boundary: u64) {
        let had_ready = self.receiver.inbound.has_ready();
        let limits = self.limits();
        if let Err(bad) = self.receiver.inbound.release_below(boundary, limits) {
            return self.violate(now, bad.0);
        }
        self.tell_readable(had_ready);
    }
}
