//! The messages between joiner and leader, inside the part that the proof covers.
//!
//! ```text
//! statement: version 1 | postcard of Statement      in clear, covered by the proof
//! reply:     version 1 | postcard of JoinReply      sealed; as release 0.1 understands it
//! reply:     version 2 | postcard of JoinReply | the cluster's public key (0 or 32 bytes)
//! ```

use crate::peer::{Member, PublicKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
/// The version of a reply with the cluster's public key.
const VERSION_WITH_KEY: u8 = 2;
/// The longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 512;
/// The longest public key, in bytes; Ed25519 takes 44.
const PUBLIC_KEY_BYTES_MAX: usize = 256;

/// A joiner's account of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Statement {
    /// Random bytes that make each answer, and so each reply, unique.
    pub nonce: [u8; 16],
    /// The joiner's number in the log.
    pub raft_id: u64,
    /// The joiner's cluster address, `host:port`.
    pub cluster_address: String,
    /// The joiner's API: `http://192.168.50.101:8200`.
    pub api_address: String,
    /// The joiner's public key, which the others pin.
    pub public_key: Vec<u8>,
    /// True when the joiner wants no vote.
    pub non_voter: bool,
    /// The version of the joiner's program.
    pub version: String,
}

/// A leader's reply to a new member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JoinReply {
    /// The cluster's id.
    pub cluster_id: String,
    /// The members that the new one is to hear.
    pub members: Vec<Introduced>,
}

/// A member, as a new one is told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Introduced {
    /// The member's `node_id`.
    pub name: String,
    /// The member's cluster address, `host:port`.
    pub cluster_address: String,
    /// The member's pinned key.
    pub public_key: Vec<u8>,
}

pub(super) fn encode(value: &impl Serialize) -> Vec<u8> {
    let start = vec![VERSION];
    postcard::to_extend(value, start)
        .expect("a vector takes all bytes, and these types have a length")
}

/// Decodes a message; `None` for bytes that are not of this version or do not end where they
/// should.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (version, rest) = bytes.split_first()?;
    match postcard::take_from_bytes(rest) {
        Ok((value, [])) if *version == VERSION => Some(value),
        _ => None,
    }
}

/// Encodes a reply; `key` is the cluster's public one, for joiners that understand it.
pub(super) fn encode_reply(reply: &JoinReply, key: Option<&[u8]>) -> Vec<u8> {
    let Some(key) = key else {
        return encode(reply);
    };
    postcard::to_extend(&(reply, key), vec![VERSION_WITH_KEY])
        .expect("a vector takes all bytes, and these types have a length")
}

/// Decodes a message that [`encode_reply`] made: the reply, and the cluster's public key where
/// proof of the keys is required.
pub(super) fn decode_reply(bytes: &[u8]) -> Option<(JoinReply, Option<[u8; 32]>)> {
    match bytes.split_first()? {
        (&VERSION_WITH_KEY, rest) => {
            let taken = postcard::take_from_bytes::<(JoinReply, Vec<u8>)>(rest);
            match taken {
                Ok(((reply, key), [])) if key.is_empty() => Some((reply, None)),
                Ok(((reply, key), [])) => Some((reply, Some(key.try_into().ok()?))),
                _ => None,
            }
        }
        _ => decode(bytes).map(|reply| (reply, None)),
    }
}

impl Statement {
    /// Returns the fault in the statement, for the joiner's log; `None` when there is none.
    pub fn problem(&self) -> Option<&'static str> {
        let too_long = |text: &str| text.len() > ADDRESS_BYTES_MAX;
        let has_port = self
            .cluster_address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        match () {
            () if !has_port => Some("the joiner's cluster address is not host:port"),
            () if too_long(&self.cluster_address) || too_long(&self.api_address) => {
                Some("an address is too long")
            }
            () if self.public_key.is_empty() || self.public_key.len() > PUBLIC_KEY_BYTES_MAX => {
                Some("the joiner has no identity")
            }
            () if self.version.len() > ADDRESS_BYTES_MAX => Some("the version is too long"),
            () => None,
        }
    }
}

impl Introduced {
    /// Returns the member as the network knows it.
    pub fn member(self) -> Member {
        Member {
            name: self.name,
            address: self.cluster_address,
            public_key: PublicKey(self.public_key.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        Statement {
            nonce: [3; 16],
            raft_id: 7,
            cluster_address: "10.0.0.2:8201".into(),
            api_address: "http://10.0.0.2:8200".into(),
            public_key: vec![1; 44],
            non_voter: true,
            version: "0.1.0".into(),
        }
    }

    #[test]
    fn decodes_what_it_encodes_and_nothing_else() {
        let bytes = encode(&statement());
        assert_eq!(decode::<Statement>(&bytes), Some(statement()));
        let mut other = bytes.clone();
        other[0] = 2;
        assert_eq!(decode::<Statement>(&other), None, "version");
        for length in 0..bytes.len() {
            assert_eq!(decode::<Statement>(&bytes[..length]), None, "{length}");
        }
        let longer = [bytes, vec![0]].concat();
        assert_eq!(decode::<Statement>(&longer), None, "longer");
    }

    #[test]
    fn a_reply_brings_the_key_to_those_who_understand_it() {
        let reply = JoinReply {
            cluster_id: "c".into(),
            members: Vec::new(),
        };
        let old = encode_reply(&reply, None);
        assert_eq!(
            decode::<JoinReply>(&old),
            Some(reply.clone()),
            "release 0.1"
        );
        assert_eq!(decode_reply(&old), Some((reply.clone(), None)));
        for (key, known) in [(&[][..], None), (&[7; 32][..], Some([7; 32]))] {
            let new = encode_reply(&reply, Some(key));
            assert_eq!(decode_reply(&new), Some((reply.clone(), known)));
        }
        assert_eq!(decode_reply(&encode_reply(&reply, Some(&[7; 31]))), None);
    }

    #[test]
    fn statements_that_make_no_member_are_refused() {
        assert_eq!(statement().problem(), None);
        let with = |change: fn(&mut Statement)| {
            let mut statement = statement();
            change(&mut statement);
            statement.problem()
        };
        for change in [
            (|s| s.cluster_address.clear()) as fn(&mut Statement),
            |s| s.cluster_address = ":8201".into(),
            |s| s.cluster_address = "host".into(),
            |s| s.cluster_address = format!("{}:1", "a".repeat(600)),
            |s| s.api_address = "a".repeat(600),
            |s| s.public_key.clear(),
            |s| s.public_key = vec![1; 1000],
            |s| s.version = "1".repeat(600),
        ] {
            assert!(with(change).is_some());
        }
    }
}
