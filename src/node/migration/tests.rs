//! Nodes in one process that are moved from one seal to another.

use super::*;
use crate::node::error::StartError;
use crate::node::seals::tests::{api, config, eventually, is, recovery, status};
use crate::node::start::Node;
use crate::seal::testing::TestProvider;
use crate::seal::{self, Provider, Providers, SealConfig, SealSet};
use crate::secret::{Secret, SecretBytes};
use crate::sys::InitRequest;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

type Unplugged = Arc<TestProvider>;

fn providers(all: &[&Unplugged]) -> Providers {
    let dynamic = all.iter().map(|one| Arc::clone(*one) as Arc<dyn Provider>);
    Providers::new(dynamic.collect())
}

fn seals(enabled: &[&Unplugged], disabled: &[&Unplugged]) -> SealSet {
    SealSet {
        enabled: providers(enabled),
        disabled: providers(disabled),
    }
}

async fn start(home: &Path, joins: Option<&Node>, seals: SealSet) -> Node {
    let joins = joins.map(api);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        // A task of the node before may still have the files in its hands for a moment.
        let config = config(home, joins.as_deref());
        match Node::start_with(config, None, seals.clone()).await {
            Ok(node) => return node,
            Err(StartError::Storage(why)) if Instant::now() < deadline => {
                assert!(why.contains("Locked"), "{why}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Waits until all members of the cluster that `node` leads vote.
async fn all_vote(node: &Node, count: usize) {
    eventually("all vote", || {
        let members = node.shared().leadership.raft().unwrap().members();
        members.iter().filter(|member| member.voter).count() == count
    })
    .await;
}

fn copy(share: &SecretBytes) -> SecretBytes {
    Secret::new(share.expose().clone())
}

/// Makes a cluster of which people keep the key, in three shares, two of which open.
async fn found(node: &Node) -> Vec<SecretBytes> {
    let request = InitRequest {
        secret_shares: 3,
        secret_threshold: 2,
        ..InitRequest::default()
    };
    let made = node.shared().initialize_with(request, None).await.unwrap();
    unseal(node, &made.shares).await;
    is(node, "active").await;
    made.shares
}

async fn unseal(node: &Node, shares: &[SecretBytes]) {
    eventually("its seal is known", || status(node).initialized).await;
    for share in &shares[..2] {
        node.shared().submit_share(copy(share)).await.unwrap();
    }
    eventually("it is open", || !status(node).sealed).await;
}

/// Gives two shares with `migrate`, and returns the refusal of the last one, if it was refused.
async fn allow(node: &Node, shares: &[SecretBytes]) -> Option<String> {
    eventually("its seal is known", || status(node).initialized).await;
    let mut refused = None;
    for share in &shares[..2] {
        let given = node.shared().submit_share_to_migrate(copy(share)).await;
        refused = given.err().map(|error| error.to_string());
    }
    refused
}

async fn is_migrated(node: &Node, to: &str) {
    eventually("migrated", || {
        let now = status(node);
        !now.migration && now.seal_type == to && !now.sealed
    })
    .await;
    assert_eq!(status(node).warnings, Vec::<String>::new());
}

fn key_of(shares: &[SecretBytes]) -> Key256 {
    Key256::from_slice(seal::combine(&shares[..2]).unwrap().expose()).unwrap()
}

fn session(node: &Node) -> Arc<Unsealed> {
    let session = node.shared().state().session.clone().unwrap();
    session.barrier
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_node_goes_from_people_to_a_provider_with_the_same_shares() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("n1");
    let a = TestProvider::new("a");
    let node = start(&home, None, seals(&[], &[])).await;
    let shares = found(&node).await;
    let refused = allow(&node, &shares).await.unwrap();
    assert!(refused.starts_with(NO_SEAL_MIGRATION), "{refused}");
    node.shutdown().await;

    let node = start(&home, None, seals(&[&a], &[])).await;
    let told = status(&node);
    assert_eq!((told.seal_type.as_str(), told.migration), ("test", true));
    assert_eq!((told.recovery_seal, told.t, told.n), (true, 2, 3));
    let refused = node.shared().submit_share(copy(&shares[0])).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .starts_with("migrate option not provided")
    );
    let others = seal::generate(status_config()).unwrap().1;
    let refused = allow(&node, &others).await.unwrap();
    assert!(
        refused.contains("message authentication failed"),
        "{refused}"
    );
    assert!(status(&node).sealed && status(&node).migration);
    a.set_away(true);
    assert_eq!(allow(&node, &shares).await, None);
    is(&node, "active").await;
    eventually("it says why", || {
        status(&node)
            .warnings
            .concat()
            .contains("it is away: unplugged")
    })
    .await;
    assert!(status(&node).migration, "the old seal is in force");
    assert!(node.shared().sealed.check(&key_of(&shares)).is_ok());
    a.set_away(false);
    is_migrated(&node, "test").await;
    assert!(
        node.shared().sealed.check(&key_of(&shares)).is_err(),
        "they open nothing"
    );
    assert!(session(&node).check_recovery_key(&key_of(&shares)).is_ok());
    node.shutdown().await;

    let node = start(&home, None, seals(&[&a], &[])).await;
    is(&node, "active").await;
    assert_eq!((status(&node).t, status(&node).n), (2, 3));
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_node_goes_from_one_provider_to_another_and_on_to_people() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("n1");
    let [a, b] = ["a", "b"].map(TestProvider::new);
    let node = start(&home, None, seals(&[&a], &[])).await;
    let made = node.shared().initialize_with(recovery(3, 2), None).await;
    let shares = made.unwrap().recovery_shares.unwrap();
    is(&node, "active").await;
    node.shutdown().await;

    let node = start(&home, None, seals(&[&b], &[&a])).await;
    assert!(status(&node).migration);
    let others = seal::generate(status_config()).unwrap().1;
    let refused = allow(&node, &others).await.unwrap();
    let wanted = "invalid key: failed to verify recovery key: recovery key does not match \
                  submitted values";
    assert_eq!(refused, wanted);
    assert!(status(&node).sealed);
    assert_eq!(allow(&node, &shares).await, None);
    is_migrated(&node, "test").await;
    assert!(session(&node).check_recovery_key(&key_of(&shares)).is_ok());
    node.shutdown().await;

    a.set_away(true);
    let node = start(&home, None, seals(&[&b], &[&a])).await;
    is(&node, "active").await;
    assert_eq!(node.shared().seal_backends().disabled, ["a"]);
    node.shutdown().await;

    let node = start(&home, None, seals(&[], &[&b])).await;
    assert_eq!(status(&node).seal_type, "shamir");
    assert_eq!(allow(&node, &shares).await, None);
    is_migrated(&node, "shamir").await;
    assert!(node.shared().sealed.check(&key_of(&shares)).is_ok());
    node.shutdown().await;
    let node = start(&home, None, seals(&[], &[])).await;
    unseal(&node, &shares).await;
    node.shutdown().await;
}

fn status_config() -> SealConfig {
    seal::check_config(3, 2).unwrap()
}

/// Copies the data of a stopped node to a folder of this name in `to`.
fn copied(home: &Path, to: &Path) -> PathBuf {
    std::fs::create_dir(to).unwrap();
    let args = [OsStr::new("-a"), home.as_os_str(), to.as_os_str()];
    assert!(Command::new("cp").args(args).status().unwrap().success());
    to.join(home.file_name().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_stanza_or_a_wrong_old_seal_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("n1");
    let [a, b, stranger] = ["a", "b", "a"].map(TestProvider::new);
    let node = start(&home, None, seals(&[&a], &[])).await;
    let made = node
        .shared()
        .initialize_with(recovery(3, 2), None)
        .await
        .unwrap();
    let shares = made.recovery_shares.unwrap();
    is(&node, "active").await;
    let before = node.shared().sealed.seal_record().unwrap();
    node.shutdown().await;
    let sets = [
        (
            seals(&[], &[]),
            "cannot seal migrate from \"test\" to Shamir, no disabled seal",
        ),
        (
            seals(&[&b], &[]),
            "cannot seal migrate from \"test\" to \"test\", no disabled seal",
        ),
        (
            seals(&[&b], &[&stranger]),
            "failed to verify recovery key: seal \"test\" named \"a\": it",
        ),
    ];
    for (at, (set, words)) in sets.into_iter().enumerate() {
        let home = copied(&home, &folder.path().join(at.to_string()));
        let node = start(&home, None, set).await;
        let refused = allow(&node, &shares).await.unwrap();
        assert!(refused.contains(words), "{refused}");
        let told = status(&node);
        assert!(told.sealed);
        assert!(
            told.migration || told.warnings.concat().contains(words),
            "{told:?}"
        );
        assert_eq!(node.shared().sealed.seal_record().unwrap(), before);
        node.shutdown().await;
    }
    a.set_away(true);
    let away = copied(&home, &folder.path().join("away"));
    let node = start(&away, None, seals(&[&b], &[&a])).await;
    let refused = allow(&node, &shares).await.unwrap();
    assert!(refused.contains("it is away: unplugged"), "{refused}");
    node.shutdown().await;
    a.set_away(false);
    let node = start(&home, None, seals(&[&a], &[])).await;
    is(&node, "active").await;
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_several_seals_is_left_by_disabling_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("n1");
    let [a, b] = ["a", "b"].map(TestProvider::new);
    let node = start(&home, None, seals(&[&a, &b], &[])).await;
    node.shared()
        .initialize_with(recovery(3, 2), None)
        .await
        .unwrap();
    is(&node, "active").await;
    node.shutdown().await;
    a.set_away(true);
    let node = start(&home, None, seals(&[&b], &[&a])).await;
    is(&node, "active").await;
    let copies = || {
        let record = node.shared().sealed.seal_record().unwrap().unwrap();
        record
            .wrapped
            .into_iter()
            .map(|one| one.name)
            .collect::<Vec<_>>()
    };
    eventually("its copy goes", || copies() == ["b"]).await;
    assert_eq!(status(&node).warnings, Vec::<String>::new());
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_moved_node_by_node_and_each_follows() {
    let folder = tempfile::tempdir().unwrap();
    let homes = ["n1", "n2", "n3"].map(|name| folder.path().join(name));
    let a = TestProvider::new("a");
    let first = start(&homes[0], None, seals(&[], &[])).await;
    let shares = found(&first).await;
    let mut others = Vec::new();
    for home in &homes[1..] {
        let node = start(home, Some(&first), seals(&[], &[])).await;
        unseal(&node, &shares).await;
        is(&node, "standby").await;
        all_vote(&first, others.len() + 2).await;
        node.shutdown().await;
        let node = start(home, None, seals(&[&a], &[])).await;
        assert_eq!(allow(&node, &shares).await, None);
        is(&node, "standby").await;
        assert!(status(&node).migration, "nothing is changed by a standby");
        others.push(node);
    }
    is(&first, "active").await;
    assert!(!status(&first).migration);
    first.shared().step_down().await.unwrap();
    for node in &others {
        is_migrated(node, "test").await;
    }
    // The last node still has the old configuration. It is open, and says that it will not stay so.
    eventually("it follows", || status(&first).seal_type == "test").await;
    let told = status(&first);
    assert!(
        !told.sealed && told.warnings.concat().contains("no disabled seal"),
        "{told:?}"
    );
    let refused = first
        .shared()
        .new_kept_key()
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains("are not the cluster's"), "{refused}");
    first.shutdown().await;
    let first = start(&homes[0], None, seals(&[&a], &[])).await;
    is(&first, "standby").await;
    is_migrated(&first, "test").await;
    for node in others {
        node.shutdown().await;
    }
    first.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_allowed_by_shares_that_were_replaced_is_void() {
    let folder = tempfile::tempdir().unwrap();
    let homes = ["n1", "n2"].map(|name| folder.path().join(name));
    let a = TestProvider::new("a");
    let first = start(&homes[0], None, seals(&[], &[])).await;
    let shares = found(&first).await;
    // It joins by the old seal, whatever its own configuration says.
    let second = start(&homes[1], Some(&first), seals(&[&a], &[])).await;
    unseal(&second, &shares).await;
    is(&second, "standby").await;
    all_vote(&first, 2).await;
    assert!(status(&second).migration);
    assert_eq!(
        allow(&second, &shares).await,
        None,
        "an open node takes them, too"
    );

    let (next, new) = seal::generate(status_config()).unwrap();
    let barrier = session(&first);
    let before = barrier.current_seal().unwrap();
    let batch = barrier.reseal(&next, status_config(), &before).unwrap();
    let now = first.shared().clock.now();
    barrier.commit(batch, now).await.unwrap();
    first.shared().step_down().await.unwrap();
    is(&second, "active").await;
    eventually("it says why", || {
        status(&second).warnings.concat() == REPLACED
    })
    .await;
    assert!(
        second.shared().sealed.check(&next).is_ok(),
        "the old seal stays"
    );
    let mixed = [copy(&shares[0]), copy(&new[1])];
    let refused = allow(&second, &mixed).await.unwrap();
    assert!(
        refused.contains("message authentication failed"),
        "{refused}"
    );
    assert_eq!(allow(&second, &new).await, None);
    is_migrated(&second, "test").await;
    assert!(session(&second).check_recovery_key(&next).is_ok());
    second.shutdown().await;
    first.shutdown().await;
}

/// Makes a cluster that `a` opens, with recovery shares and emergency shares, two of each needed.
async fn found_with_emergency(node: &Node) -> (Vec<SecretBytes>, Vec<SecretBytes>) {
    let request = InitRequest {
        emergency_shares: 3,
        emergency_threshold: 2,
        ..recovery(3, 2)
    };
    let made = node.shared().initialize_with(request, None).await.unwrap();
    is(node, "active").await;
    assert_eq!(status(node).emergency, Some((2, 3)));
    (made.recovery_shares.unwrap(), made.shares)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emergency_shares_open_where_a_provider_is_gone_and_the_cluster_moves_on() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("n1");
    let [a, b, c] = ["a", "b", "c"].map(TestProvider::new);
    let node = start(&home, None, seals(&[&a], &[])).await;
    let (recovery, emergency) = found_with_emergency(&node).await;
    node.shutdown().await;

    // From one provider to another they stay.
    let node = start(&home, None, seals(&[&b], &[&a])).await;
    assert_eq!(allow(&node, &recovery).await, None);
    is_migrated(&node, "test").await;
    assert_eq!(status(&node).emergency, Some((2, 3)));
    node.shutdown().await;

    b.set_away(true);
    let node = start(&home, None, seals(&[&b], &[])).await;
    for share in &recovery[..2] {
        let given = node.shared().submit_share(copy(share)).await;
        assert_eq!(given.is_err(), share.expose() == recovery[1].expose());
    }
    assert!(status(&node).sealed, "recovery shares are not these");
    unseal(&node, &emergency).await;
    is(&node, "active").await;
    node.shutdown().await;

    // The provider is gone for good.
    let node = start(&home, None, seals(&[&c], &[&b])).await;
    let refused = allow(&node, &recovery).await.unwrap();
    assert!(refused.contains(GONE), "{refused}");
    unseal(&node, &emergency).await;
    is(&node, "active").await;
    assert!(status(&node).migration);
    assert_eq!(allow(&node, &recovery).await, None);
    is_migrated(&node, "test").await;
    assert_eq!(status(&node).emergency, None, "they ended with its key");
    assert!(node.shared().sealed.check(&key_of(&emergency)).is_err());
    node.shutdown().await;
    let node = start(&home, None, seals(&[&c], &[])).await;
    is(&node, "active").await;
    node.shutdown().await;
}
