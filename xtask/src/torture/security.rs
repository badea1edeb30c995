//! What a hostile model or run folder can reach, and what a scan opens, writes and connects to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::context::{CLEAN, Context, INFECTED, Recipe, SHORTEST};
use super::external;
use super::findings::Findings;
use super::folder;
use super::onnx::{self, Attribute, FLOAT, Graph, Node, scores};
use super::run::Call;
use super::trace::{Tracer, file_of, succeeded};

/// Time in seconds by which telemetry would have been sent.
const PATIENCE: u64 = 14;

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    external::run(context, findings)?;
    operators(context, findings)?;
    match Tracer::find() {
        Some(tracer) => {
            what_a_scan_does(context, findings, &tracer)?;
            long_scan(context, findings, &tracer)?;
        }
        None => findings.skip("strace"),
    }
    telemetry(context, findings)?;
    links(context, findings)
}

/// Operators of other libraries, and nodes with code or compiled programs: a model can only name them.
fn operators(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let here = context.folder("operators")?;
    fs::write(here.join("libevil.so"), "x")?;
    let path = here.join("m.onnx");
    let mut models = Vec::new();
    for domain in ["com.evil", "ai.onnx.contrib", "com.microsoft.extensions"] {
        let node = Node::new("Evil", &["flat"], &["y"]).domain(domain);
        models.push((domain, onnx::flatten(), node));
    }
    for (operator, domain) in [("EPContext", "com.microsoft"), ("PyOp", "ai.onnx.ml"), ("PythonOp", "com.microsoft")] {
        let node = Node::new(operator, &["flat"], &["y"]).domain(domain).with("embed_mode", Attribute::Int(0));
        let node = node.with("main_context", Attribute::Int(1)).with("source", Attribute::Text("CPU"));
        models.push((domain, onnx::flatten(), node.with("ep_cache_context", Attribute::Text("../secret.bin"))));
    }
    for (domain, first, second) in models {
        let graph = Graph::new("g").input("x", FLOAT, &onnx::digits()).node(first).node(second);
        fs::write(&path, graph.output("y", FLOAT, &scores(256)).model_of(17, &[domain]))?;
        let out = context.nothing("out")?;
        let ended = context.scan(&path, &context.data(), &out).args(SHORTEST).folder(&here).limit(30).run()?;
        findings.check(ended.refused(), || format!("an operator of {domain}: {}", ended.line()));
    }
    Ok(())
}

/// Files written outside the run folder, programs started, sockets opened.
fn what_a_scan_does(context: &Context, findings: &mut Findings, tracer: &Tracer) -> anyhow::Result<()> {
    let names =
        "open,openat,openat2,creat,connect,socket,execve,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat";
    let out = context.nothing("watched")?;
    let call = context.scan(&context.model(INFECTED), &context.data(), &out).limit(90);
    let (ended, lines) = tracer.watch(call, names, &context.scratch.join("trace"))?;
    findings.check(ended.exited(1), || format!("a scan that is watched: {}", ended.line()));
    let changes = ["O_WRONLY", "O_RDWR", "O_CREAT", "creat(", "rename", "unlink", "mkdir"];
    let written = lines.iter().filter(|line| succeeded(line) && changes.iter().any(|word| line.contains(word)));
    let allowed =
        |path: &Path| [&out, Path::new("/dev"), Path::new("/proc/self")].iter().any(|base| path.starts_with(base));
    let outside: Vec<PathBuf> = written.filter_map(|line| file_of(line)).filter(|path| !allowed(path)).collect();
    findings.check(outside.is_empty(), || format!("a scan writes outside of its folder: {outside:?}"));
    let sockets = lines.iter().filter(|line| line.contains("socket(") || line.contains("connect(")).count();
    findings.check(sockets == 0, || format!("a scan opens {sockets} sockets"));
    // The tracer starts `nice`, which starts `env`, which starts the program, which may start itself.
    let own = |path: &Path| path == context.aeva || path == Path::new("/proc/self/exe");
    let programs: Vec<PathBuf> = lines
        .iter()
        .filter(|line| line.contains("execve(") && succeeded(line))
        .filter_map(|line| file_of(line))
        .collect();
    let foreign: Vec<&PathBuf> = programs.iter().filter(|path| !own(path)).collect();
    findings.check(foreign.is_empty() && !programs.is_empty(), || format!("a scan runs {foreign:?}"));
    Ok(())
}

/// A scan of some seconds, because telemetry is sent late: no socket, and so no name look-up.
fn long_scan(context: &Context, findings: &mut Findings, tracer: &Tracer) -> anyhow::Result<()> {
    let out = context.nothing("long")?;
    let call = context.scan(&context.model(CLEAN), &context.data(), &out);
    let call = call.args(["--lens", "perturbation", "--preset", "published"]).limit(PATIENCE);
    let (ended, lines) =
        tracer.watch(call, "socket,connect,sendto,sendmsg,sendmmsg", &context.scratch.join("trace"))?;
    findings.check(ended.end == super::run::End::Hang, || format!("a long scan that is watched: {}", ended.line()));
    let first = lines.iter().find(|line| line.contains('('));
    findings.check(first.is_none(), || {
        format!(
            "a long scan uses the network: {} calls, {}",
            lines.len(),
            first.map(String::as_str).unwrap_or_default()
        )
    });
    Ok(())
}

/// An empty home stays empty.
fn telemetry(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let (home, temporary) = (context.folder("home")?, context.folder("temporary")?);
    let here = context.folder("here")?;
    let cache = std::env::var_os("AEVA_CACHE_DIR").map(PathBuf::from).or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        Some(base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?.join("aeva"))
    });
    let at_home = |call: Call| {
        let call = call.env("HOME", &home).env("TMPDIR", &temporary).without("XDG_CACHE_HOME").folder(&here);
        match &cache {
            Some(cache) => call.env("AEVA_CACHE_DIR", cache),
            None => call,
        }
    };
    let out = context.nothing("out")?;
    let scan = context.scan(&context.model(INFECTED), &context.data(), &out);
    let bench = context.aeva(["bench"]).arg(context.model(CLEAN));
    for (name, call, code) in [("scan", scan, 1), ("bench", bench, 0)] {
        let ended = at_home(call).limit(90).run()?;
        findings.check(ended.exited(code), || format!("{name} with an empty home: {}", ended.line()));
        let left: Vec<PathBuf> =
            [&home, &temporary, &here].into_iter().flat_map(|folder| folder::files(folder)).collect();
        findings.check(left.is_empty(), || format!("{name} leaves files: {left:?}"));
    }
    Ok(())
}

/// Folders of a run that are links to other places: their targets lose nothing.
fn links(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let recipe = Recipe::INFECTED_TRIGGERS;
    context.reference(recipe)?;
    for part in ["evidence", "triggers-v1", "pairs-v1"] {
        let folder = context.scratch.join(format!("links-{part}"));
        folder::copy(&context.reference_folder(recipe), &folder)?;
        let target = context.folder(&format!("target-{part}"))?;
        fs::write(target.join("keep"), "keep")?;
        folder::remove(&folder.join(part))?;
        symlink(&target, folder.join(part))?;
        let ended = context.recipe(recipe, &folder).run()?;
        let kept = fs::read(target.join("keep")).is_ok_and(|text| text == b"keep");
        findings.check(kept && (ended.exited(1) || ended.refused()), || format!("{part} is a link: {}", ended.line()));
        findings.add("files written through links", folder::files(&target).len() - usize::from(kept));
    }
    Ok(())
}
