//! Hints for errors of artifacts and run folders.

use aeva_artifact::{ArtifactError, DecodeError};

pub(super) fn artifact(error: &ArtifactError) -> Option<&'static str> {
    Some(match error {
        ArtifactError::OtherRun { .. } => "choose another folder with --out, or omit --out",
        ArtifactError::OtherAnswers { .. } => {
            "scan into another folder with --out; if this happens again, the answers of the model are random"
        }
        ArtifactError::Refused { .. } => {
            "its results are of more than one model; scan into another folder with --out, when the model no longer changes"
        }
        ArtifactError::NoSuchPerturbations { .. } => {
            "give the part of the sub-folder's name after `pairs-v1-`, or omit --perturbations"
        }
        ArtifactError::Vanished { .. } => "start the scan again: the run folder was removed while it ran",
        ArtifactError::Link { .. } | ArtifactError::NotAFolder { .. } => {
            "move it out of the run folder, or choose another one with --out"
        }
        ArtifactError::NotRegular { .. } | ArtifactError::TooLarge { .. } => {
            "check the path: aeva did not write this file"
        }
        ArtifactError::NotARun { .. } => "give the folder of a scan; for --out, choose an empty or new one",
        ArtifactError::Decode { source: DecodeError::Magic { .. } | DecodeError::TooShort { .. }, .. } => {
            "give an artifact (.aeva) or the folder of a scan"
        }
        ArtifactError::Decode { source: DecodeError::Kind { found: 1..=3, .. }, .. } => {
            "the file is a valid artifact of another kind: `aeva inspect` shows it, `aeva stamp` puts triggers on images"
        }
        ArtifactError::Decode {
            source:
                DecodeError::PayloadVersion { .. }
                | DecodeError::ContainerVersion { .. }
                | DecodeError::UnknownFamily { .. }
                | DecodeError::UnknownShape { .. },
            ..
        } => "a later version of aeva wrote the file: use that version",
        ArtifactError::Decode { .. } | ArtifactError::Foreign { .. } => {
            "start the same scan again in this folder: unusable files are computed again"
        }
        ArtifactError::Io { action: "write" | "create", .. } => {
            "choose a folder you may write to with --out; check the free space"
        }
        ArtifactError::Io { .. } => "check the path and its permissions, or choose another folder with --out",
        ArtifactError::Differs { .. } => {
            "find out which of them is right: scan once more into another folder, and compare; a model on other hardware may round differently"
        }
        ArtifactError::Manifest { .. } => "start the command of this share again: it writes its manifest anew",
        ArtifactError::RunDescription { .. } => "restore run.json from a copy, or scan into another folder with --out",
        _ => return None,
    })
}
