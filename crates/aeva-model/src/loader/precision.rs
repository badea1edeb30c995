//! How precisely a device computes, compared with the CPU.

use std::fmt;

use crate::Device;

/// How often a device and the CPU decide alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Precision {
    /// The device.
    pub device: Device,
    /// Share of the probes that both decide alike, from 0 to 1.
    pub share: f64,
    /// Number of probes.
    pub probes: u32,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} and the CPU decide {:.1} % of {} probes of the search's size alike",
            self.device,
            100.0 * self.share,
            self.probes
        )
    }
}
