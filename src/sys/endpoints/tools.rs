//! `sys/tools`: random bytes and hashes.

use super::run::Run;
use crate::engine::table::{Endpoint, Op, Row};
use crate::engine::tools::{
    self, ALGORITHM, BYTES, HASH, HASH_FORMAT, INPUT, RANDOM, RANDOM_FORMAT, SOURCE, URL_ALGORITHM,
    URL_BYTES,
};

const RANDOMS: &[(Op, Run)] = &[(
    Op::COMPUTE,
    Run::Answer(|_, matched| tools::random(matched)),
)];
const HASHES: &[(Op, Run)] = &[(Op::COMPUTE, Run::Answer(|_, matched| tools::hash(matched)))];

/// The tools.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "tools/random",
            ..RANDOM
        },
        operations: RANDOMS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "tools/random/:urlbytes",
            fields: &[BYTES, RANDOM_FORMAT, URL_BYTES],
            ..RANDOM
        },
        operations: RANDOMS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "tools/random/:source/:urlbytes",
            fields: &[BYTES, RANDOM_FORMAT, SOURCE, URL_BYTES],
            ..RANDOM
        },
        operations: RANDOMS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "tools/hash",
            ..HASH
        },
        operations: HASHES,
    },
    Row {
        endpoint: Endpoint {
            pattern: "tools/hash/:urlalgorithm",
            fields: &[ALGORITHM, HASH_FORMAT, INPUT, URL_ALGORITHM],
            ..HASH
        },
        operations: HASHES,
    },
];
