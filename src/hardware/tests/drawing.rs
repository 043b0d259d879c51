//! Draws the picture of the patterns for people, from the patterns themselves.
//!
//! `BLESS=1 cargo test` draws it anew.

use crate::hardware::tests::recorded;
use crate::hardware::{Colour, Condition, Face, Frame, Pattern, PatternStep, Picture, SIDE};
use std::fmt::Write as _;

const WIDTH: u64 = 860;
const HEAD: u64 = 56;
const ROW: u64 = 76;
/// The strip of time: its left edge, and the time that it shows.
const STRIP: u64 = 310;
const STRIP_MS: u64 = 10_000;
/// The milliseconds of one pixel of the strip.
const STRIP_SCALE: u64 = 25;
const STRIP_HEIGHT: u64 = 18;
const MATRIX: u64 = 742;
const DOT: u64 = 7;

fn fill(colour: Colour) -> String {
    match colour.is_lit() {
        true => format!("#{:02x}{:02x}{:02x}", colour.red, colour.green, colour.blue),
        false => "#333".into(),
    }
}

/// Returns an animation that changes `fill` as the pattern does, for ever; nothing where it is
/// steady.
fn animation(steps: &[PatternStep], colour: impl Fn(&Frame) -> Colour) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let whole: u64 = steps.iter().map(|step| step.ms).sum();
    let (mut values, mut times, mut at) = (Vec::new(), Vec::new(), 0);
    for step in steps {
        values.push(fill(colour(&step.frame)));
        times.push(format!("{}.{:04}", at / whole, at % whole * 10_000 / whole));
        at += step.ms;
    }
    format!(
        "<animate attributeName=\"fill\" calcMode=\"discrete\" repeatCount=\"indefinite\" \
         dur=\"{whole}ms\" values=\"{}\" keyTimes=\"{}\"/>",
        values.join(";"),
        times.join(";")
    )
}

fn lamp_colour(frame: &Frame) -> Colour {
    match frame {
        Frame::Lamp(colour) => *colour,
        Frame::Picture(_) => Colour::DARK,
    }
}

fn lamp(svg: &mut String, top: u64, pattern: &Pattern) {
    let colour = fill(lamp_colour(pattern.first()));
    let moving = animation(pattern.steps(), lamp_colour);
    let middle = top + ROW / 2;
    writeln!(
        svg,
        "<circle cx=\"270\" cy=\"{middle}\" r=\"13\" fill=\"{colour}\">{moving}</circle>"
    )
    .unwrap();
    let y = middle - STRIP_HEIGHT / 2;
    let width = STRIP_MS / STRIP_SCALE;
    writeln!(
        svg,
        "<rect x=\"{STRIP}\" y=\"{y}\" width=\"{width}\" height=\"{STRIP_HEIGHT}\" \
         fill=\"#333\"/>"
    )
    .unwrap();
    let mut at = 0;
    while at < STRIP_MS {
        let elapsed = std::time::Duration::from_millis(at);
        let (frame, left) = pattern.at(elapsed);
        let left = left.map_or(STRIP_MS, |left| u64::try_from(left.as_millis()).unwrap());
        let shown = left.min(STRIP_MS - at);
        let colour = lamp_colour(frame);
        if colour.is_lit() {
            writeln!(
                svg,
                "<rect x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{STRIP_HEIGHT}\" fill=\"{}\"/>",
                STRIP + at / STRIP_SCALE,
                (shown / STRIP_SCALE).max(1),
                fill(colour)
            )
            .unwrap();
        }
        at += shown;
    }
}

fn matrix(svg: &mut String, top: u64, pattern: &Pattern) {
    let picture = |frame: &Frame| match frame {
        Frame::Picture(picture) => *picture,
        Frame::Lamp(_) => Picture::default(),
    };
    let y = top + (ROW - SIDE as u64 * (DOT + 1)) / 2;
    let side = SIDE as u64 * (DOT + 1) + 1;
    let edge = (MATRIX - 1, y - 1);
    writeln!(
        svg,
        "<rect x=\"{}\" y=\"{}\" width=\"{side}\" height=\"{side}\" fill=\"#333\"/>",
        edge.0, edge.1
    )
    .unwrap();
    for (row, column) in (0..SIDE * SIDE).map(|at| (at / SIDE, at % SIDE)) {
        let pixel = |frame: &Frame| picture(frame).pixel(row, column);
        let mut steps = pattern.steps();
        let mut moves = steps.iter().map(|step| pixel(&step.frame));
        let first = pixel(pattern.first());
        if moves.all(|colour| colour == first) {
            steps = &[];
        }
        if steps.is_empty() && !first.is_lit() {
            continue;
        }
        writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{DOT}\" height=\"{DOT}\" fill=\"{}\">{}</rect>",
            MATRIX + column as u64 * (DOT + 1),
            y + row as u64 * (DOT + 1),
            fill(first),
            animation(steps, pixel)
        )
        .unwrap();
    }
}

#[test]
fn the_picture_shows_the_patterns() {
    let examples = Condition::examples();
    let height = HEAD + ROW * examples.len() as u64 + 16;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"16\" fill=\"#eee\">\n\
         <title>The status lights of coffer</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#111\"/>\n\
         <text x=\"24\" y=\"34\" fill=\"#aaa\">condition</text>\n\
         <text x=\"{STRIP}\" y=\"34\" fill=\"#aaa\">one lamp, {} seconds</text>\n\
         <text x=\"{MATRIX}\" y=\"34\" fill=\"#aaa\">Sense HAT</text>\n",
        STRIP_MS / 1_000
    );
    for (number, condition) in (0..).zip(&examples) {
        let top = HEAD + ROW * number;
        let baseline = top + ROW / 2 + 6;
        writeln!(
            svg,
            "<text x=\"24\" y=\"{baseline}\">{}</text>",
            condition.name()
        )
        .unwrap();
        lamp(&mut svg, top, &Face::Lamp.pattern(condition));
        matrix(&mut svg, top, &Face::Matrix.pattern(condition));
    }
    svg.push_str("</svg>\n");
    recorded("src/hardware/patterns.svg", &svg);
}
