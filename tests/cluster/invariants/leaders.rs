//! At most one node leads in a term.

use super::super::seeded::World;
use coffer::raft::Leadership;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

const LOOK: Duration = Duration::from_millis(2);

/// Watches all nodes all the time.
pub struct Watch {
    /// The leaders that were seen, by term.
    seen: Arc<Mutex<BTreeMap<u64, Vec<usize>>>>,
    task: JoinHandle<()>,
}

pub fn watch(world: &Arc<World>) -> Watch {
    let seen: Arc<Mutex<BTreeMap<u64, Vec<usize>>>> = Arc::default();
    let (world, noted) = (Arc::clone(world), Arc::clone(&seen));
    let task = tokio::spawn(async move {
        loop {
            for number in 0..world.count() {
                let Some(running) = world.running(number) else {
                    continue;
                };
                if let Leadership::Leader { term } = *running.storage.leadership().borrow() {
                    let mut seen = noted.lock().unwrap();
                    let leaders = seen.entry(term).or_default();
                    if !leaders.contains(&number) {
                        leaders.push(number);
                    }
                }
            }
            // The pause between two looks: the watch goes on until it is told to stop.
            tokio::time::sleep(LOOK).await;
        }
    });
    Watch { seen, task }
}

impl Watch {
    pub fn hold(self) {
        self.task.abort();
        let seen = self.seen.lock().unwrap();
        assert!(!seen.is_empty(), "nobody ever led");
        for (term, leaders) in seen.iter() {
            assert_eq!(leaders.len(), 1, "in term {term} there led {leaders:?}");
        }
    }
}
