//! Shares from and for a real server.

use crate::{array, bytes, text};
use coffer::seal::{combine, split};
use coffer::secret::{Secret, SecretBytes};
use serde_json::Value;

fn shares(of: &Value, pointer: &str) -> Vec<SecretBytes> {
    let decode = |share: &Value| Secret::new(hex::decode(share.as_str().unwrap()).unwrap());
    array(of, pointer).iter().map(decode).collect()
}

#[test]
fn shares_of_a_real_server_give_its_key() {
    let file: Value = serde_json::from_str(include_str!("shamir.json")).unwrap();
    let mut tried = 0;
    for vector in array(&file, "/vectors") {
        let threshold = vector["threshold"].as_u64().unwrap() as usize;
        if threshold == 1 {
            continue; // the one share is the key; nothing to combine
        }
        for made_by in ["/shares_by_bao", "/shares_by_coffer_accepted_by_bao"] {
            let shares = shares(vector, made_by);
            for start in 0..=shares.len() - threshold {
                let key = combine(&shares[start..start + threshold]).unwrap();
                assert_eq!(
                    key.expose(),
                    &bytes(vector, "/key"),
                    "{made_by}, {threshold}"
                );
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 2 * (1 + 2 + 3 + 3 + 1));
}

#[test]
fn shares_have_the_servers_shape() {
    let file: Value = serde_json::from_str(include_str!("shamir.json")).unwrap();
    for vector in array(&file, "/vectors") {
        for share in shares(vector, "/shares_by_bao") {
            let several = vector["threshold"] != 1;
            assert_eq!(share.expose().len(), 32 + usize::from(several));
        }
    }
    let ours = split(&[0; 32], 5, 3).unwrap();
    assert!(ours.iter().all(|share| share.expose().len() == 33));
}

#[test]
fn defects_are_refused_or_give_a_wrong_key() {
    let file: Value = serde_json::from_str(include_str!("shamir_defects.json")).unwrap();
    for defect in array(&file, "/defects") {
        let outcome = match combine(&shares(defect, "/shares")) {
            Ok(key) if key.expose() == &bytes(&file, "/key") => "right key".to_owned(),
            Ok(_) => "wrong key".to_owned(),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(
            outcome,
            text(defect, "/outcome"),
            "{}",
            text(defect, "/name")
        );
    }
}
