//! Which SCTP ports are in use, for those who receive for these only.

use std::collections::BTreeMap;

use manyway_wire::Port;

use super::Endpoint;

/// Listeners and associations by their local port.
#[derive(Debug, Default)]
pub(super) struct PortUsers {
    users: BTreeMap<Port, usize>,
    /// Grows with every port that is taken up or given back.
    version: u64,
}

impl PortUsers {
    pub(super) fn add(&mut self, port: Port) {
        let users = self.users.entry(port).or_default();
        *users += 1;
        self.version += u64::from(*users == 1);
    }

    pub(super) fn remove(&mut self, port: Port) {
        if let Some(users) = self.users.get_mut(&port) {
            *users -= 1;
            if *users == 0 {
                self.users.remove(&port);
                self.version += 1;
            }
        }
    }
}

impl Endpoint {
    /// The SCTP ports of listeners and associations, in order. Packets for other ports are of no
    /// use to this endpoint; where several endpoints share an address without UDP ports, they
    /// must not reach it, because it would answer that they belong to nobody.
    pub fn ports(&self) -> impl Iterator<Item = Port> {
        self.ports.users.keys().copied()
    }

    /// Changes whenever [`Endpoint::ports`] does.
    pub fn ports_version(&self) -> u64 {
        self.ports.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_in_use_until_its_last_user_is_gone() {
        let mut ports = PortUsers::default();
        ports.add(Port(7));
        ports.add(Port(7));
        assert_eq!(ports.version, 1);
        ports.remove(Port(7));
        assert_eq!((ports.users.len(), ports.version), (1, 1));
        ports.remove(Port(7));
        ports.remove(Port(7));
        assert_eq!((ports.users.len(), ports.version), (0, 2));
    }
}
