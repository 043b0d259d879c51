//! Texts in HCL: policies of different lengths, and a configuration.

use crate::policy::{PATHS, text};
use coffer::config;
use coffer::policy::Policy;
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;

const CONFIG: &str = r#"
storage "raft" {
  path    = "/var/lib/coffer"
  node_id = "pi-1"
  retry_join { leader_api_addr = "https://pi-2.home:8200" }
  retry_join { leader_api_addr = "https://pi-3.home:8200" }
}
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/etc/coffer/tls.crt"
  tls_key_file  = "/etc/coffer/tls.key"
}
api_addr     = "https://pi-1.home:8200"
cluster_addr = "https://pi-1.home:8201"
"#;

/// Reads texts from the first character to the typed result.
pub fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hcl/policy");
    for paths in PATHS {
        let text = text(paths);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("paths", paths), |bencher| {
            bencher.iter(|| black_box(Policy::parse("bench", black_box(&text)).unwrap()));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("hcl");
    let texts = [("coffer.hcl".to_owned(), CONFIG.to_owned())];
    group.throughput(Throughput::Bytes(CONFIG.len() as u64));
    group.bench_function("config", |bencher| {
        bencher.iter(|| black_box(config::from_text(black_box(&texts), &[]).unwrap()));
    });
    group.finish();
}
