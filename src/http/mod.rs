//! hyper, TLS, limits, the envelope and the status table.
