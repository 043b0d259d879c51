//! A node's card in strange hands, on the network of the test.

use super::super::thief::{Card, Mood, Thief, copy};
use super::record::MARKER;
use super::world::World;
use coffer::peer::Network;
use std::sync::Arc;

/// The thief in a crashed node's place.
pub struct Robbery {
    pub thief: Arc<Thief>,
    /// The copy of the stolen card.
    _folder: tempfile::TempDir,
}

impl Robbery {
    /// Begins with the data that the crashed node `number` left on its card.
    pub async fn begin(world: &World, number: usize, seed: u64) -> Self {
        let (path, key) = world.card(number);
        let folder = tempfile::tempdir_in(world.folder()).unwrap();
        copy(&path, folder.path());
        let card = Card::read(folder.path()).await;
        let network: Arc<dyn Network> = world.net.node(key);
        Self {
            thief: Thief::new(card, network, None, &[MARKER], seed),
            _folder: folder,
        }
    }

    /// Ends the thief, and checks that it heard no secret.
    pub fn end(self) {
        self.thief.set_mood(Mood::Mute);
        let found = self.thief.ear.found();
        assert!(found.is_empty(), "the thief heard {found:?}");
    }
}
