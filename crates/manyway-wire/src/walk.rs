//! A walk over everything inside a packet, for readers of captures and for fuzzers.

use crate::cause::{Cause, Causes};
use crate::chunk::{AsconfRequest, AsconfResponse, AsconfResponses, Chunk, ReconfigParameter};
use crate::error::DecodeError;
use crate::packet::Packet;
use crate::param::{Parameter, Parameters};

/// What [`walk`] comes across.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Element<'a> {
    /// A chunk; what is inside it follows.
    Chunk(Chunk<'a>),
    /// A parameter of an INIT or INIT ACK, or inside an error cause.
    Parameter(Parameter<'a>),
    /// An error cause; what is inside it follows.
    Cause(Cause<'a>),
    /// A request of an ASCONF.
    Request(AsconfRequest),
    /// A response of an ASCONF-ACK; its error causes follow.
    Response(AsconfResponse),
    /// A parameter of a RE-CONFIG.
    Reconfig(ReconfigParameter<'a>),
    /// Something malformed. If it is a chunk, the others are still looked at as long as the
    /// place where they begin is known.
    Malformed(DecodeError),
}

/// Shows `visit` every element of `packet` in wire order.
pub fn walk(packet: &Packet<'_>, visit: &mut dyn FnMut(Element<'_>)) {
    for raw in packet.chunks() {
        match raw.and_then(|raw| Chunk::decode(&raw)) {
            Ok(chunk) => walk_chunk(&chunk, visit),
            Err(error) => visit(Element::Malformed(error)),
        }
    }
}

fn walk_chunk(chunk: &Chunk<'_>, visit: &mut dyn FnMut(Element<'_>)) {
    visit(Element::Chunk(*chunk));
    match chunk {
        Chunk::Init(init) => walk_parameters(init.parameters, visit),
        Chunk::InitAck(init_ack) => walk_parameters(init_ack.parameters, visit),
        Chunk::Abort(abort) => walk_causes(abort.causes, visit),
        Chunk::Error(error) => walk_causes(error.causes, visit),
        Chunk::Asconf(asconf) => {
            asconf
                .requests
                .iter()
                .for_each(|item| visit(element(item, Element::Request)));
        }
        Chunk::AsconfAck(ack) => walk_responses(ack.responses, visit),
        Chunk::Reconfig(reconfig) => {
            reconfig
                .parameters
                .iter()
                .for_each(|item| visit(element(item, Element::Reconfig)));
        }
        _ => (),
    }
}

fn walk_parameters(parameters: Parameters<'_>, visit: &mut dyn FnMut(Element<'_>)) {
    parameters
        .iter()
        .for_each(|item| visit(element(item, Element::Parameter)));
}

fn walk_causes(causes: Causes<'_>, visit: &mut dyn FnMut(Element<'_>)) {
    for item in causes.iter() {
        visit(element(item, Element::Cause));
        if let Ok(
            Cause::UnresolvableAddress(bytes)
            | Cause::UnrecognizedParameters(bytes)
            | Cause::RestartWithNewAddresses(bytes),
        ) = item
        {
            walk_parameters(Parameters::from_bytes(bytes), visit);
        }
    }
}

fn walk_responses(responses: AsconfResponses<'_>, visit: &mut dyn FnMut(Element<'_>)) {
    for item in responses.with_causes() {
        visit(element(item, |(response, _)| Element::Response(response)));
        if let Ok((_, causes)) = item {
            walk_causes(causes, visit);
        }
    }
}

fn element<'a, T>(
    item: Result<T, DecodeError>,
    wrap: impl FnOnce(T) -> Element<'a>,
) -> Element<'a> {
    item.map_or_else(Element::Malformed, wrap)
}
