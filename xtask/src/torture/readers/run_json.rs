//! `run.json` with any change: it has a checksum, so every change is refused.

use std::fs;
use std::path::PathBuf;

use super::artifacts::{Target, commands};
use super::{Case, GIB, Shared, Step};

/// All commands that read a run must refuse it then, except those for pictures and stamps.
fn refused<'shared>(shared: &'shared Shared, name: impl Into<String>, text: String) -> Case<'shared> {
    Case::new(name, move |place, _| {
        let target = Target { run: shared.triggers.clone(), file: PathBuf::from("run.json") };
        let steps = commands(shared, &target, text.as_bytes(), false, place)?;
        let strict = |step: Step| {
            let words = step.call.quoted();
            let judges = ["'stats'", "'inspect'", "'scan'"].iter().any(|verb| words.contains(verb));
            if judges { Step::refused(step.call) } else { step }
        };
        Ok(steps.into_iter().map(strict).collect())
    })
}

/// A folder with only this file.
fn bare<'shared>(shared: &'shared Shared, name: String, text: String) -> Case<'shared> {
    Case::new(name, move |place, _| {
        let run = place.join("bare");
        fs::create_dir_all(&run)?;
        fs::write(run.join("run.json"), &text)?;
        let call = |verb: &str| shared.context.aeva([verb]).arg(&run).memory(4 * GIB).limit(10);
        Ok(vec![Step::refused(call("stats")), Step::refused(call("inspect"))])
    })
}

/// The text of a field's value, because parsing might round it.
fn value_of<'text>(text: &'text str, field: &str) -> &'text str {
    let rest = text.split(&format!("\"{field}\": ")).nth(1).unwrap_or_default();
    rest.split([',', '\n']).next().unwrap_or_default()
}

pub(crate) fn cases<'shared>(shared: &'shared Shared) -> anyhow::Result<Vec<Case<'shared>>> {
    let text = fs::read_to_string(shared.triggers.join("run.json"))?;
    let mut cases = Vec::new();
    for classes in [0_u64, 1, 2, 11, 1000, 30000, u64::from(u32::MAX)] {
        let changed = text.replacen("\"classes\": 10", &format!("\"classes\": {classes}"), 1);
        anyhow::ensure!(changed != text, "run.json does not state ten classes");
        if classes < 30000 {
            cases.push(refused(shared, format!("{classes} classes"), changed.clone()));
        }
        cases.push(bare(shared, format!("{classes} classes, no artifacts"), changed));
    }
    let (accuracy, queries) = (value_of(&text, "clean_accuracy"), value_of(&text, "clean_queries"));
    let many = format!("\"notes\": [{}\"x\"]", "\"x\",".repeat(100_000));
    for (name, from, to) in [
        ("accuracy of 1e999", accuracy, "1e999"),
        ("another accuracy", accuracy, "0.5"),
        ("negative queries", "\"clean_queries\": ", "\"clean_queries\": -"),
        ("2^64 - 1 queries", queries, "18446744073709551615"),
        ("a note that steers", "\"notes\": []", r#""notes": ["\u001b[2J\u0007"]"#),
        ("many notes", "\"notes\": []", &many),
        ("a field that nobody knows", "\"notes\": []", "\"notes\": [], \"surprise\": 1"),
        ("another provider", "onnxruntime", "../../../x"),
        ("another version", "\"schema_version\": ", "\"schema_version\": 9"),
        ("another name", "digits-clean", "digits-harmless"),
    ] {
        let changed = text.replacen(from, to, 1);
        anyhow::ensure!(changed != text, "run.json has nothing to change for {name}");
        cases.push(refused(shared, name, changed));
    }
    for (name, changed) in [
        ("nested", "[".repeat(100_000)),
        ("text", "hello".into()),
        ("null", "null".into()),
        ("twice", text.repeat(2)),
        ("nothing", String::new()),
    ] {
        cases.push(refused(shared, name, changed));
    }
    for index in 0..20 * shared.times {
        let text = text.clone();
        cases.push(Case::new(format!("character {index}"), move |place, random| {
            let mut bytes = text.clone().into_bytes();
            let at = random.below(bytes.len());
            let other = *random.pick(b"0123456789abcdefghijklmnopqrstuvwxyz \"{}");
            bytes[at] = if bytes[at] == other { b'~' } else { other };
            let changed = String::from_utf8_lossy(&bytes).into_owned();
            (refused(shared, "", changed).build)(place, random)
        }));
    }
    Ok(cases)
}
