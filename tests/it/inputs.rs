//! Assumptions about the input of a model are asked about or reported, never made silently.

use std::fs;
use std::path::Path;

use ndarray::Array3;
use ndarray_npy::WriteNpyExt;

use crate::bad_input::save;
use crate::harness::{Aeva, Ran, shipped};
use crate::onnx::{digits, of_bytes, of_one_score, of_signs, with_labels};

const SHORT: [&str; 10] =
    ["--lens", "perturbation", "--iterations", "1", "--samples", "1", "--sources", "0", "--targets", "1"];

fn scan(aeva: &Aeva, model: &Path, data: &Path, extra: &[&str]) -> Ran {
    let args = ["scan", model.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let out: &[&str] = if extra.contains(&"--out") { &[] } else { &["--out", "run"] };
    aeva.run(&[&args[..], &SHORT, out, extra].concat())
}

/// The shipped model without the manifest that describes its input.
fn bare(aeva: &Aeva) -> std::path::PathBuf {
    let path = aeva.path("bare.onnx");
    fs::copy(shipped("digits-clean.onnx"), &path).unwrap();
    path
}

#[test]
fn assumptions_are_reported_with_the_verdict() {
    let aeva = Aeva::new();
    let ran = scan(&aeva, &bare(&aeva), &shipped("digits.npz"), &[]).ends_with(3);
    assert!(ran.stdout.contains("note: nothing was stated about the model's pixels"), "{}", ran.stdout);
    assert!(ran.stdout.contains("model input: 16x16x1 nhwc, value range 0..1, first output"), "{}", ran.stdout);
    let stated = scan(&aeva, &bare(&aeva), &shipped("digits.npz"), &["--value-range", "0..1"]).ends_with(3);
    assert!(!stated.stdout.contains("nothing was stated"), "{}", stated.stdout);
    assert!(stated.stdout.contains("model input:"), "{}", stated.stdout);
}

/// Pixels in -1..1 and normalised pixels fit equally well, pixels in 0..1 do not. The program asks, with the options
/// for each answer.
#[test]
fn the_program_asks_if_several_conventions_fit() {
    let aeva = Aeva::new();
    let path = aeva.path("signs.onnx");
    fs::write(&path, of_signs()).unwrap();
    let ran = scan(&aeva, &path, &shipped("digits.npz"), &[]).ends_with(2);
    for part in ["several other ways", "--value-range -1..1", "--value-range 0..1 --mean 0.1307 --std 0.3081"] {
        assert!(ran.stderr.contains(part), "{part} is not in\n{}", ran.stderr);
    }
    assert!(!aeva.path("run").exists());
    scan(&aeva, &path, &shipped("digits.npz"), &["--value-range", "-1..1"]).ends_with(3);
}

/// A folder of pictures with these class names.
fn pictures(aeva: &Aeva, names: [&str; 10]) -> std::path::PathBuf {
    let (images, labels) = digits();
    let mut seen = [0; 10];
    for (image, &label) in images.outer_iter().zip(&labels) {
        let label = label as usize;
        seen[label] += 1;
        if seen[label] > 12 {
            continue;
        }
        let folder = aeva.path("pictures").join(names[label]);
        fs::create_dir_all(&folder).unwrap();
        let pixels: Array3<u8> = image.to_owned();
        let picture = image::GrayImage::from_raw(16, 16, pixels.into_raw_vec_and_offset().0).unwrap();
        picture.save(folder.join(format!("{:02}.png", seen[label]))).unwrap();
    }
    aeva.path("pictures")
}

/// Folders with words as names are numbered in the order of their names, which is seldom the order of the model.
#[test]
fn folders_in_another_order_are_recognised() {
    let aeva = Aeva::new();
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let ran = scan(&aeva, &shipped("digits-clean.onnx"), &pictures(&aeva, names), &[]).ends_with(2);
    for part in [
        "in another order than the model's",
        "class `eight` is the model's label 8",
        "name folders by the numbers",
        "--class-order FILE",
    ] {
        assert!(ran.stderr.contains(part), "{part} is not in\n{}", ran.stderr);
    }
    // The order is printed so that it can be copied, and then everything fits.
    let (_, order) = ran.stderr.split_once("labels):\n").unwrap();
    assert_eq!(order.lines().map(str::trim).collect::<Vec<_>>(), names);
    fs::write(aeva.path("order.txt"), order).unwrap();
    let folder = aeva.path("pictures");
    let model = shipped("digits-clean.onnx");
    let ran = scan(&aeva, &model, &folder, &["--class-order", "order.txt"]).ends_with(3);
    assert!(ran.stderr.contains("10 classes, clean accuracy 9"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(aeva.path("run").join("class-names.txt")).unwrap().lines().last(), Some("nine"));
    fs::write(aeva.path("order.txt"), names[..9].join("\n")).unwrap();
    let ran = scan(&aeva, &model, &folder, &["--class-order", "order.txt"]).ends_with(2);
    assert!(ran.stderr.contains("no line with `nine`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: write the name of each class"), "{}", ran.stderr);
    let numbered = Aeva::new();
    let folder = pictures(&numbered, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    scan(&numbered, &shipped("digits-clean.onnx"), &folder, &[]).ends_with(3);
}

/// Pictures of several sizes are resized on request, the report says so, and another size is another scan. A list of them is the same
/// data as their folder.
#[test]
fn pictures_can_be_resized_and_listed() {
    let aeva = Aeva::new();
    let folder = pictures(&aeva, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let large = image::open(folder.join("3").join("01.png")).unwrap();
    large.resize_exact(20, 24, image::imageops::FilterType::Triangle).to_rgb8().save(folder.join("3/01.png")).unwrap();
    let model = shipped("digits-clean.onnx");
    let ran = scan(&aeva, &model, &folder, &[]).ends_with(2);
    assert!(ran.stderr.contains("found shape [24, 20, 3]"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--resize HEIGHTxWIDTH"), "{}", ran.stderr);
    // Some of them are RGB now, and the model takes grey images.
    image::open(folder.join("3/01.png")).unwrap().to_luma8().save(folder.join("3/01.png")).unwrap();
    let ran = scan(&aeva, &model, &folder, &["--resize", "16x16"]).ends_with(3);
    assert!(ran.stdout.contains("note: images were resized to 16 x 16"), "{}", ran.stdout);

    let rows = (0..120).map(|row| (row / 12, row % 12 + 1));
    let rows: Vec<String> = rows.map(|(label, number)| format!("{label}/{number:02}.png,{label}")).collect();
    let list = format!("path,label\n{}\n", rows.join("\n"));
    fs::write(folder.join("list.csv"), &list).unwrap();
    scan(&aeva, &model, &folder.join("list.csv"), &["--resize", "16"]).ends_with(3);
    let numbers = aeva.path("pictures/list.csv");
    fs::write(&numbers, list.replace(",9", ",10")).unwrap();
    let ran = scan(&aeva, &model, &numbers, &["--resize", "16"]).ends_with(2);
    assert!(ran.stderr.contains("label 10"), "{}", ran.stderr);
    let ran = scan(&aeva, &model, &folder, &["--resize", "16x"]).ends_with(2);
    assert!(ran.stderr.contains("`16x` is no size"), "{}", ran.stderr);
}

/// Images and labels in two files are the same data as in one.
#[test]
fn images_and_labels_may_be_in_two_files() {
    let aeva = Aeva::new();
    let (images, labels) = digits();
    let path = aeva.path("images.npy");
    images.write_npy(fs::File::create(&path).unwrap()).unwrap();
    labels.write_npy(fs::File::create(aeva.path("labels.npy")).unwrap()).unwrap();
    let model = shipped("digits-clean.onnx");
    let ran = scan(&aeva, &model, &path, &[]).ends_with(2);
    assert!(ran.stderr.contains("images.npy has images without labels"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: state the file with the labels: --labels LABELS.npy"), "{}", ran.stderr);
    scan(&aeva, &model, &path, &["--labels", "labels.npy"]).ends_with(3);
    // The run is continued with the same data in another form.
    scan(&aeva, &model, &shipped("digits.npz"), &[]).ends_with(3);
    let ran = scan(&aeva, &model, &shipped("digits.npz"), &["--labels", "labels.npy"]).ends_with(2);
    assert!(ran.stderr.contains("--labels is stated, which is for images in a .npy file"), "{}", ran.stderr);
}

/// A model that answers with labels does not say how many there are.
#[test]
fn the_number_of_labels_can_be_stated() {
    let aeva = Aeva::new();
    let path = aeva.path("labels.onnx");
    fs::write(&path, with_labels()).unwrap();
    let ran = scan(&aeva, &path, &shipped("digits.npz"), &["--output", "label"]).ends_with(2);
    assert!(ran.stderr.contains("--classes N"), "{}", ran.stderr);
    let ran = scan(&aeva, &path, &shipped("digits.npz"), &["--output", "label", "--classes", "10"]).ends_with(3);
    assert!(ran.stderr.contains("10 classes, clean accuracy 97.4 %"), "{}", ran.stderr);
}

/// A model that takes bytes needs no statement about its pixels, and takes no other.
#[test]
fn a_model_may_take_bytes() {
    let aeva = Aeva::new();
    let path = aeva.path("bytes.onnx");
    fs::write(&path, of_bytes()).unwrap();
    let ran = scan(&aeva, &path, &shipped("digits.npz"), &[]).ends_with(3);
    for part in [
        "model input: 16x16x1 nhwc, value range 0..255, first output, uint8 pixels",
        "perturbations below 1/255 cannot be seen by the model",
    ] {
        assert!(ran.stdout.contains(part), "{part} is not in\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("nothing was stated"), "{}", ran.stdout);
    scan(&aeva, &path, &shipped("digits.npz"), &["--value-range", "0..255"]).ends_with(3);
    for stated in [["--value-range", "0..1"], ["--value-range", "-1..1"], ["--mean", "0.5"]] {
        let ran = scan(&aeva, &path, &shipped("digits.npz"), &stated).ends_with(2);
        for part in
            ["bytes.onnx has input of type uint8", "expected value range 0..255", "hint: leave out --value-range"]
        {
            assert!(ran.stderr.contains(part), "{part} is not in\n{}", ran.stderr);
        }
    }
    let bench = ["bench", path.to_str().unwrap(), "--rounds", "1", "--seconds", "0.1", "--json"];
    aeva.run(&bench).ends_with(0);
    // Wrong labels are still found out, although no other pixels can be tried.
    let (images, labels) = digits();
    save(&aeva.path("shifted.npz"), &images, Some(&labels.mapv(|label| (label + 1) % 10)));
    let ran = scan(&aeva, &path, &aeva.path("shifted.npz"), &[]).ends_with(2);
    assert!(ran.stderr.contains("another order than the model's"), "{}", ran.stderr);
}

/// One score is two labels, but from where on only the user knows.
#[test]
fn a_model_may_have_one_score() {
    let aeva = Aeva::new();
    let (images, labels) = digits();
    let chosen: Vec<usize> = (0..labels.len()).filter(|&index| labels[index] < 2).collect();
    let axis = ndarray::Axis(0);
    let data = aeva.path("two.npz");
    save(&data, &images.select(axis, &chosen), Some(&labels.select(axis, &chosen)));
    for (name, threshold) in [("probability.onnx", "0.5"), ("logit.onnx", "0")] {
        let path = aeva.path(name);
        fs::write(&path, of_one_score(threshold == "0.5")).unwrap();
        let ran = scan(&aeva, &path, &data, &[]).ends_with(2);
        for part in ["output scores of 1 class", "hint: state the score above which label 1 begins: --threshold 0.5"] {
            assert!(ran.stderr.contains(part), "{part} is not in\n{}", ran.stderr);
        }
        let out = format!("run-{threshold}");
        let ran = scan(&aeva, &path, &data, &["--threshold", threshold, "--out", &out]).ends_with(3);
        assert!(ran.stderr.contains("2 classes, clean accuracy"), "{}", ran.stderr);
        assert!(ran.stdout.contains(&format!("first output, threshold {threshold}")), "{}", ran.stdout);
        let ran = scan(&aeva, &path, &data, &["--threshold", "0.25", "--out", &out]).ends_with(2);
        assert!(ran.stderr.contains("model.preprocessing"), "{}", ran.stderr);
    }
    let ran = scan(&aeva, &shipped("digits-clean.onnx"), &shipped("digits.npz"), &["--threshold", "0.5"]).ends_with(2);
    assert!(ran.stderr.contains("hint: leave out --threshold"), "{}", ran.stderr);
}

/// The manifest may name the labels, and state from where on one score is label 1.
#[test]
fn the_manifest_may_describe_the_output() {
    let aeva = Aeva::new();
    let model = aeva.path("model.onnx");
    fs::copy(shipped("digits-clean.onnx"), &model).unwrap();
    let manifest = fs::read_to_string(shipped("digits-clean.toml")).unwrap();
    let with = |output: &str| fs::write(aeva.path("model.toml"), format!("{manifest}\n[output]\n{output}\n")).unwrap();
    with("class_names = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']");
    scan(&aeva, &model, &shipped("digits.npz"), &[]).ends_with(3);
    assert_eq!(fs::read_to_string(aeva.path("run").join("class-names.txt")).unwrap().lines().nth(3), Some("three"));
    with("class_names = ['zero']");
    let ran = scan(&aeva, &model, &shipped("digits.npz"), &[]).ends_with(2);
    assert!(ran.stderr.contains("1 class_names for 10 classes"), "{}", ran.stderr);
    with("threshold = 0.5");
    let ran = scan(&aeva, &model, &shipped("digits.npz"), &[]).ends_with(2);
    assert!(ran.stderr.contains("expected one score for each image"), "{}", ran.stderr);
}
