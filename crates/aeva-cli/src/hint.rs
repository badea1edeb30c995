//! What to do about an error: one sentence for each that a user can cause.

use std::fmt;

use aeva_artifact::{ArtifactError, DecodeError};
use aeva_attack::PlanError;
use aeva_model::{DataError, ModelError, RuntimeError};

/// An error of this program itself, with its hint.
#[derive(Debug)]
pub(crate) struct Hinted {
    message: String,
    hint: String,
}

impl Hinted {
    /// An error whose hint is known where it arises.
    pub(crate) fn error(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self { message: message.into(), hint: hint.into() })
    }
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// The hint for the first error of the chain that has one.
pub(crate) fn of(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(hinted) = cause.downcast_ref::<Hinted>() {
            return Some(hinted.hint.clone());
        }
        let known = cause
            .downcast_ref::<ModelError>()
            .map(model)
            .or_else(|| cause.downcast_ref::<DataError>().map(data))
            .or_else(|| cause.downcast_ref::<RuntimeError>().map(runtime))
            .or_else(|| cause.downcast_ref::<ArtifactError>().map(artifact))
            .or_else(|| cause.downcast_ref::<PlanError>().map(plan));
        known.flatten().map(str::to_owned)
    })
}

fn model(error: &ModelError) -> Option<&'static str> {
    Some(match error {
        ModelError::Io { .. } => {
            "check the path of the model; it is given before the options: aeva scan MODEL --data DATA"
        }
        ModelError::Manifest { .. } => "docs/formats.md lists the fields of a manifest",
        ModelError::Digest { .. } => {
            "the model was changed after its manifest was written: restore it, or write the manifest anew (cargo xtask convert does)"
        }
        ModelError::Format { found, .. } if found.contains("HDF5") || found.contains("Keras") => {
            "convert a Keras model first: cargo xtask convert MODEL.h5 --out MODEL.onnx (PyTorch: torch.onnx.export)"
        }
        ModelError::Format { .. } => "the file must be an ONNX model",
        ModelError::NotAFile { .. } | ModelError::TooLarge { .. } => "give the path of an ONNX file",
        ModelError::Malformed { .. } => "the file is truncated or not an ONNX model: copy it again, or export it anew",
        ModelError::Load { .. } => {
            "the file is truncated, not an ONNX model, or its operators are unknown: copy it again, or export it anew"
        }
        ModelError::External { .. } => {
            "copy all files of the model into one folder; or export it as one file (torch.onnx.export(..., external_data=False))"
        }
        ModelError::Limit { .. } => "export the model with a dynamic batch dimension and the labels that it really has",
        ModelError::TimedOut { .. } => {
            "a model that is only slow can be given more time: --answer-timeout SECONDS; one that never answers cannot be scanned"
        }
        ModelError::NotDeterministic { .. } => {
            "export the model without random operators (dropout, noise): nothing that is found on one that answers by chance can be relied on"
        }
        ModelError::Device { device, .. } => device_hint(device),
        ModelError::Input { found, .. }
            if found.contains("Float16") || found.contains("BFloat16") || found.contains("Uint8") =>
        {
            "export the model with f32 input"
        }
        ModelError::Input { .. } => {
            "the model must take one batch of images [n, h, w, c] or [n, c, h, w] of the data's size; state --layout if both would fit"
        }
        ModelError::Output { expected, .. } if expected.contains("number of classes") => {
            "state the number of labels with --classes N, or choose an output with scores with --output NAME"
        }
        ModelError::Output { .. } => {
            "choose the output with --output NAME; one score a class, or one label an image, is needed"
        }
        ModelError::Preprocessing { .. } => {
            "give --mean and --std one value, or one a channel, in the unit of --value-range"
        }
        ModelError::NotANumber { .. } => "the value range may be wrong: see --value-range, --mean and --std",
        _ => return None,
    })
}

/// What a device needs, by its name.
fn device_hint(device: &str) -> &'static str {
    match device.split(':').next().unwrap_or_default() {
        "cuda" => {
            "install the build with CUDA (aeva setup --device cuda), the CUDA 13 and cuDNN 9 libraries and a driver, or use --device cpu"
        }
        "tensorrt" => {
            "install the build with TensorRT (aeva setup --device tensorrt), the libraries of CUDA 13, cuDNN 9 and TensorRT 10 and a driver, or use --device cuda"
        }
        "openvino" => {
            "install the build with OpenVINO (aeva setup --device openvino; on Windows the package `openvino` besides), or use --device cpu"
        }
        "coreml" => "Core ML is there on macOS only; use --device cpu elsewhere",
        "directml" => {
            "DirectML is there on Windows only, with a DirectX 12 device (aeva setup --device directml); use --device cpu elsewhere"
        }
        _ => "install ONNX Runtime once: aeva setup (from the source: cargo run -p aeva-cli -- setup)",
    }
}

fn data(error: &DataError) -> Option<&'static str> {
    Some(match error {
        DataError::Io { .. } => "check the path given to --data",
        DataError::UnknownKind { .. } => {
            "convert the images to .npz (numpy.savez(FILE, x=images, y=labels)) or to a folder of PNG files"
        }
        DataError::Form { expected, .. } if expected.contains("labels under") || expected.contains("images under") => {
            "store images and labels together: numpy.savez(FILE, x=images, y=labels)"
        }
        DataError::Form { found, .. } if found.contains("CIFAR-10 records") => {
            "the file is truncated: copy or download it again"
        }
        DataError::Form { expected, .. } if expected.contains("one size") => {
            "resize all images to the size the model takes"
        }
        DataError::Form { expected, .. } if expected.contains("the same channels") => {
            "convert all images to one mode, for example with PIL: Image.open(FILE).convert(\"RGB\").save(FILE)"
        }
        DataError::Form { .. } => "docs/formats.md describes what data can be read",
        DataError::Decode { .. } => "the file is damaged or of another format: copy it again",
        _ => return None,
    })
}

fn runtime(error: &RuntimeError) -> Option<&'static str> {
    Some(match error {
        RuntimeError::NotFound { device, .. } if device != "cpu" => device_hint(device),
        RuntimeError::NotFound { .. } => {
            "install it once: aeva setup (from the source: cargo run -p aeva-cli -- setup)"
        }
        RuntimeError::OverrideMissing { .. } => {
            "correct ORT_DYLIB_PATH, or unset it to use the library that `aeva setup` installs"
        }
        RuntimeError::Telemetry { .. } => "set the variable before the program starts",
        RuntimeError::Digest { .. } => "run `aeva setup`, which installs the library anew",
        RuntimeError::Load { .. } => {
            "the library is damaged, too old or of another system: run `aeva setup`, or correct ORT_DYLIB_PATH if it is set"
        }
        _ => return None,
    })
}

fn artifact(error: &ArtifactError) -> Option<&'static str> {
    Some(match error {
        ArtifactError::OtherRun { .. } => "choose another folder with --out, or leave --out away",
        ArtifactError::OtherAnswers { .. } => {
            "scan into another folder with --out; when it happens again, the model answers by chance"
        }
        ArtifactError::Vanished { .. } => "start the scan again: the run folder was removed while it ran",
        ArtifactError::Link { .. } | ArtifactError::NotAFolder { .. } => {
            "move it out of the run folder, or choose another one with --out"
        }
        ArtifactError::NotRegular { .. } | ArtifactError::TooLarge { .. } => {
            "check the path: it is none of aeva's files"
        }
        ArtifactError::NotARun { .. } => "choose the folder of a scan, or an empty or new one for --out",
        ArtifactError::Decode { source: DecodeError::Magic { .. } | DecodeError::TooShort { .. }, .. } => {
            "give an artifact (.aeva) or the folder of a scan"
        }
        ArtifactError::Decode { source: DecodeError::Kind { found: 1..=3, .. }, .. } => {
            "the file is a sound artifact of another kind: `aeva inspect` shows it, `aeva stamp` puts triggers on images"
        }
        ArtifactError::Decode {
            source: DecodeError::PayloadVersion { .. } | DecodeError::ContainerVersion { .. },
            ..
        } => "a later version of aeva wrote the file: use that one",
        ArtifactError::Decode { .. } | ArtifactError::Foreign { .. } => {
            "start the same scan again in this folder: what cannot be used is computed anew"
        }
        ArtifactError::Io { action: "write" | "create", .. } => {
            "choose a folder you may write to with --out; check the free space"
        }
        ArtifactError::Io { .. } => "check the path and its permissions, or choose another folder with --out",
        ArtifactError::RunDescription { .. } => "restore run.json from a copy, or scan into another folder with --out",
        _ => return None,
    })
}

fn plan(error: &PlanError) -> Option<&'static str> {
    Some(match error {
        PlanError::Label { .. } => {
            "the data and the model do not belong together, or labels do not start at 0; for --sources and --targets: stay below the class count"
        }
        PlanError::NoCorrectImages { images: 0, .. } => {
            "add images of this class to the data, or leave the class out with --sources and --targets (the verdict is then inconclusive)"
        }
        PlanError::NoCorrectImages { .. } => {
            "check that the labels of the data are the model's, and its value range; add images of this class, or leave it out with --sources and --targets"
        }
        PlanError::TooManyPairs { .. } => {
            "name fewer labels with --sources and --targets, or look for triggers alone (--lens trigger)"
        }
        PlanError::NoPairs => "a search needs a source and another target: widen --sources or --targets",
        _ => return None,
    })
}
