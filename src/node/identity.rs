//! The cluster's name and id, made at initialisation.

use crate::barrier::{BarrierError, Batch, Unsealed};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const RECORD: &str = "cluster";

/// What tells this cluster from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    /// `vault-cluster-1a2b3c4d` where nothing was configured.
    pub name: String,
    /// UUID.
    pub id: String,
}

/// The stored form; the variant is the version.
#[derive(Serialize, Deserialize)]
enum Stored {
    V1 { name: String, id: String },
}

impl Cluster {
    /// A new one, named `name` or after chance.
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

    /// Adds the record to `batch`.
    pub fn put(&self, barrier: &Arc<Unsealed>, batch: &mut Batch) -> Result<(), BarrierError> {
        let stored = Stored::V1 {
            name: self.name.clone(),
            id: self.id.clone(),
        };
        barrier.view("core/").put_record(batch, RECORD, &stored)
    }

    /// The record; a cluster without one is damaged.
    pub fn read(barrier: &Arc<Unsealed>) -> Result<Self, BarrierError> {
        match barrier.view("core/").get_record(RECORD, RECORD)? {
            Some((_, Stored::V1 { name, id })) => Ok(Self { name, id }),
            None => Err(BarrierError::Decode(RECORD)),
        }
    }
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
}
