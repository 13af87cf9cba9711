//! The engine in virtual networks: each scenario is exact, and a failure is reproduced by its seed.

mod acknowledging;
mod aggregation;
mod both_ends;
mod congestion;
mod cuts;
mod ecn;
mod ending;
mod families;
mod handshake;
mod hostile;
mod interfaces;
mod lossy;
mod messages;
mod moves;
mod partial;
mod recovery;
mod resets;
mod retransmitting;
mod schedulers;
mod sharing;
mod sizes;
mod steering;
mod streams;
mod support;
