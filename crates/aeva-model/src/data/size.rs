//! A size that pictures are given.

use std::fmt;
use std::str::FromStr;

/// Largest height and width. No classifier takes an image this large.
const MOST: u32 = 4096;

/// Height and width in pixels, each from 1 to 4096.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSize {
    pub(super) height: u32,
    pub(super) width: u32,
}

impl ImageSize {
    /// A size. `None` for one that no classifier takes.
    pub fn new(height: u32, width: u32) -> Option<Self> {
        [height, width].iter().all(|side| (1..=MOST).contains(side)).then_some(Self { height, width })
    }
}

impl FromStr for ImageSize {
    type Err = String;

    /// `HxW`, for example `224x320`, or one number for both.
    fn from_str(text: &str) -> Result<Self, String> {
        let (height, width) = text.split_once('x').unwrap_or((text, text));
        let side = |text: &str| text.trim().parse::<u32>().ok();
        side(height).zip(side(width)).and_then(|(height, width)| Self::new(height, width)).ok_or_else(|| {
            format!("`{text}` is no size: expected HEIGHTxWIDTH from 1x1 to {MOST}x{MOST}, or one number")
        })
    }
}

impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.height, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let size = |text: &str| text.parse::<ImageSize>().map(|size| (size.height, size.width));
        assert_eq!((size("224x320"), size("32"), size("1 x 4096")), (Ok((224, 320)), Ok((32, 32)), Ok((1, 4096))));
        for text in ["", "x", "224x", "0", "4097", "1x0", "-1", "2x2x2", "99999999999", "a"] {
            assert!(size(text).unwrap_err().contains("is no size"), "{text}");
        }
        assert_eq!(ImageSize::new(224, 320).unwrap().to_string(), "224 x 320");
    }
}
