//! Citations in the source: a line `//= https://www.rfc-editor.org/rfc/rfcNNNN#section-N.N`, in a
//! test followed by the line `//= type=test`, then `//#` with the requirement's words.

const HOME: &str = "https://www.rfc-editor.org/rfc/";

/// One requirement as one file cites it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Citation {
    pub(super) document: String,
    pub(super) section: String,
    pub(super) words: String,
    pub(super) is_test: bool,
    pub(super) line: usize,
}

/// The citations of a file; for those that cannot be read, the line and why.
pub(super) fn citations(text: &str) -> Vec<Result<Citation, (usize, &'static str)>> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim).enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let Some(address) = line.strip_prefix("//= ") else {
            if line.starts_with("//# ") {
                found.push(Err((
                    index + 1,
                    "a requirement without the address of its section",
                )));
            }
            continue;
        };
        let is_test = lines
            .next_if(|(_, line)| *line == "//= type=test")
            .is_some();
        let mut words = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("//#")) {
            words.push(line.trim_start_matches("//#").trim());
        }
        found.push(citation(
            address.trim(),
            words.join(" "),
            is_test,
            index + 1,
        ));
    }
    found
}

fn citation(
    address: &str,
    words: String,
    is_test: bool,
    line: usize,
) -> Result<Citation, (usize, &'static str)> {
    let (document, section) = address
        .strip_prefix(HOME)
        .and_then(|rest| {
            rest.split_once("#section-")
                .or_else(|| rest.split_once("#appendix-"))
        })
        .ok_or((
            line,
            "not https://www.rfc-editor.org/rfc/rfcNNNN#section-N.N",
        ))?;
    let number = document.strip_prefix("rfc").unwrap_or("");
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err((line, "the document is not rfcNNNN"));
    }
    if words.is_empty() {
        return Err((
            line,
            "a citation without a `//#` line with the requirement's words",
        ));
    }
    Ok(Citation {
        document: document.to_owned(),
        section: section.to_owned(),
        words,
        is_test,
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citation_that_cannot_be_read_is_told() {
        for (text, at) in [
            ("//# words alone", 1),
            ("//= https://www.rfc-editor.org/rfc/rfc9260#section-5\n", 1),
            ("\n//= https://example.org/rfc9260#section-5\n//# Words.", 2),
            (
                "//= https://www.rfc-editor.org/rfc/rfc#section-5\n//# Words.",
                1,
            ),
        ] {
            let found = citations(text);
            assert!(
                matches!(found[..], [Err((line, _))] if line == at),
                "{text}: {found:?}"
            );
        }
    }
}
