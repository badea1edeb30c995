//! Starts other programs and prints messages.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};

use crate::root;

/// Prints a message to stderr.
#[expect(clippy::print_stderr, reason = "programs print")]
pub fn say(message: &str) {
    eprintln!("{message}");
}

/// Prints a result to stdout.
#[expect(clippy::print_stdout, reason = "programs print")]
pub fn print(text: &str) {
    println!("{text}");
}

/// Runs a command to its end, with the stdout and stderr of this process.
///
/// # Errors
/// When it cannot be started, or its exit code is not 0.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let code = exit_code(command)?;
    if code != 0 {
        bail!("{} ended with exit code {code}", name(command));
    }
    Ok(())
}

/// Exit code of a command, which is run with the stdout and stderr of this process; 128 if a signal ended it.
///
/// # Errors
/// When it cannot be started.
pub fn exit_code(command: &mut Command) -> anyhow::Result<i32> {
    let status = as_from_a_shell(command).status().with_context(|| format!("cannot run {}", name(command)))?;
    Ok(status.code().unwrap_or(128))
}

/// Removes what `cargo xtask` says about this package. Build scripts such as that of `ring` look at it, so a cargo below this
/// program would compile them, and all that uses them, again.
fn as_from_a_shell(command: &mut Command) -> &mut Command {
    let is_of_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_of_package)) {
        command.env_remove(name);
    }
    command
}

/// What a command prints to stdout.
///
/// # Errors
/// When it cannot be started, or fails; then the message contains its stderr.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let Output { status, stdout, stderr } = as_from_a_shell(command)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", name(command)))?;
    if !status.success() {
        let stderr = String::from_utf8_lossy(&stderr);
        bail!("{} failed: {}", name(command), stderr.trim());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// `cargo` in the root of the workspace.
pub fn cargo() -> Command {
    let mut command = cargo_here();
    command.current_dir(root());
    command
}

/// `cargo` in the folder of the caller.
fn cargo_here() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The folder that `AEVA_BUILT` names, whose programs are used as they are. `.ci/run` sets it, as it has built the whole workspace:
/// a single package needs some dependencies with fewer features, and building it would compile those, and what uses them, once more.
fn built(program: &str) -> Option<PathBuf> {
    let folder = env::var_os("AEVA_BUILT").filter(|folder| !folder.is_empty())?;
    Some(PathBuf::from(folder).join(format!("{program}{}", env::consts::EXE_SUFFIX)))
}

/// The program of a package, built from this workspace. It runs in the current folder.
pub(crate) fn program(package: &str, program: &str) -> Command {
    if let Some(path) = built(program) {
        return Command::new(path);
    }
    let mut command = cargo_here();
    command.args(["run", "--package", package, "--manifest-path"]).arg(root().join("Cargo.toml")).arg("--");
    command
}

/// The program `aeva`, built from this workspace. It runs in its root.
pub fn aeva() -> Command {
    let mut command = program("aeva-cli", "aeva");
    command.current_dir(root());
    command
}

/// Path of the program `aeva`, which is built with the profile of `cargo run`. For measurements without the time that cargo takes.
///
/// # Errors
/// When it cannot be built.
pub fn built_aeva() -> anyhow::Result<PathBuf> {
    if let Some(path) = built("aeva") {
        return Ok(path);
    }
    let text = output(cargo().args(["build", "--quiet", "--package", "aeva-cli", "--message-format", "json"]))?;
    let path = text.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "aeva").then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    path.context("cargo did not report the path of the program `aeva`")
}

fn name(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().take(4).map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}
