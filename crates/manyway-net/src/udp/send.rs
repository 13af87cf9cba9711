//! Sending: one GSO batch per call, and what to do when the kernel or a device refuses.
//!
//! This does not go through `quinn_udp::UdpSocketState::try_send`, because that takes `EINVAL` as
//! proof that the kernel lacks segmentation and ECN and gives both up for good. A source address
//! that has just left its interface answers `EINVAL` too, and for a mobile transport that is
//! everyday life.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use socket2::{MsgHdr, SockAddr, Socket};

use super::Ecn;

/// The largest UDP payload that an IPv4 packet can carry; one `sendmsg` takes no more.
const MAX_PAYLOAD: usize = 65_507;

/// Room for traffic class, segment size and packet information with their headers.
const CONTROL_CAPACITY: usize = 3 * CONTROL_HEADER + 8 + 8 + 24;
const CONTROL_HEADER: usize = size_of::<libc::cmsghdr>();

/// Datagrams of equal size for one destination, handed to the kernel at once.
#[derive(Debug, Clone, Copy)]
pub struct Datagrams<'a> {
    /// Where all of them go.
    pub destination: SocketAddr,
    /// The source address to send from; needed when the socket is bound to the wildcard address.
    pub source: Option<IpAddr>,
    /// The ECN code point of each packet; `None` is `Not-ECT`.
    pub ecn: Option<Ecn>,
    /// Size in bytes of each datagram but the last, which may be shorter. `None`: `contents` is
    /// one datagram.
    pub segment_size: Option<usize>,
    /// The datagrams' payloads, one after the other.
    pub contents: &'a [u8],
}

/// What the sending half of a socket remembers.
#[derive(Debug)]
pub(super) struct Sender {
    max_gso_segments: AtomicUsize,
    dropped: AtomicU64,
}

impl Sender {
    pub(super) fn new(max_gso_segments: usize) -> Self {
        Self {
            max_gso_segments: AtomicUsize::new(max_gso_segments),
            dropped: AtomicU64::new(0),
        }
    }

    pub(super) fn max_gso_segments(&self) -> usize {
        self.max_gso_segments.load(Ordering::Relaxed)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Sends the batch, in as few system calls as possible.
    ///
    /// `settle` is called when the kernel may have reported an *earlier* packet's ICMP error
    /// instead of sending; it has to empty the socket's error queue.
    pub(super) fn send(
        &self,
        socket: &Socket,
        datagrams: &Datagrams<'_>,
        settle: &dyn Fn(),
    ) -> io::Result<()> {
        let destination = SockAddr::from(datagrams.destination);
        let segment = datagrams.segment_size.unwrap_or(usize::MAX).max(1);
        let mut rest = datagrams.contents;
        let mut sent_any = false;
        loop {
            let batch = self.batch_len(segment, rest.len());
            let (head, tail) = rest.split_at(batch);
            match self.send_one(socket, &destination, datagrams, head, segment, settle) {
                Ok(()) => {}
                Err(error) if segment < head.len() && self.gso_refused(&error) => {
                    // Whether the device or the address is to blame shows when the first datagram
                    // goes alone.
                    let (first, _) = rest.split_at(segment);
                    self.send_one(socket, &destination, datagrams, first, segment, settle)?;
                    self.halt_gso(&error);
                    rest = &rest[segment..];
                    sent_any = true;
                    continue;
                }
                Err(error) if sent_any && error.kind() == io::ErrorKind::WouldBlock => {
                    // A batch that had to be divided is half gone; repeating all of it would
                    // duplicate datagrams, so the rest counts as lost in a full queue.
                    self.count_dropped(rest.len().div_ceil(segment));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            sent_any = true;
            rest = tail;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// How many of `len` bytes one system call may take.
    fn batch_len(&self, segment: usize, len: usize) -> usize {
        if segment >= len {
            return len;
        }
        let segments = self.max_gso_segments().min(MAX_PAYLOAD / segment).max(1);
        segments.saturating_mul(segment).min(len)
    }

    fn gso_refused(&self, error: &io::Error) -> bool {
        matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL))
    }

    fn halt_gso(&self, error: &io::Error) {
        if self.max_gso_segments.swap(1, Ordering::Relaxed) > 1 {
            tracing::info!(%error, "segmentation offload refused; sending single datagrams");
        }
    }

    fn count_dropped(&self, datagrams: usize) {
        self.dropped.fetch_add(datagrams as u64, Ordering::Relaxed);
    }

    fn send_one(
        &self,
        socket: &Socket,
        destination: &SockAddr,
        datagrams: &Datagrams<'_>,
        contents: &[u8],
        segment: usize,
        settle: &dyn Fn(),
    ) -> io::Result<()> {
        let segment = (segment < contents.len()).then_some(segment);
        let control = Control::new(datagrams, segment)?;
        let buffers = [IoSlice::new(contents)];
        let message = MsgHdr::new()
            .with_addr(destination)
            .with_buffers(&buffers)
            .with_control(control.as_bytes());
        let mut attempts = 0;
        loop {
            let Err(error) = socket.sendmsg(&message, 0) else {
                return Ok(());
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                // With IP_RECVERR the kernel tells when a local queue discipline dropped the
                // packet. That is loss, which every user of UDP handles anyway.
                Some(libc::ENOBUFS) => {
                    self.count_dropped(segment.map_or(1, |size| contents.len().div_ceil(size)));
                    return Ok(());
                }
                // A pending ICMP error is returned once, by whichever call comes first, and that
                // call sends nothing. An error that stays is this packet's own.
                Some(code) if super::icmp::may_be_pending(code) && attempts < 2 => {
                    attempts += 1;
                    settle();
                }
                _ => return Err(error),
            }
        }
    }
}

/// Ancillary data of one `sendmsg`, laid out as `cmsg(3)` asks for.
#[repr(align(8))]
struct Control {
    bytes: [u8; CONTROL_CAPACITY],
    len: usize,
}

impl Control {
    fn new(datagrams: &Datagrams<'_>, segment: Option<usize>) -> io::Result<Self> {
        let mut control = Self {
            bytes: [0; CONTROL_CAPACITY],
            len: 0,
        };
        let class = i32::from(datagrams.ecn.map_or(0, Ecn::bits));
        if datagrams.destination.is_ipv4() {
            control.push(libc::IPPROTO_IP, libc::IP_TOS, &class.to_ne_bytes());
        } else {
            control.push(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &class.to_ne_bytes());
        }
        if let Some(segment) = segment {
            let segment =
                u16::try_from(segment).map_err(|_| io::Error::from_raw_os_error(libc::EMSGSIZE))?;
            control.push(libc::SOL_UDP, libc::UDP_SEGMENT, &segment.to_ne_bytes());
        }
        match datagrams.source {
            Some(IpAddr::V4(source)) => {
                // struct in_pktinfo: interface index, source address, unused address.
                let mut info = [0; 12];
                info[4..8].copy_from_slice(&source.octets());
                control.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            Some(IpAddr::V6(source)) => {
                // struct in6_pktinfo: source address, interface index.
                let mut info = [0; 20];
                info[..16].copy_from_slice(&source.octets());
                control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            None => {}
        }
        Ok(control)
    }

    fn push(&mut self, level: i32, kind: i32, data: &[u8]) {
        let start = self.len;
        let len = CONTROL_HEADER + data.len();
        self.bytes[start..start + size_of::<usize>()].copy_from_slice(&len.to_ne_bytes());
        let level_at = start + size_of::<usize>();
        self.bytes[level_at..level_at + 4].copy_from_slice(&level.to_ne_bytes());
        self.bytes[level_at + 4..level_at + 8].copy_from_slice(&kind.to_ne_bytes());
        self.bytes[start + CONTROL_HEADER..start + len].copy_from_slice(data);
        self.len += len.next_multiple_of(align_of::<libc::cmsghdr>());
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_respect_segment_count_and_packet_size() {
        let sender = Sender::new(64);
        assert_eq!(sender.batch_len(1_000, 200_000), 64_000);
        assert_eq!(sender.batch_len(1_400, 200_000), 46 * 1_400);
        assert_eq!(sender.batch_len(1_400, 1_400), 1_400);
        assert_eq!(sender.batch_len(usize::MAX, 70_000), 70_000);
        let single = Sender::new(1);
        assert_eq!(single.batch_len(1_400, 14_000), 1_400);
    }

    #[test]
    fn a_socket_that_cannot_segment_falls_back_to_single_datagrams() {
        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        super::super::sockopt::disable_checksums(&socket).unwrap();
        let contents: Vec<u8> = (0..250).collect();
        let datagrams = Datagrams {
            destination: receiver.local_addr().unwrap(),
            source: None,
            ecn: None,
            segment_size: Some(100),
            contents: &contents,
        };
        let sender = Sender::new(64);
        for _ in 0..2 {
            sender.send(&socket, &datagrams, &|| ()).unwrap();
            assert_eq!(sender.max_gso_segments(), 1);
            for expected in contents.chunks(100) {
                let mut buffer = [0; 300];
                let len = receiver.recv(&mut buffer).unwrap();
                assert_eq!(&buffer[..len], expected);
            }
        }
        assert_eq!(sender.dropped(), 0);
    }

    #[test]
    fn the_longest_ancillary_data_fits() {
        let datagrams = Datagrams {
            destination: "[::1]:1".parse().unwrap(),
            source: Some("::1".parse().unwrap()),
            ecn: Some(Ecn::Ce),
            segment_size: Some(1_200),
            contents: &[],
        };
        let control = Control::new(&datagrams, Some(1_200)).unwrap();
        assert_eq!(control.as_bytes().len(), CONTROL_CAPACITY);
    }
}
