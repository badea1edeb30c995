//! Exact confidence intervals of a rate.

/// Halvings of a bisection over `[0, 1]`, enough to reach f64 resolution.
const HALVINGS: u32 = 60;

/// The confidence interval of Clopper and Pearson (1934) for the success rate, given `successes` of `trials`. It
/// contains the true rate with a probability of at least `confidence`, whatever that rate is. `[0, 1]` without trials.
pub fn binomial_interval(successes: u32, trials: u32, confidence: f64) -> [f64; 2] {
    let successes = successes.min(trials);
    let tail = 0.5 * (1.0 - confidence.clamp(0.0, 1.0));
    // The probability of `successes` or more grows with the rate; the probability of `successes` or fewer falls.
    let low = if successes == 0 { 0.0 } else { crossing(|rate| at_least(successes, trials, rate) > tail) };
    let high =
        if successes == trials { 1.0 } else { crossing(|rate| 1.0 - at_least(successes + 1, trials, rate) <= tail) };
    [low, high]
}

/// Finds the rate at which a condition becomes true; it must be false below and true above.
fn crossing(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if holds(middle) { high = middle } else { low = middle }
    }
    0.5 * (low + high)
}

/// The probability of at least `count` successes in `trials`.
fn at_least(count: u32, trials: u32, rate: f64) -> f64 {
    if rate <= 0.0 || rate >= 1.0 {
        return f64::from(u8::from(count == 0 || rate >= 1.0));
    }
    // Sums the terms through their logarithms, which never overflow.
    let mut choose = 0.0;
    let mut sum = 0.0;
    for k in 0..=trials {
        if k > 0 {
            choose += (f64::from(trials - k + 1) / f64::from(k)).ln();
        }
        if k >= count {
            sum += (choose + f64::from(k) * rate.ln() + f64::from(trials - k) * (1.0 - rate).ln()).exp();
        }
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn intervals_are_the_textbooks() {
        // scipy.stats.binomtest(k, n).proportion_ci(0.95, "exact")
        for (k, n, low, high) in
            [(5, 10, 0.187_086, 0.812_914), (97, 100, 0.914_824, 0.993_770), (0, 20, 0.0, 0.168_433)]
        {
            let [found_low, found_high] = binomial_interval(k, n, 0.95);
            assert!(
                (found_low - low).abs() < 1e-5 && (found_high - high).abs() < 1e-5,
                "{k}/{n}: {found_low} {found_high}"
            );
        }
        let [low, high] = binomial_interval(0, 0, 0.95);
        assert!(low <= 0.0 && high >= 1.0);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_share_and_mirrors(trials in 1_u32..300, part in 0.0..=1.0_f64) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a small count")]
            let successes = (part * f64::from(trials)) as u32;
            let share = f64::from(successes) / f64::from(trials);
            let [low, high] = binomial_interval(successes, trials, 0.95);
            prop_assert!(low <= share + 1e-9 && share <= high + 1e-9);
            let [other_low, other_high] = binomial_interval(trials - successes, trials, 0.95);
            prop_assert!((low - (1.0 - other_high)).abs() < 1e-9 && (high - (1.0 - other_low)).abs() < 1e-9);
        }
    }
}
