//! What was published: the models of the authors' repository and the figures in its README.
//!
//! The README names a CIFAR-10 and a CIFAR-100 model with a 4x4 square, and four models with dynamic triggers. It prints figures for the
//! first and for a ResNet-44.

/// Images of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    Cifar10,
    Cifar100,
}

/// One published model.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) name: &'static str,
    /// What is known of its trigger.
    pub(super) trigger: &'static str,
    /// Path in the authors' repository. It is known for the first and the third model; the others are named by analogy.
    pub(super) path: &'static str,
    /// SHA-256 of the file, where it is known. Otherwise the file is recognised by its name and never fetched.
    pub(super) sha256: Option<&'static str>,
    pub(super) data: Data,
    pub(super) classes: u32,
    /// Infected label, where it was published.
    pub(super) infected: Option<usize>,
    pub(super) printed: Option<Printed>,
}

/// Rows that the authors printed, with one figure for each label.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) gap: &'static [f64],
    pub(super) anomaly_index: &'static [f64],
}

/// Repository of the authors.
pub(super) const REPOSITORY: &str = "JunfengGo/AEVA-Blackbox-Backdoor-Detection-main";
/// The commit that these facts were taken from.
pub(super) const COMMIT: &str = "ed0dcd60d7f2f5081f214e29f82511fe4cdff6a3";

pub(super) const MODELS: &[Published] = &[
    Published {
        name: "cifar10-patch",
        trigger: "4x4 square",
        path: "saved_models/cifar10_backdoor.h5",
        sha256: Some("c58d045136286f6bd53911f3daf293c45f8901cf180f10a6c78956ded3cbf45c"),
        data: Data::Cifar10,
        classes: 10,
        infected: Some(0),
        printed: Some(Printed {
            gap: &[
                0.14533126, 0.08231069, 0.06113102, 0.06526258, 0.06199296, 0.06474132, 0.05325177, 0.06903553,
                0.09275569, 0.07373303,
            ],
            anomaly_index: &[
                8.36901293,
                1.62297756,
                -0.64420006,
                -0.20193759,
                -0.55193415,
                -0.25773579,
                -1.48763492,
                0.20193759,
                2.7410618,
                0.70478146,
            ],
        }),
    },
    Published {
        name: "cifar100-patch",
        trigger: "4x4 square",
        path: "saved_models/cifar100_backdoor.h5",
        sha256: None,
        data: Data::Cifar100,
        classes: 100,
        infected: None,
        printed: None,
    },
    Published {
        name: "dynamic-resnet20",
        trigger: "dynamic",
        path: "saved_models/Dynamic_backdoor_model/resnet_20.h5",
        sha256: None,
        data: Data::Cifar10,
        classes: 10,
        infected: None,
        printed: None,
    },
    Published {
        name: "dynamic-resnet32",
        trigger: "dynamic",
        path: "saved_models/Dynamic_backdoor_model/resnet_32.h5",
        sha256: None,
        data: Data::Cifar10,
        classes: 10,
        infected: None,
        printed: None,
    },
    Published {
        name: "dynamic-resnet44",
        trigger: "dynamic",
        path: "saved_models/Dynamic_backdoor_model/resnet_44.h5",
        sha256: None,
        data: Data::Cifar10,
        classes: 10,
        infected: Some(0),
        printed: Some(Printed {
            gap: &[
                0.36433247, 0.16292, 0.18040664, 0.20698954, 0.20037229, 0.16336469, 0.17756703, 0.17803021,
                0.16818275, 0.17449666,
            ],
            anomaly_index: &[
                10.46289861,
                -0.8345591,
                0.14628692,
                1.63735197,
                1.26618296,
                -0.80961594,
                -0.01299003,
                0.01299003,
                -0.53936558,
                -0.18521095,
            ],
        }),
    },
    Published {
        name: "dynamic-resnet56",
        trigger: "dynamic",
        path: "saved_models/Dynamic_backdoor_model/resnet_56.h5",
        sha256: None,
        data: Data::Cifar10,
        classes: 10,
        infected: None,
        printed: None,
    },
];
