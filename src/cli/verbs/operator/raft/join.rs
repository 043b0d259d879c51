//! `operator raft join`.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::data;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{Order, pairs, plain};
use crate::cli::verb::{Arity, FlagKind, SharedFlags, Verb, flag};

/// `operator raft join`.
pub static JOIN: Verb = Verb {
    name: "join",
    about: "Makes the server a member of another server's cluster",
    usage: "[LEADER_API_ADDRESS | AUTO_JOIN]",
    arity: Arity::between(0, 1),
    flags: &[
        flag(
            "auto-join-port",
            FlagKind::Number,
            "Port of the servers that auto-join finds. The default is what they announce, or \
             8200.",
        ),
        flag(
            "auto-join-scheme",
            FlagKind::Text,
            "http or https, for the servers that auto-join finds. The default is what they \
             announce, or https.",
        ),
        flag(
            "join-token",
            FlagKind::Text,
            "A token of operator raft join-token, or @ and a file's name: join at once, never to \
             be unsealed.",
        ),
        flag(
            "leader-ca-cert",
            FlagKind::Text,
            "PEM of the authority that signed the leader's certificate, or @ and a file's name.",
        ),
        flag(
            "leader-client-cert",
            FlagKind::Text,
            "PEM of the certificate to show to the leader, or @ and a file's name.",
        ),
        flag(
            "leader-client-key",
            FlagKind::Text,
            "PEM of that certificate's private key, or @ and a file's name.",
        ),
        flag("non-voter", FlagKind::Switch, "Join without a vote."),
        flag(
            "retry",
            FlagKind::Switch,
            "Let the server go on trying until it has joined.",
        ),
    ],
    shared: SharedFlags::Format,
    run,
};

/// The beginning of an auto-join configuration; any other text is an address.
const PROVIDER: &str = "provider=";

fn run(call: &mut Call) -> Outcome {
    let word = call.word(0).trim().to_owned();
    let (address, auto_join) = match word.contains(PROVIDER) {
        true => (String::new(), word),
        false => (word, String::new()),
    };
    let token = pem(call, "join-token")?;
    let mut body = json!({
        "leader_api_addr": address,
        "auto_join": auto_join,
        "auto_join_scheme": call.flags.text("auto-join-scheme").unwrap_or_default(),
        "auto_join_port": call.flags.number("auto-join-port").unwrap_or_default(),
        "leader_ca_cert": pem(call, "leader-ca-cert")?,
        "leader_client_cert": pem(call, "leader-client-cert")?,
        "leader_client_key": pem(call, "leader-client-key")?,
        "retry": call.flags.switch("retry"),
        "non_voter": call.flags.switch("non-voter"),
    });
    // Servers of a release before join tokens would warn of the field.
    if let (false, Value::Object(fields)) = (token.is_empty(), &mut body) {
        fields.insert("join_token".into(), token.into());
    }
    let ask = Ask::post("sys/storage/raft/join", body).unwrapped();
    let reply = call.send(&ask).and_then(|reply| reply.json());
    let answer = reply.during(|| String::from("Error joining the node to the Raft cluster"))?;
    if !call.is_table() {
        return call.print_value(&answer, &Order::BY_NAME);
    }
    let joined = answer.get("joined").map(plain).unwrap_or_default();
    call.out(&pairs(vec![(String::from("Joined"), joined)]));
    Ok(0)
}

/// Returns a flag's text, or the text of the file that it names.
fn pem(call: &Call, name: &str) -> Result<String, Failure> {
    let text = call.flags.text(name).unwrap_or_default();
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    let bytes = data::read_file(path);
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    text.map_err(|error| Failure::usage(format!("Failed to parse -{name}: {error}")))
}
