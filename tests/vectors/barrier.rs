//! A store laid out from the byte diagrams by a script that shares no code with coffer.

use crate::{array, bytes, text};
use coffer::barrier::{BarrierError, ClusterKey, Sealed, Unsealed};
use coffer::secret::Key256;
use coffer::store::{Inmem, Key, Op, Storage, Transaction};
use serde_json::{Map, Value};
use std::sync::Arc;

fn vectors() -> Value {
    serde_json::from_str(include_str!("barrier_v1.json")).unwrap()
}

async fn write(storage: &Inmem, records: &Map<String, Value>) {
    let decode = |text: &str| Key::from(hex::decode(text).unwrap());
    let put = |(key, value): (&String, &Value)| Op::Put {
        key: decode(key),
        value: decode(value.as_str().unwrap()),
    };
    let transaction = Transaction {
        ops: records.iter().map(put).collect(),
        ..Transaction::default()
    };
    storage.commit(transaction).await.unwrap();
}

async fn sealed(file: &Value, changes: Option<&Value>) -> Sealed {
    let storage = Arc::new(Inmem::new());
    write(&storage, file["store"].as_object().unwrap()).await;
    if let Some(changes) = changes {
        write(&storage, changes.as_object().unwrap()).await;
    }
    Sealed::new(storage)
}

fn seal_key(file: &Value) -> Key256 {
    Key256::from_slice(&bytes(file, "/seal_key")).unwrap()
}

async fn unsealed(file: &Value) -> Arc<Unsealed> {
    sealed(file, None).await.unseal(&seal_key(file)).unwrap()
}

#[tokio::test]
async fn a_store_laid_out_by_another_hand_is_read() {
    let file = vectors();
    let barrier = unsealed(&file).await;
    let view = barrier.view("");
    for record in array(&file, "/records") {
        let entry = view.get(text(record, "/path")).unwrap().unwrap();
        assert_eq!(entry.value.expose(), text(record, "/value").as_bytes());
        let key = hex::encode(view.key(text(record, "/path")).unwrap());
        assert!(file["store"].get(&key).is_some(), "{}", record["path"]);
    }
    assert_eq!(view.list("").unwrap(), ["a", "a/", "logical/"]);
    let long = "long".repeat(100);
    let listed = view.list("logical/6e1f1b5c/").unwrap();
    assert_eq!(listed, [long.as_str(), "ü"]);
    let status = barrier.key_status().unwrap();
    assert_eq!((status.key_term, status.installed.as_secs()), (2, 2));
}

#[tokio::test]
async fn keyed_hashes_and_blobs_are_known() {
    let file = vectors();
    let barrier = unsealed(&file).await;
    for hash in array(&file, "/hashes") {
        let data = text(hash, "/data").as_bytes();
        let found = barrier.mac(text(hash, "/domain"), data).unwrap();
        assert_eq!(hex::encode(found), text(hash, "/hash"));
    }
    let sealed = bytes(&file, "/blob/sealed");
    let opened = barrier.open_blob(text(&file, "/blob/domain"), &sealed);
    assert_eq!(
        opened.unwrap().expose(),
        text(&file, "/blob/text").as_bytes()
    );
}

#[tokio::test]
async fn cluster_keys_are_known() {
    let file = vectors();
    let barrier = unsealed(&file).await;
    for purpose in [ClusterKey::Leadership, ClusterKey::Forwarding] {
        let known = &file["cluster_keys"][purpose.label()];
        let key = barrier.cluster_key(purpose).unwrap();
        assert_eq!(hex::encode(key.expose()), known.as_str().unwrap());
    }
}

#[tokio::test]
async fn every_defect_has_its_error() {
    let file = vectors();
    for defect in array(&file, "/defects") {
        let broken = sealed(&file, Some(&defect["put"])).await;
        let error = outcome(&broken, &seal_key(&file), text(defect, "/step"));
        let error = error.expect_err(text(defect, "/name"));
        let debug = format!("{error:?}");
        let variant = debug.split('(').next().unwrap();
        assert_eq!(variant, text(defect, "/error"), "{}", text(defect, "/name"));
    }
}

/// Goes as far as `step`; every earlier step must work.
fn outcome(sealed: &Sealed, key: &Key256, step: &str) -> Result<(), BarrierError> {
    if step == "config" {
        return sealed.seal_record().map(drop);
    }
    sealed.seal_record().unwrap();
    if step == "unseal" {
        return sealed.unseal(key).map(drop);
    }
    let view = sealed.unseal(key).unwrap().view("");
    match step.split_once(' ') {
        Some(("get", path)) => view.get(path).map(drop),
        Some(("list", path)) => view.list(path).map(drop),
        _ => panic!("no such step: {step}"),
    }
}
