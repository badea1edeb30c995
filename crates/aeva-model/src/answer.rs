//! What a run of a model answers, as labels.

use std::borrow::Cow;
use std::path::Path;

use aeva_attack::{Label, NO_LABEL};
use half::f16;
use ort::session::{Session, SessionOutputs};
use ort::value::{TensorElementType, ValueType};

use crate::label_graph::NOT_A_NUMBER;
use crate::{ExpectedOutput, ModelError};

/// The answer of one run, for all its rows.
pub(crate) enum Answer<'a> {
    Scores { width: usize, scores: Cow<'a, [f32]> },
    Labels(Cow<'a, [i64]>),
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
    let width = |shape: &[i64], scores: usize| {
        // Trailing dimensions of 1 are harmless. Anything else is not a list of scores.
        let &[first, ref rest @ ..] = shape else { return None };
        let width = rest.first().map_or(Some(1), |&width| usize::try_from(width).ok())?;
        (width > 0 && scores == width * rows && usize::try_from(first) == Ok(rows)).then_some(width)
    };
    if let Ok((shape, scores)) = output.try_extract_tensor::<f32>() {
        let width = width(shape, scores.len()).ok_or_else(|| unexpected(format!("f32 {:?}", &shape[..])))?;
        return Ok(Answer::Scores { width, scores: Cow::Borrowed(scores) });
    }
    if let Ok((shape, scores)) = output.try_extract_tensor::<f16>() {
        let width = width(shape, scores.len()).ok_or_else(|| unexpected(format!("f16 {:?}", &shape[..])))?;
        return Ok(Answer::Scores { width, scores: scores.iter().map(|score| score.to_f32()).collect() });
    }
    if let Ok((shape, labels)) = output.try_extract_tensor::<i64>() {
        if labels.len() != rows {
            return Err(unexpected(format!("i64 {:?}", &shape[..])));
        }
        return Ok(Answer::Labels(Cow::Borrowed(labels)));
    }
    if let Ok((shape, labels)) = output.try_extract_tensor::<i32>() {
        if labels.len() != rows {
            return Err(unexpected(format!("i32 {:?}", &shape[..])));
        }
        return Ok(Answer::Labels(labels.iter().map(|&label| label.into()).collect()));
    }
    Err(unexpected(format!("{:?}", output.dtype())))
}

/// The number of classes, if the output states it: scores `[n, classes]` or `[n, classes, 1, ..]`.
pub(crate) fn stated_classes(session: &Session, output: usize) -> Option<u32> {
    let ValueType::Tensor { ty: TensorElementType::Float32 | TensorElementType::Float16, shape, .. } =
        session.outputs().get(output)?.dtype()
    else {
        return None;
    };
    let &[_, classes, ref rest @ ..] = &shape[..] else { return None };
    rest.iter().all(|&size| size == 1).then_some(u32::try_from(classes).ok().filter(|&classes| classes > 0)?)
}

/// Appends the labels of the first `used` rows; [`NO_LABEL`] where the scores are not numbers. With a `threshold`, a row has one score, and
/// the label is 1 if it is above.
pub(crate) fn push_labels(
    answer: &Answer<'_>,
    used: usize,
    (classes, threshold): (u32, Option<f32>),
    path: &Path,
    labels: &mut Vec<Label>,
) -> Result<(), ModelError> {
    match answer {
        Answer::Scores { width, scores } => {
            for row in scores.chunks(*width).take(used) {
                let label = threshold.map_or_else(|| top_label(row), |threshold| side(row, threshold));
                labels.push(label.unwrap_or(NO_LABEL));
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

/// 1 if the only score is above the threshold, else 0. `None` if it is NaN.
fn side(scores: &[f32], threshold: f32) -> Option<Label> {
    scores.first().filter(|score| !score.is_nan()).map(|&score| Label::from(score > threshold))
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

    #[test]
    fn one_score_is_compared_with_the_threshold() {
        assert_eq!([0.4, 0.5, 0.6, f32::INFINITY].map(|score| side(&[score], 0.5)), [0, 0, 1, 1].map(Some));
        assert_eq!(side(&[f32::NAN], 0.5), None);
    }
}
