//! Real programs through `manyway run` at both ends, between two network namespaces with two links.

mod steering;
mod transparency;
mod world;
