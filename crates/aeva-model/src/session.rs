//! Sessions of ONNX Runtime on devices.

use std::sync::Arc;
use std::time::Duration;

use ort::ep;
use ort::ep::ArbitrarilyConfigurableExecutionProvider as _;
use ort::ep::ExecutionProviderDispatch;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use crate::guard::{BINDINGS, guarded};
use crate::watch::{Stoppable, Watched};
use crate::{Device, ModelError, ModelFile, OpenVinoHardware, Runtime};

/// Time that the CPU may take to load a model. Other devices compile it, which has no limit.
const LOAD_TIMEOUT: Duration = Duration::from_mins(5);

/// Loads a model on a device. `bytes` are those of its file, possibly with an added output.
///
/// # Errors
/// [`ModelError::Device`] if the device is not available, [`ModelError::Load`] if ONNX Runtime refuses the model.
pub(crate) fn session(
    runtime: &Runtime,
    model: &ModelFile,
    bytes: &[u8],
    device: Device,
) -> Result<Session, ModelError> {
    let load = |builder: SessionBuilder| {
        let refused = |error: &dyn std::fmt::Display| ModelError::Load {
            path: model.path().to_owned(),
            bytes: bytes.len(),
            why: error.to_string(),
        };
        let mut builder = builder;
        for (name, file) in &model.external {
            // These bytes are in the digest. Files that are changed later, or lie in the working folder, make no difference.
            builder = builder
                .with_external_initializer_file_in_memory(name, Arc::clone(file))
                .map_err(|error| refused(&error))?;
        }
        if let (false, Some(folder)) = (model.external.is_empty(), model.folder()) {
            // ONNX Runtime reads the tensors of inner graphs itself. Their files are in the digest as well.
            builder = builder
                .with_config_entry("session.model_external_initializers_file_folder_path", folder.to_string_lossy())
                .map_err(|error| refused(&error))?;
        }
        let watched = Watched::new(Stoppable::Load(builder.canceler()));
        let limit = if device == Device::Cpu { LOAD_TIMEOUT } else { Duration::MAX };
        let loaded = guarded(BINDINGS, || watched.within(limit, || builder.commit_from_memory(bytes)));
        match loaded {
            Ok(Some(session)) => session.map_err(|error| refused(&error)),
            Ok(None) => Err(refused(&format!("it took more than {} s", limit.as_secs()))),
            Err(why) => Err(refused(&why)),
        }
    };
    if device.cuda_index().is_none() {
        return load(builder(runtime, device)?);
    }
    // Nodes that the device does not support would run on the CPU, and every batch would be copied there and back.
    let strict = builder(runtime, device)?.with_disable_cpu_fallback().map_err(|error| refused(device, &error))?;
    if let Ok(session) = load(strict) {
        return Ok(session);
    }
    let session = load(builder(runtime, device)?)?;
    tracing::warn!(model = %model.path().display(), %device, "parts of the model run on the CPU, which is slower");
    Ok(session)
}

fn refused(device: Device, error: &dyn std::fmt::Display) -> ModelError {
    ModelError::Device { device, why: error.to_string() }
}

fn builder(runtime: &Runtime, device: Device) -> Result<SessionBuilder, ModelError> {
    let builder = Session::builder(&runtime.environment)
        .map_err(|error| refused(device, &error))?
        // For the blocked layouts, which double the throughput on the CPU.
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(|error| refused(device, &error))?
        // One thread per session: no synchronisation within a run, and sums are always added in the same order.
        .with_intra_threads(1)
        .map_err(|error| refused(device, &error))?
        .with_execution_providers(providers(device))
        .map_err(|error| refused(device, &error))?;
    if matches!(device, Device::DirectMl { .. }) {
        // DirectML does its own planning and refuses sessions that plan memory for it.
        return builder.with_memory_pattern(false).map_err(|error| refused(device, &error));
    }
    Ok(builder)
}

/// The providers of a device, in order of preference. A provider that is missing is an error: without `error_on_failure` the model
/// would run on the CPU without notice.
fn providers(device: Device) -> Vec<ExecutionProviderDispatch> {
    let cuda = |index: u16| {
        ep::CUDA::default()
            .with_device_id(i32::from(index))
            // TF32 has 10 bits of mantissa. Probes of 6e-6 per pixel are lost in its rounding.
            .with_tf32(false)
            // The exhaustive search may pick another kernel on the next run.
            .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
            // Otherwise each extension doubles the memory, for runs whose size is known.
            .with_arena_extend_strategy(ep::ArenaExtendStrategy::SameAsRequested)
            .build()
            .error_on_failure()
    };
    match device {
        Device::Cpu => Vec::new(),
        Device::Cuda { index } => vec![cuda(index)],
        Device::TensorRt { index } => {
            let tensor_rt = ep::TensorRT::default()
                .with_device_id(i32::from(index))
                .with_fp16(false)
                .with_bf16(false)
                .with_int8(false)
                .build()
                .error_on_failure();
            // TensorRT leaves what it cannot run to CUDA.
            vec![tensor_rt, cuda(index)]
        }
        Device::OpenVino { hardware } => vec![open_vino(hardware).build().error_on_failure()],
        Device::CoreMl => vec![
            ep::CoreML::default()
                .with_model_format(ep::coreml::ModelFormat::MLProgram)
                .with_low_precision_accumulation_on_gpu(false)
                .build()
                .error_on_failure(),
        ],
        Device::DirectMl { index } => {
            vec![ep::DirectML::default().with_device_id(i32::from(index)).build().error_on_failure()]
        }
    }
}

fn open_vino(hardware: OpenVinoHardware) -> ep::OpenVINO {
    // One thread per session, not pinned: pinned threads would all run on the first core.
    let processor = |precision: &str| {
        let config = format!(r#"{{"CPU":{{"INFERENCE_PRECISION_HINT":"{precision}","ENABLE_CPU_PINNING":"NO"}}}}"#);
        let provider = ep::OpenVINO::default().with_device_type("CPU").with_num_threads(1);
        provider.with_arbitrary_config("load_config", config)
    };
    match hardware {
        // Without this hint, OpenVINO may compute in bf16 on processors that are fast at it.
        OpenVinoHardware::Cpu => processor("f32"),
        OpenVinoHardware::Bf16 => processor("bf16"),
        OpenVinoHardware::Gpu => ep::OpenVINO::default().with_device_type("GPU").with_precision("FP32"),
        OpenVinoHardware::Npu => ep::OpenVINO::default().with_device_type("NPU"),
    }
}
