//! Random loss on the wire.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// How packets vanish at random. Probabilities are clamped to 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// No random loss.
    #[default]
    None,
    /// Every packet is lost with this probability, independently of the others.
    Bernoulli(f64),
    /// Losses come in bursts: a two-state Markov chain that advances once per packet.
    GilbertElliott {
        /// Probability of going from the good state to the bad one.
        to_bad: f64,
        /// Probability of going from the bad state to the good one.
        to_good: f64,
        /// Probability of losing a packet in the good state.
        good: f64,
        /// Probability of losing a packet in the bad state.
        bad: f64,
    },
}

impl Loss {
    /// The share of packets lost in the long run.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::None => 0.0,
            Self::Bernoulli(p) => p.clamp(0.0, 1.0),
            Self::GilbertElliott {
                to_bad,
                to_good,
                good,
                bad,
            } => {
                let (to_bad, to_good) = (to_bad.clamp(0.0, 1.0), to_good.clamp(0.0, 1.0));
                // A chain that never moves stays in the good state, where it starts.
                let in_bad = if to_bad > 0.0 {
                    to_bad / (to_bad + to_good)
                } else {
                    0.0
                };
                good.clamp(0.0, 1.0) * (1.0 - in_bad) + bad.clamp(0.0, 1.0) * in_bad
            }
        }
    }
}

/// A loss model in motion.
#[derive(Clone, Debug)]
pub(crate) struct LossProcess {
    model: Loss,
    in_bad_state: bool,
}

impl LossProcess {
    pub(crate) fn new(model: Loss) -> Self {
        Self {
            model,
            in_bad_state: false,
        }
    }

    /// Decides about the next packet.
    pub(crate) fn loses(&mut self, rng: &mut Xoshiro256PlusPlus) -> bool {
        match self.model {
            Loss::None => false,
            Loss::Bernoulli(p) => happens(rng, p),
            Loss::GilbertElliott {
                to_bad,
                to_good,
                good,
                bad,
            } => {
                let leave = if self.in_bad_state { to_good } else { to_bad };
                self.in_bad_state ^= happens(rng, leave);
                happens(rng, if self.in_bad_state { bad } else { good })
            }
        }
    }
}

fn happens(rng: &mut Xoshiro256PlusPlus, probability: f64) -> bool {
    rng.random::<f64>() < probability
}
