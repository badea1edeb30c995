//! Results of undisturbed scans.

use std::path::Path;

use super::context::{Context, Recipe};
use super::findings::Findings;
use super::folder::Finished;

/// The scans to disturb, with their undisturbed results.
pub(crate) type References = [(Recipe, Finished); 2];

/// The same command, undisturbed, must end as if nothing had happened.
pub(crate) fn goes_on(
    context: &Context,
    findings: &mut Findings,
    recipe: Recipe,
    reference: &Finished,
    out: &Path,
    what: &str,
) -> anyhow::Result<()> {
    let ended = context.recipe(recipe, out).run()?;
    let difference = reference.disturbance(&ended, out);
    findings.check(difference.is_none(), || format!("{what}, then the same: {}", difference.unwrap_or_default()));
    Ok(())
}
