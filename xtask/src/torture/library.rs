//! Libraries that are invalid, lie, or are damaged in the cache folder; bait beside the caller.

use std::fs;
use std::path::{Path, PathBuf};

use super::compile;
use super::context::Context;
use super::findings::Findings;
use super::folder;
use super::installed::{Installed, placeless, scan, told};
use super::run::{Call, Ended};

/// The exports of ONNX Runtime that the program uses.
const PRELUDE: &str = "struct base { void *(*get)(unsigned); const char *(*version)(void); };\n";

pub(crate) fn run(context: &Context, findings: &mut Findings, installed: &Installed) -> anyhow::Result<()> {
    named(context, findings, installed)?;
    lying(context, findings)?;
    cached(context, findings, installed)?;
    bait(context, findings)
}

/// Files named by `ORT_DYLIB_PATH` that are not libraries.
fn named(context: &Context, findings: &mut Findings, installed: &Installed) -> anyhow::Result<()> {
    let folder = context.folder("libraries")?;
    let whole = fs::read(&installed.path)?;
    let file = |name: &str, bytes: &[u8]| -> anyhow::Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, bytes)?;
        Ok(path)
    };
    for (name, path) in [
        ("text", file("text.so", b"hello")?),
        ("empty", file("empty.so", b"")?),
        ("half", file("half.so", &whole[..whole.len() / 2])?),
        ("a folder", folder.clone()),
        ("nothing", folder.join("missing.so")),
        ("another name", PathBuf::from("libonnxruntime.so")),
        ("a device", PathBuf::from("/dev/zero")),
        ("a program", context.aeva.clone()),
    ] {
        let ended = scan(context)?.env("ORT_DYLIB_PATH", &path).folder(&context.scratch).run()?;
        findings.check(ended.refused(), || told(&format!("ORT_DYLIB_PATH is {name}"), &ended));
    }
    Ok(())
}

/// Compiles a library with these exports; `None` if there is no compiler.
fn compiled(context: &Context, name: &str, body: &str) -> anyhow::Result<Option<PathBuf>> {
    compile::library(context, name, &format!("{PRELUDE}{body}"))
}

/// Libraries that load but have nothing behind their functions, or crash.
fn lying(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let base = |get: &str, version: &str| {
        format!(
            "static void *get(unsigned v) {{ {get} }} static const char *version(void) {{ {version} }}\n\
             static struct base b = {{ get, version }}; struct base *OrtGetApiBase(void) {{ return &b; }}"
        )
    };
    for (name, body) in [
        ("null", "struct base *OrtGetApiBase(void) { return 0; }".to_owned()),
        ("old", base("return 0;", "return \"1.2.3\";")),
        ("lie", base("return 0;", "return \"1.31.1\";")),
        ("mute", base("return 0;", "return 0;")),
        ("crash", base("*(volatile int *)0 = 0; return 0;", "return \"1.31.1\";")),
        ("zeros", base("static void *nothing[4096]; return nothing;", "return \"1.31.1\";")),
    ] {
        let Some(library) = compiled(context, name, &body)? else {
            findings.skip("cc, for libraries that lie");
            return Ok(());
        };
        let ended = scan(context)?.env("ORT_DYLIB_PATH", &library).run()?;
        findings.check(ended.refused(), || told(&format!("a library that lies ({name})"), &ended));
    }
    Ok(())
}

/// A damaged library in the cache folder: a scan reports it, and `setup` does not treat it as installed.
fn cached(context: &Context, findings: &mut Findings, installed: &Installed) -> anyhow::Result<()> {
    let cache = context.folder("cache")?;
    let path = installed.within(&cache);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let whole = fs::read(&installed.path)?;
    let mut flipped = whole.clone();
    let middle = flipped.len() / 4;
    flipped[middle] ^= 1;
    let call =
        || -> anyhow::Result<Call> { Ok(scan(context)?.without("ORT_DYLIB_PATH").env("AEVA_CACHE_DIR", &cache)) };
    for (name, bytes) in [("text", &b"hello"[..]), ("a third", &whole[..whole.len() / 3]), ("a flipped bit", &flipped)]
    {
        fs::write(&path, bytes)?;
        let ended = call()?.run()?;
        // The flipped bit may be one that is never used.
        let right = ended.refused() || name == "a flipped bit" && ended.exited(1);
        findings.check(right, || told(&format!("the cache holds {name}, scan"), &ended));
        let ended = setup(context, &cache).env("PATH", "/nowhere").run()?;
        findings.check(ended.refused(), || told(&format!("the cache holds {name}, setup without Python"), &ended));
    }
    let ended = setup(context, &cache).env("PIP_RETRIES", "0").env("PIP_TIMEOUT", "10").limit(120).run()?;
    repaired(findings, &ended, &path, installed);
    if ended.exited(0) {
        let ended = call()?.run()?;
        findings.check(ended.exited(1), || told("scan with the repaired library", &ended));
    }
    folder::remove(&path)?;
    fs::create_dir(&path)?;
    let ended = call()?.run()?;
    findings.check(ended.refused(), || told("the cache holds a folder, scan", &ended));
    let ended = setup(context, &cache).env("PATH", "/nowhere").run()?;
    findings.check(ended.refused(), || told("the cache holds a folder, setup without Python", &ended));
    Ok(())
}

pub(crate) fn setup(context: &Context, cache: &Path) -> Call {
    context.aeva(["setup"]).without("ORT_DYLIB_PATH").env("AEVA_CACHE_DIR", cache).limit(60)
}

fn repaired(findings: &mut Findings, ended: &Ended, path: &Path, installed: &Installed) {
    if ended.refused() {
        findings.skip("a package index, to repair a library from");
        return;
    }
    let same = folder::digest(path) == folder::digest(&installed.path);
    findings.check(ended.exited(0) && same, || {
        told(&format!("setup on a damaged library (right afterwards: {same})"), ended)
    });
}

/// A library with that name in the working folder of a scan is not loaded.
fn bait(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let here = context.folder("bait")?;
    let body = "#include <stdio.h>\n__attribute__((constructor)) static void f(void) { fclose(fopen(\"ran\", \"w\")); }\n\
                struct base *OrtGetApiBase(void) { return 0; }";
    let Some(library) = compiled(context, "bait-library", body)? else {
        return Ok(());
    };
    fs::copy(library, here.join("libonnxruntime.so"))?;
    let empty = context.folder("empty")?;
    // The bait works: if it is named, it runs.
    let named = scan(context)?.env("ORT_DYLIB_PATH", here.join("libonnxruntime.so")).folder(&here).run()?;
    findings.check(here.join("ran").exists() && named.refused(), || told("a library named by ORT_DYLIB_PATH", &named));
    for (name, call) in [("no cache", placeless(scan(context)?).env("HOME", &empty)), ("the cache", scan(context)?)] {
        folder::remove(&here.join("ran"))?;
        let ended = call.folder(&here).run()?;
        findings.check(!here.join("ran").exists(), || {
            told(&format!("a library beside the caller was loaded, {name}"), &ended)
        });
    }
    Ok(())
}
