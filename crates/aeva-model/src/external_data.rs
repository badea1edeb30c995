//! Weights that an ONNX model keeps in other files ("external data").
//!
//! An ONNX file may name other files for the values of its tensors wherever tensors occur: in the graph, in graphs within attributes
//! and in functions. Those files determine the model's answers as much as its own bytes do. So they are found here, read from the
//! model's folder and nowhere else, and included in its digest. (Field numbers are those of `onnx.proto`.)

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::ModelError;
use crate::digest::sha256_hex;
use crate::protobuf::{Field, Fields, Malformed, Message};
use crate::read_model::read_at_most;

/// Largest file with weights, in bytes. No image classifier needs more.
const LARGEST_FILE: u64 = 1 << 35;

/// `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: u64 = 1;

/// The files that a model names, by their names in the model.
pub(crate) type ExternalFiles = BTreeMap<String, Arc<[u8]>>;

/// Kinds of messages that may contain tensors.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Training,
    Graph,
    Function,
    Node,
    Attribute,
    SparseTensor,
    Tensor,
}

impl Kind {
    /// The kind of message in a field of this message, if it may contain tensors.
    fn child(self, number: u64) -> Option<Self> {
        Some(match (self, number) {
            (Self::Model, 7) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Graph, 5) | (Self::SparseTensor, 1 | 2) | (Self::Attribute, 5 | 10) => Self::Tensor,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::SparseTensor,
            _ => return None,
        })
    }
}

/// The names of the files with values of a model's tensors, sorted and without duplicates.
///
/// # Errors
/// [`Malformed`] if the bytes are not a protocol buffer message.
pub(crate) fn locations(model: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut found = Vec::new();
    // An explicit stack, because the file determines how deep graphs are nested.
    let mut open = vec![(Kind::Model, model)];
    while let Some((kind, message)) = open.pop() {
        if let Kind::Tensor = kind {
            found.extend(location(message)?);
            continue;
        }
        for field in Fields::new(message) {
            if let (number, Field::Bytes(bytes), _) = field?
                && let Some(child) = kind.child(number)
            {
                open.push((child, bytes));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Where the values of a tensor are stored.
#[derive(Default)]
struct Place {
    /// The file; empty if the tensor names none.
    location: String,
    offset: usize,
    /// Number of bytes; to the end of the file if not stated.
    length: Option<usize>,
}

/// The file that a `TensorProto` names for its values; empty if it names none. `None` if its values are in the message.
fn location(tensor: &[u8]) -> Result<Option<String>, Malformed> {
    Ok(place(tensor)?.map(|place| place.location))
}

fn place(tensor: &[u8]) -> Result<Option<Place>, Malformed> {
    let (mut external, mut place) = (false, Place::default());
    for field in Fields::new(tensor) {
        match field? {
            (14, Field::Number(kind), _) => external = kind == EXTERNAL,
            (13, Field::Bytes(entry), _) => {
                let (mut key, mut value) = (&[][..], &[][..]);
                for part in Fields::new(entry) {
                    match part? {
                        (1, Field::Bytes(bytes), _) => key = bytes,
                        (2, Field::Bytes(bytes), _) => value = bytes,
                        _ => {}
                    }
                }
                // A name that is not text names no existing file, and a number that is malformed points outside the file.
                let text = String::from_utf8_lossy(value);
                match key {
                    b"location" => place.location = text.into_owned(),
                    b"offset" => place.offset = text.parse().unwrap_or(usize::MAX),
                    b"length" => place.length = Some(text.parse().unwrap_or(usize::MAX)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(external.then_some(place))
}

/// Largest tensor, in bytes, that is put into the model. These are shapes and the like, which ONNX Runtime needs while it reads a model
/// and does not look for in other files. Larger tensors are weights.
const SMALL: usize = 1 << 16;
/// Deepest nesting of messages that is rewritten. Deeper messages stay as they are.
const DEEPEST: usize = 200;

/// The model with the values of small tensors put in. `None` if that changes nothing.
pub(crate) fn with_small_tensors(model: &[u8], files: &ExternalFiles) -> Option<Vec<u8>> {
    rewritten(Kind::Model, model, files, DEEPEST)
}

fn rewritten(kind: Kind, message: &[u8], files: &ExternalFiles, depth: usize) -> Option<Vec<u8>> {
    if let Kind::Tensor = kind {
        return filled(message, files);
    }
    let (mut out, mut changed) = (Message::default(), false);
    for field in Fields::new(message) {
        let (number, value, raw) = field.ok()?;
        let inner = match (value, kind.child(number)) {
            (Field::Bytes(bytes), Some(child)) if depth > 0 => rewritten(child, bytes, files, depth - 1),
            _ => None,
        };
        match inner {
            Some(inner) => {
                out.bytes(number, &inner);
                changed = true;
            }
            None => out.0.extend_from_slice(raw),
        }
    }
    changed.then_some(out.0)
}

/// A small tensor with its values put in.
fn filled(tensor: &[u8], files: &ExternalFiles) -> Option<Vec<u8>> {
    let place = place(tensor).ok()??;
    let rest = files.get(&place.location)?.get(place.offset..)?;
    let values = match place.length {
        Some(length) => rest.get(..length)?,
        None => rest,
    };
    if values.len() > SMALL {
        return None;
    }
    let mut out = Message::default();
    for field in Fields::new(tensor) {
        let (number, _, raw) = field.ok()?;
        if number != 13 && number != 14 {
            out.0.extend_from_slice(raw);
        }
    }
    // `raw_data`
    out.bytes(9, values);
    Some(out.0)
}

/// Reads the files that the model at `path` names from the model's folder.
///
/// # Errors
/// [`ModelError::External`] for names that lead out of the folder or to something other than a file; [`ModelError::Io`].
pub(crate) fn read(path: &Path, locations: Vec<String>) -> Result<ExternalFiles, ModelError> {
    let folder = folder_of(path);
    let mut files = ExternalFiles::new();
    for location in locations {
        let file = inside(path, folder, &location)?;
        let bytes = read_at_most(&file, LARGEST_FILE)?;
        files.insert(location, bytes);
    }
    Ok(files)
}

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file `location`, which must be in `folder`.
fn inside(model: &Path, folder: &Path, location: &str) -> Result<PathBuf, ModelError> {
    let refused = |found: &str| ModelError::External {
        path: model.to_owned(),
        location: location.to_owned(),
        found: found.to_owned(),
    };
    let relative = Path::new(location);
    let steps_down = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if location.is_empty() || location.contains('\0') {
        return Err(refused("no name of a file"));
    }
    if !steps_down {
        return Err(refused("a path that leaves the model's folder"));
    }
    let file = folder.join(relative);
    let resolve = |path: &Path| fs::canonicalize(path).map_err(|error| refused(&error.to_string()));
    // Links may point to files within the folder.
    if !resolve(&file)?.starts_with(resolve(folder)?) {
        return Err(refused("a link that leaves the model's folder"));
    }
    if !file.is_file() {
        return Err(refused("something else than a regular file"));
    }
    Ok(file)
}

/// Digest of a model together with its files: SHA-256 over one line of text per file, the model's own first.
pub(crate) fn digest(model: &str, files: &ExternalFiles) -> String {
    let mut lines = vec!["aeva model with external data".to_owned(), model.to_owned()];
    // The length prevents one name from looking like two.
    lines.extend(files.iter().map(|(name, bytes)| format!("{} {} {name}", sha256_hex(bytes), name.len())));
    sha256_hex(format!("{}\n", lines.join("\n")).as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::protobuf::Message;

    fn message(fields: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut message = Message::default();
        for (number, bytes) in fields {
            message.bytes(*number, bytes);
        }
        message.0
    }

    /// A tensor whose values are in the file `name`.
    fn tensor(name: &str) -> Vec<u8> {
        let entry = message(&[(1, b"location".to_vec()), (2, name.as_bytes().to_vec())]);
        let mut tensor = Message::default();
        tensor.bytes(13, &entry);
        tensor.number(14, 1);
        tensor.0
    }

    #[test]
    fn tensors_are_found_wherever_they_may_stand() {
        let attribute_with = |number, inner: Vec<u8>| message(&[(5, message(&[(number, inner)]))]);
        let nested_graph = message(&[(1, attribute_with(5, tensor("constant"))), (5, tensor("nested"))]);
        let graph = message(&[
            (1, attribute_with(6, nested_graph)),
            (1, attribute_with(11, message(&[(5, tensor("in graphs"))]))),
            (1, attribute_with(22, message(&[(1, tensor("sparse attribute"))]))),
            (5, tensor("initializer")),
            (15, message(&[(1, tensor("sparse values")), (2, tensor("sparse indices"))])),
        ]);
        let function =
            message(&[(7, attribute_with(10, tensor("function"))), (11, message(&[(5, tensor("default"))]))]);
        let training = message(&[(1, message(&[(5, tensor("training"))]))]);
        let model = message(&[(7, graph), (25, function), (20, training), (7, message(&[(5, tensor("initializer"))]))]);
        let expected = [
            "constant",
            "default",
            "function",
            "in graphs",
            "initializer",
            "nested",
            "sparse attribute",
            "sparse indices",
            "sparse values",
            "training",
        ];
        assert_eq!(locations(&model).unwrap(), expected);
        // A location alone is a note: only the field that says so makes a tensor external.
        let noted = message(&[(7, message(&[(5, message(&[(13, message(&[(1, b"location".to_vec())]))]))]))]);
        assert!(locations(&noted).unwrap().is_empty());
    }

    #[test]
    fn deep_graphs_are_no_deep_calls() {
        let mut graph = message(&[(5, tensor("deep"))]);
        for _ in 0..2000 {
            graph = message(&[(1, message(&[(5, message(&[(6, graph)]))]))]);
        }
        assert_eq!(locations(&message(&[(7, graph)])).unwrap(), ["deep"]);
    }

    #[test]
    fn only_files_below_the_models_folder_are_read() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("model");
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(place.path().join("outside"), b"secret").unwrap();
        fs::write(folder.join("weights"), b"one").unwrap();
        fs::write(folder.join("sub/weights"), b"two").unwrap();
        let model = folder.join("m.onnx");
        let read = |name: &str| read(&model, vec![name.to_owned()]);
        assert_eq!(&read("weights").unwrap()["weights"][..], b"one");
        assert_eq!(&read("./sub/weights").unwrap()["./sub/weights"][..], b"two");
        let absolute = place.path().join("outside");
        for name in [
            "",
            "../outside",
            "sub/../../outside",
            absolute.to_str().unwrap(),
            "sub",
            "missing",
            "a\0b",
            "*/_ORT_MEM_ADDR_/*",
        ] {
            let error = read(name).unwrap_err();
            assert!(matches!(error, ModelError::External { .. }), "{name}: {error}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("../outside", folder.join("link")).unwrap();
            std::os::unix::fs::symlink("weights", folder.join("alias")).unwrap();
            assert!(read("link").unwrap_err().to_string().contains("leaves the model's folder"));
            assert_eq!(&read("alias").unwrap()["alias"][..], b"one");
        }
    }

    #[test]
    fn small_tensors_are_put_into_the_model() {
        let entry = |key: &str, value: &str| message(&[(1, key.as_bytes().to_vec()), (2, value.as_bytes().to_vec())]);
        let tensor = |name: &str, length: &str| {
            let mut tensor = Message::default();
            tensor.number(2, 7);
            for (key, value) in [("location", name), ("offset", "2"), ("length", length)] {
                tensor.bytes(13, &entry(key, value));
            }
            tensor.number(14, 1);
            tensor.bytes(8, b"shape");
            tensor.0
        };
        let nested = |tensor: Vec<u8>| {
            let graph = message(&[(2, b"inner".to_vec()), (5, tensor)]);
            message(&[(7, message(&[(1, message(&[(5, message(&[(6, graph)]))])), (2, b"outer".to_vec())]))])
        };
        let files: ExternalFiles = [("w".to_owned(), (0..=255).cycle().take(SMALL + 9).collect())].into();
        let small = with_small_tensors(&nested(tensor("w", "3")), &files).unwrap();
        assert!(locations(&small).unwrap().is_empty());
        let mut expected = Message::default();
        expected.number(2, 7);
        expected.bytes(8, b"shape");
        expected.bytes(9, &[2, 3, 4]);
        assert_eq!(small, nested(expected.0));
        // Too large, beyond the end of the file, in another file.
        for (name, length) in [("w", (SMALL + 1).to_string()), ("w", (SMALL + 8).to_string()), ("v", "3".to_owned())] {
            assert_eq!(with_small_tensors(&nested(tensor(name, &length)), &files), None, "{name} {length}");
        }
    }

    #[test]
    fn every_byte_and_name_is_in_the_digest() {
        let files = |parts: &[(&str, &[u8])]| -> ExternalFiles {
            parts.iter().map(|&(name, bytes)| (name.to_owned(), bytes.into())).collect()
        };
        let base = digest("aa", &files(&[("w", b"1"), ("v", b"2")]));
        assert_eq!(base, digest("aa", &files(&[("v", b"2"), ("w", b"1")])));
        for other in [
            digest("ab", &files(&[("w", b"1"), ("v", b"2")])),
            digest("aa", &files(&[("w", b"1"), ("v", b"3")])),
            digest("aa", &files(&[("w", b"2"), ("v", b"1")])),
            digest("aa", &files(&[("w", b"1")])),
        ] {
            assert_ne!(base, other);
        }
    }
}
