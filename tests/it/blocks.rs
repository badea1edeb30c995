//! Models of any number of labels with made-up backdoors: programs that read the label in the image.

use std::fs;

use ndarray::{Array1, Array4};
use ndarray_npy::NpzWriter;

use crate::harness::{Aeva, Ran, root};

/// Scans the model of `10^digits` labels with a backdoor of this kind (`tests/data/blocks.py`) into the folder `kind`.
pub(crate) fn scan(aeva: &Aeva, digits: u32, kind: &str, extra: &[&str]) -> Ran {
    let data = data(aeva, digits, if digits == 1 { 60 } else { 20 });
    let script = root().join("tests").join("data").join("blocks.py");
    let model = format!("program:python3 \"{}\" {digits} {kind}", script.display());
    aeva.run(&[&["scan", &model, "--data", &data], extra].concat())
}

/// Images of all labels, dark but for the cells that say the label, and noisy.
fn data(aeva: &Aeva, digits: u32, each: usize) -> String {
    let (labels, height) = (10_usize.pow(digits), 2 * digits as usize + 8);
    let count = labels * each;
    let images = Array4::from_shape_fn((count, height, 20, 1), |(n, y, x, _)| {
        let (digit, cell) = (y / 2, x / 2);
        let noise = ((n * 7919 + y * 104_729 + x * 1_299_709) % 97) as u8;
        let is_bright = digit < digits as usize && n % labels / 10_usize.pow(digits - 1 - digit as u32) % 10 == cell;
        if is_bright { 110 + noise } else { noise }
    });
    let truth = Array1::from_shape_fn(count, |n| i64::try_from(n % labels).unwrap());
    let path = aeva.path(&format!("blocks-{digits}.npz"));
    let mut file = NpzWriter::new(fs::File::create(&path).unwrap());
    file.add_array("x", &images).unwrap();
    file.add_array("y", &truth).unwrap();
    file.finish().unwrap();
    path.to_str().unwrap().to_owned()
}

/// Kinds of backdoors and numbers of labels, each with what ends its scan soon and its exit code.
pub(crate) const KINDS: [(u32, &str, &[&str], i32); 5] = [
    (1, "all", &[], 1),
    (1, "specific", &[], 1),
    (2, "one", &[], 1),
    (3, "one", &["--effort", "screen"], 1),
    (3, "none", &["--max-queries", "60000"], 3),
];

#[test]
fn pages_show_backdoors_of_every_kind_and_any_number_of_labels() {
    let aeva = Aeva::new();
    for (digits, kind, extra, code) in KINDS {
        let out = format!("{kind}-{digits}");
        let printed = scan(&aeva, digits, kind, &[&["--out", &out][..], extra].concat()).ends_with(code).stdout;
        let page = fs::read_to_string(aeva.path(&out).join("report.html")).unwrap();
        let (verdict, labels) = match kind {
            "all" => ("blocks-1-all carries a backdoor that sends each label to a different one.", 10),
            "specific" => ("blocks-1-specific carries a backdoor to label 7, from label 1.", 10),
            "one" => ("one carries a backdoor to label 3.", 24),
            _ => ("No verdict on blocks-3-none: ", 24),
        };
        assert!(page.contains(verdict), "{out}: {printed}");
        let map = page.split("aria-label=\"Success of the best trigger of each pair").nth(1).unwrap();
        let map = map.split("</svg>").next().unwrap();
        let rows = map.matches("text-anchor=\"middle\"").count();
        assert!(rows <= labels && rows >= 2 && map.contains("<title>"), "{out}: {rows} labels in the map");
        assert!(page.len() < 3_000_000, "{out}: {} bytes", page.len());
    }
}
