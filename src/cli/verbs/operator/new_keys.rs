//! The keys that a rekey made: their sheets, and their print.

use serde_json::{Value, json};

use crate::cli::age_recipients::{AGE_RECIPIENTS, AgeHolders};
use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::made_keys::{MadeKeys, at_end_of_line};
use crate::cli::output::wrap;
use crate::cli::sheet::{
    ClusterName, KeyCover, SHEET, SheetKind, Sheets, WantedKeys, WrittenSheets,
};

use super::rekey::{ORDER, RekeyTarget, fingerprints, number, print_verification, text};

const NOT_VALID: &str = "Again, these key shares are _not_ valid until verification is performed. \
                         Do not lose or discard your current key shares until after verification \
                         is complete or you will be unable to authenticate with Vault. If you \
                         cancel the rekey process or seal Vault before verification is complete \
                         the new shares will be discarded and the current shares will remain \
                         valid.";

/// The ways by which new keys go to their holders.
#[derive(Default)]
pub struct Handing {
    holders: Option<AgeHolders>,
    sheets: Option<(Sheets, ClusterName)>,
}

impl Handing {
    /// Judges the holders and makes the files of sheets, as far as they are wanted, before a key is
    /// given: the answer to it may have the new keys.
    ///
    /// # Errors
    /// A holder or a file that cannot be used; nothing is left behind.
    pub fn prepare(call: &mut Call, target: RekeyTarget, status: &Value) -> Result<Self, Failure> {
        if call.flags.switch("verify") {
            refuse(call)?;
        }
        let name = AGE_RECIPIENTS.name;
        let holders = AgeHolders::of(&call.flags, name, &[])?;
        if let Some(holders) = &holders {
            if !fingerprints(status).is_empty() {
                return Err(Failure::usage(wrap(TWO_COVERS, 0)));
            }
            holders.check_count(name, number(status, "n"))?;
        }
        let lines = holders.as_ref().map_or(0, AgeHolders::lines);
        let sheets = sheets(call, target, status, lines)?;
        Ok(Self { holders, sheets })
    }
}

/// Refuses the flags of [`Handing`] where no keys can come.
///
/// # Errors
/// The message names the flag that was given.
pub fn refuse(call: &Call) -> Result<(), Failure> {
    for name in [SHEET.name, AGE_RECIPIENTS.name] {
        if call.flags.texts(name).iter().any(|text| !text.is_empty()) {
            let text = format!(
                "-{name} goes with the keys that are given, the last of which is answered with the \
                 new ones: not with -init, -verify, -cancel, -status or a backup"
            );
            return Err(Failure::usage(wrap(&text, 0)));
        }
    }
    Ok(())
}

const TWO_COVERS: &str = "-age-recipients does not go with this rekey: it was begun with PGP keys, \
                          and a key is encrypted to its holder once";

/// Makes the files of sheets, if any are wanted. Returns them with the cluster that they are of.
fn sheets(
    call: &mut Call,
    target: RekeyTarget,
    status: &Value,
    lines: usize,
) -> Result<Option<(Sheets, ClusterName)>, Failure> {
    if call.flags.text(SHEET.name).is_none_or(str::is_empty) {
        return Ok(None);
    }
    let cluster = call.client()?.exchange(&Ask::get("sys/seal-status"));
    let cluster = cluster.and_then(|reply| reply.json()).unwrap_or_default();
    let has_provider = cluster.get("recovery_seal") == Some(&Value::Bool(true));
    let wanted = WantedKeys {
        kind: match target {
            RekeyTarget::Barrier if has_provider => SheetKind::Emergency,
            RekeyTarget::Barrier => SheetKind::Unseal,
            RekeyTarget::Recovery => SheetKind::Recovery,
        },
        shares: number(status, "n"),
        threshold: number(status, "t"),
        generation: next_generation(call),
        lines,
    };
    let sheets = Sheets::reserve(call, wanted)?;
    Ok(sheets.map(|sheets| (sheets, ClusterName::of(&cluster))))
}

/// Returns the generation that the next keys are of; `None` from a server that counts none.
fn next_generation(call: &mut Call) -> Option<u64> {
    let client = call.client().ok()?;
    let asked = client.exchange_now(&Ask::get("sys/drill")).ok()?.accepted();
    let status = asked.ok()?.json().ok()?;
    Some(status.get("generation")?.as_u64()? + 1)
}

/// Prints the keys that were made; `status` is how the rekey stood before the last key.
pub fn print_keys(
    call: &Call,
    target: RekeyTarget,
    status: &Value,
    answer: Value,
    handing: Handing,
) -> Outcome {
    let cover = match fingerprints(&answer).is_empty() {
        true => KeyCover::Bare,
        false => KeyCover::Pgp,
    };
    let texts: Vec<&str> = keys(&answer).ok_or(Failure::Answer("keys"))?.collect();
    let keys = MadeKeys::of(texts, cover, handing.holders.as_ref());
    let sheets = handing.sheets;
    let written = sheets.map(|(sheets, cluster)| sheets.write(cluster, &keys.on_sheets()));
    let written = written.unwrap_or_default();
    match call.is_table() {
        true => print_made(call, target, status, &answer, &keys, &written)?,
        false => print_value(call, answer.clone(), &keys, &written)?,
    };
    keys.outcome()?;
    written.outcome()
}

fn print_value(
    call: &Call,
    mut answer: Value,
    keys: &MadeKeys<'_>,
    written: &WrittenSheets,
) -> Outcome {
    let is_age = keys.cover == KeyCover::Age;
    if let (Some(fields), true) = (answer.as_object_mut(), written.has_all() || is_age) {
        fields.insert("keys".into(), json!([]));
        fields.insert("keys_base64".into(), json!([]));
        if !written.has_all() {
            fields.insert("keys_age".into(), keys.texts().into());
        }
    }
    written.tell(&mut answer);
    call.print_value(&answer, &ORDER)
}

/// Returns the keys of an answer, in base64.
fn keys(answer: &Value) -> Option<impl Iterator<Item = &str>> {
    let keys = answer.get("keys_base64").and_then(Value::as_array)?;
    Some(keys.iter().filter_map(Value::as_str))
}

fn print_made(
    call: &Call,
    target: RekeyTarget,
    status: &Value,
    answer: &Value,
    keys: &MadeKeys<'_>,
    written: &WrittenSheets,
) -> Outcome {
    let keys = keys.texts();
    call.out("");
    if keys.is_empty() {
        call.out("Barrier root key rotated using recovery keys.");
        return Ok(0);
    }
    let fingerprints = fingerprints(answer);
    for (at, key) in keys.iter().enumerate() {
        let key = written.shown(at, key);
        call.out(&match fingerprints.get(at) {
            Some(fingerprint) => {
                format!("Key {} fingerprint: {fingerprint}; value: {key}", at + 1)
            }
            None => format!("Key {}: {}", at + 1, at_end_of_line(&key)),
        });
    }
    call.out(&format!("\nOperation nonce: {}\n", text(answer, "nonce")));
    if answer.get("backup") == Some(&Value::Bool(true)) {
        call.out(&wrap(&kept(call, target), 0));
    }
    let verify = answer.get("verification_required") == Some(&Value::Bool(true));
    let (shares, threshold) = (number(status, "n"), number(status, "t"));
    let about = made(target, verify, shares, threshold);
    call.out(&wrap(&written.named(&about), 0));
    if !verify {
        return Ok(0);
    }
    call.err(&wrap(NOT_VALID, 0));
    call.out("");
    let nonce = text(answer, "verification_nonce");
    print_verification(call, status, nonce, (0, threshold))
}

fn kept(call: &Call, target: RekeyTarget) -> String {
    let key = target.key();
    let which = match target {
        RekeyTarget::Barrier => "",
        RekeyTarget::Recovery => " -target=recovery",
    };
    format!(
        "The encrypted {key} keys are backed up to \"core/{key}-keys-backup\" in the storage \
         backend. Remove these keys at any time using \"{} operator rekey -backup-delete{which}\". \
         Vault does not automatically remove these keys.\n",
        call.program
    )
}

fn made(target: RekeyTarget, verify: bool, shares: u64, threshold: u64) -> String {
    let key = target.key();
    let begun = match verify {
        true => format!(
            "Vault has created a new {key} key, split into {shares} key shares and a key threshold \
             of {threshold}. These will not be active until after verification is complete."
        ),
        false => format!(
            "Vault {key} keys rekeyed to {shares} key shares and a key threshold of {threshold}."
        ),
    };
    let mut text = format!("{begun} Please securely distribute the key shares printed above.");
    if target == RekeyTarget::Barrier {
        text.push_str(&format!(
            " When Vault is re-sealed, restarted, or stopped, you must supply at least \
             {threshold} of these keys to unseal it before it can start servicing requests."
        ));
    }
    text
}
