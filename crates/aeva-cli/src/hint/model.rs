//! Hints for errors of models, data and ONNX Runtime.

use aeva_model::{DataError, Device, ExpectedInput, ExpectedOutput, FileFormat, ModelError, RuntimeError};

/// For models whose answers are not repeatable.
pub(super) const RANDOM_OPERATORS: &str =
    "export the model without random operators (dropout, noise): results from random answers are unreliable";

pub(super) fn model(error: &ModelError) -> Option<&'static str> {
    Some(match error {
        ModelError::Io { .. } => {
            "check the path of the model; it comes before the options: aeva scan MODEL --data DATA"
        }
        ModelError::Manifest { .. } => "docs/formats.md lists the fields of a manifest",
        ModelError::Digest { .. } => {
            "the model was changed after its manifest was written: restore it, or write a new manifest (cargo xtask convert does)"
        }
        ModelError::Format { found: FileFormat::Hdf5 | FileFormat::Zip, .. } => {
            "convert a Keras model first: cargo xtask convert MODEL.h5 --out MODEL.onnx (PyTorch: torch.onnx.export)"
        }
        ModelError::Format { .. } => "the file must be an ONNX model",
        ModelError::NotAFile { .. } | ModelError::TooLarge { .. } => "give the path of an ONNX file",
        ModelError::Malformed { .. } => "the file is truncated or not an ONNX model: copy it again, or export it again",
        ModelError::Load { .. } => {
            "the file is truncated, not an ONNX model, or its operators are unknown: copy it again, or export it again"
        }
        ModelError::External { .. } => {
            "copy all files of the model into one folder; or export it as one file (torch.onnx.export(..., external_data=False))"
        }
        ModelError::Limit { .. } => {
            "export the model with a dynamic batch dimension and with no more labels than the model really has"
        }
        ModelError::TimedOut { .. } => {
            "if the model is only slow, give it more time with --answer-timeout SECONDS; a model that never answers cannot be scanned"
        }
        ModelError::NotDeterministic { .. } => RANDOM_OPERATORS,
        ModelError::Device { device, .. } => device_hint(*device),
        ModelError::Input { expected: ExpectedInput::Pixels, .. } => "export the model with f32, f16 or uint8 input",
        ModelError::Input { expected: ExpectedInput::Bytes, .. } => {
            "leave out --value-range, --mean and --std, also in the manifest: uint8 pixels go in as they are"
        }
        ModelError::Input { .. } => {
            "the model must take one batch of images [n, h, w, c] or [n, c, h, w] of the data's size; state --layout if both would fit"
        }
        ModelError::Output { expected: ExpectedOutput::StatedClasses, .. } => {
            "state the number of labels with --classes N, or choose an output with scores with --output NAME"
        }
        ModelError::Output { expected: ExpectedOutput::TwoClasses, .. } => {
            "state the score above which label 1 begins: --threshold 0.5 for a probability (sigmoid), --threshold 0 for a logit; or choose another output with --output NAME"
        }
        ModelError::Output { expected: ExpectedOutput::OneScore, .. } => {
            "leave out --threshold, or choose the output with one score with --output NAME"
        }
        ModelError::Output { .. } => {
            "choose the output with --output NAME; it must have one score per class, or one label per image"
        }
        ModelError::Preprocessing { .. } => {
            "give --mean and --std one value, or one per channel, in the unit of --value-range"
        }
        ModelError::NotANumber { .. } => "the value range may be wrong: see --value-range, --mean and --std",
        _ => return None,
    })
}

/// The requirements of a device.
fn device_hint(device: Device) -> &'static str {
    match device {
        Device::Cuda { .. } => {
            "install the build with CUDA (aeva setup --device cuda), the CUDA 13 and cuDNN 9 libraries, and a driver, or use --device cpu"
        }
        Device::TensorRt { .. } => {
            "install the build with TensorRT (aeva setup --device tensorrt), the libraries of CUDA 13, cuDNN 9 and TensorRT 10 and a driver, or use --device cuda"
        }
        Device::OpenVino { .. } => {
            "install the build with OpenVINO (aeva setup --device openvino; on Windows also the package `openvino`), or use --device cpu"
        }
        Device::CoreMl => "Core ML exists on macOS only; use --device cpu elsewhere",
        Device::DirectMl { .. } => {
            "DirectML exists on Windows only, with a DirectX 12 device (aeva setup --device directml); use --device cpu elsewhere"
        }
        Device::Cpu => "install ONNX Runtime once: aeva setup (from the source: cargo run -p aeva-cli -- setup)",
    }
}

pub(super) fn data(error: &DataError) -> Option<&'static str> {
    Some(match error {
        DataError::Io { .. } => "check the path given to --data",
        DataError::UnknownKind { .. } => {
            "convert the images to .npz (numpy.savez(FILE, x=images, y=labels)) or to a folder of PNG files with one sub-folder for each class, or write a .csv list of paths and labels"
        }
        DataError::NoLabels { .. } => "state the file with the labels: --labels LABELS.npy",
        DataError::Unused { .. } => "leave the option out, or give data of that kind",
        DataError::MissingArray { .. } => "store images and labels together: numpy.savez(FILE, x=images, y=labels)",
        DataError::PartialRecord { .. } => "the file is truncated: copy or download it again",
        DataError::ImageSize { .. } => "resize all images to the size the model takes: --resize HEIGHTxWIDTH",
        DataError::ImageChannels { .. } => {
            "with --resize HEIGHTxWIDTH they become RGB; or convert them, for example with PIL: Image.open(FILE).convert(\"RGB\").save(FILE)"
        }
        DataError::ClassOrder { .. } => {
            "write the name of each class in a line of its own, as the data has it; docs/formats.md says which data has names"
        }
        DataError::Form { .. } => "docs/formats.md describes the supported data formats",
        DataError::Decode { .. } => "the file is damaged or in another format: copy it again",
        _ => return None,
    })
}

pub(super) fn runtime(error: &RuntimeError) -> Option<&'static str> {
    Some(match error {
        RuntimeError::NotFound { device, .. } if *device != Device::Cpu => device_hint(*device),
        RuntimeError::NotFound { .. } => {
            "install it once: aeva setup (from the source: cargo run -p aeva-cli -- setup)"
        }
        RuntimeError::OverrideMissing { .. } => {
            "correct ORT_DYLIB_PATH, or unset it to use the library that `aeva setup` installs"
        }
        RuntimeError::Telemetry { .. } => "set the variable before the program starts",
        RuntimeError::Digest { .. } => "run `aeva setup`, which installs the library again",
        RuntimeError::Load { .. } => {
            "the library is damaged, too old, or for another system: run `aeva setup`, or correct ORT_DYLIB_PATH if it is set"
        }
        _ => return None,
    })
}
