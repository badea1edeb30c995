//! The order of the dimensions of a model's input.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Order of the dimensions of a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[n, h, w, c]`: Keras and TensorFlow.
    Nhwc,
    /// `[n, c, h, w]`: PyTorch.
    Nchw,
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "nhwc" => Ok(Self::Nhwc),
            "nchw" => Ok(Self::Nchw),
            _ => Err(format!("`{text}` is not a layout: expected nhwc or nchw")),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nhwc => "nhwc",
            Self::Nchw => "nchw",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_parsed_in_any_case() {
        assert_eq!("NCHW".parse(), Ok(Layout::Nchw));
        assert_eq!("nhwc".parse(), Ok(Layout::Nhwc));
        assert_eq!("hwcn".parse::<Layout>().unwrap_err(), "`hwcn` is not a layout: expected nhwc or nchw");
    }
}
