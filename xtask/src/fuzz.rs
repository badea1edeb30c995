//! `cargo xtask fuzz`: hands the readers what a fuzzer makes of the kept inputs. See `tests/fuzz`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use xtask::process::{cargo, output, say};
use xtask::root;

/// What cargo-fuzz asks of the compiler, without a sanitizer, which would need a nightly one. There is no unsafe code for it to watch.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What to run, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The readers, as the folders in tests/fuzz/corpus are named; all of them if none is named.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long each of them runs.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = root().join("tests").join("fuzz");
    let known = targets(&folder)?;
    if let Some(unknown) = args.targets.iter().find(|name| !known.contains(name)) {
        bail!("there is no target {unknown}; there are {}", known.join(", "));
    }
    let chosen = if args.targets.is_empty() { &known } else { &args.targets };
    let programs = build(&folder)?;
    let mut failed = Vec::new();
    for name in chosen {
        let path = programs.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        if !fuzz(name, &path, &folder, args.seconds)? {
            failed.push(name.as_str());
        }
    }
    if failed.is_empty() {
        say(&format!("{} targets, nothing found", chosen.len()));
        return Ok(());
    }
    bail!("found by {}: the input is in target/fuzz/NAME/found; put it into tests/fuzz/corpus/NAME", failed.join(", "))
}

/// The names of all targets.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let corpus = folder.join("corpus");
    let entries = fs::read_dir(&corpus).with_context(|| format!("cannot read {}", corpus.display()))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// Builds the targets and returns the folder that they are in.
fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let rustc = output(Command::new("rustc").arg("-vV").current_dir(root()))?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not name the host")?;
    let target = root().join("target").join("fuzz").join("build");
    // With a target, the flags are not those of build scripts and macros.
    xtask::process::run(
        cargo()
            .args(["build", "--locked", "--release", "--target", host, "--manifest-path"])
            .arg(folder.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .env("RUSTFLAGS", FLAGS),
    )?;
    Ok(target.join(host).join("release"))
}

/// Runs a target; whether nothing was found.
fn fuzz(name: &str, program: &Path, folder: &Path, seconds: u32) -> anyhow::Result<bool> {
    let own = root().join("target").join("fuzz").join(name);
    let (corpus, found) = (own.join("corpus"), own.join("found"));
    for folder in [&corpus, &found] {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    say(&format!("{name}: {seconds} s"));
    let mut command = Command::new(program);
    command.args(["-rss_limit_mb=2048", "-timeout=10", "-max_len=16384", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", found.display()));
    // New inputs go into the first folder; those of the second are only read.
    command.arg(&corpus).arg(folder.join("corpus").join(name));
    // Readers get files: in memory, where the system has such a place.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        command.env("TMPDIR", memory);
    }
    Ok(xtask::process::exit_code(&mut command)? == 0)
}
