//! `aeva setup` with misbehaving Pythons, killed, into read-only places, and beside bait.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use super::context::Context;
use super::findings::Findings;
use super::folder;
use super::installed::{Installed, told};
use super::library::setup;

/// Shell lines that find the destination of a download.
const TARGET: &str = "while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && d=\"$2\"; shift; done\n";
const VERSION: &str = "for w in \"$@\"; do [ \"$w\" = --version ] && { echo Python 3.12; exit 0; }; done\n";

pub(crate) fn run(context: &Context, findings: &mut Findings, installed: &Installed) -> anyhow::Result<()> {
    dishonest(context, findings)?;
    killed(context, findings)?;
    places(context, findings)?;
    bait(context, findings, installed)
}

/// A `PATH` on which Python is this shell script.
fn python(context: &Context, script: &str) -> anyhow::Result<String> {
    let place = context.folder("python")?;
    for program in ["python3", "python"] {
        let path = place.join(program);
        fs::write(&path, format!("#!/bin/sh\n{script}"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(format!("{}:/usr/bin:/bin", place.display()))
}

fn dishonest(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let deliver = |what: &str| format!("{VERSION}{TARGET}{what}\n");
    for (name, script) in [
        ("fails", "exit 1\n".to_owned()),
        ("has no pip", format!("{VERSION}echo No module named pip >&2; exit 1\n")),
        ("delivers nothing", format!("{VERSION}exit 0\n")),
        ("delivers another package", deliver("echo PK > \"$d/onnxruntime-1.31.1-cp312.whl\"")),
        ("delivers two", deliver("echo a > \"$d/a.whl\"; echo b > \"$d/b.whl\"")),
        ("delivers a folder", deliver("mkdir \"$d/a.whl\"")),
        ("delivers a link", deliver("ln -s /etc/passwd \"$d/a.whl\"")),
        ("delivers a device", deliver("ln -s /dev/zero \"$d/a.whl\"")),
        ("steers the terminal", format!("{VERSION}printf '\\033]0;x\\007' >&2; exit 1\n")),
    ] {
        let (path, cache) = (python(context, &script)?, context.nothing("setup")?);
        let ended = setup(context, &cache).env("PATH", path).run()?;
        findings.check(ended.refused(), || told(&format!("a Python that {name}"), &ended));
        let left = folder::files(&cache);
        findings.check(left.is_empty(), || format!("a Python that {name}: left {left:?}"));
    }
    let cache = context.nothing("setup")?;
    let ended = setup(context, &cache).env("PATH", "/nowhere").run()?;
    findings.check(ended.refused(), || told("no Python", &ended));
    Ok(())
}

fn killed(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let slow = format!("{VERSION}{TARGET}head -c 100000 /dev/zero > \"$d/a.whl\"; sleep 20\n");
    let (path, cache) = (python(context, &slow)?, context.nothing("setup-killed")?);
    for signal in ["KILL", "TERM", "INT"] {
        let mut running = setup(context, &cache).env("PATH", &path).start()?;
        sleep(Duration::from_millis(700));
        running.signal_group(signal)?;
        let ended = running.wait()?;
        findings.check(!ended.panicked() && !ended.exited(0), || told(&format!("setup and {signal}"), &ended));
    }
    findings.add("files left by a killed setup", folder::files(&cache).len());
    // An incomplete installation does not count as installed.
    let ended = setup(context, &cache).env("PATH", "/nowhere").run()?;
    findings.check(ended.refused(), || told("setup after one that was killed", &ended));
    Ok(())
}

fn places(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let file = context.scratch.join("a-file");
    fs::write(&file, "keep")?;
    for place in [PathBuf::from("/proc/aeva"), file.clone()] {
        let ended = setup(context, &place).env("PIP_NO_INDEX", "1").run()?;
        findings.check(ended.refused(), || told(&format!("setup into {}", place.display()), &ended));
    }
    findings.check(fs::read(&file)? == b"keep", || "setup has written into a file that is there".to_owned());
    Ok(())
}

/// Modules in the working folder, under names that Python and pip import.
fn bait(context: &Context, findings: &mut Findings, installed: &Installed) -> anyhow::Result<()> {
    let here = context.folder("untrusted")?;
    let mark = "open('ran', 'a').write(__file__ + '\\n')\nraise SystemExit(1)\n";
    for name in ["pip.py", "runpy.py", "sitecustomize.py", "usercustomize.py", "zipfile.py", "ssl.py", "venv.py"] {
        fs::write(here.join(name), mark)?;
    }
    let cache = context.nothing("setup-here")?;
    // Nothing is downloaded: with pip's own code, this ends with an error.
    let call = setup(context, &cache).env("PIP_NO_INDEX", "1").folder(&here);
    let ended = call.clone().run()?;
    let ran = fs::read_to_string(here.join("ran")).unwrap_or_default();
    findings.check(ran.is_empty() && ended.refused(), || {
        told(&format!("setup beside modules of pip's names ran {}", ran.trim()), &ended)
    });
    let ended = call.env("PYTHONPATH", ".").run()?;
    findings.check(!ended.broken(), || told("setup with PYTHONPATH", &ended));
    let whole = installed.path.is_file();
    findings.check(whole, || "the library that works is gone".to_owned());
    Ok(())
}
