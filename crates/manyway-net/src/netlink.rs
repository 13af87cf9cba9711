//! Requests to the kernel's routing tables over netlink, for the calling thread's namespace.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// Larger than what the kernel puts into one datagram of a dump.
pub(crate) const BUFFER_SIZE: usize = 64 * 1024;
/// A dump during which the tables changed is repeated this often before it is taken as it is.
const MAX_DUMPS: usize = 5;

/// A netlink socket for requests and their answers.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: Vec::with_capacity(BUFFER_SIZE),
        })
    }

    /// Sends a request and returns the messages that answer it, up to the acknowledgement.
    pub(crate) fn request(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.exchange(message, flags | NLM_F_ACK)
            .map(|(answers, _)| answers)
    }

    /// Reads a whole table.
    pub(crate) fn dump(
        &mut self,
        message: &RouteNetlinkMessage,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut attempt = 1;
        loop {
            let (answers, interrupted) = self.exchange(message.clone(), NLM_F_DUMP)?;
            if !interrupted || attempt == MAX_DUMPS {
                return Ok(answers);
            }
            attempt += 1;
        }
    }

    fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<(Vec<RouteNetlinkMessage>, bool)> {
        self.send(message, flags)?;
        let mut answers = Vec::new();
        let mut interrupted = false;
        loop {
            let received = receive(&self.socket, &mut self.buffer)?;
            if !received {
                continue;
            }
            for message in messages(&self.buffer) {
                let Ok(message) = message else { continue };
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Err(error.to_io());
                    }
                    NetlinkPayload::Done(done) if done.code < 0 => {
                        return Err(io::Error::from_raw_os_error(-done.code));
                    }
                    NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => {
                        return Ok((answers, interrupted));
                    }
                    _ => {}
                }
            }
        }
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }
}

/// Receives one datagram; false when it did not come from the kernel.
pub(crate) fn receive(socket: &Socket, buffer: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        buffer.clear();
        match socket.recv_from(buffer, 0) {
            Ok((_, from)) => return Ok(from.port_number() == 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The messages of a datagram; an error for each that this build cannot read.
pub(crate) fn messages(
    mut datagram: &[u8],
) -> impl Iterator<Item = Result<NetlinkMessage<RouteNetlinkMessage>, Undecodable>> + '_ {
    std::iter::from_fn(move || {
        let length = datagram.get(..4)?.try_into().ok().map(u32::from_ne_bytes)?;
        let length = usize::try_from(length).ok()?;
        if length < size_of::<libc::nlmsghdr>() {
            return None;
        }
        let message = datagram.get(..length)?;
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
        Some(NetlinkMessage::deserialize(message).map_err(|error| {
            tracing::debug!(%error, "undecodable netlink message");
            Undecodable
        }))
    })
}

/// A message that the kernel sent and this build cannot read.
#[derive(Debug)]
pub(crate) struct Undecodable;
