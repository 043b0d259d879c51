//! Audit devices: every request and response, with HMACed values.
