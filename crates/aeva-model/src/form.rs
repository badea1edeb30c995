//! What a model takes and answers, told from its inputs and outputs.

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

use crate::{Layout, ModelError, ModelFile};

/// Most rows of a batch that a model may insist on. Every question is padded to a whole batch, so that larger ones would take a
/// scan's time and memory many times over.
const MOST_ROWS: i64 = 4096;
/// Most values of an image that is made up for a model.
const MOST_VALUES: usize = 1 << 26;

/// Layout of the input, and its number of rows if that is fixed.
pub(crate) fn input_form(
    model: &ModelFile,
    session: &Session,
    image: [usize; 3],
    stated: Option<Layout>,
) -> Result<(Layout, Option<usize>), ModelError> {
    let wrong = |found: String, expected: String| ModelError::Input { path: model.path().to_owned(), found, expected };
    let [input] = session.inputs() else {
        return Err(wrong(format!("count {}", session.inputs().len()), "one input: a batch of images".to_owned()));
    };
    let found = describe(input);
    let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
        return Err(wrong(found, "a tensor".to_owned()));
    };
    if *ty != TensorElementType::Float32 {
        let expected = "f32: probes of the search are far below the resolution of other types".to_owned();
        return Err(wrong(found, expected));
    }
    let &[rows, a, b, c] = &shape[..] else {
        return Err(wrong(found, "rank 4: [n, h, w, c] or [n, c, h, w]".to_owned()));
    };
    if rows > MOST_ROWS {
        let found = rows.cast_unsigned();
        let limit = MOST_ROWS.cast_unsigned();
        return Err(ModelError::Limit { path: model.path().to_owned(), what: "rows in its fixed batch", found, limit });
    }
    // A dynamic dimension (-1) takes anything.
    let fits = |dimension: i64, size: usize| dimension < 0 || usize::try_from(dimension) == Ok(size);
    let [height, width, channels] = image;
    let nhwc = fits(a, height) && fits(b, width) && fits(c, channels);
    let nchw = fits(a, channels) && fits(b, height) && fits(c, width);
    let layout = match (stated, nhwc, nchw) {
        (Some(Layout::Nhwc), true, _) | (None, true, false) => Layout::Nhwc,
        (Some(Layout::Nchw), _, true) | (None, false, true) => Layout::Nchw,
        (None, true, true) => {
            return Err(wrong(
                found,
                format!("a layout that can be told from images of shape {image:?} [h, w, c]; state it (nhwc or nchw)"),
            ));
        }
        (Some(layout), ..) => {
            return Err(wrong(found, format!("images of shape {image:?} [h, w, c] in layout {layout}, as stated")));
        }
        (None, false, false) => {
            return Err(wrong(found, format!("images of the data's shape {image:?} [h, w, c]")));
        }
    };
    Ok((layout, usize::try_from(rows).ok().filter(|&rows| rows > 0)))
}

/// Image shape `[h, w, c]` of an input that states it; the channels are the dimension of 1 or 3.
pub(crate) fn image_shape(
    model: &ModelFile,
    session: &Session,
    stated: Option<Layout>,
) -> Result<[usize; 3], ModelError> {
    let wrong = |found: String| ModelError::Input {
        path: model.path().to_owned(),
        found,
        expected: "a stated image shape, [n, h, w, c] or [n, c, h, w] with 1 or 3 channels".to_owned(),
    };
    let Some(input) = session.inputs().first() else { return Err(wrong("count 0".to_owned())) };
    let ValueType::Tensor { shape, .. } = input.dtype() else { return Err(wrong(describe(input))) };
    let sizes: Vec<usize> = shape.iter().skip(1).filter_map(|&size| usize::try_from(size).ok()).collect();
    let &[a, b, c] = &sizes[..] else { return Err(wrong(describe(input))) };
    let channels = |size: usize| [1, 3].contains(&size);
    let values = a.checked_mul(b).and_then(|ab| ab.checked_mul(c));
    if !values.is_some_and(|values| (1..=MOST_VALUES).contains(&values)) {
        return Err(wrong(describe(input)));
    }
    match (stated, channels(c), channels(a)) {
        (Some(Layout::Nhwc), ..) | (None, true, false) => Ok([a, b, c]),
        (Some(Layout::Nchw), ..) | (None, false, true) => Ok([b, c, a]),
        (None, ..) => Err(wrong(describe(input))),
    }
}

pub(crate) fn output_index(model: &ModelFile, session: &Session, name: Option<&str>) -> Result<usize, ModelError> {
    let outputs = session.outputs();
    let found = || outputs.iter().map(describe).collect::<Vec<_>>().join(", ");
    let wrong = |expected: String| ModelError::Output { path: model.path().to_owned(), found: found(), expected };
    match name {
        None if outputs.is_empty() => Err(wrong("at least one output".to_owned())),
        None => Ok(0),
        Some(name) => outputs
            .iter()
            .position(|output| output.name() == name)
            .ok_or_else(|| wrong(format!("one of name `{name}`"))),
    }
}

/// Name, type and shape, for messages: `input: Float32 [?, 32, 32, 3]`.
pub(crate) fn describe(outlet: &Outlet) -> String {
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let dimensions: Vec<String> =
                shape.iter().map(|&size| if size < 0 { "?".to_owned() } else { size.to_string() }).collect();
            format!("{}: {ty:?} [{}]", outlet.name(), dimensions.join(", "))
        }
        other => format!("{}: {other:?}", outlet.name()),
    }
}
