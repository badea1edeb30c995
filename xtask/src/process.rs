//! Running other programs, and talking to the user.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};

use crate::root;

/// Says what happens, on stderr.
#[expect(clippy::print_stderr, reason = "programs print")]
pub fn say(message: &str) {
    eprintln!("{message}");
}

/// Prints a result, on stdout.
#[expect(clippy::print_stdout, reason = "programs print")]
pub fn print(text: &str) {
    println!("{text}");
}

/// Runs a command to its end, its output going where ours goes.
///
/// # Errors
/// When it cannot be started, or ends with another exit code than 0.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let code = exit_code(command)?;
    if code != 0 {
        bail!("{} ended with exit code {code}", name(command));
    }
    Ok(())
}

/// Exit code of a command, its output going where ours goes; a command ended by a signal counts as 128.
///
/// # Errors
/// When it cannot be started.
pub fn exit_code(command: &mut Command) -> anyhow::Result<i32> {
    let status = command.status().with_context(|| format!("cannot run {}", name(command)))?;
    Ok(status.code().unwrap_or(128))
}

/// What a command prints.
///
/// # Errors
/// When it cannot be started, or fails; its stderr is then in the message.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", name(command)))?;
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
pub(crate) fn cargo_here() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The program `aeva`, built from this workspace.
pub fn aeva() -> Command {
    let mut command = cargo();
    command.args(["run", "--package", "aeva-cli", "--"]);
    command
}

/// The built program `aeva` itself, for measuring it: as `cargo run` has it.
///
/// # Errors
/// When it cannot be built.
pub fn built_aeva() -> anyhow::Result<PathBuf> {
    let text = output(cargo().args(["build", "--quiet", "--package", "aeva-cli", "--message-format", "json"]))?;
    let path = text.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "aeva").then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    path.context("cargo did not say where it built the program")
}

fn name(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().take(4).map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}
