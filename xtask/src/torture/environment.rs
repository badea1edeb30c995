//! The environment: no home, variables that say nothing, libraries that are none, and `setup`.

use std::path::{Path, PathBuf};

use super::context::{Context, INFECTED};
use super::findings::Findings;
use super::folder;
use super::run::{Call, Ended};
use super::{library, setup};

/// Variables that say where the library is.
const PLACES: [&str; 5] = ["HOME", "XDG_CACHE_HOME", "AEVA_CACHE_DIR", "ORT_DYLIB_PATH", "LD_LIBRARY_PATH"];

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

/// The library that works, where `aeva setup` has put it.
pub(crate) struct Installed {
    pub(crate) path: PathBuf,
    /// Name of the folder that it is in.
    pub(crate) folder: String,
}

impl Installed {
    fn find() -> Option<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = variable("AEVA_CACHE_DIR").or_else(|| {
            Some(variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?.join("aeva"))
        })?;
        let entries = std::fs::read_dir(cache).ok()?;
        entries.flatten().find_map(|entry| {
            let folder = entry.file_name().to_str()?.to_owned();
            let path = entry.path().join("libonnxruntime.so");
            (folder.ends_with("cpu") && path.is_file()).then_some(Self { path, folder })
        })
    }

    /// Where it is in another cache folder.
    pub(crate) fn within(&self, cache: &Path) -> PathBuf {
        cache.join(&self.folder).join("libonnxruntime.so")
    }
}

/// A scan whose result is known: exit 1.
pub(crate) fn scan(context: &Context) -> anyhow::Result<Call> {
    let out = context.nothing("out")?;
    Ok(context.scan(&context.model(INFECTED), &context.data(), &out).limit(60))
}

/// Without any place where the library could be.
pub(crate) fn placeless(call: Call) -> Call {
    PLACES.into_iter().fold(call, Call::without)
}

/// One line of a check: what is done, and how it ended.
pub(crate) fn told(what: &str, ended: &Ended) -> String {
    format!("{what}: {}", ended.line())
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
