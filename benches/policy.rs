//! Policies: the question that every request asks, and making a list of rules from texts.

use crate::ground::NOW;
use coffer::engine::{Meaning, Operation};
use coffer::policy::{Acl, Policy, Question};
use criterion::{BenchmarkId, Criterion};
use serde_json::Map;
use std::hint::black_box;
use std::sync::Arc;

/// The numbers of paths in a policy.
pub const PATHS: [usize; 4] = [1, 10, 100, 1000];

/// Returns the text of a policy of `paths` paths: exact ones, prefixes, and ones with `+`.
pub fn text(paths: usize) -> String {
    let rule = |number: usize| match number % 3 {
        0 => format!("path \"secret/data/app-{number}/db\" {{ capabilities = [\"read\"] }}\n"),
        1 => format!("path \"secret/data/team-{number}/*\" {{ capabilities = [\"read\"] }}\n"),
        _ => format!("path \"secret/data/+/env-{number}\" {{ capabilities = [\"read\"] }}\n"),
    };
    (0..paths).map(rule).collect()
}

/// Asks lists of rules for paths that are granted by each kind of rule, and by none.
pub fn evaluate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy/authorize");
    for paths in PATHS {
        let policy = Arc::new(Policy::parse("bench", &text(paths)).unwrap());
        let acl = Acl::compile(&[policy], NOW);
        for (kind, path, is_granted) in [
            ("exact", "secret/data/app-0/db", true),
            ("prefix", "secret/data/team-1/a/b", paths > 1),
            ("plus", "secret/data/any/env-2", paths > 2),
            ("none", "secret/data/other/db", false),
        ] {
            if paths == 1 && !is_granted && kind != "none" {
                continue;
            }
            assert_eq!(asks(&acl, path), is_granted, "{kind} of {paths}");
            group.bench_function(BenchmarkId::new(kind, paths), |bencher| {
                bencher.iter(|| asks(&acl, black_box(path)));
            });
        }
    }
    group.finish();
    let mut group = criterion.benchmark_group("policy/compile");
    for paths in PATHS {
        let policy = Arc::new(Policy::parse("bench", &text(paths)).unwrap());
        group.bench_function(BenchmarkId::new("paths", paths), |bencher| {
            bencher.iter(|| black_box(Acl::compile(std::slice::from_ref(&policy), NOW)));
        });
    }
    group.finish();
}

fn asks(acl: &Acl, path: &str) -> bool {
    let (data, field) = (Map::new(), |_: &str| Meaning::default());
    let question = Question {
        path,
        operation: Operation::Read,
        data: &data,
        field: &field,
        wrap_ttl: None,
        needs_sudo: false,
    };
    acl.authorize((), &question).is_ok()
}
