//! The seal `file`: a key in a file on a medium that is put in for a start, such as a USB stick.
//!
//! The stick has a key, and the node has the seal key wrapped under it: neither opens anything
//! without the other. The medium is found by its label or UUID, where it is mounted already or by
//! mounting it read-only for the moment; or the file by its whole path.
//!
//! ```text
//! coffer-seal-key-1 <id: 16 hexadecimal digits> <key: 64 hexadecimal digits>
//! ```
//!
//! The id is the beginning of a hash of the key, so a file that was damaged is told from another
//! stick's.

use super::settings::{SettingError, Settings};
use super::{Description, Provider, ProviderError};
use crate::barrier::{self, WrappedKey};
use crate::block::{Machine, Medium, MediumName, media};
use crate::secret::{Key256, Secret, SecretString};
use crate::store::BoxFuture;
use ring::digest;
use rustix::mount::{MountFlags, UnmountFlags};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The stanza's kind.
pub(super) const KIND: &str = "file";

const KEYS: &[&str] = &["label", "path", "uuid"];
/// The file's name where the stanza gives none.
const FILE: &str = "coffer-seal.key";
/// The first word of the file.
const FORM: &str = "coffer-seal-key-1";
/// The length of an id, in bytes.
const ID_BYTES: usize = 8;
/// The most bytes of the file that are read: a line and what an editor adds.
const FILE_BYTES_MAX: u64 = 256;

/// The provider.
pub(super) struct Stick {
    which: Description,
    place: Arc<Place>,
}

/// The place of the file.
#[derive(Debug)]
enum Place {
    /// A path that is there, or will be.
    Path(PathBuf),
    /// A path on a medium.
    On(MediumName, PathBuf),
}

/// The key of a stick, with its id.
#[derive(Debug)]
struct StickKey {
    id: String,
    key: Key256,
}

/// Returns a new key for a stick: its id, and the text of its file.
pub fn new_key() -> (String, SecretString) {
    let key = Key256::generate();
    let id = id_of(&key);
    let digits = Secret::new(hex::encode(key.expose()));
    let text = format!("{FORM} {id} {}\n", digits.expose());
    (id, Secret::new(text))
}

fn id_of(key: &Key256) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(FORM.as_bytes());
    context.update(key.expose());
    let hash = context.finish();
    hex::encode(hash.as_ref().get(..ID_BYTES).unwrap_or_default())
}

impl Stick {
    /// Reads the settings. No medium is looked for yet.
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingError> {
        settings.check_keys(KEYS)?;
        let path = settings.text("path").map(PathBuf::from);
        let name = match (settings.text("label"), settings.text("uuid")) {
            (None, None) => None,
            (Some(label), None) => Some(MediumName::Label(label)),
            (None, Some(uuid)) => Some(MediumName::Uuid(uuid)),
            (Some(_), Some(_)) => {
                return Err(SettingError("give label or uuid, not both".into()));
            }
        };
        let place = match (name, path) {
            (None, Some(path)) if path.is_absolute() => Place::Path(path),
            (None, _) => {
                let why = "it needs label or uuid of a medium, or the whole path of a file";
                return Err(SettingError(why.into()));
            }
            (Some(name), path) => {
                let path = path.unwrap_or_else(|| FILE.into());
                let path = path.strip_prefix("/").unwrap_or(&path).to_path_buf();
                let is_below = path
                    .components()
                    .all(|it| matches!(it, Component::Normal(_)));
                if !is_below {
                    return Err(SettingError("path: not a path on the medium".into()));
                }
                Place::On(name, path)
            }
        };
        Ok(Self {
            which: Description {
                kind: settings.kind.clone(),
                name: settings.name.clone(),
            },
            place: Arc::new(place),
        })
    }

    /// Reads the key, off the runtime's threads: a medium may be slow, or fail.
    async fn key(&self) -> Result<StickKey, ProviderError> {
        let place = Arc::clone(&self.place);
        let reading = move || place.read(&Machine::default());
        let read = tokio::task::spawn_blocking(reading).await;
        read.unwrap_or_else(|error| Err(ProviderError::Away(error.to_string())))
    }
}

impl Place {
    fn read(&self, machine: &Machine) -> Result<StickKey, ProviderError> {
        match self {
            Self::Path(path) => read(path),
            Self::On(name, path) => {
                let medium = one(media(machine, name), name)?;
                match &medium.folder {
                    Some(folder) => read(&folder.join(path)),
                    None => mounted(&medium, |folder| read(&folder.join(path))),
                }
            }
        }
    }
}

/// Returns the only medium of a name.
fn one(media: Vec<Medium>, name: &MediumName) -> Result<Medium, ProviderError> {
    let called = match name {
        MediumName::Label(label) => format!("label {label:?}"),
        MediumName::Uuid(uuid) => format!("UUID {uuid:?}"),
    };
    let devices: Vec<String> = media
        .iter()
        .map(|medium| medium.device.display().to_string())
        .collect();
    let mut media = media.into_iter();
    match (media.next(), media.next()) {
        (None, _) => Err(ProviderError::Away(format!("no medium has the {called}"))),
        (Some(medium), None) => Ok(medium),
        _ => Err(ProviderError::Refused(format!(
            "several media have the {called}, {}: take one out, or give the uuid of the right one",
            devices.join(" and ")
        ))),
    }
}

/// Mounts a medium read-only while `act` looks at it.
fn mounted<T>(
    medium: &Medium,
    act: impl FnOnce(&Path) -> Result<T, ProviderError>,
) -> Result<T, ProviderError> {
    let device = medium.device.display();
    let Some(kind) = medium.kind else {
        return Err(ProviderError::Refused(format!(
            "{device} is not mounted, and this server may not read it: mount it"
        )));
    };
    let mut random = [0; 8];
    crate::secret::fill_random(&mut random);
    let folder = std::env::temp_dir().join(format!("coffer-seal-{}", hex::encode(random)));
    let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(|error| ProviderError::Away(format!("{}: {error}", folder.display())))?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let result = match rustix::mount::mount(&medium.device, &folder, kind, flags, None) {
        Ok(()) => {
            let result = act(&folder);
            if let Err(error) = rustix::mount::unmount(&folder, UnmountFlags::DETACH) {
                // The next look finds the medium mounted there.
                tracing::warn!(%error, folder = %folder.display(), "the stick stays mounted");
            }
            result
        }
        Err(error @ (rustix::io::Errno::PERM | rustix::io::Errno::ACCESS)) => {
            Err(ProviderError::Refused(format!(
                "{device} cannot be mounted by this server ({error}): mount it, or give the \
                 server CAP_SYS_ADMIN"
            )))
        }
        Err(error) => Err(ProviderError::Away(format!("mounting {device}: {error}"))),
    };
    drop(std::fs::remove_dir(&folder));
    result
}

fn read(path: &Path) -> Result<StickKey, ProviderError> {
    let shown = path.display();
    let failed = |error: std::io::Error| {
        let why = format!("{shown}: {error}");
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => ProviderError::Refused(why),
            _ => ProviderError::Away(why),
        }
    };
    let file = crate::file::read(path).map_err(failed)?;
    let room = usize::try_from(FILE_BYTES_MAX).unwrap_or_default() + 1;
    let mut bytes = Secret::new(Vec::with_capacity(room));
    let read = file.take(FILE_BYTES_MAX).read_to_end(bytes.expose_mut());
    read.map_err(failed)?;
    let text = std::str::from_utf8(bytes.expose()).unwrap_or_default();
    parse(text).map_err(|why| ProviderError::Refused(format!("{shown}: {why}")))
}

fn parse(text: &str) -> Result<StickKey, &'static str> {
    let mut words = text.split_whitespace();
    let (Some(FORM), Some(id), Some(digits), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("not a key of a stick: make one with \"coffer operator seal-key\"");
    };
    let key = hex::decode(digits).map(Secret::new).ok();
    let key = key.and_then(|bytes| Key256::from_slice(bytes.expose()));
    match key {
        Some(key) if id_of(&key) == id => Ok(StickKey {
            id: id.to_owned(),
            key,
        }),
        _ => Err("the key is damaged: use another copy of it"),
    }
}

impl Provider for Stick {
    fn describe(&self) -> Description {
        self.which.clone()
    }

    fn wrap<'a>(&'a self, key: &'a Key256) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move {
            let stick = self.key().await?;
            let place = WrappedKey {
                kind: self.which.kind.clone(),
                name: self.which.name.clone(),
                key_id: stick.id,
                ciphertext: Vec::new(),
            };
            Ok(barrier::wrap_key(&stick.key, key, place))
        })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
    ) -> BoxFuture<'a, Result<Key256, ProviderError>> {
        Box::pin(async move {
            let stick = self.key().await?;
            if stick.id != wrapped.key_id {
                return Err(ProviderError::Refused(format!(
                    "the key {:?} is on the medium, and {:?} keeps this cluster's seal key: put \
                     in the other stick",
                    stick.id, wrapped.key_id
                )));
            }
            let opened = barrier::unwrap_key(&stick.key, wrapped);
            opened.map_err(|_| {
                ProviderError::Refused("the wrapped key in the data directory is damaged".into())
            })
        })
    }

    fn healthy(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { self.key().await.map(drop) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::test_settings;
    use super::*;

    fn stick(fields: &[(&str, &str)]) -> Result<Stick, SettingError> {
        Stick::new(&test_settings(KIND, fields))
    }

    #[tokio::test]
    async fn a_stick_opens_what_it_keeps_and_no_other_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let provider = stick(&[("path", path.to_str().unwrap())]).unwrap();
        assert!(matches!(
            provider.healthy().await,
            Err(ProviderError::Away(_))
        ));
        let (id, text) = new_key();
        std::fs::write(&path, text.expose()).unwrap();
        let key = Key256::generate();
        let wrapped = provider.wrap(&key).await.unwrap();
        assert_eq!(wrapped.key_id, id);
        let opened = provider.unwrap(&wrapped).await.unwrap();
        assert_eq!(opened.expose(), key.expose());
        assert_eq!(provider.is_current(&wrapped).await, Ok(true));
        let (other, another) = new_key();
        std::fs::write(&path, another.expose()).unwrap();
        let why = provider.unwrap(&wrapped).await.unwrap_err().to_string();
        assert!(why.contains(&other) && why.contains(&id), "{why}");
        assert_eq!(provider.is_current(&wrapped).await, Ok(false));
    }

    #[test]
    fn a_damaged_file_is_told_from_one_of_another_kind() {
        let (id, text) = new_key();
        let text = text.into_inner();
        assert_eq!(parse(&text).unwrap().id, id);
        assert_eq!(parse(&format!("{}\r\n", text.trim())).unwrap().id, id);
        let last = text.trim().chars().last().unwrap();
        let other = if last == '0' { "1" } else { "0" };
        let flipped = format!("{}{other}", text.trim().strip_suffix(last).unwrap());
        assert!(parse(&flipped).unwrap_err().contains("damaged"));
        for cut in [0, 5, text.len() / 2] {
            assert!(parse(&text[..cut]).is_err());
        }
        assert!(parse("hello").unwrap_err().contains("operator seal-key"));
        assert!(parse(&format!("{text} more")).is_err());
    }

    #[test]
    fn one_medium_of_a_name_is_taken_and_several_are_named() {
        let name = MediumName::Label("KEYS".into());
        let medium = |device: &str| Medium {
            device: device.into(),
            kind: Some("vfat"),
            folder: None,
        };
        let none = one(vec![], &name).unwrap_err();
        assert!(matches!(none, ProviderError::Away(_)));
        assert!(one(vec![medium("/dev/sda1")], &name).is_ok());
        let two = one(vec![medium("/dev/sda1"), medium("/dev/sdb1")], &name);
        let why = two.unwrap_err().to_string();
        assert!(why.contains("/dev/sda1 and /dev/sdb1"), "{why}");
    }

    #[test]
    fn a_stanza_names_one_place() {
        for (fields, word) in [
            (vec![], "label or uuid"),
            (vec![("path", "key")], "whole path"),
            (vec![("label", "A"), ("uuid", "B")], "not both"),
            (vec![("label", "A"), ("path", "../key")], "on the medium"),
            (vec![("lable", "A")], "lable is not a key"),
        ] {
            let why = stick(&fields).err().unwrap().to_string();
            assert!(why.contains(word), "{why}");
        }
        let place = |fields: &[(&str, &str)]| format!("{:?}", stick(fields).unwrap().place);
        assert!(place(&[("label", "A")]).contains(FILE));
        assert!(place(&[("uuid", "A"), ("path", "/a/b")]).contains("\"a/b\""));
        assert_eq!(place(&[("path", "/m/k")]), "Path(\"/m/k\")");
    }
}
