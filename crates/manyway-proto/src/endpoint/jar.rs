//! The keys of state cookies, and which cookies were used (RFC 9260, section 5.1.3).

use std::collections::HashSet;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use manyway_wire::VerificationTag;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::cookie::{Cookie, TieTags};
use crate::assoc::Identity;
use crate::time::Instant;

const MAC_LEN: usize = 16;
/// How long cookies are made with one key, unless they live longer. A key checks cookies for as
/// long again, so that one that is too old is called stale rather than forged.
const KEY_PERIOD: Duration = Duration::from_secs(600);

/// A cookie that is ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) cookie: Cookie,
    /// By how much it has outlived its life.
    pub(super) stale: Option<Duration>,
    /// It made an association that has ended.
    pub(super) used: bool,
}

/// Makes and checks cookies; remembers which were used while they could still be presented.
#[derive(Debug)]
pub(super) struct CookieJar {
    rng: StdRng,
    /// Of the current period and of the one before.
    keys: [[u8; 32]; 2],
    tie_key: [u8; 32],
    /// Number of the current period; its low bits are in each cookie.
    period: u8,
    period_start: Instant,
    period_length: Duration,
    max_life: Duration,
    /// Used cookies remembered. If there are more, all cookies made so far become stale.
    max_used: usize,
    used: HashSet<u32>,
    used_before: HashSet<u32>,
    used_since: Instant,
    /// Cookies made before this are stale.
    floor: Instant,
}

impl CookieJar {
    /// Keys come from `seed`; no cookie lives longer than `max_life`, and `max_used` are remembered.
    pub(super) fn new(seed: [u8; 32], max_life: Duration, max_used: usize) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let (keys, tie_key) = ([fresh(&mut rng), fresh(&mut rng)], fresh(&mut rng));
        Self {
            rng,
            keys,
            tie_key,
            period: 0,
            period_start: Instant::ZERO,
            period_length: KEY_PERIOD.max(max_life),
            max_life,
            max_used,
            used: HashSet::new(),
            used_before: HashSet::new(),
            used_since: Instant::ZERO,
            floor: Instant::ZERO,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.3
    //# it SHOULD create a MAC (see [RFC2104] for an example) using a secret key, the TCB, and the creation time
    pub(super) fn seal(&mut self, now: Instant, cookie: &Cookie) -> Vec<u8> {
        self.rotate_keys(now);
        let mut bytes = Vec::with_capacity(160);
        bytes.push(self.period);
        cookie.encode(&mut bytes);
        let tag = mac(&self.keys[0], &bytes);
        bytes.extend_from_slice(&tag);
        bytes
    }

    /// Checks a cookie that was presented; `None` if it is not ours, or was altered, or is so old
    /// that its key is gone.
    pub(super) fn open(&mut self, now: Instant, bytes: &[u8]) -> Option<Opened> {
        self.rotate_keys(now);
        let (body, presented) = bytes.split_last_chunk::<MAC_LEN>()?;
        let (&period, content) = body.split_first()?;
        let key = self
            .keys
            .get(usize::from(self.period.wrapping_sub(period)))?;
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.5
        //# Compute a MAC using the information carried in the State Cookie and the secret key
        //# If this comparison fails, the SCTP packet, including the COOKIE ECHO chunk and any DATA chunks, MUST be silently discarded
        if !bool::from(mac(key, body).ct_eq(presented)) {
            return None;
        }
        let cookie = Cookie::decode(content)?;
        let age = now - cookie.created;
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.5
        //# Compare the creation timestamp in the State Cookie to the current local time. If the elapsed time is longer than the lifespan carried in the State Cookie
        let stale = if age > cookie.life {
            Some(age - cookie.life)
        } else {
            (cookie.created < self.floor).then_some(Duration::ZERO)
        };
        let tag = cookie.local_tag.0;
        let used = self.used_before.contains(&tag) || self.used.contains(&tag);
        Some(Opened {
            cookie,
            stale,
            used,
        })
    }

    /// The association that a cookie with this tag made, `age` ago, has ended: the cookie makes no
    /// other one. While it lived, the association itself was found by the tag.
    pub(super) fn mark_used(&mut self, now: Instant, local_tag: VerificationTag, age: Duration) {
        if age > self.max_life {
            return;
        }
        if now - self.used_since > self.max_life {
            self.used_before = std::mem::take(&mut self.used);
            self.used_since = now;
        }
        if self.used.len() + self.used_before.len() >= self.max_used.max(1) {
            self.used = HashSet::new();
            self.used_before = HashSet::new();
            self.floor = now;
        }
        self.used.insert(local_tag.0);
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.2
    //# Only when a TCB exists and the association is not in a COOKIE-WAIT or SHUTDOWN-ACK-SENT state are the Tie-Tags populated with a random value other than 0
    //
    // The values are a keyed function of the tags, so that nothing is kept for them.
    pub(super) fn tie_tags(&self, identity: Identity) -> TieTags {
        let mut name = [0; 12];
        name[..4].copy_from_slice(&identity.local_tag.0.to_be_bytes());
        name[4..8].copy_from_slice(&identity.peer_tag.0.to_be_bytes());
        name[8..10].copy_from_slice(&identity.local_port.0.to_be_bytes());
        name[10..].copy_from_slice(&identity.peer_port.0.to_be_bytes());
        let [a, b, c, d, e, f, g, h, ..] = mac(&self.tie_key, &name);
        TieTags {
            local: u32::from_be_bytes([a, b, c, d]).max(1),
            peer: u32::from_be_bytes([e, f, g, h]).max(1),
        }
    }

    fn rotate_keys(&mut self, now: Instant) {
        let age = now - self.period_start;
        if age < self.period_length {
            return;
        }
        let over = age >= self.period_length * 2;
        let next = fresh(&mut self.rng);
        let last = std::mem::replace(&mut self.keys[0], next);
        self.keys[1] = if over { fresh(&mut self.rng) } else { last };
        self.period = self.period.wrapping_add(1);
        self.period_start = now;
    }
}

fn fresh(rng: &mut StdRng) -> [u8; 32] {
    let mut key = [0; 32];
    rng.fill_bytes(&mut key);
    key
}

fn mac(key: &[u8; 32], body: &[u8]) -> [u8; MAC_LEN] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(body);
    let full = mac.finalize().into_bytes();
    let mut short = [0; MAC_LEN];
    short.copy_from_slice(&full[..MAC_LEN]);
    short
}

#[cfg(test)]
mod tests {
    use super::super::cookie::tests::cookie;
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);
    const MAX_USED: usize = 1000;

    fn jar() -> CookieJar {
        CookieJar::new([3; 32], LIFE, MAX_USED)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn made_at(now: Instant) -> Cookie {
        Cookie {
            created: now,
            ..cookie()
        }
    }

    #[test]
    fn a_cookie_comes_back_whole_and_makes_one_association() {
        let mut jar = jar();
        let sealed = jar.seal(at(1), &made_at(at(1)));
        let opened = jar.open(at(2), &sealed).unwrap();
        assert_eq!((opened.cookie, opened.used), (made_at(at(1)), false));
        jar.mark_used(at(3), cookie().local_tag, Duration::from_secs(1));
        for seconds in [3, 61] {
            assert!(jar.open(at(seconds), &sealed).unwrap().used);
        }
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        let mut jar = jar();
        let sealed = jar.seal(at(1), &made_at(at(1)));
        for at_byte in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at_byte] ^= 1;
            assert_eq!(jar.open(at(2), &forged), None);
        }
        assert_eq!(jar.open(at(2), &[]), None);
        assert_eq!(jar.open(at(2), &[0; MAC_LEN]), None);
    }

    #[test]
    fn a_cookie_grows_stale() {
        let mut jar = jar();
        let sealed = jar.seal(at(0), &made_at(at(0)));
        assert_eq!(jar.open(at(60), &sealed).unwrap().stale, None);
        let stale = jar.open(at(61), &sealed).unwrap().stale;
        assert_eq!(stale, Some(Duration::from_secs(1)));
    }

    #[test]
    fn two_keys_live_and_the_one_before_them_is_gone() {
        let mut jar = jar();
        let first = jar.seal(at(599), &made_at(at(599)));
        assert_eq!(jar.open(at(601), &first).unwrap().stale, None);
        let second = jar.seal(at(601), &made_at(at(601)));
        assert_ne!(first, second);
        assert!(jar.open(at(1200), &first).unwrap().stale.is_some());
        assert_eq!(jar.open(at(1202), &first), None, "two periods later");
        assert!(jar.open(at(1202), &second).is_some());
        assert_eq!(jar.open(at(9999), &second), None, "after a long silence");
    }

    #[test]
    fn used_cookies_are_bounded_and_none_is_ever_believed_twice() {
        let mut jar = jar();
        let sealed = jar.seal(at(1), &made_at(at(1)));
        jar.mark_used(at(2), cookie().local_tag, Duration::ZERO);
        for tag in 0..2 * MAX_USED as u32 {
            jar.mark_used(at(3), VerificationTag(1000 + tag), Duration::ZERO);
            assert!(jar.used.len() + jar.used_before.len() <= MAX_USED);
        }
        let opened = jar.open(at(4), &sealed).unwrap();
        assert!(opened.used || opened.stale.is_some());
        let next = jar.seal(at(4), &made_at(at(4)));
        assert_eq!(jar.open(at(5), &next).unwrap().stale, None);
    }

    #[test]
    fn tie_tags_name_an_association_without_telling_its_tags() {
        let jar = jar();
        let identity = Identity {
            local_port: manyway_wire::Port(80),
            peer_port: manyway_wire::Port(5000),
            local_tag: VerificationTag(7),
            peer_tag: VerificationTag(9),
        };
        let tags = jar.tie_tags(identity);
        assert_eq!(tags, jar.tie_tags(identity));
        assert!(tags.local != 0 && tags.peer != 0);
        assert_ne!((tags.local, tags.peer), (7, 9));
        let other = Identity {
            peer_tag: VerificationTag(10),
            ..identity
        };
        assert_ne!(tags, jar.tie_tags(other));
    }
}
