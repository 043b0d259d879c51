//! Nodes in one process whose seal is a provider that can be unplugged.

use super::*;
use crate::barrier::LocalRecord;
use crate::node::start::Node;
use crate::seal::Provider;
use crate::seal::testing::TestProvider;
use crate::secret::Secret;
use crate::sys::{InitRequest, SealStatus};
use std::path::Path;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The longest wait for work in the background.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns a free port, the same at each start of the node.
fn cluster_port(home: &Path) -> u16 {
    let kept = home.with_extension("port");
    let known = std::fs::read_to_string(&kept).ok();
    known.map_or_else(
        || {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            std::fs::write(&kept, port.to_string()).unwrap();
            port
        },
        |port| port.parse().unwrap(),
    )
}

pub(in crate::node) fn config(home: &Path, joins: Option<&str>) -> Config {
    let name = home.file_name().unwrap().to_str().unwrap();
    let port = cluster_port(home);
    let join = joins.map_or_else(String::new, |url| {
        format!("retry_join {{ leader_api_addr = \"{url}\" }}")
    });
    let text = format!(
        "storage \"raft\" {{\n path = \"{}\"\n node_id = \"{name}\"\n{join}\n}}\n\
         listener \"tcp\" {{\n address = \"127.0.0.1:0\"\n \
         cluster_address = \"127.0.0.1:{port}\"\n tls_disable = true\n}}\n\
         cluster_addr = \"https://127.0.0.1:{port}\"\ndisable_mlock = true\n",
        home.display()
    );
    crate::config::from_text(&[("test.hcl".into(), text)], &[])
        .unwrap()
        .config
}

pub(in crate::node) async fn start(
    home: &Path,
    joins: Option<&str>,
    provider: &Arc<TestProvider>,
) -> Node {
    let providers = Providers::new(vec![Arc::clone(provider) as Arc<dyn Provider>]);
    Node::start_with(config(home, joins), None, providers.into())
        .await
        .unwrap()
}

pub(in crate::node) fn recovery(shares: u8, threshold: u8) -> InitRequest {
    InitRequest {
        recovery_shares: shares,
        recovery_threshold: threshold,
        ..InitRequest::default()
    }
}

pub(in crate::node) fn api(node: &Node) -> String {
    node.addresses().api
}

/// Puts `body` to `sys/init` over HTTP, and returns the whole answer.
async fn initialize(node: &Node, body: &str) -> String {
    call(&api(node), "PUT", "sys/init", "", body).await
}

/// Calls a path over HTTP, and returns the whole answer.
pub(in crate::node) async fn call(
    url: &str,
    method: &str,
    path: &str,
    token: &str,
    body: &str,
) -> String {
    let address = url.replace("http://", "");
    let mut connection = tokio::net::TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "{method} /v1/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         X-Vault-Token: {token}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

pub(in crate::node) fn status(node: &Node) -> SealStatus {
    node.shared().seal_status()
}

fn warning(node: &Node) -> String {
    status(node).warnings.concat()
}

pub(in crate::node) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(in crate::node) async fn is(node: &Node, phase: &str) {
    let what = format!("{phase}; it is {}", node.describe());
    eventually(&what, || node.describe().starts_with(phase)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_opens_what_it_keeps_at_init_at_restart_and_for_a_joiner() {
    let folder = tempfile::tempdir().unwrap();
    let homes = ["n1", "n2", "n3"].map(|name| folder.path().join(name));
    let (provider, stranger) = (TestProvider::new("a"), TestProvider::new("a"));
    let first = start(&homes[0], None, &provider).await;
    assert_eq!(status(&first).seal_type, "test");
    let request = InitRequest {
        secret_shares: 1,
        secret_threshold: 1,
        ..recovery(1, 1)
    };
    let refused = first.shared().initialize_with(request, None).await;
    let why = refused.unwrap_err().to_string();
    assert!(why.contains("not applicable to seal type test"), "{why}");
    provider.set_away(true);
    let refused = first.shared().initialize_with(recovery(1, 1), None).await;
    let why = refused.unwrap_err().to_string();
    assert!(why.contains("it is away: unplugged"), "{why}");
    assert!(!status(&first).initialized, "nothing was made");
    provider.set_away(false);
    let refused = initialize(&first, r#"{"secret_shares":1,"secret_threshold":1}"#).await;
    assert!(
        refused.contains("400 Bad Request") && refused.contains("not applicable to seal type test"),
        "{refused}"
    );
    let made = initialize(&first, "{}").await;
    assert!(made.contains("200 OK"), "{made}");
    assert!(
        made.contains(r#""keys":[]"#) && made.contains("root_token"),
        "{made}"
    );
    is(&first, "active").await;
    let told = status(&first);
    assert_eq!((told.t, told.n, told.recovery_seal), (3, 5, true));
    assert_eq!(warning(&first), "");

    let second = start(&homes[1], Some(&api(&first)), &provider).await;
    is(&second, "standby").await;
    let other = start(&homes[2], Some(&api(&first)), &stranger).await;
    eventually("the stranger says why", || {
        warning(&other).contains("it refuses: another key wrapped it")
    })
    .await;
    let members = first.shared().leadership.raft().unwrap().members();
    assert_eq!(members.len(), 2, "the stranger is none");
    assert!(status(&other).sealed);
    let share = Secret::new(vec![1; 32]);
    let refused = other.shared().submit_share(share).await.unwrap_err();
    assert!(refused.to_string().contains("no unseal keys"), "{refused}");
    other.shutdown().await;

    second.shutdown().await;
    let second = start(&homes[1], None, &provider).await;
    is(&second, "standby").await;
    let [one, two] = [&first, &second].map(|node| status(node).cluster_id);
    assert_eq!(one, two);
    second.shutdown().await;
    first.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_stay_sealed_while_their_seal_is_away_and_open_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let homes = ["n1", "n2"].map(|name| folder.path().join(name));
    let provider = TestProvider::new("");
    let first = start(&homes[0], None, &provider).await;
    first
        .shared()
        .initialize_with(recovery(3, 2), None)
        .await
        .unwrap();
    is(&first, "active").await;
    let second = start(&homes[1], Some(&api(&first)), &provider).await;
    is(&second, "standby").await;
    let id = status(&second).cluster_id;
    second.shutdown().await;
    first.shutdown().await;

    // The power went, and came back without the provider.
    provider.set_away(true);
    let before = provider.unwraps();
    let first = start(&homes[0], None, &provider).await;
    let second = start(&homes[1], None, &provider).await;
    for node in [&first, &second] {
        let expected = "seal \"test\": it is away: unplugged";
        eventually("it says why", || warning(node) == expected).await;
        assert!(status(node).sealed);
        assert_eq!(node.describe(), "sealed");
    }
    eventually("they try again", || provider.unwraps() >= before + 4).await;
    provider.set_away(false);
    eventually("one of them is active", || {
        [&first, &second]
            .iter()
            .any(|node| node.describe() == "active")
    })
    .await;
    for node in [&first, &second] {
        eventually("both are open", || !status(node).sealed).await;
        eventually("and need no excuse", || warning(node).is_empty()).await;
        assert_eq!(status(node).cluster_id, id);
    }
    second.shutdown().await;
    first.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_an_operator_sealed_stays_sealed_until_it_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("n1");
    let provider = TestProvider::new("");
    let node = start(&home, None, &provider).await;
    node.shared()
        .initialize_with(recovery(3, 2), None)
        .await
        .unwrap();
    is(&node, "active").await;
    node.shared().seal().await.unwrap();
    let asked = provider.unwraps();
    assert!(matches!(node.shared().try_providers().await, Tried::Idle));
    assert!(status(&node).sealed);
    assert_eq!(provider.unwraps(), asked, "it is not even asked");
    node.shutdown().await;
    let node = start(&home, None, &provider).await;
    is(&node, "active").await;
    assert!(provider.unwraps() > asked);
    let local = node.shared().sealed.local(LocalRecord::Cluster).unwrap();
    assert!(local.is_some(), "its identity is in clear");
    node.shutdown().await;
}

#[tokio::test]
async fn seals_of_a_configuration_are_ordered_and_their_faults_named() {
    let load = |text: &str, variables: &[(&str, &str)]| {
        let loaded = crate::config::from_text(&[("t.hcl".into(), text.into())], variables);
        loaded.map(|loaded| loaded.config)
    };
    let key = "0f".repeat(32);
    let stanza = |name: &str, priority: u8| {
        format!(
            "seal \"static\" {{\n name = \"{name}\"\n priority = {priority}\n \
             current_key = \"{key}\"\n current_key_id = \"1\"\n}}\n"
        )
    };
    let named = |text: &str| {
        let seals = of_config(&load(text, &[]).unwrap());
        let seals = seals.map_err(|error| error.to_string())?;
        let each = seals.enabled.each().iter().map(|one| one.describe().name);
        Ok::<Vec<String>, String>(each.collect())
    };
    let two = [stanza("far", 2), stanza("near", 1)].concat();
    assert_eq!(named(&two), Ok(vec!["near".into(), "far".into()]));
    assert_eq!(named("seal \"shamir\" {\n}"), Ok(vec![]));
    let disabled = stanza("old", 1).replace("name", "disabled = \"true\"\n name");
    assert_eq!(named(&disabled), Ok(vec![]));
    for twins in [
        [stanza("a", 1), stanza("a", 2)],
        [stanza("a", 1), stanza("b", 1)],
    ] {
        let why = named(&twins.concat()).unwrap_err();
        assert!(
            why.starts_with("t.hcl:7:1: seal \"static\": several"),
            "{why}"
        );
    }
    let both = of_config(&load(&[disabled.clone(), stanza("new", 1)].concat(), &[]).unwrap());
    let both = both.unwrap();
    assert_eq!(
        (both.enabled.each().len(), both.disabled.each().len()),
        (1, 1)
    );
    let why = named(&[disabled, stanza("old", 1)].concat()).unwrap_err();
    assert!(
        why.starts_with("t.hcl:1:1: seal \"static\": it is disabled, and another"),
        "{why}"
    );
    let why = named("\nseal \"gcpckms\" {\n}").unwrap_err();
    assert!(
        why.starts_with("t.hcl:2:1: ") && why.contains("transit"),
        "{why}"
    );
    let alone = load("", &[("VAULT_SEAL_TYPE", "transit")]).unwrap();
    let why = of_config(&alone).err().unwrap().to_string();
    assert!(
        why.starts_with("VAULT_SEAL_TYPE") && why.contains("VAULT_ADDR"),
        "{why}"
    );
    let why = load(&two, &[("BAO_SEAL_TYPE", "transit")])
        .unwrap_err()
        .to_string();
    assert!(why.contains("contradicts BAO_SEAL_TYPE=transit"), "{why}");
    assert!(load(&two, &[("BAO_SEAL_TYPE", "static")]).is_ok());
    assert!(
        load("", &[("VAULT_SEAL_TYPE", "shamir")])
            .unwrap()
            .seals
            .is_empty()
    );
}
