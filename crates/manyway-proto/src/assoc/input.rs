//! A packet's way in: the path it came on, its protection, its chunks.

use bytes::Bytes;
use manyway_wire::{Cause, CauseList, Chunk, DecodeError, RawChunk, Tsn, UnrecognizedAction};

use super::auth::Screened;
use super::outbox::Control;
use super::{AssocState, Association, Extension};
use crate::ecn::Ecn;
use crate::path::{FourTuple, PathId};
use crate::recv::Urgency;
use crate::seal::Protection;
use crate::time::Instant;

/// What the chunks of one packet amount to.
#[derive(Debug)]
pub(super) struct PacketContext<'a> {
    pub(super) path: PathId,
    pub(super) tuple: FourTuple,
    /// The datagram, so that payloads can be kept without copying.
    pub(super) datagram: &'a Bytes,
    /// Set once the packet had a DATA chunk.
    pub(super) data: Option<Urgency>,
    /// The lowest TSN in the packet.
    pub(super) lowest_tsn: Option<Tsn>,
    /// Set once an AUTH chunk has proven that the rest of the packet is the peer's.
    pub(super) authenticated: bool,
    /// ASCONF chunks that the packet had so far.
    pub(super) asconfs: u32,
}

impl Association {
    /// A packet whose verification tag and ports are this association's.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        tuple: FourTuple,
        mark: Option<Ecn>,
        datagram: &Bytes,
    ) {
        // The endpoint forgets the tag only when it is polled next.
        if self.is_closed() {
            self.stats.dropped_packets += 1;
            return;
        }
        let known = self.paths.by_tuple(&tuple);
        let protection = known
            .and_then(|id| self.paths.get(id))
            .map_or_else(|| Protection::of(&self.config), |p| p.protection);
        let packet = match protection.unprotect(datagram) {
            Ok(packet) => packet,
            Err(error) => {
                self.stats.dropped_packets += 1;
                let bad = matches!(error, DecodeError::BadChecksum { .. });
                self.stats.bad_checksums += u64::from(bad);
                return;
            }
        };
        if known.is_none() && self.is_from_deleted(tuple, &packet) {
            self.stats.dropped_packets += 1;
            return;
        }
        let Some(path) = known.or_else(|| self.on_unknown_source(now, tuple)) else {
            self.stats.refused_candidates += 1;
            return;
        };
        if let Some(path) = self.paths.get_mut(path) {
            path.last_received = Some(now);
            path.counters.bytes_received += datagram.len() as u64;
            path.counters.packets_received += 1;
        }
        self.last_heard = now;
        let mut context = PacketContext {
            path,
            tuple,
            datagram,
            data: None,
            lowest_tsn: None,
            authenticated: false,
            asconfs: 0,
        };
        for raw in packet.chunks() {
            let Ok(raw) = raw else {
                self.stats.dropped_packets += 1;
                break;
            };
            match self.screen(&mut context, &packet, &raw) {
                Screened::Pass => {}
                Screened::Skip => continue,
                Screened::Stop => break,
            }
            if self.handle_chunk(now, &mut context, &raw).is_stop() || self.is_closed() {
                break;
            }
        }
        if let Some(lowest) = context.lowest_tsn.filter(|_| mark == Some(Ecn::Ce)) {
            self.on_congestion_mark(context.path, lowest);
        }
        if let Some(urgency) = context.data {
            self.on_data_packet(now, context.path, urgency);
        }
        self.after_input(now);
    }

    fn handle_chunk(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        raw: &RawChunk<'_>,
    ) -> Next {
        let chunk = match Chunk::decode(raw) {
            Ok(chunk) => chunk,
            Err(DecodeError::EmptyData { tsn }) => {
                self.abort_with(
                    now,
                    |causes| causes.push(&Cause::NoUserData(tsn)),
                    "DATA without user data",
                );
                return Next::Stop;
            }
            Err(_) => {
                self.stats.dropped_packets += 1;
                return Next::Continue;
            }
        };
        match chunk {
            Chunk::Data(data) => self.handle_data(now, ctx, &data),
            Chunk::IData(data) => self.handle_i_data(now, ctx, &data),
            Chunk::Sack(sack) => self.handle_sack(now, ctx.path, &sack),
            Chunk::NrSack(sack) if self.has(Extension::NrSack) => {
                self.handle_nr_sack(now, ctx.path, &sack);
            }
            Chunk::Heartbeat(hb) => self.handle_heartbeat(ctx, hb.info),
            Chunk::HeartbeatAck(ack) => self.handle_heartbeat_ack(now, ack.info),
            Chunk::InitAck(ack) => self.handle_init_ack(now, ctx.tuple, &ack),
            Chunk::CookieAck(_) => self.handle_cookie_ack(now),
            Chunk::Asconf(asconf) if self.speaks_asconf() => self.handle_asconf(now, ctx, &asconf),
            Chunk::AsconfAck(ack) if self.speaks_asconf() => self.handle_asconf_ack(now, &ack),
            Chunk::Shutdown(shutdown) => self.handle_shutdown(now, ctx.path, shutdown),
            Chunk::ShutdownAck(_) => self.handle_shutdown_ack(ctx.path),
            //= https://www.rfc-editor.org/rfc/rfc9260#section-8.5.1
            //# The receiver of an ABORT chunk MUST accept the packet if the Verification Tag field of the packet matches its own tag and the T bit is not set
            Chunk::ShutdownComplete(c) if !c.reflected_tag => self.handle_shutdown_complete(),
            Chunk::Abort(_) if self.ignores_abort(ctx.tuple) => self.stats.dropped_packets += 1,
            Chunk::Abort(abort) if !abort.reflected_tag => self.handle_abort(&abort),
            Chunk::ShutdownComplete(_) | Chunk::Abort(_) => self.stats.dropped_packets += 1,
            Chunk::Error(error) => self.handle_error(&error),
            Chunk::Ecne(ecne) => self.handle_ecne(now, ctx.path, ecne),
            Chunk::Cwr(cwr) => self.handle_cwr(cwr),
            Chunk::Pad => {}
            // Decided by the endpoint before the association sees them.
            Chunk::Init(_) | Chunk::CookieEcho(_) => {}
            //= https://www.rfc-editor.org/rfc/rfc3758#section-3.3.1
            //# It MUST instead act as if it does NOT support the FORWARD TSN chunk, returning an ERROR to the peer upon receipt of any FORWARD TSN.
            //= https://www.rfc-editor.org/rfc/rfc3758#section-3.3.2
            //# It MUST instead act as if it does NOT support the FORWARD TSN chunk, returning an ERROR to the peer upon receipt of any FORWARD TSN.
            Chunk::ForwardTsn(forward) if self.has(Extension::PartialReliability) => {
                self.handle_forward_tsn(now, ctx, &forward);
            }
            Chunk::IForwardTsn(forward) if self.interleaves_with_forward_tsn() => {
                self.handle_i_forward_tsn(ctx, &forward);
            }
            Chunk::Reconfig(reconfig) if self.has(Extension::StreamReconfig) => {
                self.handle_reconfig(now, ctx, &reconfig);
            }
            // Readable, but of extensions that were not negotiated.
            Chunk::Auth(_)
            | Chunk::Asconf(_)
            | Chunk::AsconfAck(_)
            | Chunk::NrSack(_)
            | Chunk::ForwardTsn(_)
            | Chunk::IForwardTsn(_)
            | Chunk::Reconfig(_)
            | Chunk::Unknown(_) => return self.on_unknown_chunk(ctx.path, raw),
        }
        Next::Continue
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-3.2
    //# Chunk Types are encoded such that the highest-order 2 bits specify the action that is taken if the processing endpoint does not recognize the Chunk Type
    fn on_unknown_chunk(&mut self, path: PathId, raw: &RawChunk<'_>) -> Next {
        let action = raw.kind.unrecognized_action();
        let report = matches!(
            action,
            UnrecognizedAction::StopAndReport | UnrecognizedAction::SkipAndReport
        );
        if report {
            let mut causes = CauseList::new();
            let bytes = raw.wire_bytes();
            let head = &bytes[..bytes.len().min(self.config.max_error_report)];
            causes.push(&Cause::UnrecognizedChunk(head));
            self.outbox.push(path, Control::Error(causes));
        }
        match action {
            UnrecognizedAction::Stop | UnrecognizedAction::StopAndReport => Next::Stop,
            UnrecognizedAction::Skip | UnrecognizedAction::SkipAndReport => Next::Continue,
        }
    }

    /// What may have become possible after any input.
    pub(super) fn after_input(&mut self, now: Instant) {
        self.advance_reconfig(now);
        self.advance_shutdown(now);
        self.wake_writer();
        self.tell_sender_dry();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == AssocState::Closed
    }
}

/// Whether the rest of a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Continue,
    Stop,
}

impl Next {
    fn is_stop(self) -> bool {
        self == Self::Stop
    }
}
