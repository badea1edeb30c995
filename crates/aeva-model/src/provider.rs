//! The devices that run models, and the builds of ONNX Runtime that support them.

use std::fmt;
use std::str::FromStr;

/// Where a model runs. There is no fallback: a requested device that is not available is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The CPU in f32, the reference for every other device.
    Cpu,
    /// A CUDA device in f32, without TF32.
    Cuda {
        /// Its number.
        index: u16,
    },
    /// TensorRT on a CUDA device.
    TensorRt {
        /// Its number.
        index: u16,
    },
    /// Intel's OpenVINO, in f32 if the hardware supports it.
    OpenVino {
        /// The hardware that it runs on.
        hardware: OpenVinoHardware,
    },
    /// Apple's Core ML.
    CoreMl,
    /// A DirectX 12 device.
    DirectMl {
        /// Its number.
        index: u16,
    },
}

/// The hardware that OpenVINO runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenVinoHardware {
    /// The processor.
    Cpu,
    /// The processor in bf16: several times as fast on processors with matrix units, and too coarse for most searches.
    Bf16,
    /// Intel graphics.
    Gpu,
    /// A neural processing unit, which computes in 16 bits.
    Npu,
}

/// A build of ONNX Runtime, with the execution providers of some devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// The plain build; on macOS with Core ML.
    Cpu,
    /// With CUDA and TensorRT.
    Cuda,
    /// With OpenVINO.
    OpenVino,
    /// With DirectML.
    DirectMl,
}

impl Build {
    /// `cpu`, `cuda`, `openvino` or `directml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::OpenVino => "openvino",
            Self::DirectMl => "directml",
        }
    }

    /// The version of ONNX Runtime that `aeva setup` installs for this build.
    pub fn version(self) -> &'static str {
        match self {
            Self::Cpu | Self::Cuda => "1.31.1",
            Self::OpenVino => "1.24.1",
            Self::DirectMl => "1.24.4",
        }
    }
}

/// The names of all devices, for messages.
const EXPECTED: &str =
    "cpu, cuda, cuda:N, tensorrt, tensorrt:N, openvino (:cpu, :bf16, :gpu or :npu), coreml, directml or directml:N";

impl FromStr for Device {
    type Err = String;

    /// `cpu`, `cuda` (device 0), `cuda:N`, `tensorrt[:N]`, `openvino[:cpu|bf16|gpu|npu]`, `coreml`, `directml[:N]`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a device: expected {EXPECTED}");
        let (name, detail) = text.split_once(':').map_or((text, None), |(name, detail)| (name, Some(detail)));
        let index = || detail.map_or(Ok(0), str::parse::<u16>).map_err(|_| wrong());
        match name {
            "cpu" if detail.is_none() => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda { index: index()? }),
            "tensorrt" => Ok(Self::TensorRt { index: index()? }),
            "openvino" => match detail {
                None | Some("cpu") => Ok(Self::OpenVino { hardware: OpenVinoHardware::Cpu }),
                Some("bf16") => Ok(Self::OpenVino { hardware: OpenVinoHardware::Bf16 }),
                Some("gpu") => Ok(Self::OpenVino { hardware: OpenVinoHardware::Gpu }),
                Some("npu") => Ok(Self::OpenVino { hardware: OpenVinoHardware::Npu }),
                Some(_) => Err(wrong()),
            },
            "coreml" if detail.is_none() => Ok(Self::CoreMl),
            "directml" => Ok(Self::DirectMl { index: index()? }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda { index } => write!(f, "cuda:{index}"),
            Self::TensorRt { index } => write!(f, "tensorrt:{index}"),
            Self::OpenVino { hardware } => write!(f, "openvino:{}", hardware.name()),
            Self::CoreMl => f.write_str("coreml"),
            Self::DirectMl { index } => write!(f, "directml:{index}"),
        }
    }
}

impl Device {
    /// The kind of device, without its number. Rounding depends on it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda { .. } => "cuda",
            Self::TensorRt { .. } => "tensorrt",
            Self::OpenVino { hardware: OpenVinoHardware::Cpu } => "openvino-cpu",
            Self::OpenVino { hardware: OpenVinoHardware::Bf16 } => "openvino-bf16",
            Self::OpenVino { hardware: OpenVinoHardware::Gpu } => "openvino-gpu",
            Self::OpenVino { hardware: OpenVinoHardware::Npu } => "openvino-npu",
            Self::CoreMl => "coreml",
            Self::DirectMl { .. } => "directml",
        }
    }

    /// The build of ONNX Runtime that supports it.
    pub fn build(self) -> Build {
        match self {
            Self::Cpu | Self::CoreMl => Build::Cpu,
            Self::Cuda { .. } | Self::TensorRt { .. } => Build::Cuda,
            Self::OpenVino { .. } => Build::OpenVino,
            Self::DirectMl { .. } => Build::DirectMl,
        }
    }

    /// Whether it is the processor, on which one session per thread is best and small batches are as fast as large ones.
    pub fn is_processor(self) -> bool {
        use OpenVinoHardware::{Bf16, Cpu};
        matches!(self, Self::Cpu | Self::OpenVino { hardware: Cpu | Bf16 })
    }

    /// Its number, if it is a device with memory of its own that is reached through CUDA.
    pub(crate) fn cuda_index(self) -> Option<u16> {
        match self {
            Self::Cuda { index } | Self::TensorRt { index } => Some(index),
            _ => None,
        }
    }
}

impl OpenVinoHardware {
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Bf16 => "bf16",
            Self::Gpu => "gpu",
            Self::Npu => "npu",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_parsed_and_shown() {
        for text in [
            "cpu",
            "cuda:0",
            "cuda:3",
            "tensorrt:1",
            "openvino:cpu",
            "openvino:bf16",
            "openvino:gpu",
            "openvino:npu",
            "coreml",
            "directml:2",
        ] {
            assert_eq!(text.parse::<Device>().map(|device| device.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda { index: 0 }));
        assert_eq!("openvino".parse(), Ok(Device::OpenVino { hardware: OpenVinoHardware::Cpu }));
        for bad in ["gpu", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "", "cuda:99999", "coreml:1", "openvino:tpu"] {
            let error = bad.parse::<Device>().unwrap_err();
            assert!(error.contains("tensorrt"), "{bad}: {error}");
        }
    }
}
