//! Shamir shares and unseal progress.
