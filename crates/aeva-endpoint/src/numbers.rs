//! Numbers as JSON, fast: most pixels are those of pictures of 8 bits.

use std::sync::LazyLock;

/// Bytes that a number takes in most cases, with what is behind it.
const USUAL: usize = 12;
const STEPS: u16 = 255;

/// `[k]` -> `k / 255`, and the same in words.
static OF_STEPS: LazyLock<Vec<(f32, String)>> = LazyLock::new(|| {
    let values = (0..=STEPS).map(|step| f32::from(step) / f32::from(STEPS));
    values.map(|value| (value, words(value))).collect()
});

/// Appends `values`, with commas between.
pub(crate) fn push(values: &[f32], text: &mut String) {
    let of_steps = &*OF_STEPS;
    text.reserve(USUAL * values.len());
    for (place, &value) in values.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        match of_steps.get(step(value)) {
            Some((known, words)) if known.to_bits() == value.to_bits() => text.push_str(words),
            _ => text.push_str(&words(value)),
        }
    }
}

/// The step that is nearest to a value in 0..1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of what is out of range is clamped"
)]
fn step(value: f32) -> usize {
    (value * f32::from(STEPS)).round() as usize
}

fn words(value: f32) -> String {
    serde_json::to_string(&value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_a_general_writer() {
        let mut values: Vec<f32> = (0..=510_u16).map(|half| f32::from(half) / 510.0).collect();
        values.extend([-0.0, 1e-30, 0.1, 255.0, 3.4e38, -2.5, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE]);
        values.extend((0..1000_u16).map(|at| (f32::from(at) * 0.618_034).fract()));
        let mut text = "[".to_owned();
        push(&values, &mut text);
        text.push(']');
        assert_eq!(Some(text), serde_json::to_string(&values).ok());
    }
}
