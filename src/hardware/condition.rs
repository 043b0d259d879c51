//! The condition of a node, as its lights show it.

/// The condition of a node, as its lights show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The process runs; the API does not answer yet.
    Starting,
    /// No keyring exists: the operator runs `operator init`, or joins the node to a cluster.
    Uninitialised,
    /// The node looks for a cluster, or waits for its store to arrive from one.
    Joining,
    /// The keys are not in memory.
    Sealed {
        /// Unseal keys given so far.
        given: u8,
        /// The number of unseal keys that open the node.
        needed: u8,
    },
    /// The node is sealed, and the other members wait for it: it has acknowledged entries that no
    /// unsealed node has.
    Needed {
        /// Unseal keys given so far.
        given: u8,
        /// The number of unseal keys that open the node.
        needed: u8,
    },
    /// The node answers; another node is active.
    Standby(Members),
    /// The node is active and serves every request.
    Active(Members),
    /// The node is unsealed, and has known no active node for a while.
    NoQuorum(Members),
    /// The node answers, and another machine uses the key of one of the members: a card was copied,
    /// or stolen.
    SeenTwice,
    /// The node answers, and the device of its data was given more than a day's budget of writes.
    WriteBudget,
    /// The store takes no writes.
    Disk(DiskTrouble),
    /// The node is shutting down.
    Stopping,
}

/// The reasons why the store takes no writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskTrouble {
    /// The disk is full. Once there is room the node goes on by itself.
    Full,
    /// A write failed, or written data does not read back. The node ends.
    Failing,
}

/// The members of a cluster, in an order that stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(Vec<Member>);

/// One member of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member's standing.
    pub standing: Standing,
    /// True for the node to which the light belongs.
    pub is_me: bool,
}

/// The standing of a member, as far as this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The member is active.
    Leads,
    /// The member is unsealed.
    Follows,
    /// This node does not hear from the member directly, as standbys do not from each other.
    Unknown,
    /// The member was heard of, and is sealed.
    Sealed,
    /// The member should have been heard of, and was not.
    Silent,
}

impl Members {
    /// Most members that are shown: one for each column of a picture.
    pub const SHOWN_MAX: usize = 8;

    /// Keeps at most [`Self::SHOWN_MAX`] members; this node and the leader are always among them.
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

    /// Returns the members in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Member> {
        self.0.iter()
    }

    /// Returns the number of members that are shown.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true where the store has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Condition {
    /// Returns the name in documentation, tests and `coffer indicator test`.
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
            Self::WriteBudget => "write budget passed".into(),
            Self::Disk(DiskTrouble::Full) => "disk full".into(),
            Self::Disk(DiskTrouble::Failing) => "disk failing".into(),
            Self::Stopping => "shutting down".into(),
        }
    }

    /// Returns one of each kind, for documentation and `coffer indicator test`.
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
            Self::WriteBudget,
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
