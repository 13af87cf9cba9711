//! What goes into a packet, in the order of RFC 9260, section 6.10: control chunks, SACK, DATA.

use manyway_wire::{
    Abort, COMMON_HEADER_LEN, CauseList, CookieAck, Cwr, EncodeChunk, ErrorChunk, Heartbeat,
    HeartbeatAck, PacketWriter, Pad, Shutdown, ShutdownAck, ShutdownComplete,
};

use super::Association;
use super::outbox::Control;
use crate::cmt::{buffers, buffers::Buffers};
use crate::path::{HEARTBEAT_INFO_LEN, PathId};
use crate::send::{Afterwards, Fate, Membership, SentChunk, Shot};
use crate::time::Instant;

/// What new data need before they may leave, the peer's window aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Room in the path's congestion window.
    Window,
    /// None: they are a tail loss probe, one packet beyond the window.
    Probe,
}

/// A chunk that is encoded already.
struct Encoded<'a>(&'a [u8]);

impl EncodeChunk for Encoded<'_> {
    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

fn push_control(writer: &mut PacketWriter<'_>, control: &Control) -> bool {
    match control {
        Control::CookieAck => writer.push(&CookieAck),
        Control::HeartbeatAck(info) => writer.push(&HeartbeatAck { info }),
        Control::Error(causes) => writer.push(&ErrorChunk {
            causes: causes.as_causes(),
        }),
        Control::Abort(causes) => writer.push(&Abort {
            reflected_tag: false,
            causes: causes.as_causes(),
        }),
        Control::ReflectedAbort => writer.push(&Abort {
            reflected_tag: true,
            causes: CauseList::new().as_causes(),
        }),
        Control::Shutdown(tsn) => writer.push(&Shutdown {
            cumulative_tsn_ack: *tsn,
        }),
        Control::ShutdownAck => writer.push(&ShutdownAck),
        Control::Cwr(lowest_tsn) => writer.push(&Cwr {
            lowest_tsn: *lowest_tsn,
        }),
        Control::ShutdownComplete => writer.push(&ShutdownComplete {
            reflected_tag: false,
        }),
        Control::Asconf(chunk) | Control::AsconfAck(chunk) | Control::Reconfig(chunk) => {
            writer.push(&Encoded(chunk))
        }
    }
}

impl Association {
    /// Control chunks bound for the path, until the packet is full.
    pub(super) fn bundle_control(&mut self, path: PathId, writer: &mut PacketWriter<'_>) {
        while let Some((at, control)) = self.outbox.first_for(path) {
            let fitted = push_control(writer, control);
            if !fitted && !writer.is_empty() {
                break;
            }
            // What does not even fit an empty packet never will.
            self.outbox.remove(at);
        }
    }

    pub(super) fn bundle_heartbeat(
        &mut self,
        now: Instant,
        id: PathId,
        writer: &mut PacketWriter<'_>,
    ) {
        let room = writer.remaining() >= HEARTBEAT_INFO_LEN + 8;
        let due = room && self.paths.get(id).is_some_and(|p| p.heartbeats.due);
        if due && let Some(info) = self.new_heartbeat(now, id, None) {
            let fitted = writer.push(&Heartbeat { info: &info });
            debug_assert!(
                fitted || !writer.is_empty(),
                "a heartbeat fits an empty packet"
            );
        }
    }

    /// A packet of the probed size: a heartbeat and padding. True if there was one to send.
    pub(super) fn bundle_probe(
        &mut self,
        now: Instant,
        id: PathId,
        size: usize,
        writer: &mut PacketWriter<'_>,
    ) -> bool {
        let Some(info) = self.new_heartbeat(now, id, Some(size)) else {
            return false;
        };
        let rest = size.saturating_sub(writer.len() + 4 + info.len() + 8);
        writer.push(&Heartbeat { info: &info }) && writer.push(&Pad { len: rest })
    }

    /// DATA: what was lost first, then new messages, as far as window and packet allow.
    pub(super) fn bundle_data(
        &mut self,
        now: Instant,
        id: PathId,
        writer: &mut PacketWriter<'_>,
    ) -> bool {
        let mut any = false;
        if let Some(path) = self.paths.get_mut(id) {
            path.on_data_after_pause(now);
        }
        loop {
            self.give_up_lost(now);
            let sent = match self.sender.outstanding.first_lost() {
                Some(index) => self.bundle_lost(now, id, index, writer),
                None => self.bundle_new(now, id, Room::Window, writer),
            };
            if !sent {
                break;
            }
            any = true;
        }
        if any {
            self.sender.queue.finish_packet();
            if let Some(path) = self.paths.get_mut(id) {
                path.on_data_packet_sent(now);
            }
            self.arm_data_timers(now, id);
        }
        any
    }

    fn bundle_lost(
        &mut self,
        now: Instant,
        id: PathId,
        index: u64,
        writer: &mut PacketWriter<'_>,
    ) -> bool {
        let Some(path) = self.paths.get_mut(id) else {
            return false;
        };
        if !path.has_room() {
            return false;
        }
        let tsn = self.sender.outstanding.tsn(index);
        let only_lost = self.sender.outstanding.lost_len() == 1;
        let reconfig = self.reconfig.as_deref();
        let Some(chunk) = self.sender.outstanding.get(index) else {
            return false;
        };
        let afterwards = Afterwards {
            nothing_waits: only_lost && self.sender.queue.is_idle(),
            reset_waits: only_lost && reconfig.is_some_and(|r| r.waits_for_ack(index)),
            in_flight: path.in_flight + chunk.flight_bytes(),
            window: path.controller.window(),
            peer_window: u64::MAX,
            packet_size: path.size.current() as u64,
        };
        if !chunk.write(tsn, afterwards.asks_for_sack(), writer) {
            return false;
        }
        let (bytes, payload) = (chunk.flight_bytes(), chunk.payload.len() as u64);
        let shot = Shot {
            path: id,
            number: path.sent.next_number(),
        };
        if let Fate::Lost(lost) = chunk.fate {
            self.sender.resent.record(index, lost);
        }
        path.on_data_sent(index, bytes, now);
        path.counters.retransmitted_bytes += payload;
        self.stats.retransmitted_bytes += payload;
        self.sender.outstanding.mark_resent(index, shot, now);
        true
    }

    /// Another piece of the messages that wait; false if there is none or it may not leave.
    pub(super) fn bundle_new(
        &mut self,
        now: Instant,
        id: PathId,
        room: Room,
        writer: &mut PacketWriter<'_>,
    ) -> bool {
        let Some(next) = self.sender.queue.next_len() else {
            return false;
        };
        let buffers = self.buffers();
        // A chunk may have to be sent again on any other path.
        let chunk_limit = self
            .paths
            .smallest_packet()
            .map_or(usize::MAX, |s| s - COMMON_HEADER_LEN - self.auth_overhead());
        let Some(path) = self.paths.get_mut(id) else {
            return false;
        };
        let piece_len = next.min(path.size.current()) as u64;
        if !self.sender.outstanding.has_room()
            || (room == Room::Window && !path.has_room())
            || !buffers::may_send(buffers, path.in_flight, path.need(), piece_len)
        {
            return false;
        }
        let only_headers = writer.is_empty();
        let Some(piece) = self
            .sender
            .queue
            .next_piece(writer.remaining().min(chunk_limit), only_headers)
        else {
            return false;
        };
        let chunk = SentChunk {
            stream: piece.stream,
            place: piece.place,
            ppid: piece.ppid,
            flags: piece.flags,
            payload: piece.payload,
            ecn_capable: self.sender.marking,
            membership: Membership::default(),
            transmissions: 1,
            moved: false,
            sent_at: now,
            fate: Fate::InFlight(Shot {
                path: id,
                number: path.sent.next_number(),
            }),
        };
        let payload = chunk.payload.len() as u64;
        let reconfig = self.reconfig.as_deref();
        let afterwards = Afterwards {
            nothing_waits: self.sender.queue.is_idle(),
            reset_waits: reconfig
                .is_some_and(|r| r.waits_for_end(chunk.stream, &self.sender.queue)),
            in_flight: path.in_flight + chunk.flight_bytes(),
            window: path.controller.window(),
            peer_window: self.sender.peer_window.saturating_sub(payload),
            packet_size: path.size.current() as u64,
        };
        let immediate = room == Room::Probe || afterwards.asks_for_sack();
        let pushed = chunk.write(self.sender.outstanding.next_tsn(), immediate, writer);
        debug_assert!(
            pushed,
            "next_piece gave a piece larger than the packet's rest"
        );
        path.on_data_sent(
            self.sender.outstanding.next_index(),
            chunk.flight_bytes(),
            now,
        );
        self.stats.bytes_sent += payload;
        self.sender.peer_window = afterwards.peer_window;
        self.sender.push_sent(piece.origin, chunk);
        true
    }

    pub(super) fn buffers(&self) -> Buffers {
        let sharing = self.paths.iter().filter(|p| p.in_flight > 0).count();
        Buffers {
            send_capacity: self.config.send_buffer as u64,
            peer_window: self.sender.peer_window,
            outstanding: self.sender.outstanding.unacked(),
            paths: sharing.max(1) as u64,
        }
    }
}
