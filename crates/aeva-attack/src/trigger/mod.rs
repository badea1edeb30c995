//! The second way of looking: one trigger for all images, found with hard labels alone.
//!
//! A backdoor that turns *any* image needs no walk along boundaries: it is enough to stamp a candidate on a few clean images of
//! every class and to count how many turn into each label, and one such evaluation informs all labels at once. Candidates come in
//! two families that are searched, [`Family::Patch`](aeva_artifact::Family) (a small square at any place) and
//! [`Family::Overlay`](aeva_artifact::Family) (a faint pattern over the whole image), each at several strengths
//! ([`Level`](aeva_artifact::Level)): what a backdoor needs little strength for, a natural weakness needs much. For every label the
//! best candidates are improved by hill climbing and then measured on images that the search did not use. Before that, random sines,
//! noise and squares are measured as they come.
//!
//! Related: HardBeat (USENIX Security 2023) and Sparse-RS (AAAI 2022), hard-label searches of patches; Neural Cleanse (IEEE S&P
//! 2019), which compares labels by the size of the trigger they need, with gradients.

mod aim;
mod ask;
mod climb;
mod library;
mod mutate;
mod natural;
mod panel;
mod random;
mod sample;
mod search;
mod second;

pub use panel::Panel;
pub use search::{Earlier, Found, TRIGGER_SEARCH_VERSION, TriggerSearch};
