//! Hardware that is absent, hangs or fails, and its effect on the node.

use crate::hardware::keeper::Keeper;
use crate::hardware::lights::Lights;
use crate::hardware::mailbox::{Mailbox, Order};
use crate::hardware::pattern::{Face, Frame};
use crate::hardware::{Colour, Condition, HardwareError, Light, Members};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

/// A light that reports its frames, and fails or hangs when told to.
struct Fake {
    called: Sender<()>,
    shown: Sender<Colour>,
    /// The gate, where there is one: every frame waits for a permit.
    gate: Option<Arc<Mutex<Receiver<()>>>>,
}

impl Light for Fake {
    fn show(&mut self, frame: &Frame) -> Result<(), HardwareError> {
        let _ = self.called.send(());
        if let Some(gate) = &self.gate {
            let _permit = gate.lock().unwrap().recv();
        }
        if let Frame::Lamp(colour) = frame {
            let _ = self.shown.send(*colour);
        }
        Ok(())
    }

    fn off(self: Box<Self>) -> Result<(), HardwareError> {
        let _ = self.shown.send(Colour::DARK);
        Ok(())
    }
}

fn active() -> Condition {
    Condition::Active(Members::default())
}

fn fake(gate: Option<Receiver<()>>) -> (Lights, Receiver<Colour>, Receiver<()>) {
    let (shown, seen) = mpsc::channel();
    let (called, calls) = mpsc::channel();
    let gate = gate.map(|gate| Arc::new(Mutex::new(gate)));
    let mut lights = Lights::default();
    let open = move || {
        Ok(Box::new(Fake {
            shown: shown.clone(),
            called: called.clone(),
            gate: gate.clone(),
        }) as Box<dyn Light>)
    };
    let first = Condition::Uninitialised;
    lights.add("fake".into(), Face::Lamp, &first, Box::new(open));
    (lights, seen, calls)
}

#[test]
fn what_is_shown_follows_and_the_end_is_dark() {
    let (mut lights, seen, _calls) = fake(None);
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(Colour::MAGENTA));
    lights.panel().show(&active());
    let shown = std::iter::repeat_with(|| seen.recv_timeout(PATIENCE).unwrap());
    let shown = shown.take(2).find(|colour| *colour != Colour::DARK);
    assert_eq!(shown, Some(Colour::GREEN));
    lights.stop();
    lights.panel().show(&Condition::Starting);
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(Colour::DARK));
    assert!(seen.recv_timeout(PATIENCE).is_err(), "its thread is gone");
}

#[test]
fn hardware_that_hangs_delays_nobody() {
    let (permits, gate) = mpsc::channel();
    let (mut lights, seen, calls) = fake(Some(gate));
    calls.recv_timeout(PATIENCE).unwrap();
    let panel = lights.panel();
    let begun = Instant::now();
    for _ in 0..10_000 {
        panel.show(&Condition::Joining);
        panel.show(&active());
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    // Only the newest frame is shown once the device goes on.
    permits.send(()).unwrap();
    permits.send(()).unwrap();
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(Colour::MAGENTA));
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(Colour::GREEN));
    panel.show(&Condition::Stopping);
    let begun = Instant::now();
    lights.stop();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn what_is_absent_is_tried_rarely_and_ends() {
    let tries = Arc::new(Mutex::new(0));
    let (counted, (told, asked)) = (Arc::clone(&tries), mpsc::channel());
    let mut lights = Lights::default();
    let open = move || {
        *counted.lock().unwrap() += 1;
        told.send(()).unwrap();
        Err(HardwareError::Busy("fake".into()))
    };
    lights.add(
        "fake".into(),
        Face::Lamp,
        &Condition::Joining,
        Box::new(open),
    );
    asked.recv_timeout(PATIENCE).unwrap();
    for _ in 0..100 {
        lights.panel().show(&active());
        lights.panel().show(&Condition::Joining);
    }
    lights.stop();
    // The thread ends, and the opener with it.
    assert!(asked.recv_timeout(PATIENCE).is_err());
    assert_eq!(*tries.lock().unwrap(), 1);
}

/// A light that cannot show a frame but can be switched off.
struct Broken(Sender<&'static str>);

impl Light for Broken {
    fn show(&mut self, _frame: &Frame) -> Result<(), HardwareError> {
        let _ = self.0.send("show");
        Err(HardwareError::Busy("fake".into()))
    }

    fn off(self: Box<Self>) -> Result<(), HardwareError> {
        let _ = self.0.send("off");
        Ok(())
    }
}

#[test]
fn what_fails_is_given_back_as_it_was_found() {
    let (told, heard) = mpsc::channel();
    let mut lights = Lights::default();
    let open = move || Ok(Box::new(Broken(told.clone())) as Box<dyn Light>);
    let first = Condition::Starting;
    lights.add("fake".into(), Face::Lamp, &first, Box::new(open));
    assert_eq!(heard.recv_timeout(PATIENCE), Ok("show"));
    assert_eq!(heard.recv_timeout(PATIENCE), Ok("off"));
    lights.stop();
}

/// A start that fails at once is over before a light's thread has run.
#[test]
fn an_end_before_the_first_order_was_taken_switches_off_what_a_crash_left_lit() {
    let mailbox = Arc::new(Mailbox::new("fake".into(), Order::Show(active())));
    mailbox.post(Order::Off);
    let (told, heard) = mpsc::channel();
    let open = move || Ok(Box::new(Broken(told.clone())) as Box<dyn Light>);
    Keeper::new(Arc::clone(&mailbox), Face::Lamp, Box::new(open)).run();
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), ["off"]);
    assert!(mailbox.wait_for_end(Instant::now()));
}
