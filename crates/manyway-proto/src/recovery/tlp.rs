//! The tail loss probe: when no acknowledgement comes, one packet asks for one (RFC 8985,
//! section 7).

use std::time::Duration;

use crate::send::Shot;

/// Time until a probe while there is no estimate of the round-trip time.
const WITHOUT_SAMPLE: Duration = Duration::from_secs(1);

/// A probe in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    /// Its packet.
    pub(crate) number: u64,
    /// What it repeats: a chunk, and how that had been sent before. `None` if it carries new data.
    pub(crate) repeats: Option<(u64, Shot)>,
}

/// The probe's state on a path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tlp {
    probe: Option<Probe>,
    /// A probe shall leave now.
    due: bool,
    /// The round-trip time was measured since the last probe, or at all.
    sampled: bool,
}

impl Tlp {
    /// The probe timeout. `alone` if one packet only is in flight, whose acknowledgement may be
    /// delayed by `ack_delay`.
    //= https://www.rfc-editor.org/rfc/rfc8985#section-7.2
    //# when there is no SRTT estimate available, the PTO SHOULD be 1 second
    pub(crate) fn timeout(srtt: Option<Duration>, alone: bool, ack_delay: Duration) -> Duration {
        match srtt {
            //= https://www.rfc-editor.org/rfc/rfc8985#section-7.2
            //# when the FlightSize is one segment, the sender MAY inflate the PTO by TLP.max_ack_delay
            Some(srtt) if alone => srtt * 2 + ack_delay,
            Some(srtt) => srtt * 2,
            None => WITHOUT_SAMPLE,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
    //# When the PTO timer expires, the sender MUST check whether both of the following conditions are met before sending a loss probe
    pub(crate) fn may_probe(&self) -> bool {
        self.probe.is_none() && self.sampled
    }

    pub(crate) fn on_timeout(&mut self) {
        self.due = self.may_probe();
    }

    pub(crate) fn is_due(&self) -> bool {
        self.due
    }

    /// A probe left, or there was nothing to send (`None`).
    pub(crate) fn on_probe(&mut self, probe: Option<Probe>) {
        self.due = false;
        if probe.is_some() {
            self.probe = probe;
            self.sampled = false;
        }
    }

    pub(crate) fn on_sample(&mut self) {
        self.sampled = true;
    }

    pub(crate) fn probe(&self) -> Option<Probe> {
        self.probe
    }

    /// The probe was answered, or does not matter any more.
    pub(crate) fn finish(&mut self) {
        self.probe = None;
    }

    pub(crate) fn cancel(&mut self) {
        self.probe = None;
        self.due = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_timeout_is_two_round_trips_and_the_delay_of_a_lone_acknowledgement() {
        let timeout = |alone| Tlp::timeout(Some(30 * MS), alone, 20 * MS);
        assert_eq!(timeout(false), 60 * MS);
        assert_eq!(timeout(true), 80 * MS);
        assert_eq!(Tlp::timeout(None, true, 20 * MS), Duration::from_secs(1));
    }

    //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
    //= type=test
    //# If either one of these two conditions is not met, then the sender MUST skip sending a loss probe and MUST proceed to re-arm the RTO timer
    #[test]
    fn there_is_one_probe_at_a_time_and_none_without_a_new_sample() {
        let mut tlp = Tlp::default();
        let probe = Probe {
            number: 4,
            repeats: None,
        };
        tlp.on_timeout();
        assert!(!tlp.is_due(), "no sample at all");
        tlp.on_sample();
        tlp.on_timeout();
        assert!(tlp.is_due());
        tlp.on_probe(Some(probe));
        tlp.on_timeout();
        assert!(!tlp.is_due(), "one is in flight");
        tlp.finish();
        tlp.on_timeout();
        assert!(!tlp.is_due(), "no sample since");
        tlp.on_sample();
        tlp.on_timeout();
        assert!(tlp.is_due());
    }
}
