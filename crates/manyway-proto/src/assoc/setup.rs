//! Set-up by the initiator, and what both sides learn of each other (RFC 9260, section 5).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use manyway_wire::{
    AddressTypes, Init, Parameter, ParameterList, Parameters, Tsn, UnrecognizedAction,
    VerificationTag,
};

use super::auth::{AuthOffer, OfferReader};
use super::{AssocState, Association, Extension, Extensions, NewAssociation};
use crate::config::{MIN_WINDOW, TransportConfig};
use crate::error::CloseReason;
use crate::event::Event;
use crate::path::FourTuple;
use crate::recv::{TsnBounds, TsnMap};
use crate::send::BeginLimits;
use crate::time::Instant;

/// INIT is padded to this size, so that no INIT-ACK is larger than its question.
const PADDED_INIT: usize = 576;
/// Doublings of the handshake's timeout: from 200 ms to 3.2 s, so that an attempt ends after some
/// 20 s.
const MAX_DOUBLINGS: u32 = 4;
/// Addresses that INIT-ACK names: it must fit one packet with the cookie.
pub(crate) const MAX_OWN_ADDRESSES: usize = 8;
/// Addresses of the peer that are remembered.
pub(crate) const MAX_PEER_ADDRESSES: usize = 16;

/// What is said to a peer that lists ASCONF and does not offer AUTH.
pub(crate) const ASCONF_WITHOUT_AUTH: &str = "ASCONF without AUTH";

/// What INIT or INIT-ACK says of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerInit {
    pub(crate) tag: VerificationTag,
    pub(crate) a_rwnd: u32,
    pub(crate) outbound_streams: u16,
    pub(crate) inbound_streams: u16,
    pub(crate) initial_tsn: Tsn,
    /// What it offers.
    pub(crate) extensions: Extensions,
    pub(crate) auth: Option<AuthOffer>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Which of these it would like to be sent to first.
    pub(crate) primary: Option<u8>,
}

/// Why INIT or INIT-ACK is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadInit {
    /// Zero tag or zero streams: RFC 9260, section 3.3.2 wants an ABORT.
    InvalidMandatoryParameter,
    /// A receive window that no peer may have.
    SmallWindow,
    /// A host name instead of an address; RFC 9260 deprecates it.
    HostName,
    /// RANDOM has not 32 bytes, or CHUNKS or HMAC-ALGO are too long: RFC 4895 wants an ABORT with
    /// a protocol violation.
    BadAuthOffer,
    /// ASCONF is listed and AUTH not offered: RFC 5061 wants an ABORT.
    AsconfWithoutAuth,
    /// The parameters cannot be read.
    Malformed,
}

impl PeerInit {
    /// Reads the fixed part and the parameters; `ours` is what this side offers. The cookie, if
    /// there is one, comes apart.
    pub(crate) fn read<'a>(
        init: &Init<'a>,
        ours: Extensions,
    ) -> Result<(Self, Option<&'a [u8]>), BadInit> {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2
        //# If the value of the Initiate Tag in a received INIT chunk is found to be 0, the receiver MUST silently discard the packet
        if init.initiate_tag.0 == 0 || init.outbound_streams == 0 || init.inbound_streams == 0 {
            return Err(BadInit::InvalidMandatoryParameter);
        }
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2
        //# A receiver of an INIT chunk with the a_rwnd value set to a value smaller than 1500 MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk and using the Initiate Tag as the Verification Tag, and MUST NOT change the state of any existing association.
        if init.a_rwnd < MIN_WINDOW {
            return Err(BadInit::SmallWindow);
        }
        let mut peer = Self {
            tag: init.initiate_tag,
            a_rwnd: init.a_rwnd,
            outbound_streams: init.outbound_streams,
            inbound_streams: init.inbound_streams,
            initial_tsn: init.initial_tsn,
            extensions: Extensions::NONE,
            auth: None,
            addresses: Vec::new(),
            primary: None,
        };
        let (mut cookie, mut primary) = (None, None);
        let mut auth = OfferReader::default();
        for parameter in init.parameters.iter() {
            let parameter = parameter.map_err(|_| BadInit::Malformed)?;
            peer.extensions.learn(&parameter);
            auth.learn(&parameter);
            match parameter {
                Parameter::Ipv4(ip) => peer.learn_address(ip.into()),
                Parameter::Ipv6(ip) => peer.learn_address(ip.into()),
                Parameter::StateCookie(bytes) => cookie = Some(bytes),
                Parameter::SetPrimary { address, .. } => primary = Some(address),
                Parameter::HostName(_) => return Err(BadInit::HostName),
                //= https://www.rfc-editor.org/rfc/rfc9260#section-3.2.1
                //# Stop processing this parameter and do not process any further parameters within this chunk
                Parameter::Unknown(raw)
                    if matches!(
                        raw.kind.unrecognized_action(),
                        UnrecognizedAction::Stop | UnrecognizedAction::StopAndReport
                    ) =>
                {
                    break;
                }
                _ => {}
            }
        }
        if ours.contains(Extension::Auth) {
            peer.require_auth(ours, auth.is_made())?;
            peer.auth = auth.finish()?;
        }
        peer.extensions = peer.extensions.authenticated(peer.auth.is_some());
        // The source of the packet is used first anyway.
        let named = peer.addresses.iter().position(|ip| Some(*ip) == primary);
        peer.primary = named.and_then(|at| u8::try_from(at).ok());
        Ok((peer, cookie))
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-6
    //# If an SCTP endpoint that supports this extension receives an INIT that indicates that the peer supports the ASCONF extension but does NOT support the [RFC4895] extension, the receiver of such an INIT MUST send an ABORT in response.
    //= https://www.rfc-editor.org/rfc/rfc5061#section-6
    //# An implementation that receives an INIT-ACK that indicates that the peer does not support the [RFC4895] extension MUST NOT send the COOKIE-ECHO to establish the association.
    // Manyway's form of ASCONF is announced by a parameter of its own, and needs no AUTH.
    fn require_auth(&self, ours: Extensions, offered: bool) -> Result<(), BadInit> {
        let supported = ours.contains(Extension::Asconf);
        let bare = self.extensions.contains(Extension::Asconf) && !offered;
        match supported && bare && !self.extensions.contains(Extension::DynamicPaths) {
            true => Err(BadInit::AsconfWithoutAuth),
            false => Ok(()),
        }
    }

    fn learn_address(&mut self, ip: IpAddr) {
        let usable = !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback();
        if usable && self.addresses.len() < MAX_PEER_ADDRESSES && !self.addresses.contains(&ip) {
            self.addresses.push(ip);
        }
    }
}

/// The parameters of our INIT and INIT-ACK. Only a responder names its addresses: an initiator's
/// are often private, and it adds paths by ASCONF from the address itself.
pub(crate) fn local_parameters(
    extensions: Extensions,
    auth: Option<&AuthOffer>,
    addresses: &[IpAddr],
) -> ParameterList {
    let mut list = ParameterList::new();
    list.push(&Parameter::SupportedAddressTypes(AddressTypes::new(&[
        5, 6,
    ])));
    extensions.announce(&mut list);
    if let Some(auth) = auth {
        auth.announce(&mut list);
    }
    for address in addresses {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2.1.2
        //# A sender MUST NOT use an IPv4-mapped IPv6 address [RFC4291] but SHOULD instead use an IPv4 Address parameter for an IPv4 address.
        list.push(&match address.to_canonical() {
            IpAddr::V4(ip) => Parameter::Ipv4(ip),
            IpAddr::V6(ip) => Parameter::Ipv6(ip),
        });
    }
    list
}

/// The initiator's handshake under way.
#[derive(Debug)]
pub(super) struct Setup {
    /// Pairs to try, in turn.
    pairs: Vec<FourTuple>,
    attempts: u32,
    pub(super) deadline: Option<Instant>,
    /// The next INIT or COOKIE-ECHO shall leave.
    pub(super) due: bool,
    pub(super) cookie: Option<Bytes>,
    /// A cookie was refused as stale: attempts go on being counted.
    pub(super) stale: bool,
    /// When INIT or COOKIE-ECHO last left.
    pub(super) sent_at: Option<Instant>,
    /// The longer life that is asked for the next cookie.
    pub(super) preservative: Option<Duration>,
    /// Pairs whose host said that nobody listens.
    refused: Vec<FourTuple>,
}

impl Setup {
    /// The peer answered: its cookie is the next to leave.
    pub(super) fn on_init_ack(&mut self, cookie: Bytes) {
        self.cookie = Some(cookie);
        if !self.stale {
            self.attempts = 0;
        }
        self.deadline = None;
        self.due = true;
    }
}

impl Association {
    /// The side that sends INIT, on each of `pairs` in turn.
    pub(crate) fn initiate(now: Instant, new: NewAssociation, pairs: Vec<FourTuple>) -> Self {
        let mut assoc = Self::new(now, new, true, AssocState::CookieWait);
        if let Some(first) = pairs.first() {
            assoc.paths.add(*first, &assoc.config, now);
        }
        assoc.peer.addresses = pairs
            .iter()
            .map(|pair| pair.remote)
            .fold(vec![], |mut all, a| {
                if !all.contains(&a) {
                    all.push(a);
                }
                all
            });
        let refused = Vec::new();
        let setup = Setup {
            pairs,
            attempts: 0,
            deadline: None,
            due: true,
            cookie: None,
            stale: false,
            sent_at: None,
            preservative: None,
            refused,
        };
        assoc.setup = Some(setup);
        assoc
    }

    /// The INIT chunk, as bytes of its parameters, padded.
    pub(super) fn init_parameters(&self) -> ParameterList {
        let auth = self.auth.as_ref().map(|auth| auth.local());
        let mut list = local_parameters(self.config.offer(), auth, &[]);
        if let Some(more) = self.setup.as_ref().and_then(|s| s.preservative) {
            let ms = u32::try_from(more.as_millis()).unwrap_or(u32::MAX);
            list.push(&Parameter::CookiePreservative(ms));
        }
        let without = 20 + list.padded_len() + 4;
        list.push(&Parameter::Padding(PADDED_INIT.saturating_sub(without)));
        list
    }

    pub(super) fn init_chunk<'a>(&self, parameters: Parameters<'a>) -> Init<'a> {
        Init {
            initiate_tag: self.identity.local_tag,
            a_rwnd: u32::try_from(self.config.receive_buffer).unwrap_or(u32::MAX),
            outbound_streams: self.config.outbound_streams,
            inbound_streams: self.config.inbound_streams,
            // Data may have left with a cookie that was stale: they keep their numbers.
            initial_tsn: self.sender.outstanding.cumulative().next(),
            parameters,
        }
    }

    /// INIT or COOKIE-ECHO left: the next repetition is armed with twice the time.
    pub(super) fn on_handshake_sent(&mut self, now: Instant) {
        let Some(setup) = &mut self.setup else { return };
        setup.due = false;
        setup.sent_at = Some(now);
        let timeout = self.config.handshake_timeout * (1 << setup.attempts.min(MAX_DOUBLINGS));
        setup.deadline = Some(now + timeout);
    }

    /// No answer: try again, on the next pair if only INIT is lost.
    pub(super) fn on_handshake_timeout(&mut self, now: Instant) {
        let max = self.config.max_handshake_retransmits;
        let Some(setup) = &mut self.setup else { return };
        if setup.deadline.is_none_or(|at| at > now) {
            return;
        }
        setup.attempts += 1;
        setup.deadline = None;
        //= https://www.rfc-editor.org/rfc/rfc9260#section-4
        //# If the T1-init timer expires, the endpoint MUST retransmit the INIT chunk and restart the T1-init timer
        //# This MUST be repeated up to 'Max.Init.Retransmits' times
        if setup.attempts > max {
            self.close(CloseReason::HandshakeTimeout);
            return;
        }
        setup.due = true;
        if self.state == AssocState::CookieEchoed {
            // The data that rode along were lost with the cookie, and ride along again.
            let first = self.paths.iter().next().map(|p| p.id);
            first.into_iter().for_each(|id| self.give_up_in_flight(id));
        } else {
            let hopeful = setup.pairs.iter().filter(|p| !setup.refused.contains(p));
            let mut hopeful = hopeful.cycle().skip(setup.attempts as usize);
            let pair = hopeful.next().copied().unwrap_or(setup.pairs[0]);
            if let Some(path) = self.paths.iter_mut().next() {
                path.tuple = pair;
            }
        }
    }

    /// The host at a pair's remote address said that nobody listens there. Only believed before
    /// the peer has answered, and only when every address said so. False if it means nothing.
    pub(crate) fn handle_unreachable(&mut self, pair: FourTuple) -> bool {
        if self.state != AssocState::CookieWait {
            return false;
        }
        let Some(setup) = &mut self.setup else {
            return false;
        };
        if !setup.pairs.contains(&pair) || setup.refused.contains(&pair) {
            return false;
        }
        setup.refused.push(pair);
        if setup.refused.len() == setup.pairs.len() {
            self.close(CloseReason::Refused);
        } else if let Some(next) = setup
            .pairs
            .iter()
            .find(|p| !setup.refused.contains(p))
            .copied()
        {
            setup.due = true;
            if let Some(path) = self.paths.iter_mut().next() {
                path.tuple = next;
            }
        }
        true
    }

    /// The endpoint's addresses changed during set-up: INIT or COOKIE-ECHO leaves from those that
    /// there are, at once if it left from one that vanished.
    pub(super) fn move_setup(&mut self, locals: &[SocketAddr]) {
        let Some(setup) = &mut self.setup else { return };
        let remotes = &self.peer.addresses;
        let pairs = locals.iter().flat_map(|&local| {
            let to = move |&remote: &SocketAddr| FourTuple { local, remote };
            remotes.iter().map(to).filter(FourTuple::is_possible)
        });
        let pairs: Vec<FourTuple> = pairs.collect();
        let (Some(&first), Some(path)) = (pairs.first(), self.paths.iter_mut().next()) else {
            // It goes on when an address comes back.
            return;
        };
        setup.refused.retain(|pair| pairs.contains(pair));
        setup.pairs = pairs;
        if locals.contains(&path.tuple.local) {
            return;
        }
        let id = path.id;
        path.tuple = first;
        setup.due = true;
        setup.deadline = None;
        // The data that rode along with the cookie ride along again.
        self.give_up_in_flight(id);
    }

    pub(super) fn learn_peer(&mut self, peer: &PeerInit, tuple: FourTuple) {
        self.peer.extensions = self.config.offer().agreed(peer.extensions);
        self.agree_on_partial_reliability();
        let interleaving = self.has(Extension::Interleaving);
        let limits = match self.has(Extension::DynamicPaths) {
            true => BeginLimits::WIDE,
            false => BeginLimits::SERIAL,
        };
        let queue = &mut self.sender.queue;
        queue.set_interleaving(interleaving);
        queue.set_begin_limits(limits);
        queue.on_peer_window(peer.a_rwnd as usize);
        self.negotiate_auth(peer.auth.as_ref());
        if !self.has(Extension::DynamicPaths) {
            self.expect_slow_acknowledgements();
        }
        self.peer.outbound_streams = peer.outbound_streams.min(self.config.inbound_streams);
        self.peer.inbound_streams = peer.inbound_streams.min(self.config.outbound_streams);
        self.sender.peer_window = u64::from(peer.a_rwnd);
        self.receiver.tsns = TsnMap::new(peer.initial_tsn, TsnBounds::new(&self.config));
        self.asconf.expect_peer_serial(peer.initial_tsn);
        self.init_reconfig(peer.initial_tsn);
        let named = peer
            .addresses
            .iter()
            .map(|ip| SocketAddr::new(*ip, tuple.remote.port()));
        for address in std::iter::once(tuple.remote).chain(named) {
            if !self.peer.addresses.contains(&address) {
                self.peer.addresses.push(address);
            }
        }
        let primary = peer
            .primary
            .and_then(|at| peer.addresses.get(usize::from(at)));
        self.peer.primary = primary.copied();
    }

    /// The peer is not of this engine's kind: it may take its time to acknowledge.
    fn expect_slow_acknowledgements(&mut self) {
        let (least, delay) = (self.config.plain_rto_min, self.config.plain_sack_delay);
        if self.config.rto_min < least {
            let mut config = TransportConfig::clone(&self.config);
            config.rto_min = least;
            self.config = std::sync::Arc::new(config);
        }
        self.paths
            .iter_mut()
            .for_each(|p| p.rtt.raise_min(least, delay));
    }

    pub(super) fn handle_cookie_ack(&mut self, now: Instant) {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.5
        //# At any state other than COOKIE-ECHOED, an endpoint SHOULD silently discard a received COOKIE ACK chunk
        if self.state.on_cookie_ack().is_err() {
            return;
        }
        self.setup = None;
        let first = self.paths.iter().next().map(|p| p.id);
        if let Some(id) = first {
            self.confirm_first_path(now, id);
        }
        self.events.push_back(Event::Connected);
        if self.teardown.wanted {
            self.shutdown(now);
        } else {
            self.open_first_paths(now);
        }
    }
}
