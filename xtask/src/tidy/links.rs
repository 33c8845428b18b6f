//! Links of documents to files of the tree and to headings in them.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// What is wrong with the relative links of the document `file` below `root`, as `path:line: what`.
pub(crate) fn check(root: &Path, file: &Path, text: &str) -> Vec<String> {
    let path = root.join(file);
    let folder = path.parent().unwrap_or(root);
    let mut found = Vec::new();
    let mut line_of = |offset: usize, what: String| {
        let before = text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        found.push(format!("{}:{line}: {what}", file.display()));
    };
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event else {
            continue;
        };
        if dest_url.contains("://") || dest_url.starts_with("mailto:") {
            continue;
        }
        let (name, anchor) = match dest_url.split_once('#') {
            Some((name, anchor)) => (name, Some(anchor)),
            None => (&*dest_url, None),
        };
        let target = if name.is_empty() {
            path.clone()
        } else {
            folder.join(name)
        };
        if !target.exists() {
            line_of(range.start, format!("`{dest_url}` leads nowhere"));
        } else if let Some(anchor) = anchor
            && !fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains_key(anchor))
        {
            line_of(range.start, format!("`{dest_url}`: no such heading"));
        }
    }
    found
}

/// What headings are called in links, as GitHub does it, and how often.
fn anchors(text: &str) -> HashMap<String, usize> {
    let mut anchors: HashMap<String, usize> = HashMap::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let name = anchor(&heading.take().unwrap_or_default());
                let before = anchors.entry(name.clone()).or_default();
                *before += 1;
                let times = *before;
                if times > 1 {
                    anchors.insert(format!("{name}-{}", times - 1), 1);
                }
            }
            _ => {}
        }
    }
    anchors
}

fn anchor(heading: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || "-_ ".contains(*character);
    let name: String = heading.chars().filter(kept).collect();
    name.to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(text: &str, expect: &[&str]) {
        let folder = tempfile::tempdir().expect("a folder");
        let docs = folder.path().join("docs");
        fs::create_dir(&docs).expect("a folder");
        let other = "# One\n\n## What it `costs`, and why\n\n## One\n\n```sh\n# no heading\n```\n";
        fs::write(docs.join("other.md"), other).expect("a file");
        fs::write(docs.join("this.md"), text).expect("a file");
        let found = check(folder.path(), Path::new("docs/this.md"), text);
        assert_eq!(found, expect);
    }

    #[test]
    fn what_is_there_can_be_linked() {
        says("[a](other.md) [b](../docs) [c](https://x.invalid/#y)", &[]);
        says(
            "# Here\n\n[a](#here) [b](other.md#what-it-costs-and-why)",
            &[],
        );
        says(
            "[a](other.md#one-1) `[b](c.md)`\n\n```\n[b](c.md)\n```\n",
            &[],
        );
    }

    #[test]
    fn what_is_not_there_cannot() {
        says("\n[a](no.md)", &["docs/this.md:2: `no.md` leads nowhere"]);
        says(
            "| a |\n| - |\n| [b](c.md) |",
            &["docs/this.md:3: `c.md` leads nowhere"],
        );
        says(
            "[a][b]\n\n[b]: ../no",
            &["docs/this.md:1: `../no` leads nowhere"],
        );
        says(
            "[a](other.md#no-heading)",
            &["docs/this.md:1: `other.md#no-heading`: no such heading"],
        );
        says(
            "[a](#there)",
            &["docs/this.md:1: `#there`: no such heading"],
        );
    }
}
