//! Things that happen to a network while it runs.

use std::net::IpAddr;
use std::time::Duration;

use super::{InterfaceId, NatId, Network, Node};
use crate::{Loss, Rate};

/// Which of an interface's links are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the host to the core.
    Up,
    /// From the core to the host.
    Down,
    /// Both.
    Both,
}

impl Direction {
    pub(super) fn includes(self, other: Self) -> bool {
        self == Self::Both || self == other
    }
}

/// One thing that happens to a network, as data, so that scenarios can be generated, printed and
/// shrunk.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// An interface's links swallow everything from now on; nobody is told.
    Cut(InterfaceId, Direction),
    /// An interface's links work again.
    Restore(InterfaceId, Direction),
    /// Another rate.
    SetRate(InterfaceId, Direction, Option<Rate>),
    /// Another propagation delay.
    SetDelay(InterfaceId, Direction, Duration),
    /// Another loss model.
    SetLoss(InterfaceId, Direction, Loss),
    /// The NAT forgets its mappings.
    Rebind(NatId),
    /// The NAT takes another public address.
    Renumber(NatId, IpAddr),
    /// The interface takes another address; the host is told.
    SetAddress(InterfaceId, IpAddr),
    /// The interface appears or vanishes; the host is told.
    SetUp(InterfaceId, bool),
}

impl<N: Node> Network<N> {
    /// Does `action` now.
    pub fn apply(&mut self, action: Action) {
        match action {
            Action::Cut(interface, direction) => {
                self.each_link(interface, direction, |link| link.set_cut(true));
            }
            Action::Restore(interface, direction) => {
                self.each_link(interface, direction, |link| link.set_cut(false));
            }
            Action::SetRate(interface, direction, rate) => {
                self.each_link(interface, direction, |link| link.set_rate(rate));
            }
            Action::SetDelay(interface, direction, delay) => {
                self.each_link(interface, direction, |link| link.set_delay(delay));
            }
            Action::SetLoss(interface, direction, loss) => {
                self.each_link(interface, direction, |link| link.set_loss(loss));
            }
            Action::Rebind(nat) => self.nat_mut(nat).rebind(),
            Action::Renumber(nat, public) => self.nat_mut(nat).renumber(public),
            Action::SetAddress(interface, address) => self.set_address(interface, address),
            Action::SetUp(interface, up) => self.set_up(interface, up),
        }
    }
}
