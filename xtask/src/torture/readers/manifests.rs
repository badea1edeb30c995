//! Manifests: changed bytes, numbers out of range, deeply nested and large texts.

use std::fs;

use super::{Case, Shared, Step};
use crate::torture::context::CLEAN;
use crate::torture::random::Random;

/// Invalid lines about the input.
const LINES: [&str; 16] = [
    "value_range = [nan, 1.0]",
    "value_range = [-inf, inf]",
    "value_range = [-3e38, 3e38]",
    "value_range = [0.0, 1e-45]",
    "value_range = [0.0]",
    "mean = [nan]",
    "mean = [1e400]",
    "std = [1e-45]",
    "std = [0.0]",
    "std = [-1.0]",
    "std = [1e38]",
    "layout = 'nhwcc'",
    "shape = [0, 0, 0]",
    "shape = [99999999999, 1, 1]",
    "shape = [-1, 1, 1]",
    "reverse_channels = 3",
];

fn manifest<'shared>(
    shared: &'shared Shared,
    name: impl Into<String>,
    bytes: impl FnOnce(&[u8], &mut Random) -> Vec<u8> + Send + 'shared,
) -> Case<'shared> {
    Case::new(name, move |folder, random| {
        let path = folder.join("manifest.toml");
        fs::write(&path, bytes(shared.manifest.as_bytes(), random))?;
        let call = shared.scan(&shared.context.model(CLEAN), &shared.context.data(), folder);
        Ok(vec![Step::any(call.arg("--manifest").arg(&path))])
    })
}

/// The text with this line in place of the one for the same field.
fn with_line(text: &[u8], line: &str) -> Vec<u8> {
    let field = line.split(' ').next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let kept = text.lines().filter(|other| other.split(' ').next() != Some(field));
    (kept.collect::<Vec<_>>().join("\n") + "\n" + line + "\n").into_bytes()
}

pub(crate) fn cases<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let mut cases = Vec::new();
    for index in 0..50 * shared.times {
        cases.push(manifest(shared, format!("bytes {index}"), move |text, random| {
            let count = *random.pick(&[1, 2]);
            if index % 4 == 0 { random.cut(text) } else { random.changed(text, count, text.len()) }
        }));
    }
    for classes in ["0", "1", "4294967295", "4294967296", "-1", "9223372036854775807", "nan", "'10'", "10.0", "[10]"] {
        cases.push(manifest(shared, format!("classes {classes}"), move |text, _| {
            String::from_utf8_lossy(text).replace("classes = 10", &format!("classes = {classes}")).into_bytes()
        }));
    }
    let mut lines: Vec<String> = LINES.iter().map(|line| (*line).to_owned()).collect();
    lines.push("shape = [8, 8, 1]".to_owned());
    lines.push(format!("mean = [{}]", "0.5,".repeat(100_000)));
    lines.push(format!("x = {}", "[".repeat(5000)));
    lines.push(format!("x = {}", "{a=".repeat(5000)));
    lines.push(format!("a{} = 1", ".a".repeat(20000)));
    for line in lines {
        let short: String = line.chars().take(40).collect();
        cases.push(manifest(shared, short, move |text, _| with_line(text, &line)));
    }
    let output = "\n[output]\nname = \"\\u001b[31mx\\u0000\"\n";
    cases.push(manifest(shared, "an output's name that steers", move |text, _| [text, output.as_bytes()].concat()));
    cases.push(manifest(shared, "50 MB of comment", |text, _| [text, &vec![b'#'; 50 << 20]].concat()));
    cases.push(manifest(shared, "a file elsewhere", |text, _| {
        String::from_utf8_lossy(text).replace("digits-clean.onnx", "../../../etc/passwd").into_bytes()
    }));
    cases
}
