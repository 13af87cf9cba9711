//! Receiving: batches of coalesced datagrams, split without copying.
#![expect(unsafe_code, reason = "a reclaimed buffer keeps its initialised bytes")]

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use bytes::{Bytes, BytesMut};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};

use super::Ecn;

/// The most that one receive can bring: a full GRO batch.
const BUFFER_SIZE: usize = 64 * 1024;
/// Lent buffers looked at for one that has come back, before a new one is allocated.
const RECLAIM_ATTEMPTS: usize = 4;

/// Reusable buffers for [`UdpSocket::poll_recv`](super::UdpSocket::poll_recv).
///
/// Large receives are handed out without copying, and their buffer returns here when the last
/// datagram of it is dropped; so a receiver that keeps a few bytes for long should copy them.
/// Receives that fill less than half a buffer are copied into memory of their own size instead.
#[derive(Debug)]
pub struct RecvBatch {
    /// Each holds exactly `BUFFER_SIZE` initialised bytes.
    slots: Vec<BytesMut>,
    /// Handles on buffers whose bytes are lent out.
    lent: VecDeque<BytesMut>,
    metas: [RecvMeta; BATCH_SIZE],
    received: usize,
    /// What was received begins with an IPv4 header, which is not handed out.
    pub(super) has_ipv4_header: bool,
}

impl Default for RecvBatch {
    /// Room for 16 receives, 1 MiB.
    fn default() -> Self {
        Self::new(16)
    }
}

impl RecvBatch {
    /// Room for `receives` receives of 64 KiB per system call; clamped to 1..=32.
    pub fn new(receives: usize) -> Self {
        let receives = receives.clamp(1, BATCH_SIZE);
        Self {
            slots: (0..receives)
                .map(|_| BytesMut::zeroed(BUFFER_SIZE))
                .collect(),
            lent: VecDeque::with_capacity(2 * receives),
            metas: [RecvMeta::default(); BATCH_SIZE],
            received: 0,
            has_ipv4_header: false,
        }
    }

    /// One system call; what an earlier call brought and nobody drained is lost.
    pub(super) fn fill(
        &mut self,
        state: &UdpSocketState,
        socket: UdpSockRef<'_>,
    ) -> io::Result<usize> {
        self.received = 0;
        let count = self.slots.len();
        let mut slots = self.slots.iter_mut();
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
            IoSliceMut::new(slots.next().map_or(&mut [][..], |slot| &mut slot[..]))
        });
        self.received = state.recv(socket, &mut buffers[..count], &mut self.metas[..count])?;
        Ok(self.received)
    }

    /// What the last call received, in order. Dropping the iterator early loses the rest.
    pub fn drain(&mut self) -> Drain<'_> {
        let end = std::mem::take(&mut self.received);
        Drain {
            batch: self,
            next: 0,
            end,
        }
    }

    /// The bytes of a receive, as shared memory.
    fn take_payload(&mut self, slot: usize, len: usize) -> Bytes {
        let len = len.min(BUFFER_SIZE);
        if len < BUFFER_SIZE / 2 {
            return Bytes::copy_from_slice(&self.slots[slot][..len]);
        }
        let replacement = self.fresh_buffer();
        let mut filled = std::mem::replace(&mut self.slots[slot], replacement);
        let payload = filled.split_to(len).freeze();
        if self.lent.len() == self.lent.capacity() {
            // Whoever holds the oldest bytes keeps them; only their way back here ends.
            self.lent.pop_front();
        }
        self.lent.push_back(filled);
        payload
    }

    /// A buffer that has come back, or a new one.
    fn fresh_buffer(&mut self) -> BytesMut {
        for _ in 0..RECLAIM_ATTEMPTS.min(self.lent.len()) {
            let Some(mut buffer) = self.lent.pop_front() else {
                break;
            };
            buffer.clear();
            if buffer.try_reclaim(BUFFER_SIZE) {
                // SAFETY: the buffer began as `BytesMut::zeroed(BUFFER_SIZE)` and has never grown,
                // so its allocation holds at least BUFFER_SIZE bytes, all initialised; reclaiming
                // it, which needs it to be unshared, moves its start back to that allocation's.
                unsafe { buffer.set_len(BUFFER_SIZE) };
                return buffer;
            }
            self.lent.push_back(buffer);
        }
        BytesMut::zeroed(BUFFER_SIZE)
    }
}

/// Iterator over what a batch received; see [`RecvBatch::drain`].
#[derive(Debug)]
pub struct Drain<'a> {
    batch: &'a mut RecvBatch,
    next: usize,
    end: usize,
}

impl Iterator for Drain<'_> {
    type Item = Received;

    fn next(&mut self) -> Option<Received> {
        if self.next == self.end {
            return None;
        }
        let slot = self.next;
        self.next += 1;
        let meta = self.batch.metas[slot];
        let mut payload = self.batch.take_payload(slot, meta.len);
        if self.batch.has_ipv4_header {
            strip_ipv4_header(&mut payload);
        }
        Some(Received {
            source: meta.addr,
            destination_ip: meta.dst_ip,
            interface: meta.interface_index,
            ecn: meta.ecn.map(Ecn::from),
            segments: Segments {
                rest: payload,
                stride: meta.stride.max(1),
            },
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Drain<'_> {}

/// The kernel has checked the header; nothing is left of what is too short for its own.
fn strip_ipv4_header(packet: &mut Bytes) {
    let words = packet.first().map_or(0, |first| first & 0xf);
    let _ = packet.split_to(packet.len().min(usize::from(words) * 4));
}

/// One or more datagrams of one sender that the kernel delivered together.
#[derive(Debug, Clone)]
pub struct Received {
    /// Who sent them.
    pub source: SocketAddr,
    /// The local address they were sent to.
    pub destination_ip: Option<IpAddr>,
    /// The index of the interface they came in on.
    pub interface: Option<u32>,
    /// The ECN code point that all of them carry.
    pub ecn: Option<Ecn>,
    /// The datagrams, in order.
    pub segments: Segments,
}

/// Iterator over the datagrams of a [`Received`]. Empty datagrams are not yielded.
#[derive(Debug, Clone)]
pub struct Segments {
    rest: Bytes,
    stride: usize,
}

impl Segments {
    /// Bytes of all datagrams left.
    pub fn total_len(&self) -> usize {
        self.rest.len()
    }
}

impl Iterator for Segments {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.rest.is_empty() {
            return None;
        }
        let len = self.stride.min(self.rest.len());
        Some(self.rest.split_to(len))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.len().div_ceil(self.stride);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Segments {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_receive_is_lent_without_copying_and_its_buffer_comes_back() {
        let mut batch = RecvBatch::new(1);
        let first = batch.slots[0].as_ptr();
        let payload = batch.take_payload(0, BUFFER_SIZE / 2);
        assert_eq!(payload.as_ptr(), first);
        let second = batch.slots[0].as_ptr();
        assert_ne!(second, first);
        drop(payload);
        let _held = batch.take_payload(0, BUFFER_SIZE);
        assert_eq!(batch.slots[0].as_ptr(), first);
        assert_eq!(batch.slots[0].len(), BUFFER_SIZE);
    }

    #[test]
    fn bytes_that_are_still_held_are_never_overwritten() {
        let mut batch = RecvBatch::new(1);
        let held: Vec<Bytes> = (0..20)
            .map(|round| {
                batch.slots[0].fill(round);
                batch.take_payload(0, BUFFER_SIZE)
            })
            .collect();
        for (round, payload) in held.iter().enumerate() {
            assert!(payload.iter().all(|byte| usize::from(*byte) == round));
        }
        assert!(batch.lent.len() <= batch.lent.capacity());
    }

    #[test]
    fn a_small_receive_does_not_pin_a_buffer() {
        let mut batch = RecvBatch::new(1);
        let buffer = batch.slots[0].as_ptr();
        let payload = batch.take_payload(0, 1_400);
        assert_eq!(payload.len(), 1_400);
        assert_eq!(batch.slots[0].as_ptr(), buffer);
        assert!(batch.lent.is_empty());
    }

    #[test]
    fn segments_end_with_a_shorter_one() {
        let segments = Segments {
            rest: Bytes::from_static(b"aaabbbc"),
            stride: 3,
        };
        assert_eq!(segments.len(), 3);
        let parts: Vec<Bytes> = segments.collect();
        assert_eq!(parts, [&b"aaa"[..], b"bbb", b"c"]);
    }
}
