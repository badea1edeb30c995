//! A real browser opens the pages, and keeps pictures of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::blocks;
use crate::harness::{Aeva, Ran, ran, root, say};
use crate::pages::scanned;

/// Wide, and as a phone has it.
const WINDOWS: [(&str, &str); 2] = [("wide", "1100,1400"), ("phone", "390,1400")];

/// Pages of all verdicts, kinds of backdoors and numbers of labels, without a message on the console of the browser.
#[test]
fn a_browser_opens_every_page() {
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let version = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|ran| ran.status.success());
    let Some(browser) = browsers.iter().find(version) else {
        say("SKIPPED a_browser_opens_every_page: no Chromium is installed");
        return;
    };
    let aeva = Aeva::new();
    scanned(&aeva, &[]);
    aeva.scan("digits-clean.onnx", &["--out", "clean"]).ends_with(0);
    aeva.scan("digits-clean.onnx", &["--out", "part", "--max-queries", "3000"]).ends_with(3);
    aeva.perturbations("digits-infected.onnx", &["--out", "perturbations"]).ends_with(1);
    let mut runs = ["run", "clean", "part", "perturbations"].map(str::to_owned).to_vec();
    for (digits, kind, extra, code) in blocks::KINDS {
        let out = format!("{kind}-{digits}");
        blocks::scan(&aeva, digits, kind, &[&["--out", &out][..], extra].concat()).ends_with(code);
        runs.push(out);
    }
    let pictures = root().join("target").join("pages");
    fs::create_dir_all(&pictures).unwrap();
    for run in runs {
        let page = aeva.path(&run).join("report.html");
        // One page of each kind of verdict is enough for the phone.
        let windows = if ["run", "clean", "part"].contains(&run.as_str()) { &WINDOWS[..] } else { &WINDOWS[..1] };
        for &(name, size) in windows {
            let picture: PathBuf = pictures.join(format!("{run}-{name}.png"));
            let _ = fs::remove_file(&picture);
            let size = format!("--window-size={size}");
            let shot = browse(browser, &aeva, &page, &[&format!("--screenshot={}", picture.display()), &size]);
            assert_silent(&run, &shot);
            let (width, _) = image::image_dimensions(&picture).unwrap();
            assert!(size.contains(&format!("={width},")), "{run}: {width} pixels wide");
        }
    }
    say(&format!("pictures of the pages are in {}", pictures.display()));
}

/// Messages of pages are lines with CONSOLE.
fn assert_silent(run: &str, opened: &Ran) {
    assert!(!opened.stderr.contains("CONSOLE"), "{run}: {}", opened.stderr);
}

fn browse(browser: &str, aeva: &Aeva, page: &Path, extra: &[&str]) -> Ran {
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--hide-scrollbars"]);
    command.arg(format!("--user-data-dir={}", aeva.path("profile").display())).args(extra).arg(page);
    ran(command.output().unwrap())
}
