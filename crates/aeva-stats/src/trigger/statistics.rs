//! Figures of the passes that a report shows beside the test. No verdict depends on them.

use super::pass::PassTally;

/// A figure of the passes of a model.
#[derive(Debug, Clone, Copy)]
pub struct Statistic {
    /// Its name in reports.
    pub name: &'static str,
    /// Its value; `None` where the passes do not tell.
    pub of: fn(&[PassTally]) -> Option<f64>,
}

/// All of them. A report shows every row.
pub const STATISTICS: &[Statistic] = &[
    Statistic { name: "highest_success_rate", of: super::rates::highest_success_rate },
    Statistic { name: "highest_baseline_rate", of: super::rates::highest_baseline_rate },
];

/// The values of all statistics, in the order of the table. Serialised, it is an object with a key for each of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics(Vec<(&'static str, Option<f64>)>);

impl Statistics {
    pub(super) fn new(passes: &[PassTally]) -> Self {
        Self(STATISTICS.iter().map(|row| (row.name, (row.of)(passes))).collect())
    }

    /// The value of the statistic with this name; `None` if the passes do not tell, or if there is no such statistic.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(other, _)| *other == name).and_then(|&(_, value)| value)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Statistics {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
#[cfg_attr(feature = "serde", allow(clippy::unwrap_used, reason = "known values"))]
mod tests {
    use super::*;
    use crate::test_triggers;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = STATISTICS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), STATISTICS.len());
        let none = test_triggers(&[]).statistics;
        assert!(names.iter().all(|name| none.value(name).is_none()), "nothing is known without passes");
        assert_eq!(none.value("no such name"), None);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serialised_they_are_an_object_with_all_names() {
        let statistics = Statistics(vec![("known", Some(0.25)), ("unknown", None)]);
        let text = serde_json::to_string(&statistics).unwrap();
        assert_eq!(text, r#"{"known":0.25,"unknown":null}"#);
    }
}
