//! Compares the acknowledged numbers with those that are found.

use std::collections::BTreeMap;

/// The counts over all lives.
#[derive(Default)]
pub struct Ledger {
    /// The last acknowledged number of each writer.
    last: BTreeMap<u64, u64>,
    pub acknowledged: usize,
    pub lost: usize,
    pub torn: usize,
}

impl Ledger {
    /// Takes a line of the child: `ack WRITER N`, `found WRITER N`, or `torn WRITER WHAT`.
    pub fn read(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
        match (words.first(), number(1), number(2)) {
            (Some(&"ack"), Some(writer), Some(n)) => {
                self.acknowledged += 1;
                self.last.insert(writer, n);
            }
            (Some(&"found"), Some(writer), Some(n)) => {
                let last = self.last.get(&writer).copied().unwrap_or(0);
                // The one write in progress may be there or not.
                if n < last || n > last + 1 {
                    println!("writer {writer}: acknowledged {last}, found {n}");
                    self.lost += 1;
                }
                self.last.insert(writer, n);
            }
            (Some(&"torn"), ..) => {
                println!("{line}");
                self.torn += 1;
            }
            _ => {}
        }
    }
}
