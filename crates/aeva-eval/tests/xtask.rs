//! The library of `xtask` has versions of its own of a few things, so that it does not link the libraries of AEVA. They agree.

#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

use std::fs;
use std::path::PathBuf;

use aeva_model::ValueRange;
use xtask::manifest::{Input, Layout, Manifest, Model, value_range};

#[test]
fn a_scan_reads_the_manifest_that_a_conversion_writes() {
    let folder = tempfile::tempdir().unwrap();
    for (layout, read) in [(Layout::Nhwc, aeva_model::Layout::Nhwc), (Layout::Nchw, aeva_model::Layout::Nchw)] {
        let model = Model {
            file: "m.onnx".to_owned(),
            sha256: "00".to_owned(),
            classes: 43,
            source: Some("converted from \"m.h5\"".to_owned()),
            license: None,
        };
        let input = Input { layout, shape: [32, 30, 3], value_range: Some(value_range("-0.1..255").unwrap()) };
        let onnx = folder.path().join("m.onnx");
        let path = Manifest::path_for(&onnx);
        assert_eq!(path, aeva_model::Manifest::path_for(&onnx));
        let text = Manifest::new(model, input).to_toml().unwrap();
        fs::write(&path, &text).unwrap();
        let found = aeva_model::Manifest::read(&path).unwrap().unwrap();
        assert_eq!((found.model.file.as_str(), found.model.sha256.as_str(), found.model.classes), ("m.onnx", "00", 43));
        assert_eq!(found.model.source.as_deref(), Some("converted from \"m.h5\""));
        assert_eq!((found.input.layout, found.input.shape), (Some(read), Some([32, 30, 3])));
        assert_eq!(found.input.value_range, ValueRange::new(-0.1, 255.0));
        assert_eq!(found.to_toml(&path).unwrap(), text, "it is written in the same way");
    }
}

#[test]
fn digests_and_folders_are_those_of_the_libraries() {
    for bytes in [&b""[..], b"abc", &[0xff; 1000]] {
        assert_eq!(xtask::files::sha256_hex(bytes), aeva_artifact::sha256_hex(bytes));
    }
    let cache: Option<PathBuf> = xtask::python::cache_folder();
    assert_eq!(cache, aeva_model::cache_folder());
}

#[test]
fn value_ranges_are_refused_with_the_same_words() {
    for text in ["0..255", "-1..1", " 0 .. 1", "1..0", "0..nan", "0..inf", "", "0-1"] {
        assert_eq!(value_range(text), text.parse::<ValueRange>().map(<[f32; 2]>::from), "{text}");
    }
}
