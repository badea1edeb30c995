//! The chart of what scans have decided after so many queries: `docs/power.svg`.

use std::fmt::Write;

use crate::bank::Decided;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Colours that are told apart in light and dark, and by people who do not see red or green.
const INFECTED: &str = "#d55e00";
const CLEAN: &str = "#0072b2";

/// The chart: a line for infected models and one for clean ones, and dashed ones of the version before.
pub(super) fn chart(now: &[Decided], before: &[Decided]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\" aria-label=\"Share of models that are decided rightly, by queries\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    for percent in [0, 25, 50, 75, 100] {
        let y = height(f64::from(percent) / 100.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{percent} %</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0
        );
    }
    let ends = now.first().zip(now.last()).map_or((1, 10), |(first, last)| (first.queries, last.queries));
    for queries in [5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000] {
        let x = place(queries, ends);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{queries}</text>",
            HEIGHT - BOTTOM + 18.0
        );
    }
    let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">queries</text>", WIDTH / 2.0, HEIGHT - 10.0);
    let lines = [
        (now, "infected models called backdoored", INFECTED, "", true),
        (now, "clean models called clean", CLEAN, "", false),
        (before, "the version before: infected", INFECTED, " stroke-dasharray=\"5 4\"", true),
        (before, "the version before: clean", CLEAN, " stroke-dasharray=\"5 4\"", false),
    ];
    for (row, (points, name, colour, dashes, is_infected)) in lines.into_iter().enumerate() {
        let point = |at: &Decided| {
            let share = if is_infected { at.infected } else { at.clean };
            format!("{:.1},{:.1}", place(at.queries, ends), height(share))
        };
        let points: Vec<String> = points.iter().map(point).collect();
        let (x, y) = (LEFT + 10.0 + 330.0 * (row / 2) as f64, 16.0 + 15.0 * (row % 2) as f64);
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>\n<line x1=\"{x}\" x2=\"{}\" y1=\"{}\" y2=\"{}\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/><text x=\"{}\" y=\"{y}\">{name}</text>",
            points.join(" "),
            x + 24.0,
            y - 4.0,
            y - 4.0,
            x + 30.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where so many queries are, on a logarithmic scale.
fn place(queries: u64, (first, last): (u64, u64)) -> f64 {
    let share = (queries as f64 / first as f64).ln() / (last as f64 / first as f64).ln();
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn height(share: f64) -> f64 {
    TOP + (1.0 - share) * (HEIGHT - TOP - BOTTOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_go_through_the_figures() {
        let at = |queries, infected, clean| Decided { queries, infected, clean };
        let now = [at(10_000, 0.0, 0.0), at(100_000, 1.0, 0.5)];
        let chart = chart(&now, &now[..1]);
        let (left, right) = (format!("{LEFT:.1},{:.1}", height(0.0)), WIDTH - RIGHT);
        assert!(chart.contains(&format!("<polyline points=\"{left} {right:.1},{:.1}\"", height(1.0))), "{chart}");
        assert!(chart.contains(&format!("<polyline points=\"{left} {right:.1},{:.1}\"", height(0.5))), "{chart}");
        assert!(chart.contains(&format!("<polyline points=\"{left}\"")) && chart.ends_with("</svg>\n"));
    }
}
