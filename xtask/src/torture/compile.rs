//! Small shared libraries in C.

use std::fs;
use std::path::PathBuf;

use super::context::Context;
use super::run::Call;

/// Compiles a shared library; `None` if there is no compiler.
pub(crate) fn library(context: &Context, name: &str, source: &str) -> anyhow::Result<Option<PathBuf>> {
    let (file, target) = (context.scratch.join(format!("{name}.c")), context.scratch.join(format!("{name}.so")));
    fs::write(&file, source)?;
    let call = Call::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&target).arg(&file);
    Ok(call.run()?.exited(0).then_some(target))
}
