//! The signature of a model: what its inputs and outputs say about the images it takes and the answers it gives.

use ort::session::Session;
use ort::value::{Outlet, ValueType};

use crate::element::Element;
use crate::{ExpectedInput, ExpectedOutput, Layout, ModelError, ModelFile};

/// Largest fixed batch that a model may have. Every batch is padded to this size, so a larger one would multiply the time and the
/// memory of a scan.
const MOST_ROWS: i64 = 4096;
/// Largest number of values of an image that is made up for a model.
const MOST_VALUES: usize = 1 << 26;

/// What a model takes.
pub(crate) struct Taken {
    pub(crate) layout: Layout,
    pub(crate) element: Element,
    /// The size of its batch, if that is fixed.
    pub(crate) fixed_rows: Option<usize>,
}

/// What the input takes of images of shape `[h, w, c]`.
pub(crate) fn taken(
    model: &ModelFile,
    session: &Session,
    image: [usize; 3],
    stated: Option<Layout>,
) -> Result<Taken, ModelError> {
    let wrong = |found: String, expected| ModelError::Input { path: model.path().to_owned(), found, expected };
    let [input] = session.inputs() else {
        return Err(wrong(format!("count {}", session.inputs().len()), ExpectedInput::OneInput));
    };
    let found = describe(input);
    let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
        return Err(wrong(found, ExpectedInput::Tensor));
    };
    let Some(element) = Element::of(*ty) else {
        return Err(wrong(found, ExpectedInput::Pixels));
    };
    let &[rows, a, b, c] = &shape[..] else {
        return Err(wrong(found, ExpectedInput::Rank4));
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
            return Err(wrong(found, ExpectedInput::UnambiguousLayout(image)));
        }
        (Some(layout), ..) => {
            return Err(wrong(found, ExpectedInput::StatedLayout(image, layout)));
        }
        (None, false, false) => {
            return Err(wrong(found, ExpectedInput::ImageShape(image)));
        }
    };
    Ok(Taken { layout, element, fixed_rows: usize::try_from(rows).ok().filter(|&rows| rows > 0) })
}

/// The image shape `[h, w, c]` that an input states. The dimension of size 1 or 3 is taken for the channels.
pub(crate) fn image_shape(
    model: &ModelFile,
    session: &Session,
    stated: Option<Layout>,
) -> Result<[usize; 3], ModelError> {
    let wrong = |found: String| ModelError::Input {
        path: model.path().to_owned(),
        found,
        expected: ExpectedInput::StatedShape,
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

/// The index of the output called `name`, or of the first output.
pub(crate) fn output_index(model: &ModelFile, session: &Session, name: Option<&str>) -> Result<usize, ModelError> {
    let outputs = session.outputs();
    let wrong = |expected| ModelError::Output { path: model.path().to_owned(), found: all_outputs(session), expected };
    match name {
        None if outputs.is_empty() => Err(wrong(ExpectedOutput::AnyOutput)),
        None => Ok(0),
        Some(name) => outputs
            .iter()
            .position(|output| output.name() == name)
            .ok_or_else(|| wrong(ExpectedOutput::Named(name.to_owned()))),
    }
}

/// All outputs, for messages.
pub(crate) fn all_outputs(session: &Session) -> String {
    session.outputs().iter().map(describe).collect::<Vec<_>>().join(", ")
}

/// Name, type and shape for messages, such as `input: Float32 [?, 32, 32, 3]`.
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
