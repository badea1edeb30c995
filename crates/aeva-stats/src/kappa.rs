//! Agreement of answers with the truth, corrected for chance.

/// Cohen's kappa of two labellings of the same items: `(p_o - p_e) / (1 - p_e)`. `p_o` is the share of items on which
/// they agree; `p_e = sum_l p_truth(l) p_answer(l)` is the share expected by chance. 1 is perfect, 0 is chance. A
/// labelling that always gives the same label has 0, however often it is right.
///
/// `None` without items, if the lengths differ, and if both always give the same label, because then they cannot
/// disagree.
///
/// Source: J. Cohen, "A Coefficient of Agreement for Nominal Scales", Educational and Psychological Measurement 20
/// (1960).
pub fn cohen_kappa(truth: &[u32], answers: &[u32]) -> Option<f64> {
    if truth.is_empty() || truth.len() != answers.len() {
        return None;
    }
    let count = truth.len() as f64;
    let agree = truth.iter().zip(answers).filter(|(truth, answer)| truth == answer).count() as f64 / count;
    let frequencies = |labels: &[u32]| {
        let mut frequencies = std::collections::BTreeMap::<u32, f64>::new();
        for &label in labels {
            *frequencies.entry(label).or_default() += 1.0 / count;
        }
        frequencies
    };
    let (of_truth, of_answers) = (frequencies(truth), frequencies(answers));
    let by_chance: f64 = of_truth.iter().map(|(label, p)| p * of_answers.get(label).copied().unwrap_or(0.0)).sum();
    let room = 1.0 - by_chance;
    // The rounding error of the sums is far below one item's share.
    (room > 0.5 / count / count).then(|| (agree - by_chance) / room)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        // Two by two table 20, 5, 10, 15: p_o = 0.7, p_e = 0.5, kappa = 0.4.
        let table = [(0, 0, 20), (0, 1, 5), (1, 0, 10), (1, 1, 15)];
        let repeat = |pick: fn(&(u32, u32, usize)) -> u32| -> Vec<u32> {
            table.iter().flat_map(|row| vec![pick(row); row.2]).collect()
        };
        let kappa = cohen_kappa(&repeat(|row| row.0), &repeat(|row| row.1)).unwrap();
        assert!((kappa - 0.4).abs() < 1e-12, "{kappa}");
        assert!((cohen_kappa(&[0, 1, 2], &[0, 1, 2]).unwrap() - 1.0).abs() < 1e-12);
        // Right in nine of ten, but nine of ten have that label: no better than chance.
        let always = [[0; 9].as_slice(), &[1]].concat();
        assert!(cohen_kappa(&always, &[0; 10]).unwrap().abs() < 1e-12);
        assert_eq!(
            (cohen_kappa(&[], &[]), cohen_kappa(&[1], &[1, 1]), cohen_kappa(&[3; 5], &[3; 5])),
            (None, None, None)
        );
    }

    proptest! {
        #[test]
        fn it_is_at_most_one_and_blind_to_the_order(items in prop::collection::vec((0_u32..5, 0_u32..5), 1..60), turn in 0_usize..60) {
            let (truth, answers): (Vec<u32>, Vec<u32>) = items.iter().copied().unzip();
            let kappa = cohen_kappa(&truth, &answers);
            if let Some(kappa) = kappa {
                prop_assert!(kappa <= 1.0 + 1e-12);
            }
            let mut turned = items.clone();
            turned.rotate_left(turn % items.len());
            let (truth, answers): (Vec<u32>, Vec<u32>) = turned.into_iter().unzip();
            let other = cohen_kappa(&truth, &answers);
            prop_assert!(kappa.zip(other).is_none_or(|(a, b)| (a - b).abs() < 1e-9) && kappa.is_some() == other.is_some());
        }
    }
}
