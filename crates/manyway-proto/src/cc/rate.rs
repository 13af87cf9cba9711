//! How fast a path delivers, measured per packet
//! (draft-cheng-iccrg-delivery-rate-estimation-02, now part of draft-ietf-ccwg-bbr).

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Instant;

/// What was known when a packet left.
#[derive(Clone, Copy, Debug)]
struct Snapshot {
    sent_at: Instant,
    /// When the first packet of the flight it belongs to left.
    first_sent_at: Instant,
    delivered: u64,
    delivered_at: Instant,
    lost: u64,
    in_flight: u64,
    app_limited: bool,
}

/// One measurement of what a path delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RateSample {
    /// Bytes per second; `None` if the time is too short to tell.
    pub rate: Option<u64>,
    /// Bytes delivered on the path when the packet left by which this was measured.
    pub prior_delivered: u64,
    /// Bytes delivered on the path since it came up.
    pub total_delivered: u64,
    /// Bytes declared lost since that packet left.
    pub lost: u64,
    /// Bytes in flight just after that packet left.
    pub sent_in_flight: u64,
    /// Whether there was too little to send: then the path may be faster.
    pub app_limited: bool,
}

impl RateSample {
    /// Bytes delivered since the packet left by which this was measured.
    pub fn delivered(&self) -> u64 {
        self.total_delivered - self.prior_delivered
    }
}

/// A chunk that was declared lost.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LostPacket {
    /// Its size.
    pub bytes: u64,
    /// Bytes in flight just after its packet left; 0 if not known any more.
    pub sent_in_flight: u64,
    /// Bytes declared lost since its packet left, itself included.
    pub lost: u64,
    /// Whether there was too little to send when it left.
    pub app_limited: bool,
}

/// Measures what a path delivers.
///
/// One snapshot per packet, in a ring that is as long as what is in flight: no allocation once
/// it has its size.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateSampler {
    /// Snapshots of the path's packets from number `first` on.
    packets: VecDeque<Snapshot>,
    first: u64,
    delivered: u64,
    delivered_at: Instant,
    first_sent_at: Instant,
    lost: u64,
    lost_reported: u64,
    /// The path is app-limited until this much is delivered; 0 if it is not.
    app_limited_until: u64,
    /// Bytes of the packet that is being built.
    building: u64,
}

impl RateSampler {
    /// A chunk of `bytes` is put into the packet at hand.
    pub(crate) fn on_chunk(&mut self, bytes: u64) {
        self.building += bytes;
    }

    /// Packet `number` is complete; its bytes. `in_flight` with it.
    pub(crate) fn on_sent(&mut self, now: Instant, number: u64, in_flight: u64) -> u64 {
        let bytes = std::mem::take(&mut self.building);
        if in_flight <= bytes {
            // Nothing else is in flight: the time before does not count.
            self.first_sent_at = now;
            self.delivered_at = now;
        }
        if self.packets.is_empty() {
            self.first = number;
        }
        self.packets.push_back(Snapshot {
            sent_at: now,
            first_sent_at: self.first_sent_at,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            lost: self.lost,
            in_flight,
            app_limited: self.is_app_limited(),
        });
        bytes
    }

    /// `bytes` were acknowledged, packet `newest` being the latest of them. `min_rtt`: the least
    /// round-trip time; measurements over less than that are worth nothing.
    pub(crate) fn on_acked(
        &mut self,
        now: Instant,
        newest: u64,
        bytes: u64,
        min_rtt: Option<Duration>,
    ) -> Option<RateSample> {
        self.delivered += bytes;
        self.delivered_at = now;
        if self.delivered > self.app_limited_until {
            self.app_limited_until = 0;
        }
        let packet = *self.get(newest)?;
        self.first_sent_at = packet.sent_at;
        let delivered = self.delivered - packet.delivered;
        // The slower one of sending and acknowledging: neither bursts of the one nor of the other
        // make a rate.
        let sending = packet.sent_at - packet.first_sent_at;
        let acknowledging = now - packet.delivered_at;
        let interval = sending.max(acknowledging);
        let long_enough = !interval.is_zero() && min_rtt.is_none_or(|least| interval >= least);
        let rate = long_enough.then(|| (delivered as f64 / interval.as_secs_f64()) as u64);
        Some(RateSample {
            rate,
            prior_delivered: packet.delivered,
            total_delivered: self.delivered,
            lost: self.lost - packet.lost,
            sent_in_flight: packet.in_flight,
            app_limited: packet.app_limited,
        })
    }

    /// A chunk of packet `number` was declared lost.
    pub(crate) fn on_lost(&mut self, number: u64, bytes: u64) -> LostPacket {
        self.lost += bytes;
        let packet = self.get(number);
        LostPacket {
            bytes,
            sent_in_flight: packet.map_or(0, |p| p.in_flight),
            lost: packet.map_or(bytes, |p| self.lost - p.lost),
            app_limited: packet.is_some_and(|p| p.app_limited),
        }
    }

    /// There is nothing to send though the window has room.
    pub(crate) fn on_app_limited(&mut self, in_flight: u64) {
        self.app_limited_until = (self.delivered + in_flight).max(1);
    }

    pub(crate) fn is_app_limited(&self) -> bool {
        self.app_limited_until > 0
    }

    /// Bytes declared lost since this was last asked.
    pub(crate) fn take_lost(&mut self) -> u64 {
        self.lost - std::mem::replace(&mut self.lost_reported, self.lost)
    }

    /// Packets before `number` are settled.
    pub(crate) fn forget_before(&mut self, number: u64) {
        while self.first < number && self.packets.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn get(&self, number: u64) -> Option<&Snapshot> {
        let at = number.checked_sub(self.first)?;
        self.packets.get(usize::try_from(at).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Instant {
        Instant::ZERO + MS * ms as u32
    }

    fn send(sampler: &mut RateSampler, ms: u64, number: u64, in_flight: u64) {
        sampler.on_chunk(1000);
        assert_eq!(sampler.on_sent(at(ms), number, in_flight), 1000);
    }

    /// A packet of 1,000 bytes each millisecond, acknowledged after 10 ms.
    fn flow(sampler: &mut RateSampler, packets: u64) -> Option<RateSample> {
        let mut last = None;
        for ms in 0..packets + 10 {
            if ms >= 10 {
                last = sampler.on_acked(at(ms), ms - 10, 1000, Some(10 * MS));
                sampler.forget_before(ms - 9);
            }
            if ms < packets {
                send(sampler, ms, ms, 1000 * ms.clamp(1, 10));
            }
        }
        last
    }

    #[test]
    fn a_steady_flow_is_measured_by_what_arrives() {
        let mut sampler = RateSampler::default();
        let sample = flow(&mut sampler, 100).unwrap();
        let rate = sample.rate.unwrap();
        assert!((990_000..=1_100_000).contains(&rate), "{rate}");
        assert_eq!(sample.total_delivered, 100_000);
        assert!(!sample.app_limited);
        assert!(sampler.packets.is_empty());
    }

    #[test]
    fn acknowledgements_that_come_at_once_are_no_higher_rate() {
        let mut sampler = RateSampler::default();
        for n in 0..10 {
            send(&mut sampler, n, n, 1000 * (n + 1));
        }
        let sample = sampler.on_acked(at(20), 9, 10_000, Some(10 * MS)).unwrap();
        assert_eq!(
            sample.rate,
            Some(500_000),
            "over 20 ms, not over an instant"
        );
    }

    #[test]
    fn what_comes_sooner_than_a_round_trip_measures_nothing() {
        let mut sampler = RateSampler::default();
        send(&mut sampler, 0, 0, 1000);
        let sample = sampler.on_acked(at(5), 0, 1000, Some(10 * MS)).unwrap();
        assert_eq!(sample.rate, None);
        assert_eq!(sample.delivered(), 1000);
    }

    #[test]
    fn samples_are_app_limited_until_what_was_in_flight_then_is_delivered() {
        let mut sampler = RateSampler::default();
        send(&mut sampler, 0, 0, 1000);
        sampler.on_app_limited(1000);
        send(&mut sampler, 1, 1, 2000);
        let mut limited = |ms, number| sampler.on_acked(at(ms), number, 1000, None).unwrap();
        assert!(!limited(10, 0).app_limited);
        assert!(limited(11, 1).app_limited);
        assert!(!sampler.is_app_limited());
    }

    #[test]
    fn losses_are_counted_from_when_the_packet_left() {
        let mut sampler = RateSampler::default();
        send(&mut sampler, 0, 0, 1000);
        send(&mut sampler, 1, 1, 2000);
        assert_eq!(sampler.on_lost(0, 1000).lost, 1000);
        send(&mut sampler, 2, 2, 2000);
        let lost = sampler.on_lost(1, 1000);
        assert_eq!((lost.lost, lost.sent_in_flight), (2000, 2000));
        let sample = sampler.on_acked(at(12), 2, 1000, None).unwrap();
        assert_eq!(sample.lost, 1000);
        assert_eq!(sampler.take_lost(), 2000);
        assert_eq!(sampler.take_lost(), 0);
    }

    #[test]
    fn a_packet_that_is_not_remembered_measures_nothing() {
        let mut sampler = RateSampler::default();
        send(&mut sampler, 0, 7, 1000);
        sampler.forget_before(8);
        assert_eq!(sampler.on_acked(at(3), 7, 1000, None), None);
        assert_eq!(sampler.on_lost(3, 500).lost, 500);
    }
}
