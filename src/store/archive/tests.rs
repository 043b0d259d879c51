//! Archives written and read, whole and damaged.

use super::*;
use crate::clock::Timestamp;
use bytes::Bytes;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::convert::Infallible;
use std::io::{Read, Write};

fn records(count: usize) -> Vec<(Bytes, Bytes)> {
    let mut records: Vec<_> = (0..count)
        .map(|n| {
            let key = Bytes::from(format!("\u{10}key {n:06}"));
            (key, Bytes::from(vec![(n % 251) as u8; n * 37 % 5000]))
        })
        .collect();
    records.insert(
        0,
        (Bytes::from_static(b"\0keyring"), Bytes::from_static(b"k")),
    );
    records
}

fn header(records: &[(Bytes, Bytes)]) -> Header {
    let bytes = records.iter().map(|(key, value)| key.len() + value.len());
    Header {
        cluster_id: "f2b8a37e".into(),
        term: 3,
        index: 4711,
        time_floor: Timestamp::from_secs(1_700_000_000),
        records: records.len() as u64,
        bytes: bytes.sum::<usize>() as u64,
    }
}

fn archive(records: &[(Bytes, Bytes)]) -> Vec<u8> {
    let items = records.iter().cloned().map(Ok::<_, Infallible>);
    let sealed = |sums: &[u8]| Ok([b"sealed ", sums].concat());
    write(Vec::new(), &header(records), items, sealed).unwrap()
}

/// Changes the tar inside.
fn edited(archive: &[u8], edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut tar = Vec::new();
    GzDecoder::new(archive).read_to_end(&mut tar).unwrap();
    edit(&mut tar);
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    gzip.finish().unwrap()
}

fn offset(tar: &[u8], needle: &[u8]) -> usize {
    let found = tar.windows(needle.len()).position(|at| at == needle);
    found.expect("the needle is in the archive")
}

#[test]
fn what_is_written_is_read() {
    for count in [0, 1, 500] {
        let records = records(count);
        let archive = archive(&records);
        let checked = check(&archive[..]).unwrap();
        let (found, contents) = checked.state.clone().unwrap();
        assert_eq!(found, header(&records));
        assert_eq!((checked.meta.index, checked.meta.term), (4711, 3));
        assert_eq!(checked.meta.id, "coffer-3-4711");
        assert_eq!(contents.0["keyring"].count, 1);
        let sealed = contents.0.get("sealed records");
        assert_eq!(sealed.map_or(0, |kind| kind.count), count as u64);
        assert_eq!(checked.sealed, [&b"sealed "[..], &checked.sums].concat());
        let mut read = Vec::new();
        let each = |key, value| {
            read.push((key, value));
            Ok::<(), ArchiveError>(())
        };
        restore(&archive[..], each).unwrap();
        assert_eq!(read, records);
    }
}

#[test]
fn the_layout_is_the_one_that_clients_check() {
    let archive = archive(&records(3));
    let mut tar = tar::Archive::new(GzDecoder::new(&archive[..]));
    let mut names = Vec::new();
    let mut size = 0;
    for entry in tar.entries().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        assert_eq!(entry.header().mode().unwrap(), 0o600);
        if name == STATE {
            size = entry.size();
        }
        names.push(name);
    }
    assert_eq!(names, [META, STATE, SUMS, SEALED]);
    assert_eq!(check(&archive[..]).unwrap().meta.size, size);
}

#[test]
fn every_truncation_is_refused() {
    let archive = archive(&records(40));
    for length in 0..archive.len() {
        let error = check(&archive[..length]).expect_err("cut short");
        assert!(error.is_clients(), "{length}: {error}");
    }
}

#[test]
fn a_flipped_bit_is_refused_wherever_it_is() {
    let archive = archive(&records(4));
    let tar_of = |archive: &[u8]| {
        let mut tar = Vec::new();
        GzDecoder::new(archive).read_to_end(&mut tar).unwrap();
        tar
    };
    let whole = tar_of(&archive);
    for at in 0..archive.len() {
        let mut damaged = archive.clone();
        damaged[at] ^= 0x10;
        match check(&damaged[..]) {
            // gzip has bits that no reader uses: a time, codes of bytes that do not occur.
            Ok(_) => assert!(tar_of(&damaged) == whole, "{at}"),
            Err(error) => assert!(error.is_clients(), "{at}: {error}"),
        }
    }
}

#[test]
fn damage_behind_gzip_is_told_by_the_sum() {
    let archive = archive(&records(40));
    let damaged = edited(&archive, |tar| {
        let at = offset(tar, b"key 000007");
        tar[at] ^= 1;
    });
    let error = check(&damaged[..]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed checking integrity of snapshot: hash check failed for \"state.bin\""
    );
}

/// No sum covers such bytes, and other programs may read them: gzip's members are one stream to
/// most.
#[test]
fn whatever_follows_the_end_is_refused() {
    let archive = archive(&records(4));
    let with_entry = |zeros: usize, name: &str| {
        edited(&archive, |tar| {
            let end = tar.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            tar.truncate(end.next_multiple_of(512));
            tar.extend(std::iter::repeat_n(0, zeros));
            let mut more = tar::Builder::new(Vec::new());
            let mut entry = tar::Header::new_gnu();
            entry.set_size(3);
            more.append_data(&mut entry, name, &b"abc"[..]).unwrap();
            tar.extend(more.into_inner().unwrap());
        })
    };
    let padded = |zeros: usize| edited(&archive, |tar| tar.extend(std::iter::repeat_n(0, zeros)));
    check(&archive[..]).expect("as it was written");
    check(&padded(10_240)[..]).expect("as other programs pad it");
    for (what, wrong) in [
        ("a byte", [&archive[..], b"x"].concat()),
        ("a zero", [&archive[..], b"\0"].concat()),
        ("itself", archive.repeat(2)),
        (
            "an empty member",
            [&archive[..], &edited(&archive, Vec::clear)].concat(),
        ),
        ("a line", edited(&archive, |tar| tar.extend(b"line\n"))),
        ("zeros for ever", padded(2 << 20)),
        ("an entry", with_entry(0, "more")),
        ("the state again", with_entry(0, STATE)),
        ("an entry behind one zero block", with_entry(512, "more")),
        ("the state behind the end", with_entry(1024, STATE)),
    ] {
        let error = check(&wrong[..]).expect_err(what);
        assert!(error.is_clients(), "{what}: {error}");
        let told = error.to_string();
        let expected = ["data after its end", "unexpected file"];
        assert!(
            expected.iter().any(|part| told.contains(part)),
            "{what}: {told}"
        );
    }
}

#[test]
fn other_programs_and_newer_versions_are_told_apart() {
    let mut sums = None;
    let archive = archive(&records(2));
    let rewrite = |edit: fn(&mut [u8])| {
        edited(&archive, |tar| {
            let at = offset(tar, b"COFRSTAT");
            let end = offset(&tar[at..], b"SHA256SUMS") + at;
            edit(&mut tar[at..end]);
            let size = check(&archive[..]).unwrap().meta.size as usize;
            let digest = ring::digest::digest(&ring::digest::SHA256, &tar[at..at + size]);
            let line = offset(tar, b"  state.bin\n");
            tar[line - 64..line].copy_from_slice(hex::encode(digest).as_bytes());
        })
    };
    for (edit, expected) in [
        ((|state| state[8] = 9) as fn(&mut [u8]), "state format 9"),
        (|state| state[20] ^= 1, "damaged"),
    ] {
        let error = check(&rewrite(edit)[..]).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let foreign = check(&rewrite(|state| state[0] = b'X')[..]).unwrap();
    sums.replace(foreign.sums.clone());
    assert!(foreign.state.is_none());
    assert!(matches!(foreign.header(), Err(ArchiveError::Foreign)));
}
