//! The figures of one evaluation against the intervals of another.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

/// Which figures of an evaluation (as JSON) lie within the intervals of the evaluation in a file, in words.
///
/// # Errors
/// When the file cannot be read, is not an evaluation, or has no figure in common with this one.
pub(super) fn compared(evaluation: &[u8], path: &Path) -> anyhow::Result<String> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let earlier: Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is not an evaluation", path.display()))?;
    let found = figures(&serde_json::from_slice(evaluation)?);
    let stated = figures(&earlier);
    let mut outside = Vec::new();
    let mut count = 0;
    for (name, value, _) in &found {
        let Some((_, _, [low, high])) = stated.iter().find(|(other, ..)| other == name) else { continue };
        count += 1;
        // The tolerance is for rounding in JSON.
        if *value < low - 1e-9 || *value > high + 1e-9 {
            outside.push(format!("{name}: {value:.2} outside {low:.2} to {high:.2}"));
        }
    }
    if count == 0 {
        anyhow::bail!("{} has no figure in common with this evaluation; is it of the same schema?", path.display());
    }
    let inside = count - outside.len();
    outside.insert(0, format!("{inside} of {count} figures lie within the intervals of {}", path.display()));
    Ok(outside.join("\n"))
}

/// Name, value and interval of every figure that has an interval.
fn figures(evaluation: &Value) -> Vec<(String, f64, [f64; 2])> {
    let mut found = Vec::new();
    for (group, keys) in [
        ("budgets", &["rule", "preset", "samples", "part"][..]),
        ("rules", &["rule", "preset", "samples", "part"]),
        ("kinds", &["rule", "name"]),
        ("datasets", &["rule", "name"]),
    ] {
        for row in evaluation[group].as_array().into_iter().flatten() {
            let place: Vec<String> = keys.iter().map(|key| row[key].to_string().replace('"', "")).collect();
            let at_four = &row["above_4"];
            for (of, name) in [(row, "auc"), (at_four, "detected"), (at_four, "false_positives")] {
                let interval = &of[format!("{name}_interval")];
                if let (Some(value), Some(low), Some(high)) =
                    (of[name].as_f64(), interval[0].as_f64(), interval[1].as_f64())
                {
                    found.push((format!("{group} {} {name}", place.join(" ")), value, [low, high]));
                }
            }
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn figures_outside_are_named() {
        let evaluation = |auc: f64| {
            let row = serde_json::json!({"rule": "combined", "name": "patch", "auc": auc, "auc_interval": [auc - 0.1, auc + 0.1], "above_4": {}});
            serde_json::to_vec(&serde_json::json!({"kinds": [row]})).unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evaluation.json");
        fs::write(&path, evaluation(0.8)).unwrap();
        assert!(compared(&evaluation(0.75), &path).unwrap().starts_with("1 of 1 figures"));
        let text = compared(&evaluation(0.5), &path).unwrap();
        assert!(
            text.starts_with("0 of 1") && text.contains("kinds combined patch auc: 0.50 outside 0.70 to 0.90"),
            "{text}"
        );
        assert!(compared(b"{}", &path).is_err());
    }
}
