//! A Rust file as the rules see it: tokens in order, paths spelled out, test code told apart.

use std::iter::Peekable;
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A Rust file, taken apart.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Every token in order; a group is its opening, what is in it, and its closing.
    pub(super) tokens: Vec<Token>,
    /// Every path, those of nested `use` trees spelled out: `std::{fs, io}` is `std::fs` and `std::io`.
    pub(super) paths: Vec<UsedPath>,
}

/// A token.
#[derive(Debug)]
pub(super) struct Token {
    /// Its text; a punctuation character stands alone.
    pub(super) text: String,
    /// Its line, counted from 1.
    pub(super) line: usize,
    /// Whether it is below `#[cfg(test)]`.
    pub(super) in_test: bool,
}

/// A path as it is written, `::` between its segments.
#[derive(Debug)]
pub(super) struct UsedPath {
    /// `std::io::Write`.
    pub(super) path: String,
    /// Line of its last segment.
    pub(super) line: usize,
    /// Whether it is below `#[cfg(test)]`.
    pub(super) in_test: bool,
}

impl UsedPath {
    /// Whether it is `prefix` or something in it.
    pub(super) fn is_in(&self, prefix: &str) -> bool {
        self.path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

impl Source {
    /// Takes `text` apart; `None` if it is no Rust.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut source = Self::default();
        source.walk(TokenStream::from_str(text).ok()?, &[], false);
        Some(source)
    }

    /// Takes apart what stands in one group. `prefix` is the path before the braces of a `use` tree.
    fn walk(&mut self, stream: TokenStream, prefix: &[String], in_test: bool) {
        let mut path = Path::new(prefix);
        let mut item_in_test = false;
        let mut trees = stream.into_iter().peekable();
        while let Some(tree) = trees.next() {
            let marks_test = is_cfg_test(&tree, &mut trees);
            item_in_test |= marks_test;
            let in_test = in_test || item_in_test;
            let line = tree.span().start().line;
            match &tree {
                TokenTree::Ident(ident) => {
                    if !path.continues() {
                        self.end(&mut path, in_test, prefix);
                    }
                    if ident == "as" && !prefix.is_empty() {
                        // The other name in a `use` tree is a path of nobody's.
                        path = Path::new(&[]);
                    } else if ident == "self" && path.segments.len() > 1 {
                        path.line = Some(line);
                    } else {
                        path.push(ident.to_string(), line);
                    }
                    self.tokens.push(Token {
                        text: ident.to_string(),
                        line,
                        in_test,
                    });
                }
                TokenTree::Punct(punct) => {
                    self.tokens.push(Token {
                        text: punct.as_char().to_string(),
                        line,
                        in_test,
                    });
                    if punct.as_char() == ':' {
                        path.colons += 1;
                    } else {
                        self.end(&mut path, in_test, prefix);
                    }
                    if punct.as_char() == ';' {
                        item_in_test = false;
                    }
                }
                TokenTree::Literal(literal) => {
                    self.end(&mut path, in_test, prefix);
                    self.tokens.push(Token {
                        text: literal.to_string(),
                        line,
                        in_test,
                    });
                }
                TokenTree::Group(group) => {
                    let mut inner = Vec::new();
                    if path.continues() {
                        // The braces of a `use` tree: their paths go on from here, this one does not end.
                        inner.append(&mut path.segments);
                        path.line = None;
                    }
                    self.end(&mut path, in_test, prefix);
                    self.group(group, &inner, in_test);
                    if group.delimiter() == Delimiter::Brace {
                        item_in_test = false;
                    }
                }
            }
        }
        self.end(&mut path, in_test || item_in_test, prefix);
    }

    fn group(&mut self, group: &Group, prefix: &[String], in_test: bool) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        let line = group.span_open().start().line;
        self.tokens.push(Token {
            text: open.into(),
            line,
            in_test,
        });
        self.walk(group.stream(), prefix, in_test);
        let line = group.span_close().start().line;
        self.tokens.push(Token {
            text: close.into(),
            line,
            in_test,
        });
    }

    /// Keeps a path that has come to its end and starts the next one.
    fn end(&mut self, path: &mut Path, in_test: bool, prefix: &[String]) {
        if let Some(line) = path.line {
            self.paths.push(UsedPath {
                path: path.segments.join("::"),
                line,
                in_test,
            });
        }
        *path = Path::new(prefix);
    }
}

/// The path that is being read.
struct Path {
    segments: Vec<String>,
    /// Colons since the last segment: two of them, and it goes on.
    colons: usize,
    /// `None` while nothing but a prefix was read.
    line: Option<usize>,
}

impl Path {
    fn new(prefix: &[String]) -> Self {
        // A prefix was followed by `::` before its braces.
        Self {
            segments: prefix.to_vec(),
            colons: 2,
            line: None,
        }
    }

    fn continues(&self) -> bool {
        self.colons == 2
    }

    fn push(&mut self, segment: String, line: usize) {
        self.segments.push(segment);
        self.colons = 0;
        self.line = Some(line);
    }
}

/// Whether `tree` and what follows are `#[cfg(test)]` or `#[cfg(any(test, …))]`.
fn is_cfg_test(tree: &TokenTree, rest: &mut Peekable<impl Iterator<Item = TokenTree>>) -> bool {
    let TokenTree::Punct(hash) = tree else {
        return false;
    };
    let Some(TokenTree::Group(attribute)) = rest.peek() else {
        return false;
    };
    let words: Vec<String> = attribute
        .stream()
        .into_iter()
        .map(|tree| tree.to_string())
        .collect();
    let [cfg, condition] = words.as_slice() else {
        return false;
    };
    let condition: String = condition.split_whitespace().collect();
    hash.as_char() == '#'
        && cfg == "cfg"
        && (condition == "(test)"
            || condition.starts_with("(any(test,")
            || condition.starts_with("(all(test,"))
}
