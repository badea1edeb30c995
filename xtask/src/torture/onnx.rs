//! ONNX models written by hand, in the wire format of protocol buffers: no reader has seen them before.

use anyhow::Context;

use super::random::Random;

// Element types.
pub(crate) const FLOAT: u64 = 1;
pub(crate) const INT64: u64 = 7;
pub(crate) const STRING: u64 = 8;
pub(crate) const BOOL: u64 = 9;

// Field numbers of messages.
const MODEL_GRAPH: u64 = 7;
const MODEL_OPSETS: u64 = 8;
const MODEL_FUNCTIONS: u64 = 25;
const GRAPH_NODES: u64 = 1;
const GRAPH_NAME: u64 = 2;
const GRAPH_INITIALIZERS: u64 = 5;
const GRAPH_INPUTS: u64 = 11;
const GRAPH_OUTPUTS: u64 = 12;
const NODE_ATTRIBUTES: u64 = 5;

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7f) as u8);
    bytes
}

pub(crate) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field that contains text, bytes or a message.
pub(crate) fn bytes(field: u64, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&varint(field << 3 | 2)[..], &varint(value.len() as u64), value].concat()
}

/// Little-endian bytes of floats.
pub(crate) fn floats(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// A tensor that holds its bytes.
pub(crate) fn tensor(name: &str, kind: u64, sides: &[i64], raw: &[u8]) -> Vec<u8> {
    [tensor_head(name, kind, sides), bytes(9, raw)].concat()
}

/// A tensor whose bytes are in another file.
pub(crate) fn external(name: &str, sides: &[i64], entries: &[(&str, &str)]) -> Vec<u8> {
    let mut tensor = tensor_head(name, FLOAT, sides);
    for (key, value) in entries {
        tensor.extend(bytes(13, [bytes(1, key), bytes(2, value)].concat()));
    }
    tensor.extend(number(14, 1));
    tensor
}

fn tensor_head(name: &str, kind: u64, sides: &[i64]) -> Vec<u8> {
    let mut tensor: Vec<u8> = sides.iter().flat_map(|side| number(1, side.cast_unsigned())).collect();
    tensor.extend(number(2, kind));
    tensor.extend(bytes(8, name));
    tensor
}

/// A tensor of whole numbers.
pub(crate) fn integers(name: &str, values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, INT64, &[i64::try_from(values.len()).unwrap_or(0)], &raw)
}

/// A tensor of one float.
pub(crate) fn float(name: &str, value: f32) -> Vec<u8> {
    tensor(name, FLOAT, &[1], &value.to_le_bytes())
}

/// An attribute of a node.
#[derive(Debug, Clone)]
pub(crate) enum Attribute {
    Int(i64),
    Float(f32),
    Ints(Vec<i64>),
    Text(&'static str),
    Tensor(Vec<u8>),
    Graph(Vec<u8>),
}

/// A node of a graph.
#[derive(Debug, Clone)]
pub(crate) struct Node(Vec<u8>);

impl Node {
    pub(crate) fn new(operator: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        let mut message: Vec<u8> = inputs.iter().flat_map(|input| bytes(1, input)).collect();
        message.extend(outputs.iter().flat_map(|output| bytes(2, output)));
        message.extend(bytes(3, format!("{}_node", outputs.first().unwrap_or(&""))));
        message.extend(bytes(4, operator));
        Self(message)
    }

    pub(crate) fn domain(mut self, domain: &str) -> Self {
        self.0.extend(bytes(7, domain));
        self
    }

    pub(crate) fn with(mut self, name: &str, value: Attribute) -> Self {
        let (value, kind) = match value {
            Attribute::Float(value) => ([varint(2 << 3 | 5), value.to_le_bytes().to_vec()].concat(), 1),
            Attribute::Int(value) => (number(3, value.cast_unsigned()), 2),
            Attribute::Text(value) => (bytes(4, value), 3),
            Attribute::Tensor(value) => (bytes(5, value), 4),
            Attribute::Graph(value) => (bytes(6, value), 5),
            Attribute::Ints(values) => {
                (values.into_iter().flat_map(|value| number(8, value.cast_unsigned())).collect(), 7)
            }
        };
        self.0.extend(bytes(NODE_ATTRIBUTES, [bytes(1, name), value, number(20, kind)].concat()));
        self
    }
}

/// One dimension of a shape.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Of(i64),
    Any(&'static str),
}

/// `[n, classes]`.
pub(crate) fn scores(classes: i64) -> Vec<Side> {
    vec![Side::Any("n"), Side::Of(classes)]
}

/// The shape of the shipped images, with any number of rows.
pub(crate) fn digits() -> Vec<Side> {
    vec![Side::Any("n"), Side::Of(16), Side::Of(16), Side::Of(1)]
}

fn value(name: &str, kind: u64, sides: &[Side]) -> Vec<u8> {
    let side = |side: &Side| match side {
        Side::Of(size) => number(1, size.cast_unsigned()),
        Side::Any(name) => bytes(2, name),
    };
    let shape: Vec<u8> = sides.iter().flat_map(|one| bytes(1, side(one))).collect();
    let tensor = [number(1, kind), bytes(2, shape)].concat();
    [bytes(1, name), bytes(2, bytes(1, tensor))].concat()
}

/// A graph, field after field.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph(Vec<u8>);

impl Graph {
    pub(crate) fn new(name: &str) -> Self {
        Self(bytes(GRAPH_NAME, name))
    }

    /// An unfinished classifier of images `x`: `scores` from weights `w` of `[size, classes]`, without an output.
    pub(crate) fn classifier(input: &[Side], weights: Vec<u8>) -> Self {
        let graph = Self::new("g").input("x", FLOAT, input).initializer(weights);
        graph.node(flatten()).node(Node::new("MatMul", &["flat", "w"], &["scores"]))
    }

    pub(crate) fn node(mut self, node: Node) -> Self {
        self.0.extend(bytes(GRAPH_NODES, node.0));
        self
    }

    pub(crate) fn initializer(mut self, tensor: Vec<u8>) -> Self {
        self.0.extend(bytes(GRAPH_INITIALIZERS, tensor));
        self
    }

    pub(crate) fn input(mut self, name: &str, kind: u64, sides: &[Side]) -> Self {
        self.0.extend(bytes(GRAPH_INPUTS, value(name, kind, sides)));
        self
    }

    pub(crate) fn output(mut self, name: &str, kind: u64, sides: &[Side]) -> Self {
        self.0.extend(bytes(GRAPH_OUTPUTS, value(name, kind, sides)));
        self
    }

    /// The message, in the form of a node's attribute.
    pub(crate) fn message(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn model(self) -> Vec<u8> {
        self.model_of(17, &[])
    }

    pub(crate) fn model_of(self, opset: u64, domains: &[&str]) -> Vec<u8> {
        let mut model = number(1, 8);
        model.extend(bytes(MODEL_GRAPH, self.0));
        model.extend(bytes(MODEL_OPSETS, [bytes(1, ""), number(2, opset)].concat()));
        for domain in domains {
            model.extend(bytes(MODEL_OPSETS, [bytes(1, domain), number(2, 1)].concat()));
        }
        model
    }
}

/// From images `x` to rows `flat`.
pub(crate) fn flatten() -> Node {
    Node::new("Flatten", &["x"], &["flat"]).with("axis", Attribute::Int(1))
}

/// A function of a model, to be appended to it: no input, one output.
pub(crate) fn function(domain: &str, name: &str, output: &str, node: Node) -> Vec<u8> {
    let opset = [bytes(1, ""), number(2, 17)].concat();
    let parts = [bytes(1, name), bytes(5, output), bytes(7, node.0), bytes(9, opset), bytes(10, domain)];
    bytes(MODEL_FUNCTIONS, parts.concat())
}

/// The model extended by the contents of another graph: readers merge a message that follows another one.
pub(crate) fn extended(model: &[u8], addition: Graph) -> Vec<u8> {
    [model, &bytes(MODEL_GRAPH, addition.0)].concat()
}

/// The value of a field.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    Number(u64),
    Bytes(Vec<u8>),
    /// Of fixed size: the wire type and the bytes.
    Fixed(u64, Vec<u8>),
}

/// The fields of a message; `None` if it is not a valid message.
pub(crate) fn fields(message: &[u8]) -> Option<Vec<(u64, Wire)>> {
    let mut rest = message;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let key = take_varint(&mut rest)?;
        let wire = match key & 7 {
            0 => Wire::Number(take_varint(&mut rest)?),
            2 => {
                let size = usize::try_from(take_varint(&mut rest)?).ok()?;
                Wire::Bytes(take(&mut rest, size)?)
            }
            1 => Wire::Fixed(1, take(&mut rest, 8)?),
            5 => Wire::Fixed(5, take(&mut rest, 4)?),
            _ => return None,
        };
        found.push((key >> 3, wire));
    }
    Some(found)
}

fn take(rest: &mut &[u8], size: usize) -> Option<Vec<u8>> {
    let (first, last) = rest.split_at_checked(size)?;
    *rest = last;
    Some(first.to_vec())
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, last) = rest.split_first()?;
        *rest = last;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Names of the first input and the first output of a model.
pub(crate) fn names(model: &[u8]) -> anyhow::Result<(String, String)> {
    let within = |message: &[u8], field: u64| {
        fields(message)?.into_iter().find_map(|(number, wire)| match wire {
            Wire::Bytes(value) if number == field => Some(value),
            _ => None,
        })
    };
    let name = |field: u64| {
        let graph = within(model, MODEL_GRAPH)?;
        String::from_utf8(within(&within(&graph, field)?, 1)?).ok()
    };
    Ok((name(GRAPH_INPUTS).context("the model has no input")?, name(GRAPH_OUTPUTS).context("the model has no output")?))
}

/// Numbers that tend to break sizes and counts.
const NUMBERS: [u64; 13] = [0, 1, 2, 7, 9, 16, 255, (1 << 31) - 1, 1 << 31, 1 << 32, 1 << 62, (1 << 63) - 1, u64::MAX];

/// The message with a field dropped, doubled or swapped, or a number in it changed, at some depth.
pub(crate) fn mutated(message: &[u8], depth: u32, random: &mut Random) -> Option<Vec<u8>> {
    let mut parts = fields(message)?;
    if parts.is_empty() {
        return None;
    }
    let at = random.below(parts.len());
    let choice = random.between(0.0, 1.0);
    let (field, wire) = parts[at].clone();
    match wire {
        Wire::Bytes(value) if depth > 0 && !value.is_empty() && choice < 0.7 => {
            let inner = mutated(&value, depth - 1, random);
            parts[at].1 = Wire::Bytes(inner.unwrap_or_else(|| random.changed(&value, 1, value.len())));
        }
        Wire::Number(value) => {
            let other = if choice < 0.1 { value.wrapping_add(1) } else { *random.pick(&NUMBERS) };
            parts[at].1 = Wire::Number(other);
        }
        _ if choice < 0.8 => {
            parts.remove(at);
        }
        wire if choice < 0.9 => parts.push((field, wire)),
        _ => {
            let other = random.below(parts.len());
            parts.swap(at, other);
        }
    }
    let message = parts.into_iter().flat_map(|(field, wire)| match wire {
        Wire::Number(value) => number(field, value),
        Wire::Bytes(value) => bytes(field, value),
        Wire::Fixed(kind, value) => [varint(field << 3 | kind), value].concat(),
    });
    Some(message.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_were_written() {
        let message = [number(3, u64::MAX), bytes(300, "abc"), varint(2 << 3 | 5), vec![1, 2, 3, 4]].concat();
        let found = fields(&message).unwrap();
        assert!(matches!(&found[0], (3, Wire::Number(u64::MAX))));
        assert!(matches!(&found[1], (300, Wire::Bytes(value)) if value == b"abc"));
        assert!(matches!(&found[2], (2, Wire::Fixed(5, value)) if value == &[1, 2, 3, 4]));
        assert!(fields(&message[..message.len() - 1]).is_none());
    }

    #[test]
    fn names_are_those_of_input_and_output_and_mutations_differ() {
        let model = Graph::new("g").input("x", FLOAT, &digits()).output("y", FLOAT, &scores(10)).model();
        assert_eq!(names(&model).unwrap(), ("x".to_owned(), "y".to_owned()));
        let mut random = Random::new(1, "x");
        let others = (0..50).filter_map(|_| mutated(&model, 4, &mut random)).filter(|other| *other != model);
        assert!(others.count() > 30);
    }
}
