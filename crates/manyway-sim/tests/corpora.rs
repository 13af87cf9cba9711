//! Replays the corpora of all fuzz targets, so that what they once found stays found without a
//! fuzzer at hand.

use std::path::Path;

#[expect(
    unreachable_pub,
    reason = "public to the fuzz targets, which are another crate"
)]
#[path = "../../../fuzz/src/lib.rs"]
mod fuzz;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let entries = std::fs::read_dir(&folder).expect("each target has a corpus");
    let mut count = 0;
    for entry in entries {
        let bytes = std::fs::read(entry.expect("the folder can be read").path())
            .expect("corpus files can be read");
        run(&bytes);
        count += 1;
    }
    assert!(count > 0, "the corpus of {target} is empty");
}

#[test]
fn every_packet_of_the_corpus_decodes_and_encodes() {
    replay("packet_decode", fuzz::packet_decode::run);
}

#[test]
fn every_forged_association_of_the_corpus_holds_its_invariants() {
    replay("live_association", fuzz::live_association::run);
}

#[test]
fn every_handshake_of_the_corpus_holds_its_invariants() {
    replay("handshake", fuzz::handshake::run);
}
