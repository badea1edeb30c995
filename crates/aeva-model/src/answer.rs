//! What a run of a model answers, as labels.

use std::path::Path;

use aeva_attack::{Label, NO_LABEL};
use ort::session::{Session, SessionOutputs};
use ort::value::{TensorElementType, ValueType};

use crate::label_graph::NOT_A_NUMBER;
use crate::{ExpectedOutput, ModelError};

/// The answer of one run, for all its rows.
pub(crate) enum Answer<'a> {
    Scores { width: usize, scores: &'a [f32] },
    Labels(&'a [i64]),
}

/// The answer in the output `index` of a run of `rows` images.
pub(crate) fn answer<'a>(
    outputs: &'a SessionOutputs<'_>,
    index: usize,
    rows: usize,
    path: &Path,
) -> Result<Answer<'a>, ModelError> {
    let output = &outputs[index];
    let unexpected = |found: String| ModelError::Output {
        path: path.to_owned(),
        found,
        expected: ExpectedOutput::ScoresOrLabels(rows),
    };
    if let Ok((shape, scores)) = output.try_extract_tensor::<f32>() {
        // Trailing dimensions of 1 are harmless. Anything else is not a list of scores.
        let width = shape.get(1).and_then(|&width| usize::try_from(width).ok()).unwrap_or(0);
        if width == 0 || scores.len() != width * rows || usize::try_from(shape[0]) != Ok(rows) {
            return Err(unexpected(format!("f32 {:?}", &shape[..])));
        }
        return Ok(Answer::Scores { width, scores });
    }
    if let Ok((shape, labels)) = output.try_extract_tensor::<i64>() {
        if labels.len() != rows {
            return Err(unexpected(format!("i64 {:?}", &shape[..])));
        }
        return Ok(Answer::Labels(labels));
    }
    Err(unexpected(format!("{:?}", output.dtype())))
}

/// The number of classes, if the output states it: f32 scores `[n, classes]` or `[n, classes, 1, ..]`.
pub(crate) fn stated_classes(session: &Session, output: usize) -> Option<u32> {
    let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = session.outputs().get(output)?.dtype() else {
        return None;
    };
    let &[_, classes, ref rest @ ..] = &shape[..] else { return None };
    rest.iter().all(|&size| size == 1).then_some(u32::try_from(classes).ok().filter(|&classes| classes > 0)?)
}

/// Appends the labels of the first `used` rows; [`NO_LABEL`] where the scores are not numbers.
pub(crate) fn push_labels(
    answer: &Answer<'_>,
    used: usize,
    classes: u32,
    path: &Path,
    labels: &mut Vec<Label>,
) -> Result<(), ModelError> {
    match answer {
        Answer::Scores { width, scores } => {
            for row in scores.chunks(*width).take(used) {
                labels.push(top_label(row).unwrap_or(NO_LABEL));
            }
        }
        Answer::Labels(found) => {
            for &label in found.iter().take(used) {
                if label == NOT_A_NUMBER {
                    labels.push(NO_LABEL);
                    continue;
                }
                let label = Label::try_from(label).ok().filter(|&label| label < classes);
                labels.push(label.ok_or_else(|| ModelError::Output {
                    path: path.to_owned(),
                    found: "a label outside of its classes".to_owned(),
                    expected: ExpectedOutput::LabelBelow(classes),
                })?);
            }
        }
    }
    Ok(())
}

/// Index of the largest score; the first one of equal scores, as in numpy. `None` if a score is NaN.
fn top_label(scores: &[f32]) -> Option<Label> {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if score.is_nan() {
            return None;
        }
        if *score > scores[best] {
            best = index;
        }
    }
    Label::try_from(best).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_label_is_the_first_maximum() {
        assert_eq!(top_label(&[0.1, 0.7, 0.7, 0.2]), Some(1));
        assert_eq!(top_label(&[f32::NEG_INFINITY, f32::MIN]), Some(1));
        assert_eq!(top_label(&[0.1, f32::NAN]), None);
    }
}
