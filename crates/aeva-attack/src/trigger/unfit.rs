//! Why a trigger cannot come from a search over its setting.

/// Why a trigger does not fit its setting and images.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// A trigger of another shape than that of its family.
    #[error("setting {setting} holds a trigger that is no {expected}")]
    Family {
        /// The setting.
        setting: String,
        /// The kind of triggers in this setting.
        expected: &'static str,
    },
    /// A trigger that is not within the image.
    #[error(
        "a {what} of {rows} x {columns} pixels at row {row}, column {column} leaves an image of {height} x {width}"
    )]
    Outside {
        /// What it is.
        what: &'static str,
        /// Row of its upper left pixel.
        row: usize,
        /// Column of its upper left pixel.
        column: usize,
        /// Its height.
        rows: usize,
        /// Its width.
        columns: usize,
        /// Height of the image.
        height: usize,
        /// Width of the image.
        width: usize,
    },
    /// A trigger whose size differs from that of its setting.
    #[error("a {what} has a size of {found} pixels, but its setting has {expected}")]
    Size {
        /// What it is.
        what: &'static str,
        /// Size of the trigger, in what the strength of its shape counts.
        found: usize,
        /// Size of the setting on images of this shape.
        expected: usize,
    },
    /// A trigger whose amplitude differs from that of its setting, or is larger than an image can show.
    #[error("a {what} has an amplitude of {found}, but its setting has {expected}; at most 1 is possible")]
    Amplitude {
        /// What it is.
        what: &'static str,
        /// Amplitude of the trigger.
        found: f32,
        /// Amplitude of the setting.
        expected: f32,
    },
    /// A trigger that moves pixels further or less far than its setting.
    #[error("a {what} moves pixels by {found:.2} on average along each axis, but its setting has {expected:.2}")]
    Mean {
        /// What it is.
        what: &'static str,
        /// Mean way of the trigger in pixels.
        found: f32,
        /// Mean way of the setting in pixels.
        expected: f32,
    },
    /// Too few or too many values, or other numbers.
    #[error("a {what} has {found} {part}, needs {needed}")]
    Count {
        /// What they belong to.
        what: &'static str,
        /// What is counted.
        part: &'static str,
        /// How many there are.
        found: usize,
        /// Number that is needed.
        needed: usize,
    },
    /// A value outside its range.
    #[error("a value of a {what} is {found}, which is not within {low}..={high}")]
    Value {
        /// What the value belongs to.
        what: &'static str,
        /// The value.
        found: f32,
        /// Lowest possible value.
        low: f32,
        /// Highest possible value.
        high: f32,
    },
}

/// Checks the number of values and their range.
pub(super) fn check_values(
    what: &'static str,
    values: &[f32],
    needed: usize,
    [low, high]: [f32; 2],
) -> Result<(), Unfit> {
    if values.len() != needed {
        return Err(Unfit::Count { what, part: "values", found: values.len(), needed });
    }
    match values.iter().find(|value| !(low..=high).contains(value)) {
        Some(&found) => Err(Unfit::Value { what, found, low, high }),
        None => Ok(()),
    }
}
