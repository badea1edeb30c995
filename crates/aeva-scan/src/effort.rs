//! How much of the trigger search a scan makes, and how often each is right.

use aeva_stats::{Reference, binomial_interval};

mod table;

/// How much of the trigger search a scan makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// The cheapest exploring passes: a first answer, for a paid service or as a filter.
    Screen,
    /// All exploring passes, and refining ones where something stands out; it ends when the verdict is clear.
    #[default]
    Standard,
    /// All passes, also when the verdict is clear.
    Exhaustive,
}

impl Effort {
    /// All of them, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Screen, Self::Standard, Self::Exhaustive];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Screen => "screen",
            Self::Standard => "standard",
            Self::Exhaustive => "exhaustive",
        }
    }

    /// The clean models that a scan of this effort is compared with.
    pub fn reference(self) -> Reference {
        match self {
            Self::Screen => Reference::screened(),
            Self::Standard | Self::Exhaustive => Reference::built_in(),
        }
    }

    /// How often a scan of this effort was right in the evaluation, as a part of a sentence.
    pub fn power(self) -> String {
        let Power { infected: [found, infected], clean: [flagged, clean] } = match self {
            Self::Screen => table::SCREEN,
            Self::Standard => table::STANDARD,
            Self::Exhaustive => EXHAUSTIVE,
        };
        let share = |of: usize, all: usize| 100.0 * of as f64 / all.max(1) as f64;
        format!(
            "in the evaluation it called {:.0} % of {infected} infected models backdoored, and {:.0} % of {clean} clean ones",
            share(found, infected),
            share(flagged, clean)
        )
    }
}

/// What scans of one effort found: the verdicts on models that other people made and on those of the zoo, each judged
/// without the models of its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Power {
    /// Scans of infected models that were called backdoored, and all of them.
    infected: [usize; 2],
    /// The same of clean models.
    clean: [usize; 2],
}

/// Scans of the evaluation that had raised no alarm after so many exploring passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    open: u32,
    /// Those of them that ended with an alarm.
    turned: u32,
}

/// How often the rest of a standard scan turned what so many exploring passes had said, as a part of a sentence; `None` if that is
/// not known.
pub(crate) fn rest_turns(passes: usize) -> Option<String> {
    let look = table::LOOKS.get(passes.checked_sub(1)?)?;
    Some(format!(
        "of {} scans of the evaluation without an alarm so far, {} ended with one (at most {:.0} % at a confidence of {:.0} %)",
        look.open,
        look.turned,
        100.0 * look.most(),
        100.0 * SURE
    ))
}

impl Look {
    /// The share that the rest turns, at most.
    fn most(self) -> f64 {
        let [_, most] = binomial_interval(self.turned, self.open, 2.0 * SURE - 1.0);
        most
    }
}

/// The confidence of the bound on what the rest turns, which is the upper end of an interval.
const SURE: f64 = 0.95;

/// Exhaustive scans were made of the models of other people alone, with one seed. Standard scans of these say the same but for
/// one more clean model (docs/evaluation.md).
const EXHAUSTIVE: Power = Power { infected: [16, 17], clean: [3, 58] };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_turns_less_the_more_is_made() {
        assert_eq!((rest_turns(0), rest_turns(table::LOOKS.len() + 1)), (None, None));
        // The rule to stop: the rest may turn more than a tenth of the verdicts until all exploring passes are made.
        let (last, before) = table::LOOKS.split_last().unwrap_or_else(|| panic!("there are passes"));
        assert!(before.iter().all(|look| look.most() > 0.1) && last.most() < 0.1, "{:?}", table::LOOKS);
        let Look { open, turned } = table::LOOKS[0];
        let text = rest_turns(1).unwrap_or_default();
        assert!(
            text.starts_with(&format!("of {open} scans of the evaluation without an alarm so far, {turned} ended")),
            "{text}"
        );
    }

    #[test]
    fn a_screen_finds_less_than_a_standard_scan() {
        let share = |[of, all]: [usize; 2]| of as f64 / all as f64;
        assert!(share(table::SCREEN.infected) < share(table::STANDARD.infected));
        let [screen, standard, exhaustive] = Effort::ALL.map(Effort::power);
        assert!(screen.starts_with("in the evaluation it called ") && screen != standard);
        assert!(
            exhaustive.ends_with("94 % of 17 infected models backdoored, and 5 % of 58 clean ones"),
            "{exhaustive}"
        );
    }
}
