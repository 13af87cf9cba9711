//! What the two ends can do beyond RFC 9260: offered in INIT and INIT-ACK, used only if both
//! offered it.

use manyway_wire::{
    ChunkType, EDMID_SCTP_OVER_DTLS, Parameter, ParameterList, ParameterType, RawParameter,
};

/// A parameter of Manyway's own: the sender takes ASCONF as [`super::asconf`] means it, without
/// AUTH. Those who do not know it skip it silently.
const DYNAMIC_PATHS: ParameterType = ParameterType(0x80f1);

/// One extension of SCTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
#[non_exhaustive]
pub enum Extension {
    /// Padding chunks (RFC 4820).
    Pad = 1 << 0,
    /// Paths that come, move and go by ASCONF in Manyway's form: sent from the address that it
    /// speaks of and proven by a heartbeat instead of AUTH.
    DynamicPaths = 1 << 1,
    /// Authenticated chunks (RFC 4895).
    Auth = 1 << 2,
    /// Addresses that come and go, by authenticated ASCONF (RFC 5061).
    Asconf = 1 << 3,
    /// Messages that may be abandoned (RFC 3758, RFC 7496).
    PartialReliability = 1 << 4,
    /// Messages that are interleaved (RFC 8260).
    Interleaving = 1 << 5,
    /// Streams that are reset and added (RFC 6525).
    StreamReconfig = 1 << 6,
    /// Acknowledgements that are never taken back (draft-natarajan-tsvwg-sctp-nrsack).
    NrSack = 1 << 7,
    /// Packets without a checksum where something better guards them (RFC 9653): offered only as
    /// [`crate::TransportConfig::error_detection`] says.
    ZeroChecksum = 1 << 8,
    /// Explicit congestion notification (RFC 4960, appendix A).
    Ecn = 1 << 9,
}

impl Extension {
    /// Those that this engine speaks.
    pub const ALL: &'static [Self] = &[
        Self::Pad,
        Self::DynamicPaths,
        Self::Auth,
        Self::Asconf,
        Self::PartialReliability,
        Self::NrSack,
        Self::Interleaving,
        Self::ZeroChecksum,
        Self::StreamReconfig,
        Self::Ecn,
    ];

    /// Those that are announced by listing a chunk type, in the order in which they are listed.
    const LISTED: &'static [(ChunkType, Self)] = &[
        (ChunkType::PAD, Self::Pad),
        (ChunkType::AUTH, Self::Auth),
        (ChunkType::ASCONF, Self::Asconf),
        (ChunkType::ASCONF_ACK, Self::Asconf),
        (ChunkType::FORWARD_TSN, Self::PartialReliability),
        (ChunkType::I_DATA, Self::Interleaving),
        (ChunkType::RE_CONFIG, Self::StreamReconfig),
        (ChunkType::NR_SACK, Self::NrSack),
    ];
}

/// Set in what a peer offers that lists I-FORWARD-TSN. It is no extension of its own: it goes with
/// [`Extension::PartialReliability`] and [`Extension::Interleaving`].
const I_FORWARD_TSN: u16 = 1 << 15;

/// A set of [`Extension`]s.
///
/// ```
/// use manyway_proto::{Extension, Extensions};
///
/// let plain = Extensions::NONE.with(Extension::Pad);
/// assert!(plain.contains(Extension::Pad));
/// assert!(!plain.contains(Extension::DynamicPaths));
/// assert_eq!(Extensions::ALL.without(Extension::DynamicPaths).and(plain), plain);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions(u16);

impl Extensions {
    /// Base SCTP only.
    pub const NONE: Self = Self(0);
    /// Everything that this engine can do.
    pub const ALL: Self = {
        let (mut bits, mut at) = (0, 0);
        while at < Extension::ALL.len() {
            bits |= Extension::ALL[at] as u16;
            at += 1;
        }
        Self(bits)
    };

    //= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.1
    //# The crucial point is that the SCTP stack MUST know that the application can handle interleaved messages before indicating the I-DATA support.
    /// Everything but [`Extension::Interleaving`], which is for applications that ask for it: a
    /// peer that interleaves may begin so many messages at once that they fill the receive buffer,
    /// so that they are best read in parts
    /// ([`crate::TransportConfig::partial_delivery_point`]).
    pub const DEFAULT: Self = Self::ALL.without(Extension::Interleaving);

    /// The set with `extension` in it.
    #[must_use]
    pub const fn with(self, extension: Extension) -> Self {
        Self(self.0 | extension as u16)
    }

    /// The set without `extension`.
    #[must_use]
    pub const fn without(self, extension: Extension) -> Self {
        Self(self.0 & !(extension as u16))
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `extension` is in the set.
    pub const fn contains(self, extension: Extension) -> bool {
        self.0 & extension as u16 != 0
    }

    /// The set with AUTH if `offered`: it is offered by parameters of its own, which are judged
    /// apart. Without it there is no ASCONF either.
    pub(crate) const fn authenticated(self, offered: bool) -> Self {
        match offered {
            true => self.with(Extension::Auth),
            false => self.without(Extension::Auth).without(Extension::Asconf),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1
    //# The partial reliability extension is negotiated and can be used in combination with user message interleaving only if both endpoints indicated their support of user message interleaving and the I-FORWARD-TSN chunk.
    /// What is in both sets: this side's and what the peer offered.
    pub(crate) const fn agreed(self, offered: Self) -> Self {
        let agreed = self.and(offered);
        if !agreed.contains(Extension::Interleaving) {
            return agreed;
        }
        let listed = offered.0 & I_FORWARD_TSN != 0;
        if listed && self.contains(Extension::PartialReliability) {
            agreed.with(Extension::PartialReliability)
        } else {
            agreed.without(Extension::PartialReliability)
        }
    }

    /// The set as bits, for a cookie.
    pub(crate) const fn bits(self) -> u16 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits & (Self::ALL.0 | I_FORWARD_TSN))
    }

    /// Takes in what one parameter of INIT or INIT-ACK offers.
    pub(crate) fn learn(&mut self, parameter: &Parameter<'_>) {
        match parameter {
            Parameter::SupportedExtensions(kinds) => {
                for (kind, extension) in Extension::LISTED {
                    if kinds.contains(&kind.0) {
                        *self = self.with(*extension);
                    }
                }
                if kinds.contains(&ChunkType::I_FORWARD_TSN.0) {
                    self.0 |= I_FORWARD_TSN;
                }
            }
            //= https://www.rfc-editor.org/rfc/rfc3758#section-3.3.2
            //# When a receiver of an INIT detects a Forward-TSN-Supported parameter and it does support the Forward-TSN chunk type, the receiver MAY respond with a Forward-TSN-supported parameter in the INIT-ACK chunk.
            // The parameter and the entry in the list of chunks mean the same; peers send either
            // or both.
            Parameter::ForwardTsnSupported => {
                *self = self.with(Extension::PartialReliability);
            }
            Parameter::EcnCapable => *self = self.with(Extension::Ecn),
            Parameter::Unknown(raw) if raw.kind == DYNAMIC_PATHS => {
                *self = self.with(Extension::DynamicPaths);
            }
            // Another method than the one that this engine knows is no help.
            Parameter::ZeroChecksumAcceptable(EDMID_SCTP_OVER_DTLS) => {
                *self = self.with(Extension::ZeroChecksum);
            }
            _ => {}
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.7
    //# An implementation supporting this extension MUST list the ASCONF,the ASCONF-ACK, and the AUTH chunks in its INIT and INIT-ACK parameters
    // Without AUTH none of the three is listed: others abort an association whose peer lists ASCONF
    // alone.
    /// Puts what this set offers into INIT or INIT-ACK.
    pub(crate) fn announce(self, list: &mut ParameterList) {
        let all = self.authenticated(self.contains(Extension::Auth));
        let listed = Extension::LISTED.iter();
        let offered = listed.filter(|(_, extension)| all.contains(*extension));
        let mut kinds: Vec<u8> = offered.map(|(kind, _)| kind.0).collect();
        if self.contains(Extension::Interleaving) && self.contains(Extension::PartialReliability) {
            kinds.push(ChunkType::I_FORWARD_TSN.0);
        }
        if !kinds.is_empty() {
            list.push(&Parameter::SupportedExtensions(&kinds));
        }
        if self.contains(Extension::PartialReliability) {
            list.push(&Parameter::ForwardTsnSupported);
        }
        //= https://www.rfc-editor.org/rfc/rfc9653#section-5.1
        //# An endpoint willing to accept SCTP packets with an incorrect checksum of zero MUST include the Zero Checksum Acceptable Chunk Parameter indicating the alternate error detection method it is willing to use in the INIT or INIT ACK chunk it sends.
        if self.contains(Extension::ZeroChecksum) {
            list.push(&Parameter::ZeroChecksumAcceptable(EDMID_SCTP_OVER_DTLS));
        }
        //= https://www.rfc-editor.org/rfc/rfc4960#appendix-A
        //# To indicate that an endpoint is ECN capable, an endpoint SHOULD add to the INIT and or INIT ACK chunk the TLV reserved for ECN.
        if self.contains(Extension::Ecn) {
            list.push(&Parameter::EcnCapable);
        }
        if self.contains(Extension::DynamicPaths) {
            let [high, low] = DYNAMIC_PATHS.0.to_be_bytes();
            if let Ok(dynamic_paths) = RawParameter::from_wire(&[high, low, 0, 4]) {
                list.push(&Parameter::Unknown(dynamic_paths));
            }
        }
    }
}

impl super::Association {
    /// Whether messages are interleaved and the peer is told of those given up by I-FORWARD-TSN.
    pub(super) fn interleaves_with_forward_tsn(&self) -> bool {
        self.has(Extension::Interleaving) && self.has(Extension::PartialReliability)
    }

    /// Whether both ends offered `extension`.
    pub(super) fn has(&self, extension: Extension) -> bool {
        self.peer.extensions.contains(extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(parameters: &ParameterList) -> Extensions {
        let mut learned = Extensions::NONE;
        for parameter in parameters.as_parameters().iter() {
            learned.learn(&parameter.expect("valid"));
        }
        learned
    }

    #[test]
    fn what_is_announced_is_learned() {
        for &extension in Extension::ALL {
            let mut offer = Extensions::NONE.with(extension);
            if extension == Extension::Asconf {
                offer = offer.with(Extension::Auth);
            }
            let mut list = ParameterList::new();
            offer.announce(&mut list);
            assert_eq!(learned(&list), offer);
        }
        let mut all = ParameterList::new();
        Extensions::ALL.announce(&mut all);
        assert_eq!(learned(&all).and(Extensions::ALL), Extensions::ALL);
        assert_ne!(learned(&all).bits() & I_FORWARD_TSN, 0);
    }

    #[test]
    fn partial_reliability_is_learned_from_the_parameter_and_from_the_list() {
        let wanted = Extensions::NONE.with(Extension::PartialReliability);
        let mut parameter = ParameterList::new();
        parameter.push(&Parameter::ForwardTsnSupported);
        assert_eq!(learned(&parameter), wanted);
        let mut listed = ParameterList::new();
        let kinds = [ChunkType::FORWARD_TSN.0];
        listed.push(&Parameter::SupportedExtensions(&kinds));
        assert_eq!(learned(&listed), wanted);
    }

    #[test]
    fn only_our_own_kind_gets_asconf_without_auth() {
        let mut plain = ParameterList::new();
        let kinds = [ChunkType::ASCONF.0, ChunkType::ASCONF_ACK.0];
        plain.push(&Parameter::SupportedExtensions(&kinds));
        assert!(!learned(&plain).contains(Extension::DynamicPaths));
    }

    #[test]
    fn asconf_is_not_announced_without_auth() {
        let mut ours = ParameterList::new();
        let without = Extensions::ALL.without(Extension::Auth);
        without.announce(&mut ours);
        let mut extensions = ours.as_parameters().iter().filter_map(|p| match p {
            Ok(Parameter::SupportedExtensions(kinds)) => Some(kinds),
            _ => None,
        });
        let listed = extensions.next().expect("extensions are announced");
        assert!(!listed.contains(&ChunkType::ASCONF.0));
        assert!(!listed.contains(&ChunkType::ASCONF_ACK.0));
    }

    #[test]
    fn unknown_bits_of_a_cookie_are_nothing() {
        let known = Extensions::ALL.bits() | I_FORWARD_TSN;
        assert_eq!(Extensions::from_bits(u16::MAX).bits(), known);
    }
}
