//! The report of a scan in the formats that people and pipelines read: an HTML page, Markdown, SARIF and JUnit XML.
//!
//! All formats are functions of a [`Document`], without I/O: the same document gives the same bytes. Names of models, of
//! files and of classes come from strangers, so every format escapes them.

mod document;
mod examples;
mod html;
mod junit;
mod markdown;
mod names;
mod sarif;
mod text;

pub use document::{Document, Picture, grouped, latest, probability};
pub use examples::{Example, Examples, TriggerExamples};
pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use names::ClassNames;
pub use sarif::sarif;
