//! The figures on the terminal.

use anstyle::Style;

use super::Figures;

/// The table; `published` is the number of queries of the published setting.
pub(super) fn table(figures: &Figures, published: f64) -> String {
    let bold = Style::new().bold();
    let [height, width, channels] = figures.image_shape;
    let mut lines = vec![
        format!(
            "{}: {height}x{width}x{channels}, {} classes, on {} ({}), {} cores",
            figures.model, figures.classes, figures.device, figures.provider, figures.cores
        ),
        String::new(),
        format!("{bold}raw throughput{bold:#}"),
        format!("{bold}workers  batch  images/s{bold:#}"),
    ];
    for raw in &figures.raw {
        lines.push(format!("{:>7}  {:>5}  {:>8.0}", raw.workers, raw.batch_size, raw.images_per_second));
    }
    lines.push(String::new());
    lines.push(format!(
        "{bold}scan beside raw throughput{bold:#} ({} workers, batches of {})",
        figures.workers, figures.batch_size
    ));
    lines.push(format!("{bold}  round  raw images/s  scan queries/s  ratio  time in the model{bold:#}"));
    let row = |name: &str, raw: f64, scan: f64, ratio: f64, share: f64| {
        format!("{name:>7}  {raw:>12.0}  {scan:>14.0}  {ratio:>5.3}  {:>15.1} %", 100.0 * share)
    };
    for (number, round) in (1..).zip(&figures.rounds) {
        let (raw, scan) = (round.raw_images_per_second, round.scan_queries_per_second);
        lines.push(row(&format!("{number}"), raw, scan, round.ratio, round.time_in_model));
    }
    lines.push(row(
        "median",
        figures.raw_images_per_second,
        figures.scan_queries_per_second,
        figures.scan_to_raw_ratio,
        figures.scan_time_in_model,
    ));
    lines.push(String::new());
    let noise = &figures.noise;
    lines.push(format!(
        "apart from the model, on one thread: {:.2} us a query, {:.2} us of them noise ({:.2} ns a value)",
        noise.search_microseconds_per_query, noise.microseconds_per_image, noise.nanoseconds_per_value
    ));
    if let Some(agreement) = figures.agreement {
        lines.push(format!(
            "agreement with the CPU: {:.1} % of {} probes of the search's size, {} of {} images",
            100.0 * agreement.share,
            agreement.probes,
            agreement.images_alike,
            agreement.images
        ));
    }
    lines.push(format!(
        "the published setting for {} classes is some {published:.2e} queries: {:.1} minutes at this rate",
        figures.classes,
        published / figures.scan_queries_per_second.max(1.0) / 60.0
    ));
    for note in &figures.notes {
        lines.push(format!("note: {note}"));
    }
    lines.join("\n")
}
