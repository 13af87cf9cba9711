//! Multihomed, message-oriented connections over every network path at once.
