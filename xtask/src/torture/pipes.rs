//! Readers that go away, outputs that accept nothing, and a terminal: the verdict and the exit code must not change.

use std::fs;

use super::context::{CLEAN, Context, Recipe};
use super::findings::Findings;
use super::folder;
use super::onnx::{self, FLOAT, Graph, Node};
use super::run::{Call, End};

/// The name of a model that tries to set a terminal's title and to clear the screen.
const STEERING: &str = "\u{1b}]0;steered\u{7}\u{1b}[2Jx";

pub(crate) fn run(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    if Call::new("bash").args(["-c", "exit 7"]).run()?.exited(7) {
        streams(context, findings)?;
    } else {
        findings.skip("bash, for pipes");
    }
    terminal(context, findings)
}

fn streams(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let triggers = context.reference_folder(Recipe::CLEAN_TRIGGERS);
    let pairs = context.reference_folder(Recipe::INFECTED_PAIRS);
    let (model, data) = (context.model(CLEAN), context.data());
    let warning = context.scratch.join("warning");
    let calls = [
        ("stats", context.aeva(["stats"]).arg(&triggers)),
        ("stats --json", context.aeva(["stats", "--json"]).arg(&pairs)),
        ("inspect", context.aeva(["inspect"]).arg(&pairs)),
        ("scan --json", context.talkative_scan(&model, &data, &triggers).arg("--json")),
        ("--help", context.aeva(["--help"])),
        ("scan --help", context.aeva(["scan", "--help"])),
        ("--version", context.aeva(["--version"])),
        ("an error", context.aeva(["stats"]).arg(context.scratch.join("nowhere"))),
        ("usage", context.aeva(["scan"])),
        ("a warning", context.talkative_scan(&model, &data, &warning).args(super::context::SHORTEST)),
    ];
    let code = context.scratch.join("code");
    let shown = code.display();
    for (name, call) in calls {
        folder::remove(&warning)?;
        let wanted = call.run()?;
        let text = call.quoted();
        for (kind, script) in [
            ("| head -1", format!("{text} 2>/dev/null | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}")),
            ("| true", format!("(sleep 0.1; exec {text}) 2>/dev/null | true; exit ${{PIPESTATUS[0]}}")),
            (
                "2>&1 | true",
                format!(
                    "(sleep 0.1; {text} 2>&1; echo $? >&9) 9>'{shown}' | true; \
                     for i in $(seq 300); do [ -s '{shown}' ] && break; sleep 0.02; done; exit $(cat '{shown}')"
                ),
            ),
            (">&-", format!("{text} >&- 2>/dev/null")),
            ("2>&-", format!("{text} >/dev/null 2>&-")),
            (">/dev/full", format!("{text} >/dev/full 2>/dev/null")),
            ("2>/dev/full", format!("{text} >/dev/null 2>/dev/full")),
            ("<&-", format!("{text} <&- >/dev/null 2>&1")),
            ("all closed", format!("{text} <&- >&- 2>&-")),
        ] {
            fs::write(&code, "")?;
            folder::remove(&warning)?;
            let ended = Call::new("bash").args(["-c", &script]).limit(60).run()?;
            // If the result cannot be written, an error is also correct.
            let lost = matches!(kind, ">/dev/full" | ">&-" | "all closed") && ended.end == End::Exit(2);
            findings.check(ended.end == wanted.end || lost, || {
                format!("{name} {kind}: {} instead of {}", ended.kind(), wanted.kind())
            });
            findings.add("streams", 1);
        }
    }
    Ok(())
}

/// The name of a model must not control a terminal.
fn terminal(context: &Context, findings: &mut Findings) -> anyhow::Result<()> {
    let raw = fs::read(context.model(CLEAN))?;
    let (_, scores) = onnx::names(&raw)?;
    let addition = Graph::default().node(Node::new("Identity", &[&scores], &[STEERING]));
    let path = context.scratch.join("steering.onnx");
    fs::write(&path, onnx::extended(&raw, addition.output(STEERING, FLOAT, &onnx::scores(10))))?;
    let out = context.nothing("steered")?;
    let scan = context.talkative_scan(&path, &context.data(), &out).args(["--output", "nope"]);
    let script =
        Call::new("script").args(["-qec", &format!("unset NO_COLOR; {}", scan.quoted()), "/dev/null"]).run()?;
    if !script.out.contains("nope") {
        findings.skip("script, for a terminal");
        return Ok(());
    }
    let passed = script.out.contains("\u{1b}]0;steered") || script.out.contains("\u{1b}[2J");
    findings.check(!passed, || "control sequences of a model reach the terminal".to_owned());
    Ok(())
}
