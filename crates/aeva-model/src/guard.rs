//! Turns panics of libraries into errors.
//!
//! The bindings to ONNX Runtime panic when it gives an answer that they consider impossible, which it does for some hostile models,
//! and decoders of pictures panic at some damaged files. Such a panic is an error of the file, not of this program.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

static QUIET: Once = Once::new();

/// What a panic of the bindings means.
pub(crate) const BINDINGS: &str = "ONNX Runtime gave an answer that its bindings cannot read";

/// Does `work`. The message of a panic becomes the error, behind what it means, and is not printed.
pub(crate) fn guarded<T>(meaning: &str, work: impl FnOnce() -> T) -> Result<T, String> {
    QUIET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    // All callers drop what `work` leaves unfinished, together with the session or the file.
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    result.map_err(|panic| format!("{meaning} ({})", text(panic.as_ref())))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_text() {
        assert_eq!(guarded(BINDINGS, || 7), Ok(7));
        let error = guarded("it failed", || -> u8 { panic!("no {}", "shape") }).unwrap_err();
        assert_eq!(error, "it failed (no shape)");
        assert!(!GUARDED.get());
    }
}
