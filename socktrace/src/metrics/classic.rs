//! The text format that Prometheus had before `OpenMetrics` (version 0.0.4), which some tools know only.

/// A page in the classic format, from one in that of `OpenMetrics`.
///
/// Samples are the same. What is told of a family is told under the name of its samples: a counter's has
/// `_total`, an info's has `_info` and is a gauge. There are no units and there is no end.
pub(super) fn classic(page: &str) -> String {
    let mut out = String::with_capacity(page.len() + page.len() / 16);
    let mut help = None;
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map(|(_, text)| text);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            if let Some(help) = help.take() {
                push(&mut out, &["# HELP ", name, suffix, " ", help]);
            }
            push(&mut out, &["# TYPE ", name, suffix, " ", kind]);
        } else if !line.starts_with('#') {
            push(&mut out, &[line]);
        }
    }
    out
}

fn push(out: &mut String, line: &[&str]) {
    out.extend(line.iter().copied());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_named_like_their_samples() {
        let page = "# HELP a_build Which.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n\
                    # HELP a_lost Lost.\n# TYPE a_lost counter\na_lost_total{p=\"# x\"} 3\n\
                    # HELP a_age_seconds Old.\n# TYPE a_age_seconds gauge\n# UNIT a_age_seconds seconds\n\
                    a_age_seconds 1.5\n# EOF\n";
        assert_eq!(
            classic(page),
            "# HELP a_build_info Which.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
             # HELP a_lost_total Lost.\n# TYPE a_lost_total counter\na_lost_total{p=\"# x\"} 3\n\
             # HELP a_age_seconds Old.\n# TYPE a_age_seconds gauge\na_age_seconds 1.5\n"
        );
    }
}
