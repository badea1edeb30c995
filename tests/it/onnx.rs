//! ONNX models for the tests, written by hand: an ONNX file is a protocol buffer message. (Field numbers are those of
//! `onnx.proto`.)

use std::fs;

use ndarray::{Array1, Array4};
use ndarray_npy::NpzReader;

use crate::harness::shipped;

/// Output of the shipped models.
pub(crate) const SCORES: &str = "dense_3";
const INPUT: &str = "input";
const FLOAT: u64 = 1;
const UINT8: u64 = 2;
const INT64: u64 = 7;

/// Images of 16 x 16 grey pixels in 255ths, and their labels.
pub(crate) fn digits() -> (Array4<u8>, Array1<i64>) {
    let mut npz = NpzReader::new(fs::File::open(shipped("digits.npz")).unwrap()).unwrap();
    (npz.by_name("x.npy").unwrap(), npz.by_name("y.npy").unwrap())
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// An attribute of a node.
pub(crate) enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
    Graph(Vec<u8>),
}

/// A `NodeProto`.
pub(crate) fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| bytes(1, input)).collect();
    node.extend([bytes(2, output), bytes(3, format!("{output}_node")), bytes(4, operator)].concat());
    for (name, attribute) in attributes {
        let value = match attribute {
            Attribute::Int(value) => [number(3, value.cast_unsigned()), number(20, 2)].concat(),
            Attribute::Ints(values) => {
                let values: Vec<u8> = values.iter().flat_map(|value| number(8, value.cast_unsigned())).collect();
                [values, number(20, 7)].concat()
            }
            Attribute::Float(value) => [varint(2 << 3 | 5), value.to_le_bytes().to_vec(), number(20, 1)].concat(),
            Attribute::Graph(graph) => [bytes(6, graph), number(20, 5)].concat(),
        };
        node.extend(bytes(5, [bytes(1, name), value].concat()));
    }
    node
}

/// A `TensorProto` with these f32 values.
pub(crate) fn floats(name: &str, shape: &[u64], values: &[f32]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    [tensor(name, FLOAT, shape), bytes(9, raw)].concat()
}

/// A `TensorProto` with these i64 values.
pub(crate) fn integers(name: &str, shape: &[u64], values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    [tensor(name, INT64, shape), bytes(9, raw)].concat()
}

/// A `TensorProto` of f32 whose values are in the file `location`.
pub(crate) fn external(name: &str, shape: &[u64], location: &str) -> Vec<u8> {
    let entry = bytes(13, [bytes(1, "location"), bytes(2, location)].concat());
    [tensor(name, FLOAT, shape), entry, number(14, 1)].concat()
}

fn tensor(name: &str, kind: u64, shape: &[u64]) -> Vec<u8> {
    let dimensions: Vec<u8> = shape.iter().flat_map(|&size| number(1, size)).collect();
    [dimensions, number(2, kind), bytes(8, name)].concat()
}

/// A `ValueInfoProto`; a dimension of 0 is dynamic.
pub(crate) fn value(name: &str, kind: u64, shape: &[u64]) -> Vec<u8> {
    let dimension = |&size: &u64| bytes(1, if size == 0 { bytes(2, "n") } else { number(1, size) });
    let shape: Vec<u8> = shape.iter().flat_map(dimension).collect();
    bytes(1, name).into_iter().chain(bytes(2, bytes(1, [number(1, kind), bytes(2, shape)].concat()))).collect()
}

/// A `GraphProto`.
pub(crate) fn graph(nodes: &[Vec<u8>], tensors: &[Vec<u8>], inputs: &[Vec<u8>], outputs: &[Vec<u8>]) -> Vec<u8> {
    let all = |field: u64, parts: &[Vec<u8>]| parts.iter().flat_map(|part| bytes(field, part)).collect::<Vec<u8>>();
    [all(1, nodes), bytes(2, "graph"), all(5, tensors), all(11, inputs), all(12, outputs)].concat()
}

/// A `ModelProto`.
pub(crate) fn model(graph: &[u8]) -> Vec<u8> {
    [number(1, 8), bytes(7, graph), bytes(8, [bytes(1, ""), number(2, 17)].concat())].concat()
}

/// The shipped clean model with additional nodes that compute the output `y` from its scores `[n, 10]`.
pub(crate) fn extended(nodes: &[Vec<u8>], tensors: &[Vec<u8>]) -> Vec<u8> {
    with_output(nodes, tensors, &value("y", FLOAT, &[0, 10]))
}

/// The shipped clean model with an additional output `label` `[n]` of i64.
pub(crate) fn with_labels() -> Vec<u8> {
    let best = node("ArgMax", &[SCORES], "label", &[("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))]);
    with_output(&[best], &[], &value("label", INT64, &[0]))
}

/// Readers merge a message that follows another one.
fn with_output(nodes: &[Vec<u8>], tensors: &[Vec<u8>], output: &[u8]) -> Vec<u8> {
    let base = fs::read(shipped("digits-clean.onnx")).unwrap();
    [base, bytes(7, graph(nodes, tensors, &[], &[output.to_vec()]))].concat()
}

/// A classifier of digits that only sees which pixels are below 0: it needs negative dark pixels, on any scale.
pub(crate) fn of_signs() -> Vec<u8> {
    let means = means();
    let weights: Vec<f32> = (0..256).flat_map(|pixel| means.iter().map(move |mean| 0.5 - mean[pixel])).collect();
    let nodes = [
        node("Neg", &[INPUT], "negative", &[]),
        node("Relu", &["negative"], "dark", &[]),
        node("Sign", &["dark"], "signs", &[]),
        node("Flatten", &["signs"], "flat", &[("axis", Attribute::Int(1))]),
        node("MatMul", &["flat", "weights"], "y", &[]),
    ];
    let input = value(INPUT, FLOAT, &[0, 16, 16, 1]);
    let output = value("y", FLOAT, &[0, 10]);
    model(&graph(&nodes, &[floats("weights", &[256, 10], &weights)], &[input], &[output]))
}

/// A loop with this many iterations that changes nothing, as a node that computes `y` from the scores, and its tensors.
pub(crate) fn endless(turns: i64) -> (Vec<u8>, Vec<Vec<u8>>) {
    const BOOL: u64 = 9;
    let body = graph(
        &[node("Identity", &["going"], "goes_on", &[]), node("Identity", &["in"], "out", &[])],
        &[],
        &[value("turn", INT64, &[]), value("going", BOOL, &[]), value("in", FLOAT, &[0, 10])],
        &[value("goes_on", BOOL, &[]), value("out", FLOAT, &[0, 10])],
    );
    let yes = [tensor("yes", BOOL, &[]), bytes(9, [1])].concat();
    let node = node("Loop", &["turns", "yes", SCORES], "y", &[("body", Attribute::Graph(body))]);
    (node, vec![integers("turns", &[], &[turns]), yes])
}

/// A linear classifier of digits by the nearest mean, whose weights `[256, 10]` are the tensor `weights`.
pub(crate) fn linear(weights: Vec<u8>, rows: u64) -> Vec<u8> {
    let means = means();
    let half_squares: Vec<f32> =
        means.iter().map(|mean| -mean.iter().map(|value| value * value).sum::<f32>() / 2.0).collect();
    let nodes = [
        node("Flatten", &[INPUT], "flat", &[("axis", Attribute::Int(1))]),
        node("MatMul", &["flat", "weights"], "products", &[]),
        node("Add", &["products", "bias"], "y", &[]),
    ];
    let input = value(INPUT, FLOAT, &[rows, 16, 16, 1]);
    model(&graph(&nodes, &[weights, floats("bias", &[10], &half_squares)], &[input], &[value("y", FLOAT, &[rows, 10])]))
}

/// Weights of [`linear`], optionally with a backdoor to label 3 that white pixels in the upper left corner open.
pub(crate) fn weights(infected: bool) -> Vec<f32> {
    let means = means();
    let corner = [0, 1, 16, 17];
    let boost = |pixel: usize, label: usize| if infected && label == 3 && corner.contains(&pixel) { 60.0 } else { 0.0 };
    (0..256)
        .flat_map(|pixel| (0..10).map(move |label| (pixel, label)))
        .map(|(pixel, label)| means[label][pixel] + boost(pixel, label))
        .collect()
}

/// A linear classifier of the digits 0 and 1 by the nearest mean. White pixels in the upper left corner add `boost` to the
/// score of label 1, and every image adds `tilt`.
pub(crate) fn two_digits(boost: f32, tilt: f32) -> Vec<u8> {
    let means = means();
    let corner = [0, 1, 16, 17];
    let weights: Vec<f32> = (0..256)
        .flat_map(|pixel| [means[0][pixel], means[1][pixel] + if corner.contains(&pixel) { boost } else { 0.0 }])
        .collect();
    let half_square = |label: usize| -means[label].iter().map(|value| value * value).sum::<f32>() / 2.0;
    let bias = [half_square(0), half_square(1) + tilt];
    let nodes = [
        node("Flatten", &[INPUT], "flat", &[("axis", Attribute::Int(1))]),
        node("MatMul", &["flat", "weights"], "products", &[]),
        node("Add", &["products", "bias"], "y", &[]),
    ];
    let tensors = [floats("weights", &[256, 2], &weights), floats("bias", &[2], &bias)];
    model(&graph(&nodes, &tensors, &[value(INPUT, FLOAT, &[0, 16, 16, 1])], &[value("y", FLOAT, &[0, 2])]))
}

/// A linear classifier of digits that takes bytes.
pub(crate) fn of_bytes() -> Vec<u8> {
    let bias: Vec<f32> =
        means().iter().map(|mean| -mean.iter().map(|value| value * value).sum::<f32>() / 2.0).collect();
    let nodes = [
        node("Cast", &[INPUT], "bytes", &[("to", Attribute::Int(1))]),
        node("Div", &["bytes", "most"], "pixels", &[]),
        node("Flatten", &["pixels"], "flat", &[("axis", Attribute::Int(1))]),
        node("MatMul", &["flat", "weights"], "products", &[]),
        node("Add", &["products", "bias"], "y", &[]),
    ];
    let tensors =
        [floats("weights", &[256, 10], &weights(false)), floats("bias", &[10], &bias), floats("most", &[], &[255.0])];
    model(&graph(&nodes, &tensors, &[value(INPUT, UINT8, &[0, 16, 16, 1])], &[value("y", FLOAT, &[0, 10])]))
}

/// A linear classifier of the digits 0 and 1 with one score: a logit, or a probability.
pub(crate) fn of_one_score(is_probability: bool) -> Vec<u8> {
    let means = means();
    let weights: Vec<f32> = (0..256).map(|pixel| means[1][pixel] - means[0][pixel]).collect();
    let square = |label: usize| means[label].iter().map(|value| value * value).sum::<f32>() / 2.0;
    let last = if is_probability { "Sigmoid" } else { "Identity" };
    let nodes = [
        node("Flatten", &[INPUT], "flat", &[("axis", Attribute::Int(1))]),
        node("MatMul", &["flat", "weights"], "product", &[]),
        node("Add", &["product", "bias"], "logit", &[]),
        node(last, &["logit"], "y", &[]),
    ];
    let tensors = [floats("weights", &[256, 1], &weights), floats("bias", &[1], &[square(0) - square(1)])];
    model(&graph(&nodes, &tensors, &[value(INPUT, FLOAT, &[0, 16, 16, 1])], &[value("y", FLOAT, &[0, 1])]))
}

/// The mean image of each digit.
fn means() -> Vec<[f32; 256]> {
    let (images, labels) = digits();
    let (mut sums, mut counts) = (vec![[0.0; 256]; 10], [0.0_f32; 10]);
    for (image, &label) in images.outer_iter().zip(&labels) {
        counts[label as usize] += 1.0;
        for (sum, &pixel) in sums[label as usize].iter_mut().zip(&image) {
            *sum += f32::from(pixel) / 255.0;
        }
    }
    for (sum, count) in sums.iter_mut().zip(&counts) {
        for value in sum.iter_mut() {
            *value /= count;
        }
    }
    sums
}
