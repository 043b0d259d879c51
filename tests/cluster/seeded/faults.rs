//! The faults, in an order that the seed decides.

use super::super::load::step;
use super::robbery::Robbery;
use super::world::World;
use coffer::peer::Way;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest pause between two faults.
const PAUSE_MS_MAX: u64 = 300;

/// Number of a thief's attempts before it goes.
const ATTACKS: usize = 4;

/// A source of faults.
pub struct Faults {
    pub dice: u64,
    /// The number of faults of each kind.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Faults {
    pub fn new(seed: u64) -> Self {
        Self {
            dice: step(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            counts: BTreeMap::new(),
        }
    }

    fn roll(&mut self, below: usize) -> usize {
        self.dice = step(self.dice);
        usize::try_from((self.dice >> 11) % u64::try_from(below).unwrap()).unwrap()
    }

    pub async fn pause(&mut self) {
        let ms = 20 + self.roll(usize::try_from(PAUSE_MS_MAX).unwrap());
        // Faults last for a while, and so do the times without: the test is about both.
        tokio::time::sleep(Duration::from_millis(u64::try_from(ms).unwrap())).await;
    }

    fn note(&mut self, kind: &'static str) {
        *self.counts.entry(kind).or_default() += 1;
    }

    /// Starts one fault, or ends some.
    pub async fn next(&mut self, world: &Arc<World>) {
        let count = world.count();
        let node = self.roll(count);
        let other = (node + 1 + self.roll(count - 1)) % count;
        match self.roll(15) {
            0 => {
                self.note("crash");
                world.crash(node).await;
            }
            1 => {
                self.note("crash of the leader");
                if let Some(leader) = world.leader() {
                    world.crash(leader).await;
                }
            }
            kind @ 2..=5 => self.cut(world, kind, node, other),
            kind @ 6..=8 => self.hinder(world, kind, node),
            9 => {
                self.note("seal");
                world.seal(node).await;
            }
            10 => {
                self.note("step-down");
                if let Some(leader) = world.leader().and_then(|leader| world.running(leader)) {
                    // There may be no node to take over.
                    let _ = leader.storage.hand_over(Duration::from_millis(500)).await;
                }
            }
            11 => {
                self.note("wipe");
                self.wipe(world, node).await;
            }
            12 => {
                self.note("remove and join again");
                self.replace(world, node).await;
            }
            13 => {
                self.note("thief");
                self.rob(world, node).await;
            }
            _ => {
                self.note("heal");
                world.heal().await;
            }
        }
        self.restart_some(world).await;
    }

    /// Cuts the power or a connection.
    fn cut(&mut self, world: &World, kind: usize, node: usize, other: usize) {
        let keys = world.keys();
        match kind {
            2 => {
                self.note("power cut in a write");
                let (writes, bytes) = (self.roll(5), self.roll(3000));
                let slots = world.slots.lock().unwrap();
                slots[node].disk.cut_power(
                    u64::try_from(writes).unwrap(),
                    u64::try_from(bytes).unwrap(),
                );
            }
            3 => {
                self.note("partition");
                for key in keys.iter().filter(|key| **key != keys[node]) {
                    world.net.part(&keys[node], key, true);
                }
            }
            4 => {
                self.note("one-way cut");
                let ends = |way: &mut Way| way.is_cut = true;
                world.net.change_way(&keys[node], &keys[other], ends);
            }
            _ => {
                self.note("flaky network");
                world.set_ways(&Way {
                    delay: Duration::ZERO..=Duration::from_millis(40),
                    lost_ppm: 150_000,
                    repeated_ppm: 150_000,
                    is_cut: false,
                });
            }
        }
    }

    /// Disturbs a node's disk or clock.
    fn hinder(&mut self, world: &World, kind: usize, node: usize) {
        match kind {
            6 => {
                self.note("slow disk");
                let delay = Duration::from_millis(u64::try_from(self.roll(120)).unwrap());
                world.slots.lock().unwrap()[node].disk.slow(delay);
            }
            7 => {
                self.note("full disk");
                world.slots.lock().unwrap()[node].disk.full(true);
            }
            _ => {
                self.note("clock jump");
                let skew = i64::try_from(self.roll(14_400)).unwrap() - 7200;
                world.slots.lock().unwrap()[node].skew_s = skew;
            }
        }
    }

    /// Restarts crashed nodes in time, some of them sealed.
    async fn restart_some(&mut self, world: &Arc<World>) {
        for number in 0..world.count() {
            let gone = {
                let slots = world.slots.lock().unwrap();
                slots[number].disk.is_off()
            };
            if gone && self.roll(2) == 0 {
                world.crash(number).await;
                world.start(number).await;
            }
            if self.roll(3) > 0 {
                world.unseal(number);
            }
        }
    }

    /// Gives a node an empty card, with which it joins anew. Only one node at a time, and with all
    /// others present: two lost cards of three are more than a majority can bear.
    async fn wipe(&mut self, world: &Arc<World>, node: usize) {
        world.heal().await;
        world.crash(node).await;
        world.wipe(node);
        world.start(node).await;
        world.join(node).await;
        world.unseal_when_possible(node).await;
    }

    /// Steals a node's card; the thief takes the node's place for a while, then a new node does. No
    /// other fault occurs meanwhile, because the thief does not keep the entries that it
    /// acknowledges.
    async fn rob(&mut self, world: &Arc<World>, node: usize) {
        world.heal().await;
        world.crash(node).await;
        world
            .wait("another node leads", || world.leader().is_some())
            .await;
        self.dice = step(self.dice);
        let robbery = Robbery::begin(world, node, self.dice).await;
        robbery.thief.rampage(ATTACKS).await;
        robbery.end();
        world.catch_up().await;
        world.remove(node).await;
        world.wipe(node);
        world.start(node).await;
        world.join(node).await;
        world.unseal_when_possible(node).await;
    }

    async fn replace(&mut self, world: &Arc<World>, node: usize) {
        world.heal().await;
        if world.remove(node).await {
            world.crash(node).await;
            world.wipe(node);
            world.start(node).await;
            world.join(node).await;
            world.unseal_when_possible(node).await;
        }
    }
}
