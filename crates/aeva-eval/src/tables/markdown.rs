//! Markdown tables.

use std::fmt::Write;

/// A table with a line of titles and these rows.
pub(super) fn table(titles: &[String], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    line(&mut text, titles);
    line(&mut text, &vec!["---".to_owned(); titles.len()]);
    for row in rows {
        line(&mut text, row);
    }
    text
}

fn line(text: &mut String, cells: &[String]) {
    for cell in cells {
        // Writing into a String cannot fail.
        let _ = if cell.is_empty() { write!(text, "| ") } else { write!(text, "| {cell} ") };
    }
    text.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_separated_and_may_be_empty() {
        let cells = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(&cells(["", "a"]), &[cells(["b", ""])]);
        assert_eq!(text, "| | a |\n| --- | --- |\n| b | |\n");
    }
}
