//! The cluster's name and id, made at initialisation.
//!
//! Both are in a local record in clear, which no restore carries over, and once more behind the
//! barrier, where release 0.2 looks for them.

use crate::barrier::{BarrierError, Batch, LocalRecord, Unsealed};
use crate::clock::Clock;
use crate::store::Revision;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const RECORD: &str = "cluster";

/// The name and the id that tell this cluster from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    /// The configured name, or one such as `vault-cluster-1a2b3c4d`.
    pub name: String,
    /// The id, a UUID.
    pub id: String,
}

/// The stored form; the variant is the version.
#[derive(Serialize, Deserialize)]
enum ClusterRecord {
    V1 { name: String, id: String },
}

impl Cluster {
    /// Makes a new cluster, named `name` or at random.
    pub fn new(name: Option<&str>) -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let name = match name {
            Some(name) => name.to_owned(),
            None => format!("vault-cluster-{}", random.get(..8).unwrap_or_default()),
        };
        Self {
            name,
            id: uuid::Uuid::new_v4().to_string(),
        }
    }

    /// Adds the records of a new cluster to `batch`.
    pub fn put(&self, barrier: &Arc<Unsealed>, batch: &mut Batch) -> Result<(), BarrierError> {
        let stored = self.stored();
        put_local(batch, &stored)?;
        // The mount table in the same batch must be absent.
        barrier
            .view("core/")
            .put_record_blindly(batch, RECORD, &stored)
    }

    fn stored(&self) -> ClusterRecord {
        ClusterRecord::V1 {
            name: self.name.clone(),
            id: self.id.clone(),
        }
    }

    /// Reads the local record, or for a cluster that release 0.2 made the record behind the
    /// barrier. A cluster without both is damaged.
    pub fn read(barrier: &Arc<Unsealed>) -> Result<Self, BarrierError> {
        if let Some(record) = barrier.local(LocalRecord::Cluster)? {
            let decoded = postcard::take_from_bytes(&record.value);
            return match decoded {
                Ok((ClusterRecord::V1 { name, id }, [])) => Ok(Self { name, id }),
                _ => Err(BarrierError::Decode(RECORD)),
            };
        }
        match barrier.view("core/").get_record(RECORD, RECORD)? {
            Some((_, ClusterRecord::V1 { name, id })) => Ok(Self { name, id }),
            None => Err(BarrierError::Decode(RECORD)),
        }
    }
}

fn put_local(batch: &mut Batch, stored: &ClusterRecord) -> Result<(), BarrierError> {
    let value = postcard::to_allocvec(stored).map_err(|_| BarrierError::Encode(RECORD))?;
    batch.put_local(LocalRecord::Cluster, Revision(0), value);
    Ok(())
}

/// Writes the local record of a cluster that release 0.2 made, once, on the active node.
pub(super) async fn keep_local(barrier: Arc<Unsealed>, clock: Arc<dyn Clock>) {
    let written = write_local(&barrier, &*clock).await;
    if let Err(error) = written {
        crate::telemetry::debug!(%error, "the cluster's name and id stay behind the barrier");
    }
}

async fn write_local(barrier: &Arc<Unsealed>, clock: &dyn Clock) -> Result<(), BarrierError> {
    if barrier.local(LocalRecord::Cluster)?.is_some() {
        return Ok(());
    }
    let mut batch = Batch::new();
    put_local(&mut batch, &Cluster::read(barrier)?.stored())?;
    barrier.commit(batch, clock.now()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::store::Inmem;

    #[tokio::test]
    async fn reads_what_it_wrote() {
        let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
        assert!(Cluster::read(&barrier).is_err());
        let cluster = Cluster::new(None);
        assert!(cluster.name.starts_with("vault-cluster-"));
        assert_eq!(cluster.name.len(), "vault-cluster-".len() + 8);
        let mut batch = Batch::new();
        cluster.put(&barrier, &mut batch).unwrap();
        barrier.commit(batch, Timestamp(1)).await.unwrap();
        assert_eq!(Cluster::read(&barrier).unwrap(), cluster);
        assert_eq!(Cluster::new(Some("home")).name, "home");
    }

    #[tokio::test]
    async fn what_release_0_2_wrote_is_read_and_written_in_clear_once() {
        let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
        let cluster = Cluster::new(Some("old"));
        let mut batch = Batch::new();
        let view = barrier.view("core/");
        view.put_record_blindly(&mut batch, RECORD, &cluster.stored())
            .unwrap();
        barrier.commit(batch, Timestamp(1)).await.unwrap();
        assert_eq!(Cluster::read(&barrier).unwrap(), cluster);
        let local = || barrier.local(LocalRecord::Cluster).unwrap();
        assert!(local().is_none(), "the control");
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::ClusterClock::start(Timestamp(2)));
        keep_local(Arc::clone(&barrier), Arc::clone(&clock)).await;
        let written = local().unwrap();
        assert_eq!(Cluster::read(&barrier).unwrap(), cluster);
        keep_local(Arc::clone(&barrier), clock).await;
        assert_eq!(local().unwrap().revision, written.revision, "once");
    }
}
