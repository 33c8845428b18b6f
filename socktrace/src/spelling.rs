//! Names that are spelt almost right.

/// The name that `word` was probably meant to be: at most a third of it is wrong.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = word.chars().count().div_ceil(3).min(4);
    names
        .map(|name| (distance(word, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters have to be put in, left out or changed to get from one word to the other (Levenshtein).
pub(crate) fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (n, letter) in from.chars().take(64).enumerate() {
        let mut diagonal = n;
        let mut left = n + 1;
        for (above, other) in row.iter_mut().skip(1).zip(&to) {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = *above;
            left = changed.min(diagonal + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = n + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_far_apart_as_their_letters() {
        for (from, to, far) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("leek", "leak", 1),
            ("port", "ports", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), far, "{from} {to}");
        }
        let names = ["leak-after", "ring-size", "filter.port"];
        let near = |word| nearest(word, names.into_iter());
        assert_eq!(near("leek-after"), Some("leak-after"));
        assert_eq!(near("ringsize"), Some("ring-size"));
        assert_eq!(near("colour"), None);
    }
}
