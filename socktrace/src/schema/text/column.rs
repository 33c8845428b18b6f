//! Columns of a line of which there may be a hundred thousand: nothing is made for one only.

/// Appends what `fill` does, padded with blanks to `width` characters, and two more that end the column. At the `right`:
/// the blanks come first.
pub(super) fn column(out: &mut String, width: usize, right: bool, fill: impl FnOnce(&mut String)) {
    /// As many as the widest column needs.
    const BLANKS: &str = "                                  ";
    let begin = out.len();
    fill(out);
    let filled = out.get(begin..).unwrap_or_default().chars().count();
    let pad = BLANKS.get(..width.saturating_sub(filled)).unwrap_or(BLANKS);
    if right {
        out.insert_str(begin, pad);
    } else {
        out.push_str(pad);
    }
    if width > 0 {
        out.push_str("  ");
    }
}
