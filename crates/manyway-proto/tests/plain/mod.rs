//! A plain SCTP peer made by hand: it speaks to an endpoint packet by packet, with an AUTH of its
//! own that shares no code with the engine's.

#![expect(dead_code, reason = "no test program needs all of it")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use manyway_proto::{
    AssocId, Association, Connect, Endpoint, EndpointConfig, Event, FourTuple, Instant, Port,
};
use manyway_wire::{
    AddressTypes, ChecksumPolicy, Chunk, ChunkType, CommonHeader, CookieAck, CookieEcho, Data,
    DataFlags, EncodeChunk, HmacId, Init, InitAck, KeyId, Packet, PacketWriter, Parameter,
    ParameterList, Ppid, Ssn, StreamId, Tsn, VerificationTag,
};

pub(crate) const MS: Duration = Duration::from_millis(1);
/// The endpoint's SCTP port as a server, the peer's as a server.
pub(crate) const PORT: Port = Port(80);
pub(crate) const TAG: VerificationTag = VerificationTag(0x5eed_0001);

/// Address `n` of the endpoint.
pub(crate) fn ours(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 9899))
}

/// Address `n` of the peer.
pub(crate) fn theirs(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 9899))
}

/// A chunk as bytes.
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl EncodeChunk for Raw {
    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

pub(crate) fn raw(kind: ChunkType, value: &[u8]) -> Raw {
    let len = (4 + value.len()) as u16;
    Raw([&[kind.0, 0][..], &len.to_be_bytes(), value].concat())
}

/// What the peer says in INIT or INIT-ACK.
#[derive(Clone)]
pub(crate) struct Offer {
    /// `None`: no AUTH.
    pub(crate) random: Option<Vec<u8>>,
    pub(crate) chunks: Vec<ChunkType>,
    pub(crate) hmacs: Vec<HmacId>,
    pub(crate) extensions: Vec<ChunkType>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Where it would like to be sent to first.
    pub(crate) primary: Option<IpAddr>,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            random: Some(vec![0xaa; 32]),
            chunks: vec![ChunkType::ASCONF, ChunkType::ASCONF_ACK],
            hmacs: vec![HmacId::SHA1],
            extensions: vec![ChunkType::AUTH, ChunkType::ASCONF, ChunkType::ASCONF_ACK],
            addresses: Vec::new(),
            primary: None,
        }
    }
}

impl Offer {
    /// An offer of base SCTP only.
    pub(crate) fn bare() -> Self {
        Self {
            random: None,
            extensions: Vec::new(),
            ..Self::default()
        }
    }

    fn parameters(&self, cookie: Option<&[u8]>) -> ParameterList {
        let mut list = ParameterList::new();
        list.push(&Parameter::SupportedAddressTypes(AddressTypes::new(&[
            5, 6,
        ])));
        list.push_supported_extensions(&self.extensions);
        if let Some(random) = &self.random {
            list.push(&Parameter::Random(random));
            if !self.chunks.is_empty() {
                list.push_chunks(&self.chunks);
            }
            list.push_hmac_algo(&self.hmacs);
        }
        for address in &self.addresses {
            list.push(&match address {
                IpAddr::V4(ip) => Parameter::Ipv4(*ip),
                IpAddr::V6(ip) => Parameter::Ipv6(*ip),
            });
        }
        if let Some(address) = self.primary {
            list.push(&Parameter::SetPrimary {
                correlation_id: 1,
                address,
            });
        }
        if let Some(cookie) = cookie {
            list.push(&Parameter::StateCookie(cookie));
        }
        list
    }
}

/// RANDOM, CHUNKS and HMAC-ALGO as they were sent, without padding.
fn key_vector<'a>(parameters: impl Iterator<Item = Parameter<'a>>) -> Vec<u8> {
    let mut parts = [vec![], vec![], vec![]];
    for parameter in parameters {
        let place = match parameter {
            Parameter::Random(_) => 0,
            Parameter::Chunks(_) => 1,
            Parameter::HmacAlgo(_) => 2,
            _ => continue,
        };
        parameter.encode_unpadded(&mut parts[place]);
    }
    parts.concat()
}

/// A packet that the endpoint sent.
pub(crate) struct Seen {
    pub(crate) path: FourTuple,
    pub(crate) bytes: Bytes,
}

impl Seen {
    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet::decode(&self.bytes, ChecksumPolicy::Verify).unwrap()
    }

    pub(crate) fn kinds(&self) -> Vec<ChunkType> {
        self.packet()
            .chunks()
            .map(|raw| raw.unwrap().kind)
            .collect()
    }

    /// Looks at the first chunk of a kind.
    pub(crate) fn with<R>(&self, kind: ChunkType, f: impl FnOnce(Chunk<'_>) -> R) -> Option<R> {
        let raw = self
            .packet()
            .chunks()
            .flatten()
            .find(|raw| raw.kind == kind)?;
        Some(f(Chunk::decode(&raw).unwrap()))
    }
}

/// Which key authenticates a packet of the peer, and how.
#[derive(Clone)]
pub(crate) struct Signing {
    pub(crate) secret: Vec<u8>,
    pub(crate) key: KeyId,
    pub(crate) hmac: HmacId,
}

impl Default for Signing {
    fn default() -> Self {
        Self {
            secret: Vec::new(),
            key: KeyId(0),
            hmac: HmacId::SHA1,
        }
    }
}

/// The peer, and the endpoint that it speaks to.
pub(crate) struct Plain {
    pub(crate) now: Instant,
    pub(crate) endpoint: Endpoint,
    pub(crate) id: Option<AssocId>,
    /// Of packets to the endpoint.
    pub(crate) header: CommonHeader,
    pub(crate) offer: Offer,
    pub(crate) vectors: [Vec<u8>; 2],
    /// The peer's next TSN, and the endpoint's first.
    pub(crate) next_tsn: Tsn,
    pub(crate) first_tsn: Tsn,
    pub(crate) cookie: Vec<u8>,
    /// Chunk types of the extensions that the endpoint listed.
    pub(crate) listed: Vec<u8>,
    pub(crate) path: FourTuple,
}

impl Plain {
    pub(crate) fn new(config: EndpointConfig, offer: Offer) -> Self {
        let mut endpoint = Endpoint::new(config, [7; 32]);
        endpoint.listen(PORT).unwrap();
        Self {
            now: Instant::ZERO,
            endpoint,
            id: None,
            header: CommonHeader {
                source_port: Port(5000),
                destination_port: PORT,
                verification_tag: VerificationTag(0),
            },
            offer,
            vectors: [vec![], vec![]],
            next_tsn: Tsn(100),
            first_tsn: Tsn(0),
            cookie: Vec::new(),
            listed: Vec::new(),
            path: FourTuple {
                local: ours(1),
                remote: theirs(1),
            },
        }
    }

    /// The peer opens the association.
    pub(crate) fn opened_by_peer(config: EndpointConfig, offer: Offer) -> Self {
        let mut plain = Self::new(config, offer);
        plain.exchange_init();
        plain.send(&[&CookieEcho {
            cookie: &plain.cookie.clone(),
        }]);
        plain.find();
        plain.take();
        plain
    }

    /// INIT and INIT-ACK.
    pub(crate) fn exchange_init(&mut self) {
        self.send_init();
        let answer = self.take().pop().expect("INIT is answered");
        answer
            .with(ChunkType::INIT_ACK, |chunk| match chunk {
                Chunk::InitAck(ack) => {
                    self.header.verification_tag = ack.initiate_tag;
                    self.first_tsn = ack.initial_tsn;
                    self.learn(ack.parameters.iter().map(Result::unwrap));
                }
                _ => unreachable!(),
            })
            .expect("INIT is not refused");
    }

    pub(crate) fn send_init(&mut self) {
        let parameters = self.offer.parameters(None);
        let init = Init {
            initiate_tag: TAG,
            a_rwnd: 1 << 20,
            outbound_streams: 10,
            inbound_streams: 10,
            initial_tsn: self.next_tsn,
            parameters: parameters.as_parameters(),
        };
        self.send(&[&init]);
    }

    fn learn<'a>(&mut self, parameters: impl Iterator<Item = Parameter<'a>>) {
        let all: Vec<_> = parameters.collect();
        for parameter in &all {
            match parameter {
                Parameter::StateCookie(cookie) => self.cookie = cookie.to_vec(),
                Parameter::SupportedExtensions(kinds) => self.listed = kinds.to_vec(),
                _ => {}
            }
        }
        let own = self.offer.parameters(None);
        let own = own.as_parameters().iter().map(Result::unwrap);
        self.vectors = [key_vector(own), key_vector(all.into_iter())];
    }

    /// The endpoint opens the association.
    pub(crate) fn opened_by_endpoint(config: EndpointConfig, offer: Offer) -> Self {
        let mut plain = Self::new(config, offer);
        plain.connect(vec![ours(1)]);
        plain.answer_init();
        plain.take();
        plain.send(&[&CookieAck]);
        plain
    }

    pub(crate) fn connect(&mut self, locals: Vec<SocketAddr>) {
        let request = Connect {
            locals,
            remotes: vec![theirs(1)],
            port: PORT,
        };
        self.id = Some(self.endpoint.connect(self.now, request).unwrap());
    }

    /// Answers the endpoint's INIT.
    pub(crate) fn answer_init(&mut self) {
        let seen = self.take().pop().expect("an INIT leaves");
        let header = seen.packet().header();
        self.path = seen.path;
        seen.with(ChunkType::INIT, |chunk| match chunk {
            Chunk::Init(init) => {
                self.header = CommonHeader {
                    source_port: header.destination_port,
                    destination_port: header.source_port,
                    verification_tag: init.initiate_tag,
                };
                self.first_tsn = init.initial_tsn;
                self.learn(init.parameters.iter().map(Result::unwrap));
            }
            _ => unreachable!(),
        });
        let parameters = self.offer.parameters(Some(b"a cookie"));
        let ack = InitAck {
            initiate_tag: TAG,
            a_rwnd: 1 << 20,
            outbound_streams: 10,
            inbound_streams: 10,
            initial_tsn: self.next_tsn,
            parameters: parameters.as_parameters(),
        };
        self.send(&[&ack]);
    }

    /// Looks for the association that the peer opened.
    pub(crate) fn find(&mut self) {
        self.id = self.endpoint.associations().map(|a| a.id()).max();
    }

    pub(crate) fn assoc(&self) -> &Association {
        self.endpoint.association(self.id.unwrap()).unwrap()
    }

    pub(crate) fn command<R>(&mut self, f: impl FnOnce(Instant, &mut Association) -> R) -> R {
        let now = self.now;
        f(
            now,
            self.endpoint
                .association_mut(now, self.id.unwrap())
                .unwrap(),
        )
    }

    /// What the endpoint sends now.
    pub(crate) fn take(&mut self) -> Vec<Seen> {
        let mut buf = Vec::new();
        let mut all = Vec::new();
        while let Some(transmit) = self.endpoint.poll_transmit(self.now, 1, &mut buf) {
            all.push(Seen {
                path: transmit.path,
                bytes: Bytes::copy_from_slice(&buf[..transmit.size]),
            });
        }
        all
    }

    /// Lets time pass, with all timers; what the endpoint sends meanwhile.
    pub(crate) fn wait(&mut self, time: Duration) -> Vec<Seen> {
        let end = self.now + time;
        let mut all = self.take();
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.endpoint.handle_timeout(at);
            all.extend(self.take());
        }
        self.now = end;
        all
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.endpoint.poll_event())
            .map(|(_, event)| event)
            .collect()
    }

    pub(crate) fn packet(&self, chunks: &[&dyn EncodeChunk]) -> Bytes {
        let mut bytes = Vec::new();
        let mut writer = PacketWriter::new(&mut bytes, &self.header, 1472);
        for chunk in chunks {
            assert!(writer.push(*chunk));
        }
        writer.finish(true);
        bytes.into()
    }

    pub(crate) fn deliver(&mut self, path: FourTuple, bytes: Bytes) {
        self.endpoint.handle_datagram(self.now, path, bytes);
    }

    pub(crate) fn send(&mut self, chunks: &[&dyn EncodeChunk]) {
        self.deliver(self.path, self.packet(chunks));
    }

    /// A packet whose `chunks` are authenticated; those `before` are not.
    pub(crate) fn signed(
        &self,
        signing: &Signing,
        before: &[&dyn EncodeChunk],
        chunks: &[&dyn EncodeChunk],
    ) -> Bytes {
        let mut bytes = Vec::new();
        let mut writer = PacketWriter::new(&mut bytes, &self.header, 1472);
        let len = signing.hmac.hmac_len().unwrap_or(20);
        before.iter().for_each(|c| assert!(writer.push(*c)));
        assert!(writer.push_auth(signing.key, signing.hmac, len));
        chunks.iter().for_each(|c| assert!(writer.push(*c)));
        let tag = self.hmac(signing, writer.authenticated().unwrap());
        assert!(writer.fill_hmac(&tag));
        writer.finish(true);
        bytes.into()
    }

    pub(crate) fn send_signed(&mut self, chunks: &[&dyn EncodeChunk]) {
        let packet = self.signed(&Signing::default(), &[], chunks);
        self.deliver(self.path, packet);
    }

    fn hmac(&self, signing: &Signing, data: &[u8]) -> Vec<u8> {
        let [a, b] = &self.vectors;
        // No vector begins with a zero, so that the longer one is the larger number.
        let order = a.len().cmp(&b.len()).then_with(|| a.cmp(b));
        let (small, large) = if order.is_le() { (a, b) } else { (b, a) };
        let key = [&signing.secret[..], small, large].concat();
        match signing.hmac {
            HmacId::SHA256 => {
                let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
                mac.update(data);
                mac.finalize().into_bytes().to_vec()
            }
            _ => {
                let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&key).unwrap();
                mac.update(data);
                mac.finalize().into_bytes().to_vec()
            }
        }
    }

    /// What of a packet is authenticated under the null key: the types of its chunks.
    pub(crate) fn authenticated(&self, seen: &Seen) -> Vec<ChunkType> {
        self.authenticated_by(seen, &[])
    }

    pub(crate) fn authenticated_by(&self, seen: &Seen, secret: &[u8]) -> Vec<ChunkType> {
        let packet = seen.packet();
        let Some(proof) = packet.authentication() else {
            return Vec::new();
        };
        let auth = proof.auth();
        let signing = Signing {
            secret: secret.to_vec(),
            key: auth.key_id,
            hmac: auth.hmac_id,
        };
        let covered = proof.pieces().collect::<Vec<_>>().concat();
        assert_eq!(
            self.hmac(&signing, &covered),
            auth.hmac,
            "the HMAC is right"
        );
        proof.chunks().map(|raw| raw.unwrap().kind).collect()
    }

    /// The next DATA chunk of the peer.
    pub(crate) fn data(&mut self) -> Data<'static> {
        let tsn = self.next_tsn;
        self.next_tsn = tsn.next();
        Data {
            tsn,
            stream: StreamId(0),
            ssn: Ssn(0),
            ppid: Ppid(0),
            flags: DataFlags {
                unordered: true,
                begin: true,
                end: true,
                ..DataFlags::default()
            },
            payload: b"hello",
        }
    }
}

pub(crate) fn kinds(all: &[Seen]) -> Vec<ChunkType> {
    all.iter().flat_map(Seen::kinds).collect()
}

/// The codes of the causes in the first chunk of a kind.
pub(crate) fn causes_of(all: &[Seen], kind: ChunkType) -> Vec<u16> {
    let found = all.iter().find_map(|seen| {
        seen.with(kind, |chunk| match chunk {
            Chunk::Abort(abort) => abort.causes.iter().flatten().map(|c| c.code()).collect(),
            Chunk::Error(error) => error.causes.iter().flatten().map(|c| c.code()).collect(),
            _ => vec![],
        })
    });
    found.unwrap_or_default()
}
