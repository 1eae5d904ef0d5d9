//! "Did you mean": the candidate that is nearest to a misspelt word.

use std::collections::HashMap;

/// The candidate that the operator most likely meant, if one is near enough to be worth saying.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A third of the letters may be wrong: `vcp` is `vpc`, `prod` is not `dev`.
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit * 4)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|&(distance, _)| distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A misspelt group in a generated file is misspelt a thousand times, and a wrong file may miss a thousand
/// different ones: each word is looked up once, and only so many words at all.
pub(super) struct Suggestions<'c> {
    candidates: Vec<&'c str>,
    known: HashMap<String, Option<&'c str>>,
}

impl<'c> Suggestions<'c> {
    const MOST: usize = 64;

    pub(super) fn from(candidates: impl IntoIterator<Item = &'c str>) -> Self {
        Self { candidates: candidates.into_iter().collect(), known: HashMap::new() }
    }

    pub(super) fn nearest(&mut self, word: &str) -> Option<&'c str> {
        if let Some(known) = self.known.get(word) {
            return *known;
        }
        if self.known.len() >= Self::MOST {
            return None;
        }
        let found = nearest(word, self.candidates.iter().copied());
        self.known.insert(word.to_owned(), found);
        found
    }
}

/// `a`, `b` and `c`
pub(super) fn list_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment), letter case aside.
fn distance(left: &str, right: &str) -> usize {
    let fold = |word: &str| word.chars().take(64).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (left, right) = (fold(left), fold(right));
    let mut before_last = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = Vec::with_capacity(right.len() + 1);
        row.push(i + 1);
        for (j, b) in right.iter().enumerate() {
            let mut best = (last[j + 1] + 1).min(row[j] + 1).min(last[j] + usize::from(a != b));
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_word() {
        let groups = ["vpc", "onprem", "manufacturing"];
        assert_eq!(nearest("vcp", groups), Some("vpc"));
        assert_eq!(nearest("on-prem", groups), Some("onprem"));
        assert_eq!(nearest("manufacuring", groups), Some("manufacturing"));
        assert_eq!(nearest("Vpc", groups), Some("vpc"));
        assert_eq!(nearest("external", groups), None);
        assert_eq!(nearest("", groups), None);
    }

    #[test]
    fn words_are_listed_as_a_sentence_wants_them() {
        assert_eq!(list_of([]), "");
        assert_eq!(list_of(["a"]), "`a`");
        assert_eq!(list_of(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
