//! Options of an endpoint, each with the reason for its default.

use std::time::Duration;

use crate::assoc::{AddressForm, AuthConfig, Extension, Extensions};
use crate::cc::ControllerKind;
use crate::cmt::RetransmissionPolicy;
use crate::path::PathManager;
use crate::reconfig::ReconfigPolicy;
use crate::sched::SchedulerKind;
use crate::seal::ErrorDetection;
use crate::stream::StreamSchedulerKind;

/// Options that hold for a whole endpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// Options of every association of this endpoint.
    pub transport: TransportConfig,
    /// How long a state cookie may be presented after it was issued. Default 60 s, RFC 9260's
    /// `Valid.Cookie.Life`.
    pub cookie_lifetime: Duration,
    /// The most that a peer may add to the life of a cookie by a Cookie Preservative parameter.
    /// Default 10 s: longer than any round trip, and little beside the life itself.
    pub max_cookie_lifetime_increment: Duration,
    /// Cookies that are remembered as used, so that none opens a second association, while they
    /// could still be presented. If there are more, all cookies made so far become stale, and those
    /// who hold one ask for another. Default 65,536, some 400 KiB.
    pub max_used_cookies: usize,
    /// Associations held at once; further handshakes are refused. Default 200,000.
    pub max_associations: usize,
    /// Answers to out-of-the-blue packets per second, so that forged floods are not reflected.
    /// INIT-ACKs do not count: they are how strangers become peers. Default 200.
    pub max_stray_answers_per_second: u32,
    /// INITs looked at per second; the others are dropped, and sent again by honest peers. Default
    /// 100,000: some tenths of one core.
    pub max_init_acks_per_second: u32,
    /// Bytes that all associations together hold of what they received and the application has not
    /// read. From half of it on each association may hold only its equal share of a quarter; from
    /// three quarters on no association comes in any more. Default 1 GiB.
    pub receive_budget: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            transport: TransportConfig::default(),
            cookie_lifetime: Duration::from_secs(60),
            max_cookie_lifetime_increment: Duration::from_secs(10),
            max_used_cookies: 1 << 16,
            max_associations: 200_000,
            max_stray_answers_per_second: 200,
            max_init_acks_per_second: 100_000,
            receive_budget: 1 << 30,
        }
    }
}

/// Options of one association. Sizes are bytes of user data unless said otherwise.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TransportConfig {
    /// Retransmission timeout before the first round-trip sample of a path. Default 1 s
    /// (RFC 9260 `RTO.Initial`).
    pub rto_initial: Duration,
    /// Least retransmission timeout between two engines of this kind. Default 100 ms: below
    /// RFC 9260's 1 s because data that ask for it are acknowledged at once and the delayed
    /// acknowledgement is 20 ms. It must exceed the peer's delay of acknowledgements.
    pub rto_min: Duration,
    /// Least retransmission timeout towards peers of another kind than this engine, which may
    /// delay acknowledgements by up to 500 ms and need not heed the wish for an immediate one.
    /// Default 1 s (RFC 9260 `RTO.Min`); never less than [`TransportConfig::rto_min`]. Losses at
    /// the tail are repaired by a probe long before.
    pub plain_rto_min: Duration,
    /// Largest retransmission timeout. Default 60 s (`RTO.Max`).
    pub rto_max: Duration,
    /// First timeout of INIT and COOKIE-ECHO. Default 200 ms; it doubles at each repetition, four
    /// times at most.
    pub handshake_timeout: Duration,
    /// Repetitions of INIT or COOKIE-ECHO before set-up fails. Default 8 (`Max.Init.Retransmits`).
    pub max_handshake_retransmits: u32,
    /// Consecutive timeouts after which a path is failed. Default 5 (`Path.Max.Retrans`).
    pub path_max_retransmits: u32,
    /// Consecutive timeouts beyond which a path carries no data while another one works. Default 0
    /// (RFC 7829 `PotentiallyFailed.Max.Retrans`): at the first. From `path_max_retransmits` on
    /// there is no such state.
    pub pf_max_retransmits: u32,
    /// Consecutive timeouts beyond which a chosen primary is the primary no more, even when it
    /// answers again (RFC 7829 `Primary.Switchover.Max.Retrans`). Values below
    /// `pf_max_retransmits` mean that. Default `None`: the choice stands.
    pub primary_switchover_max_retransmits: Option<u32>,
    /// Consecutive timeouts, over all paths, that the association survives in any case. Default 10
    /// (`Association.Max.Retrans`).
    pub association_max_retransmits: u32,
    /// How long the peer may be silent on all paths, while it owes answers, before the association
    /// ends. Default 60 s: timeouts are ten times shorter than RFC 9260's, so their number alone
    /// would give up after seconds.
    pub peer_timeout: Duration,
    /// Longest delay of an acknowledgement, at most 500 ms. Default 20 ms.
    pub sack_delay: Duration,
    /// Delay of acknowledgements that is assumed of peers of another kind than this engine; for
    /// its own kind it is [`TransportConfig::sack_delay`]. A lone packet waits this much longer
    /// before it is probed for. Default 200 ms (RFC 9260, section 6.2).
    pub plain_sack_delay: Duration,
    /// Packets with DATA that are answered by one SACK. Default 2.
    pub sack_frequency: u32,
    /// Time between heartbeats on an idle path; keeps NAT mappings open. Default 15 s.
    pub heartbeat_interval: Duration,
    /// Longest time between probes of a path that does not answer. Default 1 s, so that a path is
    /// used again soon after it returns.
    pub probe_interval_max: Duration,
    /// Bytes accepted from the application and not yet acknowledged. Default 4 MiB.
    pub send_buffer: usize,
    /// Bytes received and not yet read by the application; the advertised window. Default 4 MiB,
    /// at least 1,500 bytes.
    pub receive_buffer: usize,
    /// Largest message, sent or received. Default 1 MiB.
    pub max_message_size: usize,
    /// Bytes of an incomplete message from which on it is given to the application in parts, by
    /// [`crate::Association::recv_part`]. What is incomplete when the receive buffer is full is
    /// given out too, and the size of what is received is not limited. Default `None`: only whole
    /// messages, up to [`TransportConfig::max_message_size`].
    pub partial_delivery_point: Option<usize>,
    /// Outgoing streams asked for, at least 1. Default 16.
    pub outbound_streams: u16,
    /// Incoming streams allowed, at least 1. Default 2,048.
    pub inbound_streams: u16,
    /// Paths held at once, of which candidates that strangers may cause are a part. Default 16.
    pub max_paths: usize,
    /// Packet size every path is trusted to carry until a probe has shown more or less (RFC 8899
    /// `BASE_PLPMTU`), in bytes of UDP payload. Default 1,232: IPv6's
    /// minimum MTU less its headers.
    pub base_packet_size: usize,
    /// Largest packet size that is probed for (RFC 8899 `MAX_PLPMTU`), in bytes of UDP payload.
    /// Default 1,472: Ethernet less the IPv4 and UDP headers. 8,972 suits jumbo frames; 65,507 is
    /// the most that UDP over IPv4 carries.
    pub max_packet_size: usize,
    /// Packet size that is used where not even the base passes (`MIN_PLPMTU`), in bytes of UDP
    /// payload over IPv4; over IPv6 it is the base. Default 548: what every host must be able to
    /// receive.
    pub min_packet_size: usize,
    /// Unanswered probes of a size before it is given up (RFC 8899 `MAX_PROBES`). Default 3.
    pub max_pmtu_probes: u32,
    /// Least time until a probe counts as unanswered (`PROBE_TIMER`), which is never less than two
    /// retransmission timeouts or a second. Default 1 s: heartbeats are answered at once.
    pub pmtu_probe_timeout: Duration,
    /// After this time a path whose largest size was not reached is searched again
    /// (`PMTU_RAISE_TIMER`). Default 600 s.
    pub pmtu_raise_interval: Duration,
    /// Congestion control of new paths. Default CUBIC.
    pub controller: ControllerKind,
    /// Which pairs of addresses become paths. Default one for each local address.
    pub path_manager: PathManager,
    /// Which path new data take. Default the one with the lowest round-trip time that has room.
    pub scheduler: SchedulerKind,
    /// Where lost data are sent again. Default the path with the largest congestion window.
    pub retransmission_policy: RetransmissionPolicy,
    /// Which stream's data leave next. Default first come, first served.
    pub stream_scheduler: StreamSchedulerKind,
    /// Extensions that are offered to peers; each is used with those who offer it too. Default
    /// [`Extensions::DEFAULT`].
    pub extensions: Extensions,
    /// How this side's addresses are named to plain SCTP peers that may learn of new ones
    /// (RFC 5061). Default: by the wildcard if there seems to be a NAT between them.
    pub address_form: AddressForm,
    /// Requests about addresses and paths that wait for the peer's answer to earlier ones.
    /// Default 32.
    pub max_queued_asconfs: usize,
    /// Whether plain SCTP peers may add, delete and prefer addresses of theirs by ASCONF; if not,
    /// their requests are refused as not authorized. Default yes.
    pub peer_may_change_addresses: bool,
    /// Chunk authentication. Default: address changes only, under the null key.
    pub auth: AuthConfig,
    /// What detects damaged packets. Unless that is SCTP's checksum, peers are told that packets
    /// may come without it ([`Extension::ZeroChecksum`], RFC 9653), and those that say the same
    /// get none. Default the checksum.
    pub error_detection: ErrorDetection,
    /// Bytes of an unknown chunk or of unknown parameters that are returned to their sender in an
    /// ERROR. Default 512.
    pub max_error_report: usize,
    /// Information of a HEARTBEAT that is returned; larger ones are not answered. Default 1,024
    /// bytes.
    pub max_heartbeat_info: usize,
    /// Re-configuration requests of this side that wait at once; more are refused. Default 32.
    pub max_queued_reconfigs: usize,
    /// Which re-configuration requests of peers are carried out (RFC 6525). Default: resets, and
    /// up to 2,048 streams each way.
    pub reconfig: ReconfigPolicy,
    /// How far beyond the first TSN that is missing a chunk, or what the peer gives up, may lie;
    /// what is further ahead is dropped and counted. Default 16,777,216: a gigabyte in chunks of 64
    /// bytes. At most 2^31 - 2, beyond which TSNs cannot be compared.
    pub max_tsn_distance: u32,
    /// Gaps between received TSNs that are remembered; a chunk that would open one more is dropped,
    /// counted, and sent again by the peer. Default 4,096, some 64 KiB at worst.
    pub max_gaps: usize,
    /// Duplicate TSNs reported per SACK; further ones are counted only. Default 16.
    pub max_duplicates_reported: usize,
    /// Gap blocks per SACK sent; those with the lowest TSNs are reported. Default 256.
    pub max_gap_blocks: usize,
    /// Gap blocks that are looked at in one SACK of the peer. Default 4,096: more than a
    /// SACK in a packet of 9,000 bytes can hold.
    pub max_gap_blocks_taken: usize,
    /// How often the peer may take back acknowledgements of its gap blocks; beyond it the
    /// association is aborted. Each time costs as much as there are chunks in flight. Default 64.
    pub max_reneges: u32,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_millis(100),
            plain_rto_min: Duration::from_secs(1),
            rto_max: Duration::from_secs(60),
            handshake_timeout: Duration::from_millis(200),
            max_handshake_retransmits: 8,
            path_max_retransmits: 5,
            pf_max_retransmits: 0,
            primary_switchover_max_retransmits: None,
            association_max_retransmits: 10,
            peer_timeout: Duration::from_secs(60),
            sack_delay: Duration::from_millis(20),
            plain_sack_delay: Duration::from_millis(200),
            sack_frequency: 2,
            heartbeat_interval: Duration::from_secs(15),
            probe_interval_max: Duration::from_secs(1),
            send_buffer: 4 << 20,
            receive_buffer: 4 << 20,
            max_message_size: 1 << 20,
            partial_delivery_point: None,
            outbound_streams: 16,
            inbound_streams: 2048,
            max_paths: 16,
            base_packet_size: 1232,
            max_packet_size: 1472,
            min_packet_size: 548,
            max_pmtu_probes: 3,
            pmtu_probe_timeout: Duration::from_secs(1),
            pmtu_raise_interval: Duration::from_secs(600),
            controller: ControllerKind::Cubic,
            path_manager: PathManager::default(),
            scheduler: SchedulerKind::default(),
            retransmission_policy: RetransmissionPolicy::default(),
            stream_scheduler: StreamSchedulerKind::default(),
            extensions: Extensions::DEFAULT,
            address_form: AddressForm::default(),
            max_queued_asconfs: 32,
            peer_may_change_addresses: true,
            auth: AuthConfig::default(),
            error_detection: ErrorDetection::default(),
            max_error_report: 512,
            max_heartbeat_info: 1024,
            max_queued_reconfigs: 32,
            reconfig: ReconfigPolicy::default(),
            max_tsn_distance: 1 << 24,
            max_gaps: 4096,
            max_duplicates_reported: 16,
            max_gap_blocks: 256,
            max_gap_blocks_taken: 4096,
            max_reneges: 64,
        }
    }
}

/// The least receive window that INIT and INIT-ACK may offer (RFC 9260, section 3.3.2), bytes.
pub(crate) const MIN_WINDOW: u32 = 1500;

impl TransportConfig {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2
    //# The Advertised Receiver Window Credit MUST NOT be smaller than 1500.
    //# The value of 0 MUST NOT be used.
    //# The value 0 MUST NOT be used.
    //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.3
    //# The Advertised Receiver Window Credit MUST NOT be smaller than 1500.
    //# The value 0 MUST NOT be used.
    /// The same with what every peer has to be offered: a window and a stream each way.
    pub(crate) fn offerable(mut self) -> Self {
        self.receive_buffer = self.receive_buffer.max(MIN_WINDOW as usize);
        self.outbound_streams = self.outbound_streams.max(1);
        self.inbound_streams = self.inbound_streams.max(1);
        self
    }

    /// The extensions that peers are told of.
    pub(crate) fn offer(&self) -> Extensions {
        match self.error_detection {
            ErrorDetection::Checksum => self.extensions.without(Extension::ZeroChecksum),
            ErrorDetection::Dtls => self.extensions,
        }
    }
}
