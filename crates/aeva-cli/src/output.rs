//! Output: results on stdout, errors on stderr.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static STDOUT_IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Leaves stdout to the program that answers for the model; results go to stderr from now on.
pub(crate) fn leave_stdout() {
    STDOUT_IS_TAKEN.store(true, Ordering::Relaxed);
}

/// Prints a result. It is not an error if the reader stops early (`aeva judge RUN | head`).
pub(crate) fn show(text: &str) -> io::Result<()> {
    let text = text.trim_end();
    let shown = if STDOUT_IS_TAKEN.load(Ordering::Relaxed) {
        let mut out = anstream::stderr().lock();
        writeln!(out, "{text}").and_then(|()| out.flush())
    } else {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush())
    };
    match shown {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints a line of an error. If that fails, only the exit code can report the error.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Makes the control characters of untrusted text (names in models, notes in files) visible, because a terminal would
/// interpret them.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        // The caller writes line breaks. Control characters include those that change the direction of text.
        if (character.is_control() && character != '\n') || is_direction(character) {
            // Writing into a String cannot fail.
            let _ = write!(out, "{}", character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(plain("a model.onnx"), "a model.onnx");
        assert_eq!(plain("\u{1b}]0;x\u{7}"), "\\u{1b}]0;x\\u{7}");
        assert_eq!(plain("exe.\u{202e}gnp"), "exe.\\u{202e}gnp");
        assert_eq!(plain("two\nlines ünï"), "two\nlines ünï");
    }
}
