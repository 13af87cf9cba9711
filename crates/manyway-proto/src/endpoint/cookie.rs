//! State cookies: everything a responder must remember, given to the initiator to keep
//! (RFC 9260, section 5.1.3).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use manyway_wire::{Port, Tsn, VerificationTag};

use crate::assoc::{AuthOffer, Extensions, PeerInit};
use crate::time::Instant;

const VERSION: u8 = 4;
/// The peer does not say where it would like to be sent to first.
const NO_PRIMARY: u8 = u8::MAX;

/// Names an association that existed when the cookie was made, without telling its tags (RFC 9260,
/// section 5.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TieTags {
    pub(super) local: u32,
    pub(super) peer: u32,
}

impl TieTags {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.2
    //# For a normal association INIT chunk (i.e., the endpoint is in the CLOSED state), the Tie-Tags MUST be set to 0
    pub(super) const NONE: Self = Self { local: 0, peer: 0 };
}

/// What a cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    pub(super) created: Instant,
    /// How long it may be presented; whole milliseconds.
    pub(super) life: Duration,
    /// Where INIT-ACK was sent to.
    pub(super) remote: SocketAddr,
    pub(super) local_port: Port,
    pub(super) peer_port: Port,
    pub(super) local_tag: VerificationTag,
    pub(super) local_initial_tsn: Tsn,
    /// The random number of our INIT-ACK; the rest of what it says of AUTH never changes.
    pub(super) auth_random: [u8; 32],
    pub(super) tie_tags: TieTags,
    pub(super) peer: PeerInit,
}

impl Cookie {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.extend_from_slice(&self.peer.extensions.bits().to_be_bytes());
        out.extend_from_slice(&self.created.as_nanos().to_be_bytes());
        let life = u32::try_from(self.life.as_millis()).unwrap_or(u32::MAX);
        out.extend_from_slice(&life.to_be_bytes());
        encode_ip(out, self.remote.ip());
        for word in [self.remote.port(), self.local_port.0, self.peer_port.0] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        let PeerInit {
            tag,
            a_rwnd,
            initial_tsn,
            ..
        } = self.peer;
        for word in [
            self.local_tag.0,
            self.local_initial_tsn.0,
            self.tie_tags.local,
            self.tie_tags.peer,
            tag.0,
            a_rwnd,
            initial_tsn.0,
        ] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&self.peer.outbound_streams.to_be_bytes());
        out.extend_from_slice(&self.peer.inbound_streams.to_be_bytes());
        out.push(self.peer.addresses.len() as u8);
        self.peer
            .addresses
            .iter()
            .for_each(|ip| encode_ip(out, *ip));
        out.push(self.peer.primary.unwrap_or(NO_PRIMARY));
        if let Some(auth) = &self.peer.auth {
            out.extend_from_slice(&self.auth_random);
            encode_auth(out, auth);
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader(bytes);
        if r.take()? != [VERSION] {
            return None;
        }
        let extensions = Extensions::from_bits(r.u16()?);
        let created = Instant::from_nanos(u64::from_be_bytes(r.take()?));
        let life = Duration::from_millis(u64::from(r.u32()?));
        let remote = SocketAddr::new(r.ip()?, r.u16()?);
        let (local_port, peer_port) = (Port(r.u16()?), Port(r.u16()?));
        let (local_tag, local_initial_tsn) = (VerificationTag(r.u32()?), Tsn(r.u32()?));
        let tie_tags = TieTags {
            local: r.u32()?,
            peer: r.u32()?,
        };
        let (tag, a_rwnd, initial_tsn) = (VerificationTag(r.u32()?), r.u32()?, Tsn(r.u32()?));
        let (outbound_streams, inbound_streams) = (r.u16()?, r.u16()?);
        let [count] = r.take()?;
        let addresses = (0..count).map(|_| r.ip()).collect::<Option<Vec<_>>>()?;
        let [primary] = r.take()?;
        let primary = Some(primary).filter(|at| *at != NO_PRIMARY);
        let (auth_random, auth) = match r.0.is_empty() {
            true => ([0; 32], None),
            false => (r.take()?, Some(r.auth()?)),
        };
        let peer = PeerInit {
            tag,
            a_rwnd,
            outbound_streams,
            inbound_streams,
            initial_tsn,
            extensions,
            auth,
            addresses,
            primary,
        };
        Some(Self {
            created,
            life,
            remote,
            local_port,
            peer_port,
            local_tag,
            local_initial_tsn,
            auth_random,
            tie_tags,
            peer,
        })
    }
}

fn encode_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
//# Furthermore, it is important that the cookie contained in an INIT-ACK chunk and in a COOKIE-ECHO chunk MUST NOT contain any endpoint pair shared keys.
fn encode_auth(out: &mut Vec<u8>, auth: &AuthOffer) {
    out.extend_from_slice(&auth.random);
    let chunks = auth.chunks.as_deref();
    let count = chunks.map_or(u16::MAX, |chunks| chunks.len() as u16);
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(chunks.unwrap_or_default());
    out.extend_from_slice(&(auth.hmacs.len() as u16).to_be_bytes());
    out.extend_from_slice(&auth.hmacs);
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn bytes(&mut self, len: u16) -> Option<Box<[u8]>> {
        let (head, rest) = self.0.split_at_checked(usize::from(len))?;
        self.0 = rest;
        Some(head.into())
    }

    fn auth(&mut self) -> Option<AuthOffer> {
        let random = self.take()?;
        let chunks = match self.u16()? {
            u16::MAX => None,
            count => Some(self.bytes(count)?),
        };
        let count = self.u16()?;
        let hmacs = self.bytes(count)?;
        Some(AuthOffer {
            random,
            chunks,
            hmacs,
        })
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn ip(&mut self) -> Option<IpAddr> {
        match self.take()? {
            [4] => self.take::<4>().map(IpAddr::from),
            [6] => self.take::<16>().map(IpAddr::from),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::assoc::MAX_PEER_ADDRESSES;

    pub(in crate::endpoint) fn cookie() -> Cookie {
        Cookie {
            created: Instant::from_nanos(5),
            life: Duration::from_secs(60),
            remote: "[2001:db8::1]:1234".parse().unwrap(),
            local_port: Port(80),
            peer_port: Port(5000),
            local_tag: VerificationTag(7),
            local_initial_tsn: Tsn(8),
            auth_random: [1; 32],
            tie_tags: TieTags {
                local: 21,
                peer: 22,
            },
            peer: PeerInit {
                tag: VerificationTag(9),
                a_rwnd: 65536,
                outbound_streams: 10,
                inbound_streams: 11,
                initial_tsn: Tsn(12),
                extensions: Extensions::ALL,
                auth: Some(AuthOffer {
                    random: [2; 32],
                    chunks: Some(Box::new([0xc1, 0x80])),
                    hmacs: Box::new([0, 3, 0, 1]),
                }),
                addresses: vec!["192.0.2.1".parse().unwrap()],
                primary: Some(0),
            },
        }
    }

    #[test]
    fn a_cookie_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        cookie().encode(&mut bytes);
        assert_eq!(Cookie::decode(&bytes), Some(cookie()));
        assert_eq!(Cookie::decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Cookie::decode(&[]), None);
    }

    #[test]
    fn what_was_not_offered_is_not_in_the_cookie() {
        let len = |cookie: &Cookie| {
            let mut bytes = Vec::new();
            cookie.encode(&mut bytes);
            assert_eq!(Cookie::decode(&bytes).as_ref(), Some(cookie));
            bytes.len()
        };
        let mut plain = cookie();
        if let Some(auth) = &mut plain.peer.auth {
            auth.chunks = None;
        }
        let sealed = len(&plain);
        (plain.peer.auth, plain.auth_random) = (None, [0; 32]);
        assert_eq!(len(&plain) + 32 + 32 + 4 + 4, sealed);
    }

    #[test]
    fn a_cookie_with_all_the_addresses_that_are_remembered_fits_its_answer() {
        let mut large = cookie();
        large.peer.addresses = (0..MAX_PEER_ADDRESSES as u16)
            .map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]))
            .collect();
        let mut bytes = Vec::new();
        large.encode(&mut bytes);
        assert!(bytes.len() <= 500, "{} bytes", bytes.len());
        assert_eq!(Cookie::decode(&bytes), Some(large));
    }
}
