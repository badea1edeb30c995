//! `aeva selftest`: scans two small models that the program carries, one of them infected, to see that it works here.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::args::SelftestArgs;
use crate::exit::ExitStatus;
use crate::output::{plain, show};

/// The shipped models, and what a scan has to say of them.
const MODELS: [(&str, &[u8], &str, &[usize]); 2] = [
    ("digits-infected.onnx", include_bytes!("../../../../models/digits-infected.onnx"), "backdoored", &[3]),
    ("digits-clean.onnx", include_bytes!("../../../../models/digits-clean.onnx"), "clean", &[]),
];
const DATA: (&str, &[u8]) = ("digits.npz", include_bytes!("../../../../models/digits.npz"));

/// What is read of `report.json`.
#[derive(Deserialize)]
struct Found {
    verdict: String,
    suspects: Vec<usize>,
    queries: u64,
    run: Run,
}

#[derive(Deserialize)]
struct Run {
    provenance: Provenance,
}

#[derive(Deserialize)]
struct Provenance {
    provider: String,
}

pub(crate) fn run(args: &SelftestArgs) -> anyhow::Result<ExitStatus> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let program = env::current_exe().context("cannot find this program")?;
    let data = folder.path().join(DATA.0);
    fs::write(&data, DATA.1).with_context(|| format!("cannot write {}", data.display()))?;
    for (name, bytes, verdict, suspects) in MODELS {
        let model = folder.path().join(name);
        fs::write(&model, bytes).with_context(|| format!("cannot write {}", model.display()))?;
        // A process of its own, as a user starts it, so that nothing but the program itself is tried.
        let mut scan = Command::new(&program);
        scan.args(["--quiet", "--color", "never", "scan"]).arg(&model).arg("--data").arg(&data);
        scan.args(["--device", &args.device.to_string(), "--json", "--out"]).arg(folder.path().join("run").join(name));
        let ran = scan.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", program.display()))?;
        let Ok(found) = serde_json::from_slice::<Found>(&ran.stdout) else {
            let why = String::from_utf8_lossy(&ran.stderr).into_owned();
            bail!("the scan of the shipped {name} gave no report ({}):\n{}", ran.status, plain(why.trim_end()));
        };
        if (found.verdict.as_str(), found.suspects.as_slice()) != (verdict, suspects) {
            bail!(
                "the scan of the shipped {name} on {} says {} {:?}, expected {verdict} {suspects:?}",
                plain(&found.run.provenance.provider),
                plain(&found.verdict),
                found.suspects
            );
        }
        let labels = suspects.first().map_or_else(String::new, |label| format!(", label {label}"));
        show(&format!(
            "ok: {name} is {verdict}{labels} ({} queries, {})",
            found.queries,
            plain(&found.run.provenance.provider)
        ))?;
    }
    Ok(ExitStatus::Success)
}
