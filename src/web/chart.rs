//! Bars over time or over runs, drawn here: with axes that say what they count, and the same numbers as a table.

use super::words::Words;

/// Of the drawing, in its own units: height of the bars, room for the axes' words, and a bar with the gap after it.
const HIGH: f64 = 72.0;
const LEFT: f64 = 40.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 20.0;
const STEP: f64 = 14.0;
const WIDE: f64 = 10.0;
/// Least distance of two words on the horizontal axis, in bars.
const APART: usize = 7;

/// What a chart shows.
pub(super) struct Shows {
    /// What it is, for people who do not see it.
    pub title: String,
    /// What stands on the vertical axis, with its unit.
    pub counts: String,
    /// What stands on the horizontal axis.
    pub over: String,
    /// What the dark part of a bar is; none where bars are of one sort.
    pub part: Option<String>,
}

/// One bar.
pub(super) struct Point {
    /// When, or which run.
    pub label: String,
    /// The same in a few characters.
    pub short: String,
    pub value: u64,
    /// How much of it is of the dark sort.
    pub part: u64,
    /// Where its number leads; empty where it leads nowhere.
    pub href: String,
}

/// A chart, ready to be shown.
pub(super) struct Chart {
    pub shows: Shows,
    pub bars: Vec<Bar>,
    /// Lines across, with their numbers.
    pub lines: Vec<Line>,
    /// Words below.
    pub labels: Vec<Label>,
    pub width: f64,
    pub height: f64,
    pub left: f64,
    /// Where the words of the horizontal axis stand.
    pub below: f64,
}

pub(super) struct Bar {
    pub x: f64,
    pub y: f64,
    pub height: f64,
    pub part_y: f64,
    pub part_height: f64,
    pub label: String,
    pub value: u64,
    pub part: u64,
    /// The number in words, with what it counts.
    pub words: String,
    pub href: String,
}

pub(super) struct Line {
    pub y: f64,
    pub text_y: f64,
    pub number: u64,
}

pub(super) struct Label {
    pub x: f64,
    pub text: String,
}

impl Chart {
    /// A chart of `points`, the oldest first.
    pub(super) fn of(shows: Shows, points: Vec<Point>, words: Words) -> Self {
        let top = round_up(points.iter().map(|point| point.value).max().unwrap_or(0));
        let height = |value: u64| rounded(HIGH * value as f64 / top as f64);
        let base = TOP + HIGH;
        let x = |place: usize| LEFT + 2.0 + STEP * place as f64;
        let labels = labels(points.len())
            .filter_map(|place| Some(Label { x: x(place) + WIDE / 2.0, text: points.get(place)?.short.clone() }))
            .collect();
        let line = |number| Line { y: base - height(number), text_y: base - height(number) + 4.0, number };
        let mut lines: Vec<Line> = [0, top / 2, top].into_iter().map(line).collect();
        lines.dedup_by_key(|line| line.number);
        let width = x(points.len().max(APART)) + 4.0;
        let bars = points.into_iter().enumerate().map(|(place, point)| {
            // A number that is none is a bar one can still point at.
            let (high, part_high) = (height(point.value).max(1.0), height(point.part));
            let value = point.value.to_string();
            let said = match &shows.part {
                Some(part) => words.with(
                    "chart-bar-part",
                    &[("label", &point.label), ("value", &value), ("part", &point.part.to_string()), ("what", part)],
                ),
                None => words.with("chart-bar", &[("label", &point.label), ("value", &value)]),
            };
            Bar {
                x: x(place),
                y: base - high,
                height: high,
                part_y: base - part_high,
                part_height: part_high,
                label: point.label,
                value: point.value,
                part: point.part,
                words: said,
                href: point.href,
            }
        });
        Self {
            bars: bars.collect(),
            lines,
            labels,
            width,
            height: base + BOTTOM,
            left: LEFT,
            below: base + BOTTOM - 6.0,
            shows,
        }
    }
}

/// The least of 1, 2, 4, 6 and 10 times a power of ten that is not below `most`: half of it is whole too, but for 1.
fn round_up(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [1, 2, 4, 6, 10] {
            let candidate = power.saturating_mul(step);
            if candidate >= most.max(1) {
                return candidate;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Places of bars that are named: the last, and others so far apart that their words do not meet.
fn labels(many: usize) -> impl Iterator<Item = usize> {
    let last = many.saturating_sub(1);
    let every = (many / 4).max(APART);
    (0..many).filter(move |place| (last - place).is_multiple_of(every))
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words() -> Words {
        Words(crate::web::words::Language::English)
    }

    fn chart(values: &[u64]) -> Chart {
        let shows = Shows { title: "t".into(), counts: "c".into(), over: "o".into(), part: Some("p".into()) };
        let point = |(day, value): (usize, &u64)| {
            let (label, href) = (format!("2026-11-{day:02}"), format!("/{day}"));
            Point { label, short: format!("11-{day:02}"), value: *value, part: value / 2, href }
        };
        Chart::of(shows, values.iter().enumerate().map(point).collect(), words())
    }

    #[test]
    fn axes_have_round_numbers_and_the_newest_day() {
        let chart = chart(&[0, 3, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let numbers: Vec<u64> = chart.lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [0, 5, 10]);
        assert_eq!(chart.labels.last().unwrap().text, "11-11");
        assert!(chart.labels.windows(2).all(|pair| pair[1].x - pair[0].x >= APART as f64 * STEP));
        assert!(chart.bars[2].words.contains('7') && chart.bars[2].words.contains('3'), "{}", chart.bars[2].words);
        assert_eq!(round_up(0), 1);
        assert_eq!((round_up(1), round_up(61), round_up(101)), (1, 100, 200));
    }

    #[test]
    fn nothing_at_all_is_drawn_too() {
        assert_eq!(chart(&[]).bars.len(), 0);
        let numbers: Vec<u64> = chart(&[0]).lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [0, 1]);
    }

    proptest! {
        #[test]
        fn every_bar_stands_on_the_axis_within_the_drawing(values in prop::collection::vec(any::<u64>(), 0..60)) {
            let chart = chart(&values);
            for bar in &chart.bars {
                let base = chart.height - BOTTOM;
                prop_assert!(bar.y >= TOP - 0.2 && bar.y + bar.height <= base + 0.2 && bar.part_height <= bar.height);
                prop_assert!(bar.x >= LEFT && bar.x + WIDE <= chart.width);
            }
        }
    }
}
