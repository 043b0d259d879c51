//! Memory stays within its limits, whatever has happened to a node of the fleet.

use super::super::fleet::Fleet;

/// Most resident memory of a node under load, in megabytes: of the release build that `COFFER`
/// names, and of the test build, which is larger and keeps more.
const RESIDENT_MB_MAX: f64 = 24.0;
const RESIDENT_MB_MAX_FOR_TESTS: f64 = 96.0;

pub fn is_bounded(fleet: &Fleet) {
    let most = match std::env::var_os("COFFER") {
        Some(_) => RESIDENT_MB_MAX,
        None => RESIDENT_MB_MAX_FOR_TESTS,
    };
    for node in &fleet.nodes {
        let resident = node.resident_mb();
        println!("{}: {resident:.1} MB resident", node.name);
        assert!(
            resident <= most,
            "{} has {resident:.1} MB resident",
            node.name
        );
    }
}
