use super::*;

const INSIDE: &str = "10.1.0.2:9899";
const NOW: Instant = Instant::ZERO;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn nat(config: NatConfig) -> Nat {
    Nat::new(config, "192.0.2.1".parse().unwrap(), 1)
}

fn out(nat: &mut Nat, inside: &str, outside: &str) -> Result<SocketAddr, NatDrop> {
    nat.outbound(NOW, Protocol::Udp, address(inside), address(outside))
}

fn back(nat: &mut Nat, outside: &str, public: SocketAddr) -> Result<SocketAddr, NatDrop> {
    nat.inbound(NOW, Protocol::Udp, address(outside), public)
}

/// Destinations that differ in nothing, in the port, in the address.
const OUTSIDES: [&str; 3] = ["198.51.100.2:9899", "198.51.100.2:9900", "203.0.113.2:9899"];

#[test]
fn mappings_depend_on_what_they_should() {
    for (mapping, distinct) in [
        (Dependence::EndpointIndependent, 1),
        (Dependence::AddressDependent, 2),
        (Dependence::AddressAndPortDependent, 3),
    ] {
        let mut nat = nat(NatConfig {
            mapping,
            ..NatConfig::symmetric()
        });
        let publics: BTreeSet<SocketAddr> = OUTSIDES
            .iter()
            .map(|outside| out(&mut nat, INSIDE, outside).unwrap())
            .collect();
        assert_eq!(publics.len(), distinct, "{mapping:?}");
        let again: BTreeSet<SocketAddr> = OUTSIDES
            .iter()
            .map(|outside| out(&mut nat, INSIDE, outside).unwrap())
            .collect();
        assert_eq!(publics, again);
        assert_eq!(nat.counters().mappings_created, distinct as u64);
    }
}

#[test]
fn filters_let_in_whom_they_should() {
    for (filtering, allowed) in [
        (Dependence::EndpointIndependent, [true, true, true]),
        (Dependence::AddressDependent, [true, true, false]),
        (Dependence::AddressAndPortDependent, [true, false, false]),
    ] {
        let mut nat = nat(NatConfig {
            filtering,
            ..NatConfig::symmetric()
        });
        let public = out(&mut nat, INSIDE, OUTSIDES[0]).unwrap();
        let result = OUTSIDES.map(|outside| back(&mut nat, outside, public).is_ok());
        assert_eq!(result, allowed, "{filtering:?}");
        assert_eq!(
            nat.counters().filtered,
            allowed.iter().filter(|ok| !**ok).count() as u64
        );
    }
}

#[test]
fn an_endpoint_independent_mapping_opens_its_filter_to_each_new_destination() {
    let mut nat = nat(NatConfig::well_behaved());
    let public = out(&mut nat, INSIDE, OUTSIDES[0]).unwrap();
    assert_eq!(back(&mut nat, OUTSIDES[2], public), Err(NatDrop::Filtered));
    assert_eq!(out(&mut nat, INSIDE, OUTSIDES[2]), Ok(public));
    assert_eq!(back(&mut nat, OUTSIDES[2], public), Ok(address(INSIDE)));
}

#[test]
fn ports_are_allocated_by_the_policy() {
    let with = |allocation| {
        nat(NatConfig {
            allocation,
            ..NatConfig::symmetric()
        })
    };
    let port = |nat: &mut Nat, inside, outside| out(nat, inside, outside).unwrap().port();

    let mut preserving = with(PortAllocation::Preserving);
    assert_eq!(port(&mut preserving, INSIDE, OUTSIDES[0]), 9899);
    assert_eq!(port(&mut preserving, INSIDE, OUTSIDES[1]), 9900);
    assert_eq!(port(&mut preserving, "10.1.0.3:9899", OUTSIDES[0]), 9901);

    let mut sequential = with(PortAllocation::Sequential);
    assert_eq!(port(&mut sequential, INSIDE, OUTSIDES[0]), 1024);
    assert_eq!(port(&mut sequential, INSIDE, OUTSIDES[1]), 1025);
    sequential.rebind();
    assert_eq!(port(&mut sequential, INSIDE, OUTSIDES[0]), 1026);

    let mut random = with(PortAllocation::Random);
    let first = port(&mut random, INSIDE, OUTSIDES[0]);
    assert!(first != 9899 && first >= 1024);
    assert_eq!(
        first,
        port(&mut with(PortAllocation::Random), INSIDE, OUTSIDES[0])
    );
    random.rebind();
    assert_ne!(port(&mut random, INSIDE, OUTSIDES[0]), first);
}

#[test]
fn protocols_have_ports_of_their_own() {
    let mut nat = nat(NatConfig {
        allocation: PortAllocation::Preserving,
        ..NatConfig::symmetric()
    });
    let public = out(&mut nat, INSIDE, OUTSIDES[0]).unwrap();
    let (inside, outside) = (address(INSIDE), address(OUTSIDES[0]));
    assert_eq!(
        nat.inbound(NOW, Protocol::Tcp, outside, public),
        Err(NatDrop::NoMapping)
    );
    assert_eq!(
        nat.outbound(NOW, Protocol::Tcp, inside, outside),
        Ok(public)
    );
    assert_eq!(nat.inbound(NOW, Protocol::Tcp, outside, public), Ok(inside));
}

#[test]
fn mappings_time_out_and_traffic_keeps_them() {
    let config = NatConfig {
        timeout: Duration::from_secs(30),
        ..NatConfig::symmetric()
    };
    let second = |s| NOW + Duration::from_secs(s);
    for inbound_refresh in [true, false] {
        let mut nat = nat(NatConfig {
            inbound_refresh,
            ..config.clone()
        });
        let public = out(&mut nat, INSIDE, OUTSIDES[0]).unwrap();
        let mut inbound = |at| nat.inbound(second(at), Protocol::Udp, address(OUTSIDES[0]), public);
        assert!(inbound(29).is_ok());
        assert_eq!(inbound(31).is_ok(), inbound_refresh);
        assert_eq!(inbound(70), Err(NatDrop::NoMapping));
        let next = nat
            .outbound(
                second(70),
                Protocol::Udp,
                address(INSIDE),
                address(OUTSIDES[0]),
            )
            .unwrap();
        assert_ne!(next, public);
        assert_eq!(nat.mappings(), 1);
    }
}

#[test]
fn renumbering_changes_the_address_and_silences_the_old_one() {
    let mut nat = nat(NatConfig::symmetric());
    let old = out(&mut nat, INSIDE, OUTSIDES[0]).unwrap();
    nat.renumber("192.0.2.9".parse().unwrap());
    assert_eq!(back(&mut nat, OUTSIDES[0], old), Err(NatDrop::NotMyAddress));
    let new = out(&mut nat, INSIDE, OUTSIDES[0]).unwrap();
    assert_eq!(new.ip(), nat.public_address());
    assert_eq!(back(&mut nat, OUTSIDES[0], new), Ok(address(INSIDE)));
    assert_eq!(nat.counters().not_my_address, 1);
}

#[test]
fn the_table_is_bounded_and_outlived_mappings_make_room() {
    let mut nat = nat(NatConfig {
        max_mappings: 2,
        ..NatConfig::symmetric()
    });
    out(&mut nat, INSIDE, OUTSIDES[0]).unwrap();
    out(&mut nat, INSIDE, OUTSIDES[1]).unwrap();
    assert_eq!(out(&mut nat, INSIDE, OUTSIDES[2]), Err(NatDrop::TableFull));
    let later = NOW + Duration::from_secs(31);
    let mapped = nat.outbound(later, Protocol::Udp, address(INSIDE), address(OUTSIDES[2]));
    assert!(mapped.is_ok());
    assert_eq!((nat.mappings(), nat.counters().table_full), (1, 1));
}

#[test]
fn ports_run_out_and_hairpins_are_refused() {
    let mut nat = nat(NatConfig {
        ports: 5000..=5001,
        ..NatConfig::symmetric()
    });
    out(&mut nat, INSIDE, OUTSIDES[0]).unwrap();
    out(&mut nat, INSIDE, OUTSIDES[1]).unwrap();
    assert_eq!(
        out(&mut nat, INSIDE, OUTSIDES[2]),
        Err(NatDrop::PortsExhausted)
    );
    assert_eq!(out(&mut nat, INSIDE, "192.0.2.1:80"), Err(NatDrop::Hairpin));
}
