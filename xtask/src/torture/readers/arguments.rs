//! The command line: numbers out of range, invalid devices, and files that are not files.

use std::path::PathBuf;

use super::{Case, GIB, Shared, Step};
use crate::torture::context::{CLEAN, SHORTEST};

/// Options with invalid or extreme values.
const OPTIONS: [(&str, &str); 33] = [
    ("--threads", "0"),
    ("--threads", "10000"),
    ("--threads", "18446744073709551615"),
    ("--batch-size", "0"),
    ("--batch-size", "1000000000"),
    ("--batch-size", "18446744073709551615"),
    ("--samples", "0"),
    ("--samples", "4294967295"),
    ("--iterations", "4294967295"),
    ("--initial-evaluations", "4294967295"),
    ("--query-budget", "0"),
    ("--query-budget", "1"),
    ("--query-budget", "18446744073709551615"),
    ("--seed", "18446744073709551615"),
    ("--mean", "nan"),
    ("--mean", "1e39"),
    ("--std", "1e-45"),
    ("--std", "nan"),
    ("--value-range", "-3e38..3e38"),
    ("--value-range", "0..1e-45"),
    ("--output", ""),
    ("--output", "\u{1b}[31m"),
    ("--device", "cuda:65535"),
    ("--device", "openvino"),
    ("--device", "tensorrt"),
    ("--device", "coreml"),
    ("--device", "directml"),
    ("--device", ""),
    ("--sources", "0-99999"),
    ("--sources", "5-3"),
    ("--perturbation-budget", "0"),
    ("--false-positive-rate", "nan"),
    ("--false-positive-rate", "0"),
];

/// Values that ask for more than the time allows: these commands only have to start correctly.
const LONG: [(&str, &str); 3] =
    [("--samples", "4294967295"), ("--iterations", "4294967295"), ("--initial-evaluations", "4294967295")];

pub(crate) fn cases<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let mut cases = Vec::new();
    for (option, value) in OPTIONS {
        cases.push(Case::new(format!("{option} {}", value.escape_debug()), move |folder, _| {
            let (model, data) = (shared.context.model(CLEAN), shared.context.data());
            let mut call = shared.context.scan(&model, &data, &folder.join("out")).memory(4 * GIB);
            for pair in SHORTEST.chunks(2).filter(|pair| pair[0] != option) {
                call = call.args(pair);
            }
            // Written as one word because a value may begin with a dash.
            call = call.arg(format!("{option}={value}"));
            if LONG.contains(&(option, value)) {
                call = call.args(["--query-budget", "1000"]);
            }
            Ok(vec![Step::any(call.limit(20))])
        }));
    }
    let (model, data) = (shared.context.model(CLEAN), shared.context.data());
    let special = |text: &str| PathBuf::from(text);
    for (model, data) in [
        (special(""), data.clone()),
        (model.clone(), special("")),
        (special("/"), data.clone()),
        (model.clone(), special("/dev/null")),
        (special("/dev/null"), data.clone()),
        (special("/dev/zero"), data.clone()),
        (model.clone(), special("/dev/zero")),
        (model.clone(), model.with_extension("toml")),
        (data.clone(), model.clone()),
    ] {
        cases.push(Case::new(format!("model {} and data {}", model.display(), data.display()), move |folder, _| {
            Ok(vec![Step::refused(shared.scan(&model, &data, folder))])
        }));
    }
    for words in [
        &["inspect", "/dev/zero"][..],
        &["inspect", "/dev/null"],
        &["inspect", ""],
        &["stats", "/dev/null"],
        &["stats", ""],
        &["stats", "/"],
        &["export", "/dev/null", "--out", "x.npy"],
        &["stamp", "/", "--data", "/dev/null", "--label", "3", "--out", "x.npz"],
    ] {
        cases.push(Case::new(words.join(" "), move |folder, _| {
            Ok(vec![Step::refused(shared.context.aeva(words).memory(4 * GIB).limit(20).folder(folder))])
        }));
    }
    cases
}
