//! Results, on stdout.

use std::io::{self, Write};

/// Prints a result. A reader that has seen enough (`aeva stats RUN | head`) is no error.
pub(crate) fn show(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
