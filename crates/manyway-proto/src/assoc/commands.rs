//! What the application and whoever steers may ask for.

use std::net::SocketAddr;
use std::sync::Arc;

use super::asconf::Request;
use super::{AssocState, Association};
use crate::cc::ControllerKind;
use crate::cmt::RetransmissionPolicy;
use crate::error::{PathError, SendError};
use crate::event::{Event, Message};
use crate::path::{FourTuple, PathId, Wish, choose_pairs};
use crate::sched::Scheduler;
use crate::send::SendOptions;
use crate::time::Instant;

impl Association {
    /// Takes a message for sending. During set-up messages wait and leave with the handshake.
    ///
    /// # Errors
    ///
    /// [`SendError::WouldBlock`] gives the message back while the send buffer is full; an
    /// [`Event::Writable`] follows.
    pub fn send(&mut self, message: Message) -> Result<(), SendError> {
        self.send_with(message, SendOptions::default())
    }

    /// Takes a message for sending as `options` say.
    ///
    /// # Errors
    ///
    /// As [`Association::send`].
    pub fn send_with(&mut self, message: Message, options: SendOptions) -> Result<(), SendError> {
        let len = message.payload.len();
        if self.is_shutting_down() {
            return Err(SendError::Closing);
        }
        if len == 0 || len > self.config.max_message_size {
            return Err(SendError::BadLength(len));
        }
        if message.stream.0 >= self.outbound_streams() {
            return Err(SendError::InvalidStream(message.stream.0));
        }
        // A message larger than the buffer may go when the buffer is empty.
        if !self.has_send_room(len) {
            let default = self.sender.expendable.default_for(message.stream);
            let reliability = options.reliability.unwrap_or(default);
            self.make_room(len, reliability.priority);
        }
        if !self.has_send_room(len) {
            self.sender.blocked = true;
            return Err(SendError::WouldBlock(message));
        }
        self.stats.messages_sent += 1;
        self.on_message_taken();
        self.sender.enqueue(self.now, message, options);
        Ok(())
    }

    fn has_send_room(&self, len: usize) -> bool {
        let buffered = self.sender.buffered();
        buffered == 0 || buffered + len <= self.config.send_buffer
    }

    /// The application is about to give commands.
    pub(crate) fn on_command(&mut self, now: Instant) {
        self.now = now;
    }

    pub(super) fn outbound_streams(&self) -> u16 {
        match self.state {
            AssocState::CookieWait => self.config.outbound_streams,
            _ => self.peer.inbound_streams,
        }
    }

    /// Tells a writer that was refused when a quarter of the buffer is free.
    pub(super) fn wake_writer(&mut self) {
        if self.sender.blocked && self.sender.buffered() <= self.config.send_buffer / 4 * 3 {
            self.sender.blocked = false;
            self.events.push_back(Event::Writable);
        }
    }

    /// Makes `path` the one that is used first, in both directions: our own sending changes with
    /// the next packet, and the peer is asked by ASCONF Set-Primary, sent on that path.
    ///
    /// # Errors
    ///
    /// [`PathError::Unknown`] if there is no such path, [`PathError::NotEstablished`] during set-up
    /// and after the end, [`PathError::TooManyRequests`] if no further request may wait.
    pub fn set_primary(&mut self, now: Instant, path: PathId) -> Result<(), PathError> {
        self.require_path(path)?;
        self.request(now, Request::SetPrimary, path)?;
        self.paths.choose_primary(now, path);
        self.events.push_back(Event::PrimaryChanged { path });
        Ok(())
    }

    /// States how `path` shall be used, to our own scheduler and to a Manyway peer.
    ///
    /// # Errors
    ///
    /// As [`Association::set_primary`].
    pub fn set_wish(&mut self, now: Instant, path: PathId, wish: Wish) -> Result<(), PathError> {
        self.require_path(path)?;
        self.request(now, Request::Wish(wish), path)?;
        if let Some(path) = self.paths.get_mut(path) {
            path.wish = wish;
        }
        Ok(())
    }

    fn require_path(&self, path: PathId) -> Result<(), PathError> {
        if !self.is_established() {
            return Err(PathError::NotEstablished);
        }
        self.paths.get(path).map(|_| ()).ok_or(PathError::Unknown)
    }

    /// Opens a path from `local` to `remote`, or to the peer's least used address. It carries data
    /// one round trip later. If there is such a path already, it is that one. A peer that is no
    /// Manyway endpoint must know `local` already, see [`Association::add_address`].
    ///
    /// # Errors
    ///
    /// See [`PathError`].
    pub fn add_path(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: Option<SocketAddr>,
    ) -> Result<PathId, PathError> {
        if !self.is_established() {
            return Err(PathError::NotEstablished);
        }
        if !self.asks_by_path() && !self.asconf.locals.may_send_from(local.ip()) {
            return Err(PathError::NotSupported);
        }
        let elsewhere = self.paths.iter().filter(|p| p.tuple.local != local);
        let in_use: Vec<FourTuple> = elsewhere.map(|p| p.tuple).collect();
        let pair = match remote {
            Some(remote) => FourTuple { local, remote },
            None => choose_pairs(&[local], &self.peer.addresses, &in_use, &self.asconf.tried)
                .pop()
                .ok_or(PathError::NoRemote)?,
        };
        match self.asks_by_path() {
            true => self.open_path(now, pair),
            false => self.open_plain_path(now, pair).ok_or(PathError::TooMany),
        }
    }

    /// Takes a path out of use: a Manyway peer is told, and [`Event::PathRemoved`] follows when it
    /// has agreed or does not answer. The last path stays.
    ///
    /// # Errors
    ///
    /// As [`Association::set_primary`].
    pub fn remove_path(&mut self, now: Instant, path: PathId) -> Result<(), PathError> {
        self.require_path(path)?;
        self.leave_path(now, path);
        Ok(())
    }

    /// Changes the scheduler, from the next packet on. Nothing that was sent is touched.
    pub fn set_scheduler(&mut self, scheduler: Box<dyn Scheduler>) {
        self.scheduler = scheduler;
    }

    /// Changes where lost data are sent again, from the next retransmission on.
    pub fn set_retransmission_policy(&mut self, policy: RetransmissionPolicy) {
        Arc::make_mut(&mut self.config).retransmission_policy = policy;
    }

    /// Changes the congestion control of all paths, and of those to come. What is in flight stays,
    /// and the new controllers begin with what is known of their paths: nothing is lost, and
    /// sending goes on with the next packet.
    pub fn set_congestion_control(&mut self, now: Instant, kind: ControllerKind) {
        Arc::make_mut(&mut self.config).controller = kind;
        for path in self.paths.iter_mut() {
            path.change_controller(now, kind);
        }
        tracing::debug!(controller = kind.name(), "congestion control changed");
    }

    /// Whether there is an event.
    pub(crate) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// The next event, if any.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if matches!(event, Some(Event::Closed { .. })) {
            // What the last input brought besides the end is no news any more.
            self.events.clear();
        }
        event
    }
}
