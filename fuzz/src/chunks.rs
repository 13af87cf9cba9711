//! Chunks of every kind with chosen fields, as bytes.

use bytes::Bytes;
use manyway_wire::{CommonHeader, EncodeChunk, PacketWriter};

use super::input::Input;
use super::keys::{KEYS, Keys};

/// A chunk whose value is any bytes.
pub(crate) struct Raw {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) value: Vec<u8>,
}

impl EncodeChunk for Raw {
    fn encoded_len(&self) -> usize {
        4 + self.value.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind, self.flags]);
        out.extend_from_slice(&(self.encoded_len() as u16).to_be_bytes());
        out.extend_from_slice(&self.value);
    }
}

/// What a forger may have seen of an association.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Messages are interleaved.
    pub(crate) interleaving: bool,
    /// The highest TSN of the side whose part the forger plays.
    pub(crate) tsn: u32,
    /// The highest TSN of the side under attack.
    pub(crate) victim_tsn: u32,
    /// Serial of the last ASCONF, of either side.
    pub(crate) serial: u32,
    /// Number of the last re-configuration request of the side whose part the forger plays.
    pub(crate) request: u32,
    /// The same of the side under attack.
    pub(crate) victim_request: u32,
    /// The last heartbeat of the side under attack.
    pub(crate) heartbeat: Vec<u8>,
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn data(input: &mut Input<'_>, seen: &Seen) -> Raw {
    let flags = input.u8();
    let mut value = words(&[input.near(seen.tsn)]);
    value.extend_from_slice(&(u16::from(input.u8()) / 8).to_be_bytes());
    value.extend_from_slice(&(input.near(100) as u16).to_be_bytes());
    value.extend_from_slice(&[0; 4]);
    // Long payloads without long inputs.
    let len = usize::from(input.u8()) * if flags & 0x80 == 0 { 1 } else { 5 };
    value.resize(value.len() + len, flags);
    Raw {
        kind: 0,
        flags,
        value,
    }
}

fn i_data(input: &mut Input<'_>, seen: &Seen) -> Raw {
    let flags = input.u8();
    let tsn = input.near(seen.tsn);
    let stream = u32::from(input.u8()) / 8;
    let mid = input.near(100);
    // The fragment's number, or the payload protocol of the first.
    let fragment = if flags & 2 == 0 { input.near(100) } else { 0 };
    let mut value = words(&[tsn, stream << 16, mid, fragment]);
    let len = usize::from(input.u8()) * if flags & 0x80 == 0 { 1 } else { 5 };
    value.resize(value.len() + len, flags);
    Raw {
        kind: 64,
        flags,
        value,
    }
}

fn sack(input: &mut Input<'_>, seen: &Seen) -> Raw {
    let window = match input.u8() {
        0..100 => 1 << 20,
        byte => u32::from(byte - 100) * 50,
    };
    let (gaps, duplicates) = (input.u8() % 5, input.u8() % 3);
    let mut value = words(&[input.near(seen.victim_tsn), window]);
    value.extend_from_slice(&[0, gaps, 0, duplicates]);
    for _ in 0..gaps {
        let (start, len) = (u16::from(input.u8()), u16::from(input.u8()));
        value.extend_from_slice(&words(&[
            u32::from(start) << 16 | u32::from(start.wrapping_add(len % 16))
        ]));
    }
    for _ in 0..duplicates {
        value.extend_from_slice(&words(&[input.u32()]));
    }
    Raw {
        kind: 3,
        flags: input.u8(),
        value,
    }
}

/// As [`sack`], with another list of blocks before the duplicates.
fn nr_sack(input: &mut Input<'_>, seen: &Seen) -> Raw {
    let plain = sack(input, seen);
    let settled = input.u8() % 5;
    let (head, lists) = plain.value.split_at(12);
    let (gaps, duplicates) = lists.split_at(usize::from(head[9]) * 4);
    let mut value = [&head[..10], &[0, settled], &head[10..], &[0, 0], gaps].concat();
    for _ in 0..settled {
        let (start, len) = (u32::from(input.u8()), u32::from(input.u8() % 16));
        value.extend_from_slice(&words(&[start << 16 | (start + len)]));
    }
    value.extend_from_slice(duplicates);
    Raw {
        kind: 16,
        value,
        ..plain
    }
}

fn asconf(input: &mut Input<'_>, seen: &Seen) -> Raw {
    let address = |input: &mut Input<'_>| match input.u8() {
        0..200 => [0; 4],
        last => [10, 0, 0, last - 200],
    };
    let mut value = words(&[seen
        .serial
        .wrapping_add(u32::from(input.u8()))
        .wrapping_sub(2)]);
    value.extend_from_slice(&[0, 5, 0, 8]);
    value.extend_from_slice(&address(input));
    for _ in 0..input.u8() % 4 {
        let kind = [
            0xc001, 0xc002, 0xc004, 0xc0f1, 0xc0f2, 0xc0f3, 0xc005, 0x0006,
        ][usize::from(input.u8()) % 8];
        let with_address = kind < 0xc0f0_u16;
        value.extend_from_slice(&kind.to_be_bytes());
        value.extend_from_slice(&[0, if with_address { 16 } else { 8 }, 0, 0, 0, input.u8()]);
        if with_address {
            value.extend_from_slice(&[0, 5, 0, 8]);
            value.extend_from_slice(&address(input));
        }
    }
    Raw {
        kind: 0xc1,
        flags: 0,
        value,
    }
}

/// RE-CONFIG with up to two parameters.
fn reconfig(input: &mut Input<'_>, seen: &Seen) -> Raw {
    let mut value = Vec::new();
    for place in 0..=u32::from(input.u8() % 2) {
        let kind = 13 + u16::from(input.u8() % 6);
        let number = match input.u8() {
            0..200 => seen.request.wrapping_add(1 + place),
            byte => seen
                .request
                .wrapping_add(u32::from(byte - 200))
                .wrapping_sub(2),
        };
        let mut body = match kind {
            13 => words(&[number, seen.victim_request, input.near(seen.tsn)]),
            14 | 15 => words(&[number]),
            16 => words(&[seen.victim_request, u32::from(input.u8() % 8)]),
            _ => words(&[number, u32::from(input.u8()) << 16]),
        };
        if kind < 15 {
            for _ in 0..input.u8() % 4 {
                body.extend_from_slice(&u16::from(input.u8() / 12).to_be_bytes());
            }
        } else if kind == 16 && input.u8() & 1 == 1 {
            body.extend_from_slice(&words(&[input.near(seen.tsn), input.near(seen.victim_tsn)]));
        }
        value.resize(value.len().next_multiple_of(4), 0);
        value.extend_from_slice(&kind.to_be_bytes());
        value.extend_from_slice(&(4 + body.len() as u16).to_be_bytes());
        value.extend_from_slice(&body);
    }
    Raw {
        kind: 0x82,
        flags: 0,
        value,
    }
}

fn init(input: &mut Input<'_>, kind: u8) -> Raw {
    let mut value = words(&[
        input.u32(),
        u32::from(input.u16()),
        input.u32(),
        input.u32(),
    ]);
    for _ in 0..input.u8() % 4 {
        let kinds = [
            0x0005, 0x0006, 0x0007, 0x0008, 0x000b, 0x000c, 0x8008, 0x8005, 0xc0aa, 0x4001, 0x0099,
            0x8099,
        ];
        let kind: u16 = kinds[usize::from(input.u8()) % kinds.len()];
        let body = input.bytes(40);
        value.extend_from_slice(&kind.to_be_bytes());
        value.extend_from_slice(&(4 + body.len() as u16).to_be_bytes());
        value.extend_from_slice(body);
        value.resize(value.len().next_multiple_of(4), 0);
    }
    Raw {
        kind,
        flags: 0,
        value,
    }
}

/// A chunk of some kind.
pub(crate) fn chunk(input: &mut Input<'_>, seen: &Seen) -> Raw {
    let plain = |kind, flags, value| Raw { kind, flags, value };
    match input.u8() % 32 {
        0..6 if seen.interleaving => i_data(input, seen),
        0..6 => data(input, seen),
        6..9 => sack(input, seen),
        9..12 => nr_sack(input, seen),
        12 => plain(4, 0, [&[0, 1, 0, 24][..], &[7; 20]].concat()),
        13 => plain(
            5,
            0,
            [
                &[0, 1, 0, 4 + seen.heartbeat.len() as u8][..],
                &seen.heartbeat,
            ]
            .concat(),
        ),
        14 => plain(5, 0, input.bytes(60).to_vec()),
        15 => init(input, 1),
        16 => init(input, 2),
        17 => plain(6, input.u8() & 1, input.bytes(40).to_vec()),
        18 => plain(7, 0, words(&[input.near(seen.victim_tsn)])),
        19 => plain(8, 0, vec![]),
        20 => plain(14, input.u8() & 1, vec![]),
        21 => plain(9, 0, input.bytes(40).to_vec()),
        22 => plain(9, 0, [&[0, 3, 0, 8][..], &[0; 4]].concat()),
        23 => plain(10, 0, input.bytes(100).to_vec()),
        24 => plain(11, 0, vec![]),
        25..28 => asconf(input, seen),
        28 => plain(
            0x80,
            0,
            [&words(&[seen.serial])[..], input.bytes(40)].concat(),
        ),
        29 => plain(
            0xc0,
            0,
            [&words(&[input.near(seen.tsn)])[..], input.bytes(40)].concat(),
        ),
        30 => reconfig(input, seen),
        _ => plain(input.u8(), input.u8(), input.bytes(100).to_vec()),
    }
}

/// A packet of up to four chunks; with keys, most of them authenticated, now and then by a key that
/// the other side may not have.
pub(crate) fn packet(
    input: &mut Input<'_>,
    header: CommonHeader,
    seen: &Seen,
    keys: Option<&mut Keys>,
) -> Bytes {
    let mut packet = Vec::with_capacity(1472);
    let mut writer = PacketWriter::new(&mut packet, &header, 1472);
    let mut sealing = keys.and_then(|keys| match input.u8() {
        0..192 => Some((keys, KEYS.start, 0)),
        byte @ 192..240 => Some((keys, u16::from(byte) % (KEYS.end + 1), byte >> 3 & 1)),
        _ => None,
    });
    for place in 0..=input.u8() % 4 {
        if let Some((_, id, at)) = &sealing
            && *at == place
            && !Keys::begin(*id, &mut writer)
        {
            sealing = None;
        }
        let _ = writer.push(&chunk(input, seen));
    }
    if let Some((keys, id, _)) = sealing {
        keys.fill(id, &mut writer);
    }
    writer.finish(true);
    packet.into()
}
