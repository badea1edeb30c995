//! Disks without space, read-only disks, and files that may not grow.

use std::fs;
use std::path::Path;

use super::context::{Context, Recipe};
use super::findings::Findings;
use super::folder;
use super::run::Call;
use super::undisturbed::{References, goes_on};

/// A small disk in memory; unmounted when dropped.
struct Mount<'path>(&'path Path);

impl<'path> Mount<'path> {
    /// `None` if mounting is not allowed.
    fn new(path: &'path Path) -> anyhow::Result<Option<Self>> {
        folder::make_empty(path)?;
        let call = Call::new("mount").args(["-t", "tmpfs", "-o", "size=40k", "tmpfs"]).arg(path);
        Ok(call.run()?.exited(0).then_some(Self(path)))
    }

    fn remount(&self, options: &str) -> anyhow::Result<()> {
        let ended = Call::new("mount").args(["-o", &format!("remount,{options}")]).arg(self.0).run()?;
        anyhow::ensure!(ended.exited(0), "cannot mount again: {}", ended.line());
        Ok(())
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Call::new("umount").arg(self.0).run();
    }
}

pub(crate) fn run(context: &Context, findings: &mut Findings, references: &References) -> anyhow::Result<()> {
    let place = context.scratch.join("mount");
    match Mount::new(&place)? {
        Some(mount) => {
            full(context, findings, references, &mount)?;
            read_only(context, findings, references, &mount)?;
        }
        None => findings.skip("mounting a small disk"),
    }
    files_that_may_not_grow(context, findings, references)
}

/// The disk is full after some KiB: this is reported, no partial file is left, and with more space the scan continues.
fn full(context: &Context, findings: &mut Findings, references: &References, mount: &Mount) -> anyhow::Result<()> {
    let out = mount.0.join("run");
    for (index, sizes) in [(0, &[8, 20, 40, 60, 80, 100, 130][..]), (1, &[12, 60, 200, 330, 350])] {
        let (recipe, reference) = &references[index];
        for size in sizes {
            // A disk cannot be made smaller than its contents.
            folder::remove(&out)?;
            mount.remount(&format!("size={size}k"))?;
            let ended = context.recipe(*recipe, &out).run()?;
            let what = format!("{} on {size} KiB", recipe.name);
            let said = ended.refused() && ended.err.contains("No space");
            findings.check(ended.end == reference.end || said, || format!("{what}: {}", ended.line()));
            let left = folder::temporary_files(&out).len();
            findings.check(left == 0, || format!("{what}: {left} half files left"));
            findings.add(if said { "disks full" } else { "disks large enough" }, 1);
            mount.remount("size=20m")?;
            goes_on(context, findings, *recipe, reference, &out, &what)?;
        }
    }
    Ok(())
}

fn read_only(context: &Context, findings: &mut Findings, references: &References, mount: &Mount) -> anyhow::Result<()> {
    let (recipe, reference) = &references[0];
    let out = mount.0.join("run");
    folder::copy(&context.reference_folder(*recipe), &out)?;
    fs::remove_file(out.join("report.json"))?;
    mount.remount("ro")?;
    let stamp = context.aeva(["stamp"]).arg(&out).arg("--data").arg(context.data()).args(["--label", "3"]);
    for (what, call) in [
        ("a run", context.recipe(*recipe, &out)),
        ("a new folder", context.recipe(*recipe, &mount.0.join("new"))),
        ("stamped images", stamp.arg("--out").arg(mount.0.join("stamped.npz"))),
    ] {
        let ended = call.run()?;
        findings.check(ended.refused(), || format!("{what} on a read-only disk: {}", ended.line()));
    }
    let stats = context.aeva(["stats"]).arg(&out).run()?;
    findings.check(stats.end == reference.end, || format!("stats on a read-only disk: {}", stats.line()));
    mount.remount("rw")
}

/// The signal of the limit may kill the scan; no partial file is left under a final name.
fn files_that_may_not_grow(context: &Context, findings: &mut Findings, references: &References) -> anyhow::Result<()> {
    let (recipe, reference): &(Recipe, _) = &references[0];
    for blocks in [1, 3, 6, 20] {
        let out = context.nothing("limited")?;
        let ended = context.recipe(*recipe, &out).file_blocks(blocks).run()?;
        findings.check(!ended.panicked(), || format!("files of {blocks} blocks: {}", ended.line()));
        findings.add(&format!("file size limits, {}", ended.kind()), 1);
        goes_on(context, findings, *recipe, reference, &out, &format!("files of {blocks} blocks"))?;
    }
    Ok(())
}
