//! Which test shows what: families by test binary and module.

/// A family of test purposes.
#[derive(Debug)]
pub(crate) struct Family {
    /// What ETSI TS 102 369 abbreviates it to, or the document of an extension.
    pub(crate) code: &'static str,
    /// What it is about.
    pub(crate) name: &'static str,
    /// How the names of its tests begin.
    tests: &'static [&'static str],
}

const fn family(code: &'static str, name: &'static str, tests: &'static [&'static str]) -> Family {
    Family { code, name, tests }
}

/// ETSI's families in ETSI's order, then those of the extensions.
pub(crate) const FAMILIES: &[Family] = &[
    family(
        "AS",
        "Association setup",
        &[
            "rfc9260::set_up",
            "rfc9260::first_words",
            "rfc9260::init_ack",
            "rfc9260::cookies",
            "rfc9260::collisions",
        ],
    ),
    family("AT", "Association termination", &["rfc9260::termination"]),
    family(
        "IMH",
        "Invalid message handling",
        &["rfc9260::invalid_messages", "rfc9260::out_of_the_blue"],
    ),
    family(
        "DM",
        "Duplicate messages",
        &["rfc9260::duplicates", "rfc9260::restarts"],
    ),
    family(
        "FH",
        "Fault handling",
        &["rfc9260::fault_handling", "rfc9260::failover"],
    ),
    family("E", "Error", &["rfc9260::errors"]),
    family(
        "BDC",
        "Bundling of data chunks with control chunks",
        &["rfc9260::bundling"],
    ),
    family("D", "Data", &["rfc9260::data", "rfc9260::sending"]),
    family(
        "A",
        "Acknowledgement",
        &["rfc9260::acknowledging", "rfc9260::sack_immediately"],
    ),
    MISCELLANEOUS,
    family(
        "RT",
        "Retransmission timer",
        &["rfc9260::retransmission_timer"],
    ),
    family("RFC 3758", "Partial reliability", &["rfc3758::"]),
    family("RFC 4895", "Authenticated chunks", &["rfc4895::"]),
    family("RFC 5061", "Dynamic addresses", &["rfc5061::"]),
    family("RFC 6525", "Stream reconfiguration", &["rfc6525::"]),
    family("RFC 8260", "Interleaving and schedulers", &["rfc8260::"]),
    family("RFC 9653", "Zero checksum", &["rfc9260::zero_checksum"]),
    family(
        "NR-SACK",
        "Non-renegable acknowledgement",
        &["rfc9260::nr_sack"],
    ),
];

/// Where tests go that no family names.
const MISCELLANEOUS: Family = family("M", "Miscellaneous", &["rfc9260::miscellaneous"]);

/// The index of a test's family; `test` has binary, modules and function.
pub(crate) fn of(test: &str) -> usize {
    let index = |wanted: &dyn Fn(&Family) -> bool| FAMILIES.iter().position(wanted);
    index(&|family| family.tests.iter().any(|prefix| test.starts_with(prefix)))
        .or_else(|| index(&|family| family.code == MISCELLANEOUS.code))
        .unwrap_or_default()
}
