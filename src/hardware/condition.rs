//! What the lights tell of a node.

/// What a node is, as its lights show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The process runs; the API does not answer yet.
    Starting,
    /// No keyring exists: `operator init`, or join a cluster.
    Uninitialised,
    /// It looks for a cluster, or waits for its store to arrive from one.
    Joining,
    /// The keys are not in memory.
    Sealed {
        /// Unseal keys given so far.
        given: u8,
        /// Unseal keys that it takes.
        needed: u8,
    },
    /// As [`Condition::Sealed`]; and the others wait for it, because it has acknowledged entries
    /// that no unsealed node has.
    Needed {
        /// Unseal keys given so far.
        given: u8,
        /// Unseal keys that it takes.
        needed: u8,
    },
    /// It answers; another node is active.
    Standby(Members),
    /// It serves everything.
    Active(Members),
    /// It is unsealed, and has known no active node for a while.
    NoQuorum(Members),
    /// It answers, and somebody else uses the key of one of the members: a card was copied, or
    /// stolen.
    SeenTwice,
    /// The store takes no writes.
    Disk(DiskTrouble),
    /// The end has begun.
    Stopping,
}

/// Why the store takes no writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskTrouble {
    /// There is no room. Make some; the node goes on by itself.
    Full,
    /// A write failed, or what was written does not read back. The node ends.
    Failing,
}

/// The members of a cluster, in an order that stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(Vec<Member>);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// How it stands.
    pub standing: Standing,
    /// It is the node whose light this is.
    pub is_me: bool,
}

/// How a member stands, as far as this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is active.
    Leads,
    /// It is unsealed.
    Follows,
    /// A member; this node does not hear from it directly, as standbys do not from each other.
    Unknown,
    /// It was heard of, and is sealed.
    Sealed,
    /// It should have been heard of.
    Silent,
}

impl Members {
    /// As many as a picture has columns.
    pub const SHOWN_MAX: usize = 8;

    /// Where there are more than can be shown, this node and the leader are among those that are.
    pub fn new(members: impl IntoIterator<Item = Member>) -> Self {
        let mut members: Vec<Member> = members.into_iter().collect();
        let mut surplus = members.len().saturating_sub(Self::SHOWN_MAX);
        while surplus > 0 {
            let dull = |member: &Member| !member.is_me && member.standing != Standing::Leads;
            match members.iter().rposition(dull) {
                Some(at) => drop(members.remove(at)),
                None => members.truncate(Self::SHOWN_MAX),
            }
            surplus -= 1;
        }
        Self(members)
    }

    /// In order.
    pub fn iter(&self) -> std::slice::Iter<'_, Member> {
        self.0.iter()
    }

    /// How many are shown.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True where the store has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Condition {
    /// As documentation, tests and `coffer indicator test` call it.
    pub fn name(&self) -> String {
        match self {
            Self::Starting => "starting".into(),
            Self::Uninitialised => "uninitialised".into(),
            Self::Joining => "joining".into(),
            Self::Sealed { given, needed } => format!("sealed, {given} of {needed} keys"),
            Self::Needed { given, needed } => {
                format!("sealed and needed, {given} of {needed} keys")
            }
            Self::Standby(_) => "standby".into(),
            Self::Active(_) => "active".into(),
            Self::NoQuorum(_) => "no quorum".into(),
            Self::SeenTwice => "a member seen twice".into(),
            Self::Disk(DiskTrouble::Full) => "disk full".into(),
            Self::Disk(DiskTrouble::Failing) => "disk failing".into(),
            Self::Stopping => "shutting down".into(),
        }
    }

    /// One of each kind, as documentation and `coffer indicator test` show them.
    pub fn examples() -> Vec<Self> {
        use Standing::{Follows, Leads, Sealed, Silent, Unknown};
        let members = |standings: [Standing; 3], me: usize| {
            let all = standings.into_iter().enumerate();
            Members::new(all.map(|(at, standing)| Member {
                standing,
                is_me: at == me,
            }))
        };
        let sealed = |given| Self::Sealed { given, needed: 3 };
        vec![
            Self::Starting,
            Self::Uninitialised,
            Self::Joining,
            sealed(0),
            sealed(1),
            sealed(2),
            Self::Needed {
                given: 1,
                needed: 3,
            },
            Self::Standby(members([Leads, Follows, Unknown], 1)),
            Self::Active(members([Follows, Leads, Sealed], 1)),
            Self::NoQuorum(members([Silent, Follows, Silent], 1)),
            Self::SeenTwice,
            Self::Disk(DiskTrouble::Full),
            Self::Disk(DiskTrouble::Failing),
            Self::Stopping,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leads_and_this_node_are_never_left_out() {
        let all = (0..12).map(|at| Member {
            standing: if at == 10 {
                Standing::Leads
            } else {
                Standing::Follows
            },
            is_me: at == 11,
        });
        let members = Members::new(all);
        assert_eq!(members.len(), Members::SHOWN_MAX);
        assert!(members.iter().any(|member| member.is_me));
        let leads = |member: &Member| member.standing == Standing::Leads;
        assert_eq!(members.iter().position(leads), Some(6), "the order stays");
    }
}
