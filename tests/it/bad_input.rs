//! Bad input gives a clear error, a hint and exit code 2, and leaves the run folder as it was.

use std::fs;
use std::path::{Path, PathBuf};

use aeva_artifact::RunDir;
use ndarray::{Array1, Array4, s};
use ndarray_npy::NpzWriter;

use crate::harness::{Aeva, Ran, root, say, shipped};
use crate::onnx::digits;

const SHORT: [&str; 6] = ["--lens", "perturbation", "--iterations", "2", "--out", "run"];

/// A folder with a valid run, for scans with bad input.
struct Place {
    aeva: Aeva,
    before: Vec<(PathBuf, Vec<u8>)>,
}

impl Place {
    fn new() -> Self {
        let aeva = Aeva::new();
        aeva.scan("digits-clean.onnx", &[&SHORT[..], &["--sources", "0", "--targets", "1,2"]].concat()).ends_with(3);
        let before = files(&aeva.path("run"));
        assert!(before.len() >= 4);
        Self { aeva, before }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.aeva.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn scan(&self, model: &Path, data: &Path, extra: &[&str]) -> Ran {
        let args = [&["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap()], &SHORT[..], extra].concat();
        self.aeva.run(&args)
    }

    /// Checks that a scan fails as expected.
    #[track_caller]
    fn refuses(&self, ran: Ran, error: &[&str], hint: &str) {
        let ran = ran.ends_with(2);
        for part in error {
            assert!(ran.stderr.contains(part), "{part} is not in\n{}", ran.stderr);
        }
        let (_, hint_line) = ran.stderr.split_once("hint: ").unwrap_or_else(|| panic!("no hint in\n{}", ran.stderr));
        assert!(hint_line.contains(hint), "{hint} is not in\n{hint_line}");
        assert_eq!(ran.stdout, "", "errors do not belong on stdout");
        assert_eq!(files(&self.aeva.path("run")), self.before, "the run folder was changed");
        RunDir::open(&self.aeva.path("run")).unwrap();
    }
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// Writes images and labels as `.npz`.
pub(crate) fn save(path: &Path, images: &Array4<u8>, labels: Option<&Array1<i64>>) {
    let mut writer = NpzWriter::new(fs::File::create(path).unwrap());
    writer.add_array("x", images).unwrap();
    if let Some(labels) = labels {
        writer.add_array("y", labels).unwrap();
    }
    writer.finish().unwrap();
}

fn model() -> PathBuf {
    shipped("digits-clean.onnx")
}

fn data() -> PathBuf {
    shipped("digits.npz")
}

#[test]
fn bad_models_are_refused() {
    let place = Place::new();
    let missing = place.aeva.path("missing.onnx");
    place.refuses(place.scan(&missing, &data(), &[]), &["cannot read", "missing.onnx"], "check the path of the model");

    let text = place.file("text.onnx", b"This is not a model.");
    place.refuses(place.scan(&text, &data(), &[]), &["cannot load", "text.onnx"], "not an ONNX model");

    let bytes = fs::read(model()).unwrap();
    let truncated = place.file("truncated.onnx", &bytes[..bytes.len() * 2 / 3]);
    place.refuses(place.scan(&truncated, &data(), &[]), &["cannot load", "truncated.onnx"], "truncated");

    let keras = place.file("model.h5", b"\x89HDF\r\n\x1a\n....");
    place.refuses(place.scan(&keras, &data(), &[]), &["model.h5", "HDF5"], "cargo xtask convert");

    let rank2 = root().join("tests/data/models/rank2.onnx");
    place.refuses(place.scan(&rank2, &data(), &[]), &["rank2.onnx", "[?, 60]", "rank 4"], "one batch of images");

    let changed = place.file("changed.onnx", &bytes);
    fs::copy(shipped("digits-infected.toml"), place.aeva.path("changed.toml")).unwrap();
    place.refuses(place.scan(&changed, &data(), &[]), &["changed.onnx has SHA-256"], "manifest");
}

#[test]
fn bad_data_is_refused() {
    let place = Place::new();
    let (images, labels) = digits();
    let path = place.aeva.path("bad.npz");

    save(&path, &images, Some(&labels.mapv(|label| if label == 9 { 10 } else { label })));
    place.refuses(place.scan(&model(), &path, &[]), &["bad.npz", "label 10", "10 classes"], "labels do not start at 0");

    // Class 4 has images, but they show another class.
    let mut wrong = images.clone();
    let other = images.slice(s![labels.iter().position(|&l| l == 0).unwrap(), .., .., ..]).to_owned();
    for (index, _) in labels.iter().enumerate().filter(|&(_, &label)| label == 4) {
        wrong.slice_mut(s![index, .., .., ..]).assign(&other);
    }
    save(&path, &wrong, Some(&labels));
    place.refuses(place.scan(&model(), &path, &[]), &["class 4 has no usable image", "bad.npz"], "leave it out");

    let others: Vec<usize> = (0..labels.len()).filter(|&index| labels[index] != 4).collect();
    let axis = ndarray::Axis(0);
    save(&path, &images.select(axis, &others), Some(&labels.select(axis, &others)));
    place.refuses(place.scan(&model(), &path, &[]), &["class 4", "0 of its 0 images"], "add images of this class");

    save(&path, &images, None);
    place.refuses(place.scan(&model(), &path, &[]), &["bad.npz", "labels under one of the names"], "numpy.savez");

    let cifar = place.file("test_batch.bin", &vec![1_u8; 3073 * 2 - 1]);
    place.refuses(place.scan(&model(), &cifar, &[]), &["test_batch.bin", "6145 bytes"], "truncated");

    let missing = place.aeva.path("missing.npz");
    place.refuses(place.scan(&model(), &missing, &[]), &["missing.npz"], "--data");

    let whole_cifar = place.file("other.bin", &vec![1_u8; 3073]);
    place.refuses(place.scan(&model(), &whole_cifar, &[]), &["[?, 16, 16, 1]", "[32, 32, 3]"], "of the data's size");
}

#[test]
fn a_wrong_value_range_is_caught_and_its_cause_named() {
    let place = Place::new();
    let ran = place.scan(&model(), &data(), &["--value-range", "-1..1"]);
    place.refuses(ran, &["of the clean images correctly"], "use --value-range 0..1");
    let (images, labels) = digits();
    let path = place.aeva.path("inverted.npz");
    save(&path, &images.mapv(|value| 255 - value), Some(&labels));
    place.refuses(place.scan(&model(), &path, &[]), &["of the clean images correctly"], "x = 255 - x");
}

#[test]
fn places_that_cannot_be_written_are_refused() {
    let place = Place::new();
    // A file in place of a folder is refused for every user, including the administrator.
    let file = place.file("occupied", b"a file");
    let out = file.join("run");
    let (model, data) = (model(), data());
    let args = ["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "--out", out.to_str().unwrap()];
    place.refuses(place.aeva.run(&args), &["occupied"], "--out");
    fs::create_dir(place.aeva.path("thesis")).unwrap();
    place.file("thesis/chapter.txt", b"dear");
    let args = ["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "--out", "thesis"];
    place.refuses(place.aeva.run(&args), &["thesis is not a run folder"], "an empty or new one");
    assert_eq!(files(&place.aeva.path("thesis")).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let locked = place.aeva.path("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("probe"), b"").is_ok() {
        // The administrator may write anywhere; only the kernel's own read-only tree refuses that.
        let _ = fs::remove_file(locked.join("probe"));
        if !Path::new("/proc/self").is_dir() {
            say("SKIPPED: this user may write everywhere");
            return;
        }
        let ran = place.aeva.perturbations("digits-clean.onnx", &["--iterations", "2", "--out", "/proc/aeva-run"]);
        place.refuses(ran, &["/proc/aeva-run"], "you may write to");
    } else {
        let ran = place.aeva.perturbations("digits-clean.onnx", &["--iterations", "2", "--out", "locked/run"]);
        place.refuses(ran, &["locked"], "you may write to");
    }
}

#[test]
fn a_missing_onnx_runtime_is_refused() {
    let place = Place::new();
    let empty = place.aeva.path("empty-cache");
    let scan = |name: &str, value: &Path| {
        let output = place
            .aeva
            .command()
            .env_remove("ORT_DYLIB_PATH")
            .env("AEVA_CACHE_DIR", &empty)
            .env(name, value)
            .args(["scan", model().to_str().unwrap(), "--data", data().to_str().unwrap(), "--out", "run"])
            .output()
            .unwrap();
        crate::harness::ran(output)
    };
    place.refuses(
        scan("LANG", Path::new("C")),
        &["ONNX Runtime for cpu is not installed", "empty-cache"],
        "aeva setup",
    );
    let nowhere = place.aeva.path("nowhere.so");
    place.refuses(scan("ORT_DYLIB_PATH", &nowhere), &["ORT_DYLIB_PATH is", "nowhere.so"], "unset it");
    let text = place.file("text.so", b"no library");
    place.refuses(scan("ORT_DYLIB_PATH", &text), &["cannot load ONNX Runtime", "text.so"], "aeva setup");
}

#[test]
fn a_missing_gpu_is_refused() {
    if std::env::var_os("AEVA_TEST_CUDA").is_some() {
        say("SKIPPED: this machine has a GPU");
        return;
    }
    let place = Place::new();
    let cuda = ["--device", "cuda:0"];
    place.refuses(place.scan(&model(), &data(), &cuda), &["ONNX Runtime for cuda:0"], "aeva setup --device cuda");
    // The CPU build has no CUDA: this must never become a quiet run on the CPU.
    let library = aeva_model::library_folder(aeva_model::Build::Cpu).unwrap().join(aeva_model::library_file_name());
    let output = place
        .aeva
        .command()
        .env("ORT_DYLIB_PATH", library)
        .args(["scan", model().to_str().unwrap(), "--data", data().to_str().unwrap(), "--out", "run"])
        .args(cuda)
        .output()
        .unwrap();
    place.refuses(crate::harness::ran(output), &["cuda:0 was asked for"], "aeva setup --device cuda");
    assert!(place.scan(&model(), &data(), &["--device", "gpu"]).ends_with(2).stderr.contains("expected cpu, cuda"));
}

/// A class with fewer correct images than samples is scanned with those it has, and the report says so.
#[test]
fn few_images_are_used_and_reported() {
    let aeva = Aeva::new();
    let (images, labels) = digits();
    let mut seen = 0;
    let some: Vec<usize> = (0..labels.len())
        .filter(|&index| {
            seen += usize::from(labels[index] == 7);
            labels[index] != 7 || seen <= 2
        })
        .collect();
    let axis = ndarray::Axis(0);
    let path = aeva.path("few.npz");
    save(&path, &images.select(axis, &some), Some(&labels.select(axis, &some)));
    let model = model();
    let args = ["scan", model.to_str().unwrap(), "--data", path.to_str().unwrap()];
    let ran = aeva.run(&[&args[..], &SHORT, &["--samples", "3"]].concat());
    assert!([0, 1].contains(&ran.code), "{}", ran.stderr);
    assert!(ran.stderr.contains("class 7 has 2 correct images for 3 samples"), "{}", ran.stderr);
    assert!(ran.stdout.contains("note: 18 of 90 pairs have fewer than 3 samples"), "{}", ran.stdout);
    let pairs = aeva.report("run")["pairs"].as_array().unwrap().clone();
    for pair in pairs {
        let few = pair["source"] == 7 || pair["target"] == 7;
        assert_eq!(pair["samples"], if few { 2 } else { 3 }, "{pair}");
    }
}
