//! Where a backdoor sends images.

use std::fmt;

/// Which labels a trigger maps to which labels, in the usual terms of the literature (BadNets, TrojAI, BackdoorBench).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "kind", rename_all = "snake_case"))]
pub enum TargetMap {
    /// Images of all other labels become one label.
    AllToOne {
        /// The target label.
        target: u32,
    },
    /// Images of one label become one other label.
    SourceSpecific {
        /// Label of the images.
        source: u32,
        /// The target label.
        target: u32,
    },
    /// Images of every label become a different label each.
    AllToAll,
}

impl TargetMap {
    /// Whether the backdoor changes images of this label.
    pub fn includes(self, source: u32) -> bool {
        match self {
            Self::AllToOne { target } => source != target,
            Self::SourceSpecific { source: wanted, .. } => source == wanted,
            Self::AllToAll => true,
        }
    }

    /// The single target label; `None` for all-to-all.
    pub fn target(self) -> Option<u32> {
        match self {
            Self::AllToOne { target } | Self::SourceSpecific { target, .. } => Some(target),
            Self::AllToAll => None,
        }
    }

    /// The only label that it works from; `None` if it works from several.
    pub fn source(self) -> Option<u32> {
        match self {
            Self::SourceSpecific { source, .. } => Some(source),
            Self::AllToOne { .. } | Self::AllToAll => None,
        }
    }

    /// Whether it is all-to-one.
    pub fn is_all_to_one(self) -> bool {
        matches!(self, Self::AllToOne { .. })
    }

    /// Whether it is source-specific.
    pub fn is_source_specific(self) -> bool {
        matches!(self, Self::SourceSpecific { .. })
    }
}

impl fmt::Display for TargetMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllToOne { target } => write!(f, "label {target}"),
            Self::SourceSpecific { source, target } => write!(f, "{source} -> {target}"),
            Self::AllToAll => f.write_str("all-to-all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_map_includes_its_own_sources() {
        let (one, specific) = (TargetMap::AllToOne { target: 3 }, TargetMap::SourceSpecific { source: 1, target: 3 });
        let included = |map: TargetMap| (0..4).filter(|&label| map.includes(label)).collect::<Vec<u32>>();
        assert_eq!(included(one), [0, 1, 2]);
        assert_eq!(included(specific), [1]);
        assert_eq!(included(TargetMap::AllToAll), [0, 1, 2, 3]);
        assert_eq!([one, specific, TargetMap::AllToAll].map(TargetMap::target), [Some(3), Some(3), None]);
        assert_eq!([one, specific, TargetMap::AllToAll].map(TargetMap::source), [None, Some(1), None]);
        assert_eq!(specific.to_string(), "1 -> 3");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn programs_read_the_kind() {
        let text = serde_json::to_string(&TargetMap::SourceSpecific { source: 1, target: 3 }).unwrap();
        assert_eq!(text, r#"{"kind":"source_specific","source":1,"target":3}"#);
        assert_eq!(serde_json::to_string(&TargetMap::AllToAll).unwrap(), r#"{"kind":"all_to_all"}"#);
    }
}
