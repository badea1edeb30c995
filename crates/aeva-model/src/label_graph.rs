//! Adds the label to the graph of a model that answers scores, so that a device returns only 8 bytes per image.
//!
//! An ONNX file is one protocol buffer message. When another message follows, readers merge the two: repeated fields are appended,
//! and inner messages are merged likewise. So a small message that is appended to the file adds nodes and an output to the model,
//! which need not be parsed. (Field numbers are those of `onnx.proto`.)

use crate::protobuf::Message;

/// Name of the added output, i64 `[n]`.
pub(crate) const OUTPUT: &str = "aeva_label";
/// The value of the added output for an image whose scores contain NaN.
pub(crate) const NOT_A_NUMBER: i64 = -1;

/// The first version of the operator set in which `ReduceMax` takes its axes as an input.
const AXES_AS_INPUT: u32 = 18;
/// Element types.
const FLOAT: i64 = 1;
const INT64: i64 = 7;
const BOOL: i64 = 9;

/// The model `bytes` with the additional output [`OUTPUT`]: the index of the first maximum of `scores` `[n, classes]`, or
/// [`NOT_A_NUMBER`]. `opset` is the version of the operator set that the model names.
pub(crate) fn with_label(bytes: &[u8], scores: &str, opset: u32) -> Vec<u8> {
    let name = |what: &str| format!("{OUTPUT}_{what}");
    let (best, nan, number, any_number) = (name("best"), name("nan"), name("number"), name("any_number"));
    let (any, axes, none) = (name("any"), name("axes"), name("none"));
    let flat = || integer("keepdims", 0);

    let mut nodes = vec![
        node("ArgMax", &[scores], &best, &[integer("axis", 1), flat()]),
        // A maximum over NaN is undefined. So rows with NaN are found by the maximum over classes of "the score is NaN".
        node("IsNaN", &[scores], &nan, &[]),
        node("Cast", &[&nan], &number, &[integer("to", FLOAT)]),
    ];
    if opset < AXES_AS_INPUT {
        nodes.push(node("ReduceMax", &[&number], &any_number, &[integers("axes", 1), flat()]));
    } else {
        nodes.push(node("Constant", &[], &axes, &[constant("value", 1)]));
        nodes.push(node("ReduceMax", &[&number, &axes], &any_number, &[flat()]));
    }
    nodes.push(node("Cast", &[&any_number], &any, &[integer("to", BOOL)]));
    nodes.push(node("Constant", &[], &none, &[constant("value", NOT_A_NUMBER)]));
    nodes.push(node("Where", &[&any, &none, &best], OUTPUT, &[]));

    let mut graph = Message::default();
    for node in &nodes {
        graph.bytes(1, node);
    }
    graph.bytes(12, &output());
    let mut addition = Message::default();
    addition.bytes(7, &graph.0);
    [bytes, &addition.0].concat()
}

/// A `NodeProto`, named after its only output.
fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut node = Message::default();
    for input in inputs {
        node.bytes(1, input.as_bytes());
    }
    node.bytes(2, output.as_bytes());
    node.bytes(3, output.as_bytes());
    node.bytes(4, operator.as_bytes());
    for attribute in attributes {
        node.bytes(5, attribute);
    }
    node.0
}

/// An `AttributeProto` with one integer.
fn integer(name: &str, value: i64) -> Vec<u8> {
    let mut attribute = Message::default();
    attribute.bytes(1, name.as_bytes());
    attribute.number(3, value);
    attribute.number(20, 2);
    attribute.0
}

/// An `AttributeProto` with a list of one integer.
fn integers(name: &str, value: i64) -> Vec<u8> {
    let mut attribute = Message::default();
    attribute.bytes(1, name.as_bytes());
    attribute.number(8, value);
    attribute.number(20, 7);
    attribute.0
}

/// An `AttributeProto` with the i64 tensor `[value]`.
fn constant(name: &str, value: i64) -> Vec<u8> {
    let mut tensor = Message::default();
    tensor.number(1, 1);
    tensor.number(2, INT64);
    tensor.number(7, value);
    let mut attribute = Message::default();
    attribute.bytes(1, name.as_bytes());
    attribute.bytes(5, &tensor.0);
    attribute.number(20, 4);
    attribute.0
}

/// The `ValueInfoProto` of [`OUTPUT`].
fn output() -> Vec<u8> {
    let (mut dimension, mut shape, mut tensor, mut kind) =
        (Message::default(), Message::default(), Message::default(), Message::default());
    dimension.bytes(2, b"aeva_rows");
    shape.bytes(1, &dimension.0);
    tensor.number(1, INT64);
    tensor.bytes(2, &shape.0);
    kind.bytes(1, &tensor.0);
    let mut info = Message::default();
    info.bytes(1, OUTPUT.as_bytes());
    info.bytes(2, &kind.0);
    info.0
}
