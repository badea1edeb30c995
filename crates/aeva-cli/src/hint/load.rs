//! Hints for a model that is not ready for a scan.

use std::collections::BTreeMap;

use aeva_model::conventions::Fit;
use aeva_model::diagnosis::Cause;
use aeva_model::loader::{Misunderstanding, Precision};
use aeva_model::{Device, EndpointError, LoadError, MOST_CLASSES, OpenVinoHardware, Preprocessing};

use super::{attack, model, oracle, program};
use crate::output::plain;

/// Largest number of reordered labels in a hint.
const LISTED_LABELS: usize = 12;

pub(super) fn hint(error: &LoadError) -> Option<String> {
    let hint = match error {
        LoadError::Runtime(error) => model::runtime(error)?,
        LoadError::Model(error) | LoadError::Reference(error) => model::model(error)?,
        LoadError::Service(error) => service(error)?,
        LoadError::NoProtocol => {
            "state the protocol with --protocol (docs/endpoints.md); `aeva probe URL --data DATA` finds it out"
        }
        LoadError::NotForServices { .. } | LoadError::NotForPictures { .. } => "omit it",
        LoadError::Program(error) => program::program(error)?,
        LoadError::Labels { source, .. } | LoadError::Plan(source) => attack::plan(source)?,
        LoadError::Classify(error) => oracle(error)?,
        LoadError::NoManifest { .. } => "check the path given to --manifest",
        LoadError::Ambiguous { fits, .. } => return Some(ambiguous(fits)),
        LoadError::Misunderstood(misunderstanding) => return Some(misunderstood(misunderstanding)),
        LoadError::OneLabel { .. } => {
            "check the value range and the output of the model: see --value-range, --mean, --std and --output"
        }
        LoadError::ChanceLevel { .. } => {
            "check that the data uses the labels of the model, and check the value range, the layout and the output (--value-range, --mean, --std, --layout, --output); a program gets images `[n, h, w, c]` in 0..1"
        }
        LoadError::Nonconforming { .. } | LoadError::Wobbles { .. } => model::RANDOM_OPERATORS,
        LoadError::TooCoarse { precision, .. } => too_coarse(precision),
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn service(error: &EndpointError) -> Option<&'static str> {
    Some(match error {
        EndpointError::Address { .. } => {
            "name the address of the model, such as http://HOST/v2/models/NAME; a token goes into --token-env or --token-file"
        }
        EndpointError::Status { status: 401 | 403, .. } => {
            "state the token that the service wants: --token-env VARIABLE or --token-file FILE"
        }
        EndpointError::Status { status: 413, .. } => "send fewer images at a time: --request-images",
        EndpointError::Status { .. } => {
            "check the address, the protocol (--protocol), the layout (--layout) and the size of the images"
        }
        EndpointError::Unreachable { .. } => {
            "start the same command again when the service is there; a scan that had begun continues. --request-tries and --request-rate ask it more patiently"
        }
        EndpointError::Answer { .. } => {
            "check the address and the protocol (--protocol): docs/endpoints.md has both, and `aeva probe URL --data DATA` finds them out"
        }
        EndpointError::Spent { .. } => "start the same command again; --max-requests counts from the start of each run",
        EndpointError::Images { .. } => "images of one or three channels can be sent as pictures",
        EndpointError::Certificates { .. } => "name a file of certificates in PEM with --ca-file or SSL_CERT_FILE",
        EndpointError::Changed { .. } => {
            "wait until the service answers for one model, and scan into another folder with --out"
        }
        _ => return None,
    })
}

fn too_coarse(precision: &Precision) -> &'static str {
    match precision.device {
        Device::TensorRt { .. } => {
            "TensorRT uses TF32 unless NVIDIA_TF32_OVERRIDE=0 is set; set it, or use --device cuda"
        }
        Device::OpenVino { hardware: OpenVinoHardware::Bf16 } => "use --device openvino:cpu, which computes in f32",
        _ => "use --device cpu, or a device that computes in f32",
    }
}

/// Several conventions fit; the user has to choose.
fn ambiguous(fits: &[Fit]) -> String {
    let ways: Vec<String> = fits
        .iter()
        .map(|fit| {
            let (name, share) = (fit.convention.name, 100.0 * fit.accuracy);
            format!("\n  {name} ({share:.1} % right): {}", preprocessing_options(&fit.convention.preprocessing))
        })
        .collect();
    format!("state the one that the model was trained with:{}", ways.concat())
}

/// The options that specify a preprocessing.
pub(crate) fn preprocessing_options(preprocessing: &Preprocessing) -> String {
    let list = |values: &[f32]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut options = vec![format!("--value-range {}", preprocessing.value_range)];
    if !preprocessing.mean.is_empty() {
        options.push(format!("--mean {}", list(&preprocessing.mean)));
    }
    if !preprocessing.std.is_empty() {
        options.push(format!("--std {}", list(&preprocessing.std)));
    }
    if preprocessing.reverse_channels {
        options.push("--reverse-channels".to_owned());
    }
    options.join(" ")
}

/// The likely cause, and what to do about it.
fn misunderstood(misunderstanding: &Misunderstanding) -> String {
    let diagnosis = &misunderstanding.diagnosis;
    let (cause, remedy) = match &diagnosis.cause {
        Cause::ValueRange(range) => {
            (format!("the model takes pixels in {range}"), format!("use --value-range {range}"))
        }
        Cause::Normalisation { name, mean, std } => {
            let preprocessing = Preprocessing { mean: mean.clone(), std: std.clone(), ..Preprocessing::default() };
            let remedy = format!("use {}", preprocessing_options(&preprocessing));
            (format!("the model takes pixels normalised with the constants of {name}"), remedy)
        }
        Cause::ReversedChannels => {
            ("the model takes the channels in reverse order".to_owned(), "use --reverse-channels".to_owned())
        }
        Cause::Transposed => (
            "rows and columns of the images are swapped".to_owned(),
            "transpose the images of the data: numpy.swapaxes(x, 1, 2)".to_owned(),
        ),
        Cause::Inverted => (
            "the images are negatives of those that the model takes".to_owned(),
            "invert the images of the data: x = 255 - x".to_owned(),
        ),
        Cause::ShiftedLabels(offset) => (
            format!("the data's labels are the model's plus {offset}"),
            format!("renumber the labels of the data: y = y - {offset}"),
        ),
        Cause::ReorderedLabels(order) => reordered(misunderstanding.class_names.as_deref(), order),
        _ => ("of an unknown cause".to_owned(), "see docs/formats.md".to_owned()),
    };
    let (share, probes) = (100.0 * diagnosis.accuracy, misunderstanding.probes);
    format!("{cause} ({share:.1} % of {probes} images are then classified correctly): {remedy}")
}

/// The data has the model's classes in a different order.
fn reordered(class_names: Option<&[String]>, order: &[(u32, u32)]) -> (String, String) {
    let what = |label: u32| match class_names.and_then(|names| names.get(label as usize)) {
        Some(name) => format!("class `{}`", plain(name)),
        None => format!("label {label} of the data"),
    };
    let mut list: Vec<String> = order
        .iter()
        .take(LISTED_LABELS)
        .map(|&(label, model)| format!("{} is the model's label {model}", what(label)))
        .collect();
    if order.len() > LISTED_LABELS {
        list.push(format!("and {} more", order.len() - LISTED_LABELS));
    }
    let remedy = match class_names {
        Some(names) => format!(
            "state it with --class-order FILE, a text file with these lines (or name folders by the numbers of the model's labels):\n  {}",
            plain(&class_order(names, order).join("\n  "))
        ),
        None => "renumber the labels of the data".to_owned(),
    };
    (format!("the classes of the data are in another order than the model's: {}", list.join(", ")), remedy)
}

/// The names of the classes in the order of the model's labels, for `--class-order`. `order` has the labels that differ: the label of the
/// data, and the one of the model.
fn class_order(names: &[String], order: &[(u32, u32)]) -> Vec<String> {
    let mut of_model: BTreeMap<u32, &str> = (0..).zip(names.iter().map(String::as_str)).collect();
    for (label, _) in order {
        of_model.remove(label);
    }
    for &(label, model) in order {
        of_model.extend(names.get(label as usize).map(|name| (model, name.as_str())));
    }
    // The model may have labels that the data has no images of; they need a line, too.
    let last = of_model.keys().last().copied().unwrap_or_default().min(MOST_CLASSES);
    (0..=last)
        .map(|label| of_model.get(&label).map_or_else(|| format!("(label {label})"), |&name| name.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_that_was_found_has_a_line_for_each_label() {
        let names = ["ant", "bee", "cat", "dog"].map(str::to_owned);
        assert_eq!(class_order(&names, &[(0, 2), (2, 0)]), ["cat", "bee", "ant", "dog"]);
        assert_eq!(class_order(&names, &[(3, 5)]), ["ant", "bee", "cat", "(label 3)", "(label 4)", "dog"]);
        assert_eq!(class_order(&names, &[(0, 1), (1, 0), (9, 2)]), ["bee", "ant", "cat", "dog"]);
    }
}
