//! The environment: no home, meaningless variables, invalid libraries, and `setup`.

use super::context::Context;
use super::findings::Findings;
use super::installed::{Installed, placeless, scan, told};
use super::{folder, library, setup};

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    bare(context, findings)?;
    variables(context, findings)?;
    let Some(installed) = Installed::find() else {
        findings.skip("ONNX Runtime in the cache folder, to damage copies of it");
        return Ok(());
    };
    library::run(context, findings, &installed)?;
    setup::run(context, findings, &installed)
}

fn bare(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let empty = context.folder("empty")?;
    for (name, home) in [
        ("an empty home", empty.as_os_str()),
        ("home is a file", "/dev/null".as_ref()),
        ("home is empty text", "".as_ref()),
    ] {
        let ended = placeless(scan(context)?).env("HOME", home).run()?;
        findings.check(ended.refused(), || told(name, &ended));
    }
    let ended = placeless(scan(context)?).run()?;
    findings.check(ended.refused(), || told("no home", &ended));
    let ended = scan(context)?.without("ORT_DYLIB_PATH").env("AEVA_CACHE_DIR", ".").folder(&empty).run()?;
    findings.check(ended.refused(), || told("a cache folder that is relative", &ended));
    let ended = placeless(context.aeva(["setup"])).run()?;
    findings.check(ended.refused(), || told("setup without a home", &ended));
    for command in ["stats", "inspect"] {
        let call = placeless(context.aeva([command]).arg(context.scratch.join("nowhere")));
        let ended = call.without("PATH").without("TERM").env("TMPDIR", "/nowhere").run()?;
        findings.check(ended.refused(), || told(command, &ended));
    }
    let nothing = folder::files(&empty).len();
    findings.check(nothing == 0, || format!("{nothing} files were left in an empty home"));
    Ok(())
}

fn variables(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let ended = scan(context)?.env("TMPDIR", "/nowhere").without("TERM").without("LANG").run()?;
    findings.check(ended.exited(1), || told("no TMPDIR, TERM, LANG", &ended));
    for level in ["trace", "nonsense==", "\u{1b}[31m", "aeva_model=debug"] {
        let ended = scan(context)?.env("RUST_LOG", level).run()?;
        findings.check(ended.exited(1), || told("RUST_LOG", &ended));
        findings.check(!ended.err.contains("\u{1b}[31m"), || "RUST_LOG steers the terminal".to_owned());
    }
    let ended = scan(context)?.env("ORT_DYLIB_PATH", "").run()?;
    findings.check(ended.exited(1), || told("ORT_DYLIB_PATH is empty", &ended));
    Ok(())
}
