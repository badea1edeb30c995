//! The option `--lens`: one lens of the engine, or all.

use std::sync::LazyLock;

use aeva_scan::{LensName, Lenses};
use clap::ValueEnum;
use clap::builder::PossibleValue;

/// The value of `--lens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lens(pub(crate) Lenses);

/// Every lens that the engine has, and all of them.
static VALUES: LazyLock<Vec<Lens>> = LazyLock::new(|| {
    let each = LensName::ALL.iter().map(|&lens| Lens(Lenses::Only(lens)));
    each.chain([Lens(Lenses::Each), Lens(Lenses::All)]).collect()
});

impl ValueEnum for Lens {
    fn value_variants<'a>() -> &'a [Self] {
        VALUES.as_slice()
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self.0 {
            Lenses::Only(lens) => PossibleValue::new(lens.option()).alias(lens.earlier_option()).help(lens.help()),
            Lenses::Each => PossibleValue::new("both").help("Both, whatever the first one shows"),
            Lenses::All => PossibleValue::new("all")
                .help("Triggers; perturbations only if there are too few images to measure a trigger on"),
        })
    }
}
