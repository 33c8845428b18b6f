//! Terminal colours, or none.

/// ECMA-48 colours (SGR parameters).
#[derive(Clone, Copy, Debug)]
pub(super) enum Colour {
    /// Something is wrong.
    Red,
    /// Something could be better.
    Yellow,
    /// Something is well.
    Green,
}

/// Paints words, or leaves them as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    /// Paints if `on`.
    pub(super) fn new(on: bool) -> Self {
        Self { on }
    }

    /// `word` padded to `width` columns. The codes take no column.
    pub(super) fn word(self, colour: Colour, word: &str, width: usize) -> String {
        if !self.on {
            return format!("{word:<width$}");
        }
        let code = match colour {
            Colour::Red => "1;31",
            Colour::Yellow => "33",
            Colour::Green => "32",
        };
        let padding = width.saturating_sub(word.chars().count());
        format!("\x1b[{code}m{word}\x1b[0m{:padding$}", "")
    }
}
