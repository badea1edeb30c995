//! What is printed: results on stdout, errors on stderr.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Prints a result. A reader that has seen enough (`aeva judge RUN | head`) is no error.
pub(crate) fn show(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints a line of an error. Where that is not possible there is nobody left to tell; the exit code still says it.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Text that others wrote (names in models, notes in files), with its control characters made visible: on a terminal they would act.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        // Line breaks are the caller's; the others include those that turn the direction of writing around.
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
    fn what_would_act_on_a_terminal_is_shown() {
        assert_eq!(plain("a model.onnx"), "a model.onnx");
        assert_eq!(plain("\u{1b}]0;x\u{7}"), "\\u{1b}]0;x\\u{7}");
        assert_eq!(plain("exe.\u{202e}gnp"), "exe.\\u{202e}gnp");
        assert_eq!(plain("two\nlines ünï"), "two\nlines ünï");
    }
}
