//! The properties that every pattern has.

use crate::hardware::{Condition, Face, Frame, Pattern, PatternStep};
use std::collections::HashMap;

/// Returns the times for which a lamp is lit and dark, without its colour.
fn rhythm(pattern: &Pattern) -> Vec<(bool, u64)> {
    let part = |step: &PatternStep| match &step.frame {
        Frame::Lamp(colour) => (colour.is_lit(), step.ms),
        Frame::Picture(_) => panic!("a picture on a lamp"),
    };
    pattern.steps().iter().map(part).collect()
}

#[test]
fn every_condition_has_its_own_rhythm_and_its_own_shape() {
    let mut rhythms = HashMap::new();
    let mut shapes: HashMap<Vec<bool>, String> = HashMap::new();
    for condition in Condition::examples() {
        let name = condition.name();
        let lamp = rhythm(&Face::Lamp.pattern(&condition));
        let other = rhythms.insert(lamp, name.clone());
        let alike = other.filter(|other| !(other.starts_with("disk") && name.starts_with("disk")));
        assert_eq!(
            alike, None,
            "a lamp without colours shows the same for {name}"
        );
        let Frame::Picture(picture) = Face::Matrix.pattern(&condition).first().clone() else {
            panic!("not a picture");
        };
        let shape = picture.pixels().map(|colour| colour.is_lit()).collect();
        let alike = shapes.insert(shape, name.clone());
        assert_eq!(
            alike, None,
            "a matrix without colours shows the same for {name}"
        );
    }
}

#[test]
fn nothing_flashes_more_than_three_times_a_second() {
    for condition in Condition::examples() {
        for face in [Face::Lamp, Face::Matrix] {
            let pattern = face.pattern(&condition);
            let times = pattern.steps().iter().map(|step| step.ms);
            let twice: Vec<u64> = times.clone().chain(times).collect();
            for start in 0..twice.len() / 2 {
                // Four flashes begin with four steps that are lit.
                let four: u64 = twice.iter().skip(start).take(6).sum();
                assert!(
                    twice.len() < 12 || four >= 1_000,
                    "{}: {twice:?}",
                    condition.name()
                );
            }
            assert!(twice.iter().all(|ms| *ms >= 100), "{}", condition.name());
        }
    }
}
