//! Research.
use crate::process::print;
use crate::sweep::Subject;
use aeva_artifact::{Aim, Family, Level, TriggerFinding};
use aeva_attack::trigger::{Panel, TriggerSearch};
use aeva_model::ValueRange;
use std::path::PathBuf;
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    model: PathBuf,
    data: PathBuf,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[arg(long, default_value_t = ValueRange::UNIT)]
    value_range: ValueRange,
}
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let begin = std::time::Instant::now();
    let mut subject = Subject::load(&args.model, &args.data, args.value_range)?;
    let search = TriggerSearch { panel: Panel::new(&subject.correct), seed: args.seed, batch_rows: 64 };
    let mut levels = Vec::new();
    let mut weaker: Vec<TriggerFinding> = Vec::new();
    let mut family = None;
    for level in Level::all(subject.data.image_shape()) {
        if family != Some(level.family) {
            weaker.clear();
            family = Some(level.family);
        }
        let (found, queries) = search.level(&mut subject.oracles, subject.data.images.view(), level, &weaker)?;
        let cells = |f: &TriggerFinding| f.held_out.iter().map(|c| (c.turned, c.asked)).collect::<Vec<_>>();
        let labels: Vec<serde_json::Value> = found
            .iter()
            .filter_map(|f| match f.aim {
                Aim::Label(label) => Some(
                    serde_json::json!({"label": label, "climbed": f.climbed, "search": f.search, "held_out": cells(f)}),
                ),
                Aim::Map => None,
            })
            .collect();
        let map: Vec<_> = found
            .iter()
            .filter(|f| f.aim == Aim::Map)
            .map(|f| (f.search, cells(f), f.held_out.iter().map(|c| (c.source, c.target)).collect::<Vec<_>>()))
            .collect();
        levels.push(serde_json::json!({"family": if level.family == Family::Patch {"patch"} else {"overlay"}, "strength": level.strength, "queries": queries, "labels": labels, "map": map}));
        weaker = found;
    }
    print(
        &serde_json::json!({"model": args.model, "seconds": begin.elapsed().as_secs_f64(), "levels": levels})
            .to_string(),
    );
    Ok(())
}
