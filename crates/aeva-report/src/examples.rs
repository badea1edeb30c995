//! What found triggers do to images: pictures for people.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What the triggers of a report do to some images.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Examples {
    /// Images that the model was asked about for this.
    pub queries: u64,
    /// In the order of the triggers of the report.
    pub triggers: Vec<TriggerExamples>,
}

/// What one trigger does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerExamples {
    /// The description of the trigger in the report, which tells whether these examples are about it.
    pub description: String,
    /// Some images.
    pub images: Vec<Example>,
}

/// An image before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Its place in the data set.
    pub index: usize,
    /// Its label, which is also what the model says of it.
    pub label: u32,
    /// What the model says of it with the trigger; `None` if nothing.
    pub answer: Option<u32>,
    /// PNG files in base64: the image, the image with the trigger, and what has changed.
    pub before: String,
    /// With the trigger.
    pub after: String,
    /// What has changed, enlarged.
    pub change: String,
}

impl Examples {
    /// Those of a trigger, by its place in the report and its description.
    pub fn of(&self, place: usize, description: &str) -> &[Example] {
        let found = self.triggers.get(place).filter(|found| found.description == description);
        found.map_or(&[], |found| &found.images)
    }

    /// Whether they are about these triggers, and no others.
    pub fn are_of<'a>(&self, descriptions: impl IntoIterator<Item = &'a str>) -> bool {
        self.triggers.iter().map(|found| found.description.as_str()).eq(descriptions)
    }
}

/// A PNG file in base64.
pub(crate) fn base64(png: &[u8]) -> String {
    STANDARD.encode(png)
}

impl Example {
    /// A PNG file in base64, as the fields have it.
    pub fn base64(png: &[u8]) -> String {
        base64(png)
    }
}
