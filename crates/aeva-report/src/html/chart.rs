//! Small charts as SVG.

use std::fmt::Write;

use crate::names::ClassNames;
use crate::text::Escaped;

/// A bar of a chart.
pub(super) struct Bar {
    pub(super) name: String,
    /// From 0 to 1.
    pub(super) share: f64,
    pub(super) text: String,
    pub(super) is_suspect: bool,
}

/// Horizontal bars with names and figures.
pub(super) fn bars(title: &str, bars: &[Bar]) -> String {
    const ROW: usize = 16;
    const LEFT: usize = 92;
    const LENGTH: f64 = 96.0;
    let height = ROW * bars.len() + 4;
    let mut svg = format!(
        "<svg viewBox=\"0 0 240 {height}\" role=\"img\" aria-label=\"{}\">\n<line class=\"line\" x1=\"{LEFT}\" y1=\"0\" x2=\"{LEFT}\" y2=\"{height}\"/>\n",
        Escaped(title)
    );
    for (place, bar) in bars.iter().enumerate() {
        let top = ROW * place + 2;
        let width = LENGTH * bar.share.clamp(0.0, 1.0);
        let class = if bar.is_suspect { "suspect" } else { "bar" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect class=\"{class}\" x=\"{LEFT}\" y=\"{top}\" width=\"{width:.1}\" height=\"12\"/><text x=\"{:.1}\" y=\"{}\">{}</text>",
            LEFT - 4,
            top + 10,
            Escaped(&shortened(&bar.name)),
            LEFT as f64 + width + 4.0,
            top + 10,
            Escaped(&bar.text),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A name that fits beside a bar.
fn shortened(name: &str) -> String {
    const MOST: usize = 14;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    name.chars().take(MOST - 1).chain(['\u{2026}']).collect()
}

/// A cell of a heat map.
pub(super) struct Cell {
    /// Label of the images, its row.
    pub(super) source: usize,
    /// Label that they get, its column.
    pub(super) target: usize,
    /// From 0 to 1.
    pub(super) share: f64,
    pub(super) text: String,
}

/// Pairs of labels: a row for each source and a column for each target. Cells of other labels than `labels` are left out.
pub(super) fn heat_map(title: &str, labels: &[usize], cells: &[Cell], names: &ClassNames) -> String {
    const SIDE: usize = 20;
    const LEFT: usize = 92;
    const TOP: usize = 44;
    let (width, height) = (LEFT + SIDE * labels.len() + 4, TOP + SIDE * labels.len() + 4);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" style=\"max-width:{width}px\" role=\"img\" aria-label=\"{}\">\n<text x=\"{LEFT}\" y=\"14\">to label</text><text x=\"2\" y=\"{}\">from</text>\n",
        Escaped(title),
        TOP - 6
    );
    let place = |label: usize| labels.iter().position(|&other| other == label);
    for (at, &label) in labels.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
            LEFT - 4,
            TOP + SIDE * at + 14,
            Escaped(&shortened(&names.of(label))),
            LEFT + SIDE * at + SIDE / 2,
            TOP - 6,
        );
    }
    for cell in cells {
        let (Some(row), Some(column)) = (place(cell.source), place(cell.target)) else { continue };
        let _ = writeln!(
            svg,
            "<rect class=\"suspect\" fill-opacity=\"{:.3}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{} to {}: {}</title></rect>",
            cell.share.clamp(0.0, 1.0),
            LEFT + SIDE * column,
            TOP + SIDE * row,
            SIDE - 1,
            SIDE - 1,
            Escaped(&names.of(cell.source)),
            Escaped(&names.of(cell.target)),
            Escaped(&cell.text),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Points on a line, with a limit and a point of its own.
pub(super) struct Strip<'a> {
    pub(super) title: &'a str,
    pub(super) others: Vec<f64>,
    pub(super) own: Option<f64>,
    pub(super) limit: Option<f64>,
}

impl Strip<'_> {
    /// As SVG. Values below the lowest shown one lie on the edge.
    pub(super) fn svg(&self) -> String {
        const LOWEST: f64 = -3.0;
        let shown = self.others.iter().copied().chain(self.own).chain(self.limit);
        let (low, high) = shown
            .map(|value| value.max(LOWEST))
            .fold((0.0_f64, 1.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = (low.floor(), high.ceil());
        let x = |value: f64| 20.0 + 560.0 * (value.max(LOWEST) - low) / (high - low);
        let mut svg = format!(
            "<svg viewBox=\"0 0 600 110\" role=\"img\" aria-label=\"{}\">\n<line class=\"line\" x1=\"20\" y1=\"70\" x2=\"580\" y2=\"70\"/>\n",
            Escaped(self.title)
        );
        #[expect(clippy::cast_possible_truncation, reason = "a few whole numbers")]
        for tick in low as i64..=high as i64 {
            let at = x(tick as f64);
            let _ = writeln!(
                svg,
                "<line class=\"line\" x1=\"{at:.1}\" y1=\"66\" x2=\"{at:.1}\" y2=\"74\"/><text x=\"{at:.1}\" y=\"90\" text-anchor=\"middle\">{tick}</text>"
            );
        }
        for &other in &self.others {
            let _ = writeln!(svg, "<circle class=\"other\" cx=\"{:.1}\" cy=\"60\" r=\"5\"/>", x(other));
        }
        if let Some(limit) = self.limit {
            let at = x(limit);
            let _ = writeln!(
                svg,
                "<line class=\"limit\" x1=\"{at:.1}\" y1=\"22\" x2=\"{at:.1}\" y2=\"74\"/><text x=\"{at:.1}\" y=\"16\" text-anchor=\"middle\">alarm beyond {limit:.2}</text>"
            );
        }
        if let Some(own) = self.own {
            let at = x(own);
            let anchor = if at > 500.0 { "end" } else { "start" };
            let _ = writeln!(
                svg,
                "<path class=\"model\" d=\"M {at:.1} 68 l -7 -14 l 14 0 z\"/><text x=\"{at:.1}\" y=\"40\" text-anchor=\"{anchor}\">this model: {own:.2}</text>"
            );
        }
        svg.push_str("<text x=\"300\" y=\"106\" text-anchor=\"middle\">evidence</text>\n</svg>\n");
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_shortened_and_markup_is_text() {
        let bar = |name: &str| Bar { name: name.to_owned(), share: 7.0, text: "9 %".to_owned(), is_suspect: true };
        let svg = bars("<rates>", &[bar("a very long name of a class"), bar("<b>")]);
        assert!(svg.contains("a very long n\u{2026}") && svg.contains("&lt;b&gt;") && svg.contains("&lt;rates&gt;"));
        assert!(svg.contains("width=\"96.0\""), "no bar is longer than the longest: {svg}");
    }

    #[test]
    fn far_values_lie_on_the_edge() {
        let strip = Strip { title: "evidence", others: vec![-40.0, 1.0], own: Some(5.2), limit: Some(1.5) };
        let svg = strip.svg();
        assert!(svg.contains("cx=\"20.0\"") && svg.contains("this model: 5.20") && svg.contains(">6</text>"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
