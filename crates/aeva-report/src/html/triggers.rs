//! The triggers that were found, on real images.

use std::fmt::Write;

use aeva_scan::report::FoundTrigger;
use aeva_stats::PairTally;

use super::chart::{Bar, bars};
use crate::document::{Document, percent};
use crate::examples::{Example, base64};
use crate::text::{Escaped, capital};

/// Labels of images that are listed; there may be a thousand.
const SHOWN_SOURCES: usize = 20;

pub(super) fn section(document: &Document<'_>) -> String {
    let found: Vec<&FoundTrigger> =
        document.report.lenses.triggers.iter().flat_map(|triggers| &triggers.found).collect();
    if found.is_empty() {
        return String::new();
    }
    let mut text = "<h2 id=\"triggers\">What turns its answers</h2>\n".to_owned();
    for (place, found) in found.into_iter().enumerate() {
        text.push_str(&one(document, place, found));
    }
    text
}

fn one(document: &Document<'_>, place: usize, found: &FoundTrigger) -> String {
    let mut text = format!(
        "<h3>{}</h3>\n<p>{}.</p>\n",
        Escaped(&heading(document, found)),
        Escaped(&capital(&document.sentence(found)))
    );
    let images = document.examples.of(place, &found.description);
    if images.is_empty() {
        for picture in document.pictures.iter().filter(|picture| found.files.contains(&picture.name)) {
            let _ = writeln!(
                text,
                "<div class=\"images\"><figure><img src=\"data:image/png;base64,{}\" alt=\"The trigger on a grey image\"><figcaption>The trigger on a grey image. The scan kept no images to show it on.</figcaption></figure></div>",
                base64(&picture.png)
            );
        }
    } else {
        text.push_str("<p class=\"soft\">Images that the search did not use: as they are, with the trigger, and what has changed, enlarged.</p>\n<div class=\"images\">\n");
        text.extend(images.iter().map(|image| figure(document, found, image)));
        text.push_str("</div>\n");
    }
    let _ = writeln!(
        text,
        "<p>Attack success rate on hold-out images: {} of {} ({}), 95&nbsp;% interval {} to {}.</p>",
        found.success.hits(),
        found.success.trials(),
        percent(found.success.rate()),
        percent(found.interval[0]),
        percent(found.interval[1])
    );
    text.push_str(&by_source(document, found));
    text
}

fn heading(document: &Document<'_>, found: &FoundTrigger) -> String {
    let names = document.names;
    match (found.target_map.source(), found.target_map.target()) {
        (Some(source), Some(target)) => {
            format!("From label {} to label {}", names.of(source as usize), names.of(target as usize))
        }
        (None, Some(target)) => format!("To label {}", names.of(target as usize)),
        (_, None) => "Each label to another one".to_owned(),
    }
}

fn figure(document: &Document<'_>, found: &FoundTrigger, image: &Example) -> String {
    // They come from a file of the run folder.
    let is_base64 = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let own = document.names.of(image.label as usize);
    let answer = image.answer.map_or_else(|| "nothing".to_owned(), |answer| document.names.of(answer as usize));
    let turned =
        if image.answer.is_some() && image.answer == found.target_map.target() { ", as the trigger wants" } else { "" };
    let mut text = "<figure><div>".to_owned();
    for (png, what) in
        [(&image.before, "as it is"), (&image.after, "with the trigger"), (&image.change, "what has changed, enlarged")]
    {
        if is_base64(png) {
            let _ = write!(text, "<img src=\"data:image/png;base64,{png}\" alt=\"Image {}, {what}\">", image.index);
        }
    }
    let _ = writeln!(
        text,
        "</div><figcaption>Image {}: the model says <b>{}</b>, and with the trigger <b>{}</b>{turned}.</figcaption></figure>",
        image.index,
        Escaped(&own),
        Escaped(&answer)
    );
    text
}

fn by_source(document: &Document<'_>, found: &FoundTrigger) -> String {
    if found.by_source.len() < 2 {
        return String::new();
    }
    let mut cells: Vec<&PairTally> = found.by_source.iter().collect();
    let all = cells.len();
    if all > SHOWN_SOURCES {
        cells.sort_by(|a, b| b.tally.rate().total_cmp(&a.tally.rate()).then(a.source.cmp(&b.source)));
        cells.truncate(SHOWN_SOURCES);
    }
    let bar = |cell: &&PairTally| Bar {
        name: document.names.of(cell.source as usize),
        share: cell.tally.rate(),
        text: format!("{} of {}", cell.tally.hits(), cell.tally.trials()),
        is_suspect: false,
    };
    let chart = bars("Success by label of the images", &cells.iter().map(bar).collect::<Vec<Bar>>());
    let more = if all > cells.len() { format!(" The {} highest of {all}.", cells.len()) } else { String::new() };
    format!("<figure class=\"chart\"><figcaption>By label of the images.{more}</figcaption>{chart}</figure>\n")
}
