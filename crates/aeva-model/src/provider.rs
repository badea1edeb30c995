//! What runs the model.

use std::fmt;
use std::str::FromStr;

/// Where a model runs. There is no fallback: a device that was asked for and is missing is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The CPU, f32.
    Cpu,
    /// A CUDA device, f32 without TF32.
    Cuda {
        /// Its number.
        index: u16,
    },
}

impl FromStr for Device {
    type Err = String;

    /// `cpu`, `cuda` (device 0) or `cuda:N`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda { index: 0 }),
            Some(("cuda", index)) if index.parse::<u16>().is_ok() => {
                Ok(Self::Cuda { index: index.parse().unwrap_or_default() })
            }
            _ => Err(format!("`{text}` is no device: expected cpu, cuda or cuda:N")),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda { index } => write!(f, "cuda:{index}"),
        }
    }
}

impl Device {
    /// Kind of device, without its number: what rounding depends on.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda { .. } => "cuda",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_parsed() {
        for (text, device) in
            [("cpu", Device::Cpu), ("cuda", Device::Cuda { index: 0 }), ("cuda:3", Device::Cuda { index: 3 })]
        {
            assert_eq!(text.parse(), Ok(device));
        }
        for bad in ["gpu", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "", "cuda:99999"] {
            assert!(bad.parse::<Device>().is_err(), "{bad}");
        }
    }
}
