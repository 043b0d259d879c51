//! Memory stays within its limits, whatever a node of the fleet has been through.

use super::super::fleet::Fleet;

/// What a node may have resident under load, in megabytes, of the release build.
const RESIDENT_MB_MAX: f64 = 24.0;

/// Judges the release build only: the one for tests is larger and keeps more.
pub fn is_bounded(fleet: &Fleet) {
    for node in &fleet.nodes {
        let resident = node.resident_mb();
        println!("{}: {resident:.1} MB resident", node.name);
        if std::env::var_os("COFFER").is_some() {
            assert!(
                resident <= RESIDENT_MB_MAX,
                "{} has {resident:.1} MB resident",
                node.name
            );
        }
    }
}
