//! State cookies: everything a responder must remember, given to the initiator to keep
//! (RFC 9260, section 5.1.3).

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use manyway_wire::{Port, Tsn, VerificationTag};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::assoc::{AuthOffer, Extensions, PeerInit};
use crate::time::Instant;

const VERSION: u8 = 2;
const MAC_LEN: usize = 16;
/// Cookies remembered as used, per generation; beyond that the oldest generation goes.
const MAX_USED: usize = 1 << 16;

/// What a cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    pub(super) created: Instant,
    pub(super) remote: SocketAddr,
    pub(super) local_port: Port,
    pub(super) peer_port: Port,
    pub(super) local_tag: VerificationTag,
    pub(super) local_initial_tsn: Tsn,
    /// The random number of our INIT-ACK; the rest of what it says of AUTH never changes.
    pub(super) auth_random: [u8; 32],
    pub(super) peer: PeerInit,
}

/// Why a cookie is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadCookie {
    /// Not ours, or altered.
    Forged,
    /// Older than its life, by how much.
    Stale(Duration),
    /// Presented before.
    Used,
}

/// Makes and checks cookies; remembers which were used while they could still be presented.
#[derive(Debug)]
pub(super) struct CookieJar {
    key: [u8; 32],
    lifetime: Duration,
    used: HashSet<u32>,
    used_before: HashSet<u32>,
    rotated: Instant,
}

impl CookieJar {
    pub(super) fn new(key: [u8; 32], lifetime: Duration) -> Self {
        let (used, used_before) = Default::default();
        Self {
            key,
            lifetime,
            used,
            used_before,
            rotated: Instant::ZERO,
        }
    }

    pub(super) fn seal(&self, cookie: &Cookie) -> Vec<u8> {
        let mut bytes = cookie.encode();
        let mac = self.mac(&bytes);
        bytes.extend_from_slice(&mac);
        bytes
    }

    /// Checks a cookie that was presented.
    pub(super) fn open(&mut self, now: Instant, bytes: &[u8]) -> Result<Cookie, BadCookie> {
        let (body, mac) = bytes
            .split_last_chunk::<MAC_LEN>()
            .ok_or(BadCookie::Forged)?;
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.5
        //# Compute a MAC using the information carried in the State Cookie and the secret key ... If this comparison fails, the SCTP packet, including the COOKIE ECHO chunk and any DATA chunks, MUST be silently discarded
        if !bool::from(self.mac(body).ct_eq(mac)) {
            return Err(BadCookie::Forged);
        }
        let cookie = Cookie::decode(body).ok_or(BadCookie::Forged)?;
        let age = now - cookie.created;
        if age > self.lifetime {
            return Err(BadCookie::Stale(age - self.lifetime));
        }
        self.rotate(now);
        let tag = cookie.local_tag.0;
        if self.used_before.contains(&tag) || self.used.contains(&tag) {
            return Err(BadCookie::Used);
        }
        Ok(cookie)
    }

    /// The cookie has made an association: it does so once.
    pub(super) fn mark_used(&mut self, now: Instant, local_tag: VerificationTag) {
        self.rotate(now);
        self.used.insert(local_tag.0);
    }

    fn rotate(&mut self, now: Instant) {
        if now - self.rotated > self.lifetime || self.used.len() >= MAX_USED {
            self.used_before = std::mem::take(&mut self.used);
            self.rotated = now;
        }
    }

    fn mac(&self, body: &[u8]) -> [u8; MAC_LEN] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(body);
        let full = mac.finalize().into_bytes();
        let mut short = [0; MAC_LEN];
        short.copy_from_slice(&full[..MAC_LEN]);
        short
    }
}

impl Cookie {
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.peer.extensions.bits().to_be_bytes());
        out.extend_from_slice(&self.created.as_nanos().to_be_bytes());
        encode_ip(&mut out, self.remote.ip());
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
            .for_each(|ip| encode_ip(&mut out, *ip));
        if let Some(auth) = &self.peer.auth {
            out.extend_from_slice(&self.auth_random);
            encode_auth(&mut out, auth);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader(bytes);
        if r.take()? != [VERSION] {
            return None;
        }
        let extensions = Extensions::from_bits(r.u16()?);
        let created = Instant::from_nanos(u64::from_be_bytes(r.take()?));
        let remote = SocketAddr::new(r.ip()?, r.u16()?);
        let (local_port, peer_port) = (Port(r.u16()?), Port(r.u16()?));
        let (local_tag, local_initial_tsn) = (VerificationTag(r.u32()?), Tsn(r.u32()?));
        let (tag, a_rwnd, initial_tsn) = (VerificationTag(r.u32()?), r.u32()?, Tsn(r.u32()?));
        let (outbound_streams, inbound_streams) = (r.u16()?, r.u16()?);
        let [count] = r.take()?;
        let addresses = (0..count).map(|_| r.ip()).collect::<Option<Vec<_>>>()?;
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
        };
        Some(Self {
            created,
            remote,
            local_port,
            peer_port,
            local_tag,
            local_initial_tsn,
            auth_random,
            peer,
        })
    }
}

/// The peer's tag in a cookie that was found to be ours but stale.
pub(super) fn peer_tag(sealed: &[u8]) -> Option<VerificationTag> {
    let (body, _) = sealed.split_last_chunk::<MAC_LEN>()?;
    Cookie::decode(body).map(|cookie| cookie.peer.tag)
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
mod tests {
    use super::*;

    fn cookie() -> Cookie {
        Cookie {
            created: Instant::from_nanos(5),
            remote: "[2001:db8::1]:1234".parse().unwrap(),
            local_port: Port(80),
            peer_port: Port(5000),
            local_tag: VerificationTag(7),
            local_initial_tsn: Tsn(8),
            auth_random: [1; 32],
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
            },
        }
    }

    fn jar() -> CookieJar {
        CookieJar::new([3; 32], Duration::from_secs(60))
    }

    #[test]
    fn a_cookie_comes_back_whole_and_counts_once() {
        let mut jar = jar();
        let sealed = jar.seal(&cookie());
        assert_eq!(jar.open(Instant::from_nanos(9), &sealed), Ok(cookie()));
        jar.mark_used(Instant::from_nanos(9), cookie().local_tag);
        assert_eq!(
            jar.open(Instant::from_nanos(10), &sealed),
            Err(BadCookie::Used)
        );
    }

    #[test]
    fn what_was_not_offered_is_not_in_the_cookie() {
        let mut jar = jar();
        let mut plain = cookie();
        if let Some(auth) = &mut plain.peer.auth {
            auth.chunks = None;
        }
        let sealed = jar.seal(&plain);
        assert_eq!(jar.open(Instant::from_nanos(9), &sealed), Ok(plain.clone()));
        (plain.peer.auth, plain.auth_random) = (None, [0; 32]);
        let shorter = jar.seal(&plain);
        assert_eq!(jar.open(Instant::from_nanos(9), &shorter), Ok(plain));
        assert_eq!(shorter.len() + 32 + 32 + 4 + 4, sealed.len());
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        let mut jar = jar();
        let sealed = jar.seal(&cookie());
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 1;
            assert_eq!(
                jar.open(Instant::from_nanos(9), &forged),
                Err(BadCookie::Forged)
            );
        }
        assert_eq!(jar.open(Instant::ZERO, &[]), Err(BadCookie::Forged));
    }

    #[test]
    fn a_cookie_grows_stale() {
        let mut jar = jar();
        let sealed = jar.seal(&cookie());
        let late = Instant::from_nanos(5) + Duration::from_secs(61);
        assert_eq!(
            jar.open(late, &sealed),
            Err(BadCookie::Stale(Duration::from_secs(1)))
        );
    }
}
