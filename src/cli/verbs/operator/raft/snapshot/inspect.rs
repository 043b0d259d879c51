//! `operator raft snapshot inspect`.

use std::fs::File;

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::{Order, columns, table};
use crate::cli::verb::{Arity, SharedFlags, Verb};
use crate::store::archive::{self, Checked, Totals};

/// `operator raft snapshot inspect`.
pub static INSPECT: Verb = Verb {
    name: "inspect",
    about: "Checks a snapshot file and tells what is in it, without a server",
    usage: "SNAPSHOT_FILE",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Format,
    run,
};

const GAP: &str = "    ";

fn run(call: &mut Call) -> Outcome {
    let name = call.word(0).to_owned();
    let file = File::open(&name).map_err(|error| {
        let reason = error.kind();
        Failure::Local(format!(
            "Error opening snapshot file: open {name}: {reason}"
        ))
    })?;
    let checked = archive::check(file)
        .map_err(|error| Failure::Local(format!("Error inspecting the snapshot: {error}")))?;
    if !call.is_table() {
        return call.print_value(&value(&checked), &Order::BY_NAME);
    }
    call.out(&columns(&summary(&checked), GAP));
    match contents(&checked) {
        Some(contents) => call.out(&format!("\n{contents}")),
        None => {
            call.out("\nThe state is another program's: its sums are right, nothing else is known.")
        }
    }
    Ok(0)
}

fn summary(checked: &Checked) -> Vec<Vec<String>> {
    let meta = &checked.meta;
    let mut rows = vec![
        ("ID", meta.id.clone()),
        ("Size", meta.size.to_string()),
        ("Index", meta.index.to_string()),
        ("Term", meta.term.to_string()),
        ("Version", meta.version.to_string()),
    ];
    if let Ok(header) = checked.header() {
        rows.push(("Cluster ID", header.cluster_id.clone()));
        rows.push(("Cluster Time", header.time_floor.rfc3339()));
    }
    let rows = rows.into_iter();
    rows.map(|(name, value)| vec![name.to_owned(), value])
        .collect()
}

fn contents(checked: &Checked) -> Option<String> {
    let (_, contents) = checked.state.as_ref()?;
    let row = |name: &str, kind: &Totals| {
        let (count, size) = (kind.count.to_string(), size(kind.bytes));
        vec![name.to_owned(), count, size]
    };
    let mut rows: Vec<_> = contents
        .0
        .iter()
        .map(|(name, kind)| row(name, kind))
        .collect();
    rows.push(row("Total", &total(checked)));
    Some(table(&["Key Name", "Count", "Size"], rows, GAP))
}

fn total(checked: &Checked) -> Totals {
    let kinds = checked
        .state
        .iter()
        .flat_map(|(_, contents)| contents.0.values());
    kinds.fold(Totals::default(), |sum, kind| Totals {
        count: sum.count + kind.count,
        bytes: sum.bytes + kind.bytes,
    })
}

fn value(checked: &Checked) -> Value {
    let meta = &checked.meta;
    let mut value = json!({
        "ID": meta.id,
        "Size": meta.size,
        "Index": meta.index,
        "Term": meta.term,
        "Version": meta.version,
    });
    let Some((header, contents)) = &checked.state else {
        return value;
    };
    let kinds = contents.0.iter();
    let kinds =
        kinds.map(|(name, kind)| json!({"Name": name, "Count": kind.count, "Size": kind.bytes}));
    let total = total(checked);
    let more = [
        ("ClusterID", json!(header.cluster_id)),
        ("ClusterTime", json!(header.time_floor.rfc3339())),
        ("Keys", kinds.collect()),
        ("TotalCount", json!(total.count)),
        ("TotalSize", json!(total.bytes)),
    ];
    if let Value::Object(fields) = &mut value {
        fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    value
}

/// Formats a size for people: `236 B`, `26.1 KB`.
fn size(bytes: u64) -> String {
    let mut tenths = u128::from(bytes) * 10;
    for unit in ["B", "KB", "MB", "GB"] {
        if tenths < 10_240 || unit == "GB" {
            let (whole, tenth) = (tenths / 10, tenths % 10);
            return match tenth {
                0 => format!("{whole} {unit}"),
                _ => format!("{whole}.{tenth} {unit}"),
            };
        }
        tenths /= 1024;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_read_well() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KB"),
            (26_800, "26.1 KB"),
            (5 << 20, "5 MB"),
            (5 << 40, "5120 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
