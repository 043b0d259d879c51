//! The messages of a rekey, in the words that clients of Vault and OpenBao know.

use crate::sys::endpoints::ceremony::Door;

/// The key that a ceremony replaces, and the door through which its callers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// True for the recovery key, false for the seal key.
    pub recovery: bool,
    pub door: Door,
}

impl Way {
    pub const fn is_open(self) -> bool {
        matches!(self.door, Door::Open)
    }

    /// Returns the name of the keys, for the log.
    pub const fn keys(self) -> &'static str {
        match self.recovery {
            true => "recovery",
            false => "unseal",
        }
    }

    /// Returns the word for open doors or the other.
    const fn say(self, open: &'static str, authenticated: &'static str) -> &'static str {
        match self.door {
            Door::Open => open,
            Door::Authenticated => authenticated,
        }
    }

    /// Returns the refusal where nothing was begun.
    pub const fn none_for_a_share(self) -> &'static str {
        let open = match self.recovery {
            true => "no recovery rekey in progress",
            false => "no barrier rekey in progress",
        };
        self.say(open, "no rotation in progress")
    }

    /// Returns the refusal of a share to verify where nothing was begun.
    pub const fn none_to_verify(self) -> &'static str {
        self.say("no rekey in progress", "no rotation in progress")
    }

    /// Returns the refusal of a share to verify where no new key was made.
    pub const fn nothing_made(self) -> &'static str {
        let open = "no rekey verification in progress";
        self.say(open, "no rotation verification in progress")
    }

    /// Returns the refusal to tell of a verification where nothing was begun.
    pub const fn none_known(self) -> &'static str {
        let open = "no rekey configuration found";
        self.say(open, "no rotation configuration found")
    }

    pub const fn begun_already(self) -> &'static str {
        self.say("rekey already in progress", "rotation already in progress")
    }

    pub const fn share_again(self) -> &'static str {
        match (self.door, self.recovery) {
            (Door::Authenticated, _) => "given key has already been provided during this rotation",
            (Door::Open, true) => "given key has already been provided during this rekey operation",
            (Door::Open, false) => {
                "given key has already been provided during this generation operation"
            }
        }
    }

    pub const fn wrong_verification(self) -> &'static str {
        self.say(
            "rekey verification failed; incorrect key shares supplied",
            "rotation verification failed; incorrect key shares supplied",
        )
    }

    pub const fn not_supported(self) -> &'static str {
        let open = "recovery rekeying not supported";
        self.say(open, "recovery keys not supported")
    }

    pub const fn replaced_meanwhile(self) -> &'static str {
        self.say(
            "the keys were replaced meanwhile: this rekey is void, start it again",
            "the keys were replaced meanwhile: this rotation is void, start it again",
        )
    }

    pub fn finished_already(self, nonce: &str) -> String {
        let what = self.say("rekey operation", "rotation");
        format!(
            "{what} already finished; verification must be performed; nonce for the verification \
             operation is {nonce:?}"
        )
    }

    pub fn wrong_nonce(self, nonce: &str) -> String {
        let what = self.say("this rekey operation", "rotation");
        format!("incorrect nonce supplied; nonce for {what} is {nonce:?}")
    }

    pub fn wrong_numbers(self, fault: &str) -> String {
        let what = match self.recovery {
            true => "recovery",
            false => self.say("rekey seal", "rotate seal"),
        };
        format!("invalid {what} configuration: {fault}")
    }

    pub fn wrong_count(self) -> String {
        match self.door {
            Door::Open => "incorrect number of PGP keys for rekey".to_owned(),
            Door::Authenticated => self.wrong_numbers(
                "count mismatch between number of provided PGP keys and number of shares",
            ),
        }
    }

    pub const fn cannot_encrypt(self) -> &'static str {
        self.say(
            "PGP key encryption not supported when rekeying the barrier key with recovery keys",
            "PGP key encryption not supported when using stored keys",
        )
    }

    pub fn cannot_verify(self) -> String {
        let doing = self.say("rekeying", "rotating");
        format!(
            "requiring verification not supported when {doing} the barrier key with recovery keys"
        )
    }
}
