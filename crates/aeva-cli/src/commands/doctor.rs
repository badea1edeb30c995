//! `aeva doctor [MODEL --data DATA]`: what a scan would find here, before it begins.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::thread;

use aeva_model::loader::KnownAnswers;
use aeva_model::{Build, Dataset, LoadedModel, Runtime, check_installation, library_folder};
use aeva_stats::IMAGES_NEEDED;

use super::{model, scan};
use crate::args::{DoctorArgs, ScanArgs};
use crate::exit::ExitStatus;
use crate::output::{plain, show};
use crate::signals;

/// Whether a line is good news.
#[derive(Clone, Copy)]
enum State {
    Ok,
    /// Nothing is wrong, and nothing is there.
    Absent,
    Warning,
}

pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<ExitStatus> {
    signals::catch()?;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let system = format!(
        "aeva {} on {} {}, {cores} cores",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    say(State::Ok, &system)?;
    let runtime = Runtime::load(args.device)?;
    say(State::Ok, &format!("ONNX Runtime {} for {}: {}", runtime.version(), args.device, runtime.path().display()))?;
    for build in [Build::Cuda, Build::OpenVino, Build::DirectMl] {
        let name = build.name();
        let (state, text) = match (library_folder(build), check_installation(build)) {
            (Some(folder), Ok(())) => (State::Ok, format!("the build for {name} is in {}", folder.display())),
            (Some(folder), Err(error)) if folder.is_dir() => (State::Warning, format!("the build for {name}: {error}")),
            _ => (State::Absent, format!("the build for {name} is not installed (aeva setup --device {name})")),
        };
        say(state, &text)?;
    }
    let (Some(path), Some(data_path)) = (&args.model, &args.data) else {
        return show("with MODEL and --data, this also looks at a model and its images")
            .map(|()| ExitStatus::Success)
            .map_err(Into::into);
    };
    let data = args.images.load(data_path)?;
    about_data(&data)?;
    let model = model::load(path, &args.input, &data, args.device, cores, KnownAnswers::default())?;
    about_model(&model, &data)?;
    drop(model);
    scan::run(&ScanArgs::of_doctor(path.clone(), data_path.clone(), args)?)
}

fn about_data(data: &Dataset) -> anyhow::Result<()> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for &label in &data.labels {
        *counts.entry(label).or_default() += 1;
    }
    let [height, width, channels] = data.image_shape();
    let (least, most) = (counts.values().min().copied().unwrap_or(0), counts.values().max().copied().unwrap_or(0));
    let (images, classes) = (data.labels.len(), counts.len());
    say(
        State::Ok,
        &format!(
            "{}: {images} images of {height} x {width} x {channels} in {classes} classes, {least} to {most} of each",
            plain(&super::name_of(data.path()))
        ),
    )?;
    let low = data.images.iter().copied().fold(f32::INFINITY, f32::min);
    let high = data.images.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let dark = high < 0.1;
    let range = format!("their pixels are in {low:.3}..{high:.3}");
    say(
        if dark { State::Warning } else { State::Ok },
        &if dark { format!("{range}: were 8-bit pixels divided by 255 twice?") } else { range },
    )?;
    let needed = IMAGES_NEEDED as usize;
    let few: Vec<String> = counts
        .iter()
        .filter(|&(_, &count)| count < needed)
        .map(|(label, count)| format!("{label} ({count})"))
        .collect();
    if !few.is_empty() {
        let shown = few.iter().take(12).cloned().collect::<Vec<_>>().join(", ");
        let more = if few.len() > 12 { format!(" and {} others", few.len() - 12) } else { String::new() };
        say(
            State::Warning,
            &format!(
                "fewer than {needed} images of the classes {shown}{more}: source-specific backdoors from them may be missed"
            ),
        )?;
    }
    Ok(())
}

fn about_model(model: &LoadedModel, data: &Dataset) -> anyhow::Result<()> {
    let name = plain(&model.name);
    say(State::Ok, &format!("{name}: {} labels; input {}", model.spec.classes, plain(&model.identity.preprocessing)))?;
    for note in &model.notes {
        say(State::Warning, &plain(note))?;
    }
    let accuracy = model.correct.accuracy();
    say(
        if accuracy < 0.8 { State::Warning } else { State::Ok },
        &format!("{:.1} % of the {} images are classified correctly", 100.0 * accuracy, data.labels.len()),
    )?;
    let (counts, images) = (model.correct.counts(), model.correct.images());
    let worst = counts.iter().zip(&images).enumerate().filter(|(_, (_, images))| **images > 0);
    let worst = worst.min_by(|a, b| (a.1.0 * b.1.1).cmp(&(b.1.0 * a.1.1)));
    if let Some((label, (correct, images))) = worst {
        let state = if 2 * correct < *images { State::Warning } else { State::Ok };
        say(state, &format!("the worst label is {label}: {correct} of {images} images are right"))?;
    }
    let missing = images.iter().filter(|&&count| count == 0).count();
    if missing > 0 {
        say(State::Warning, &format!("{missing} labels have no images: a scan cannot say that the model is clean"))?;
    }
    say(State::Ok, "the same image gets the same label, also in other company")?;
    say(State::Ok, &format!("{:.0} images a second on {} workers", model.queries_per_second, model.oracles.len()))
}

fn say(state: State, text: &str) -> anyhow::Result<()> {
    let mark = match state {
        State::Ok => "ok      ",
        State::Absent => "-       ",
        State::Warning => "warning ",
    };
    show(&format!("{mark}{text}")).map_err(Into::into)
}
