//! `cargo xtask growth`: how time and memory of a scan grow with samples, labels, image size and threads.

use std::process::Command;

use xtask::process::{self, built_aeva};
use xtask::python::measuring_python;
use xtask::{demo, root};

pub(crate) fn run(quick: bool) -> anyhow::Result<()> {
    demo::setup()?;
    let python = measuring_python()?;
    let aeva = built_aeva()?;
    let docs = root().join("docs");
    let (folder, keep) = if quick { (tempfile::tempdir()?, false) } else { (tempfile::tempdir_in(&docs)?, true) };
    let (plot, figures) = (folder.path().join("growth.svg"), folder.path().join("growth.json"));
    let mut command = Command::new(python);
    command.arg(root().join("xtask").join("python").join("growth.py")).arg(aeva).arg(&plot).arg(&figures);
    if quick {
        command.arg("--quick");
    }
    process::run(&mut command)?;
    if keep {
        for file in [plot, figures] {
            if let Some(name) = file.file_name() {
                std::fs::rename(&file, docs.join(name))?;
            }
        }
        process::say("wrote docs/growth.svg and docs/growth.json");
    }
    Ok(())
}
