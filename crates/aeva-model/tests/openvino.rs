//! The ONNX oracle on OpenVINO. A process loads one build of ONNX Runtime only, so this is a test binary of its own. It needs the
//! build that `aeva setup --device openvino` installs.
#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

use std::io::Write;
use std::path::{Path, PathBuf};

use aeva_attack::{classify_all, conformance};
use aeva_model::{
    Build, Device, Layout, ModelFile, OnnxOptions, OnnxOracle, OpenVinoHardware, Preprocessing, Runtime, Transfer,
    library_folder,
};
use ndarray::Array4;

const OPEN_VINO: Device = Device::OpenVino { hardware: OpenVinoHardware::Cpu };

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/models/{name}.onnx"))
}

fn options(device: Device) -> OnnxOptions {
    OnnxOptions {
        device,
        image_shape: [4, 5, 3],
        layout: None,
        preprocessing: Preprocessing::default(),
        output: None,
        classes: Some(6),
        threshold: None,
        transfer: None,
        answer_timeout: OnnxOptions::ANSWER_TIMEOUT,
    }
}

/// The runtime; `None`, visibly, where it is not installed.
fn runtime() -> Option<Runtime> {
    if library_folder(Build::OpenVino).is_some_and(|folder| folder.is_dir()) {
        return Some(Runtime::load(OPEN_VINO).unwrap());
    }
    // The test harness captures the print macros, but not the stream.
    let _ = writeln!(std::io::stderr(), "SKIPPED: OpenVINO is not installed (aeva setup --device openvino)");
    None
}

/// The promises that every black box makes, and the labels that the CPU gives.
#[test]
fn every_form_keeps_the_promises_of_a_black_box() {
    let Some(runtime) = runtime() else { return };
    let images = Array4::from_shape_fn((60, 4, 5, 3), |(n, h, w, c)| {
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let index = (n * 60 + h * 15 + w * 3 + c) as f32;
        (index * 0.754_877_7).fract()
    });
    for transfer in [Transfer::Direct, Transfer::Bound] {
        for name in ["nhwc", "nchw", "fixed_batch", "dynamic", "labels"] {
            let layout = (name == "dynamic").then_some(Layout::Nhwc);
            let file = ModelFile::read(&path(name)).unwrap();
            let load = |device| {
                let options = OnnxOptions { transfer: Some(transfer), layout, ..options(device) };
                OnnxOracle::load(&runtime, &file, &options).unwrap()
            };
            let (labels, queries) = conformance::check(&mut load(OPEN_VINO), images.view()).unwrap();
            assert_eq!((labels.len(), queries), (60, 240), "{name}");
            let on_cpu = classify_all(&mut load(Device::Cpu), images.view(), 32).unwrap();
            assert_eq!(labels, on_cpu, "{name}");
        }
    }
}
