//! `aeva-eval wheels`: the packages of ONNX Runtime that `aeva setup` accepts, as JSON. `cargo xtask sbom` reads them.

use aeva_model::wheels;
use serde_json::{Value, json};
use xtask::process::print;

pub(crate) fn run() -> anyhow::Result<()> {
    let wheels: Vec<Value> = wheels()
        .iter()
        .map(|wheel| {
            json!({
                "package": wheel.package,
                "version": wheel.build.version(),
                "platform": wheel.platform,
                "sha256": wheel.sha256,
                "libraries": wheel.libraries.iter().map(|library| (library.name, library.sha256)).collect::<Vec<_>>(),
            })
        })
        .collect();
    print(&serde_json::to_string_pretty(&wheels)?);
    Ok(())
}
