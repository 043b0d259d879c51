//! Applied states are equal at equal index.

use super::super::seeded::World;
use coffer::store::{Storage, Visit};

/// Returns every record of a node's state, in order.
fn records(storage: &dyn Storage) -> Vec<(Vec<u8>, u64, Vec<u8>)> {
    let mut keys = Vec::new();
    let walked = storage.scan(b"", &mut |key| {
        keys.push(key.to_vec());
        Visit::Next
    });
    walked.unwrap();
    let record = |key: Vec<u8>| {
        let record = storage.get(&key).unwrap().unwrap();
        (key, record.revision.0, record.value.to_vec())
    };
    keys.into_iter().map(record).collect()
}

pub async fn are_equal(world: &World) {
    world.settle().await;
    let first = records(&*world.running(0).unwrap().storage);
    assert!(!first.is_empty());
    for number in 1..world.count() {
        let other = records(&*world.running(number).unwrap().storage);
        assert_eq!(first.len(), other.len(), "node {number} has other records");
        let differs = first.iter().zip(&other).find(|(one, two)| one != two);
        if let Some((one, two)) = differs {
            panic!(
                "node {number} differs: revision {} of {} and {} of {}",
                one.1,
                hex::encode(&one.0),
                two.1,
                hex::encode(&two.0)
            );
        }
    }
}
