//! Makes keyed hashes and sealed blobs, for rooms that need the keyring's keys and must not see
//! them.

use super::record::{Parsed, RecordKind};
use super::{BarrierError, Unsealed};
use crate::secret::SecretBytes;

impl Unsealed {
    /// Computes a keyed hash of `data` (HMAC-SHA256 under a key of the keyring that never changes).
    /// `domain` names the use, such as `token id`; hashes of different domains are unrelated.
    pub fn mac(&self, domain: &str, data: &[u8]) -> Result<[u8; 32], BarrierError> {
        // The length in front makes (domain, data) unambiguous.
        let length = (domain.len() as u64).to_be_bytes();
        Ok(self.keys()?.mac.sign(&[&length, domain.as_bytes(), data]))
    }

    /// Seals `plaintext` to be handed out (a batch token): only [`Unsealed::open_blob`] with the
    /// same domain, here or on another unsealed node, opens it. The blob is 45 bytes longer than
    /// `plaintext`.
    pub fn seal_blob(&self, domain: &str, plaintext: &[u8]) -> Result<Vec<u8>, BarrierError> {
        self.usage.count(1);
        Ok(self.seal_record(&*self.keys()?, RecordKind::Blob(domain), plaintext))
    }

    /// Opens a blob that [`Unsealed::seal_blob`] made. `blob` comes from a client: here
    /// [`BarrierError::Tampered`] and [`BarrierError::UnknownKeyTerm`] are the client's fault.
    pub fn open_blob(&self, domain: &str, blob: &[u8]) -> Result<SecretBytes, BarrierError> {
        let parsed = Parsed::new(blob)?;
        let keys = self.keys()?;
        let cipher = keys.keyring.cipher(parsed.key_term);
        let cipher = cipher.ok_or(BarrierError::UnknownKeyTerm(parsed.key_term))?;
        parsed.open(cipher, RecordKind::Blob(domain))
    }
}
