//! A scanner that finds functions: it knows comments, strings and braces, and nothing else of Rust.

/// What a file consists of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Every function with a body outside of test modules, in order.
    pub(crate) functions: Vec<Function>,
    /// How many lines are outside of test modules.
    pub(crate) lines_without_tests: usize,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The number of the line with its `fn`, from 1.
    pub(crate) line: usize,
    /// How many lines it has, from its `fn` to its closing brace.
    pub(crate) lines: usize,
}

const TEST_ATTRIBUTE: &[u8] = b"#[cfg(test)]";

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// The number of a line with a brace that has no other one.
    pub(crate) fn scan(text: &str) -> Result<Self, usize> {
        let mut code = blanked(text.as_bytes());
        let mut test_lines = 0;
        while let Some(start) = find(&code, TEST_ATTRIBUTE) {
            let end = item_end(&code, start + TEST_ATTRIBUTE.len())?;
            test_lines += newlines(&code[start..end]) + 1;
            code[start..end].iter_mut().for_each(blank);
        }
        Ok(Self {
            functions: functions(&code)?,
            lines_without_tests: text.lines().count() - test_lines,
        })
    }
}

fn functions(code: &[u8]) -> Result<Vec<Function>, usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let word = word(code, at);
        if word == b"fn" {
            found.extend(function(code, at)?);
        }
        at += word.len().max(1);
    }
    Ok(found)
}

/// The function whose `fn` is at `start`, when it is one: function pointers have no name, declarations no body.
fn function(code: &[u8], start: usize) -> Result<Option<Function>, usize> {
    let blanks = code[start + 2..]
        .iter()
        .take_while(|b| b.is_ascii_whitespace())
        .count();
    let name = word(code, start + 2 + blanks);
    if name.is_empty() {
        return Ok(None);
    }
    let end = item_end(code, start + 2)?;
    if code[end - 1] != b'}' {
        return Ok(None);
    }
    Ok(Some(Function {
        name: String::from_utf8_lossy(name).into_owned(),
        line: newlines(&code[..start]) + 1,
        lines: newlines(&code[start..end]) + 1,
    }))
}

/// Where the item that goes on at `from` ends: behind its semicolon or its braces. An item that is the last of what
/// surrounds it, as a function pointer in a type may be, ends there.
fn item_end(code: &[u8], from: usize) -> Result<usize, usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return Ok(at),
            b')' | b']' => depth -= 1,
            b';' if depth == 0 => return Ok(at + 1),
            b'{' if depth == 0 => return block_end(code, at),
            _ => {}
        }
    }
    Ok(code.len())
}

/// Where the block that opens at `start` ends.
fn block_end(code: &[u8], start: usize) -> Result<usize, usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok(at + 1);
        }
    }
    Err(newlines(&code[..start]) + 1)
}

/// The code with spaces in place of comments, and of what is between the quotes of strings and characters.
fn blanked(text: &[u8]) -> Vec<u8> {
    let mut code = text.to_vec();
    let mut at = 0;
    while at < text.len() {
        let word = word(text, at).len();
        let len = match &text[at..] {
            rest if rest.starts_with(b"//") => line_comment(rest),
            rest if rest.starts_with(b"/*") => block_comment(rest),
            [b'r' | b'b' | b'c', ..] if word <= 2 && raw_string(text, at + word).is_some() => {
                word + raw_string(text, at + word).unwrap_or(0)
            }
            [b'"', rest @ ..] => 1 + quoted(rest, b'"'),
            [b'\'', rest @ ..] => character(rest).map_or(1, |len| 1 + len),
            _ => {
                at += word.max(1);
                continue;
            }
        };
        let end = (at + len).min(text.len());
        // A lifetime's quote stays, which is no harm.
        if len > 1 {
            code[at..end].iter_mut().for_each(blank);
        }
        at = end;
    }
    code
}

fn blank(byte: &mut u8) {
    if *byte != b'\n' {
        *byte = b' ';
    }
}

fn line_comment(text: &[u8]) -> usize {
    find(text, b"\n").unwrap_or(text.len())
}

fn block_comment(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of the raw string whose prefix, such as `r` or `br`, ends at `at`.
fn raw_string(text: &[u8], at: usize) -> Option<usize> {
    if at == 0 || text[at - 1] != b'r' {
        return None;
    }
    let rest = &text[at..];
    let hashes = rest.iter().take_while(|&&b| b == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let open = hashes + 1;
    Some(find(&rest[open..], &close).map_or(rest.len(), |len| open + len + close.len()))
}

/// The length of what is left of a literal, with its closing quote.
fn quoted(text: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// The length of what is left of a character literal; none when the quote begins a lifetime.
fn character(text: &[u8]) -> Option<usize> {
    if text.first() == Some(&b'\\') {
        return Some(quoted(text, b'\''));
    }
    // The bytes that carry on a character of UTF-8 start with the bits 10.
    let more = text
        .iter()
        .skip(1)
        .take_while(|&&b| b & 0xc0 == 0x80)
        .count();
    (text.get(1 + more) == Some(&b'\'')).then_some(2 + more)
}

/// The identifier, keyword or number at `at`, empty when there is none.
fn word(text: &[u8], at: usize) -> &[u8] {
    let rest = &text[at.min(text.len())..];
    let len = rest
        .iter()
        .take_while(|&&b| b.is_ascii_alphanumeric() || b == b'_' || !b.is_ascii())
        .count();
    &rest[..len]
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|&&b| b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, usize, usize)> {
        let functions = Source::scan(text).unwrap().functions;
        functions
            .into_iter()
            .map(|function| (function.name, function.line, function.lines))
            .collect()
    }

    fn names(text: &str) -> Vec<String> {
        found(text).into_iter().map(|(name, ..)| name).collect()
    }

    #[test]
    fn a_function_reaches_from_its_keyword_to_its_brace() {
        let text = "/// Doc.\n#[inline]\npub const fn one(\n    a: [u8; 2],\n) -> u8\nwhere\n    u8: Copy,\n{\n    a[0]\n}\n";
        assert_eq!(found(text), [("one".to_owned(), 3, 8)]);
    }

    #[test]
    fn functions_inside_functions_are_found_too() {
        let text = "fn outer() {\n    fn inner() {\n    }\n    inner();\n}\n";
        assert_eq!(
            found(text),
            [("outer".to_owned(), 1, 5), ("inner".to_owned(), 2, 2)]
        );
    }

    #[test]
    fn braces_in_strings_characters_and_comments_do_not_count() {
        let bodies = [
            r#"let a = "}";"#,
            r#"let a = "\"}";"#,
            r##"let a = r#"}"}"#;"##,
            r#"let a = br"}\";"#,
            "let a = '}';",
            r"let a = '\'';  // }",
            r"let a = '\u{7d}';",
            "let a = b'}';",
            "let a = 'ä'; let b = '}';",
            "/* } /* } */ } */",
            "// }",
            "let a: &'static str = x::<'_>();",
        ];
        for body in bodies {
            let text = format!("fn a() {{\n    {body}\n}}\nfn b() {{}}\n");
            assert_eq!(
                found(&text),
                [("a".to_owned(), 1, 3), ("b".to_owned(), 4, 1)],
                "{body}"
            );
        }
    }

    #[test]
    fn pointers_declarations_and_words_are_not_functions() {
        let text = "trait T {\n    fn declared(&self, f: fn(u8) -> u8);\n}\nstruct S { f: fn() }\nconst fnord: u8 = 1; // fn no() {}\n";
        assert_eq!(names(text), [""; 0]);
        assert_eq!(names("fn takes(f: fn(u8), g: impl Fn()) {}"), ["takes"]);
        assert_eq!(
            names("macro_rules! m { ($n:ident) => { fn $n() {} }; }"),
            [""; 0]
        );
    }

    #[test]
    fn what_is_for_tests_only_is_left_out() {
        let text = "fn kept() {}\n#[cfg(test)]\nmod tests {\n    fn gone() {}\n}\n#[cfg(test)]\nmod elsewhere;\nfn also() {}\n";
        let source = Source::scan(text).unwrap();
        assert_eq!(names(text), ["kept", "also"]);
        assert_eq!(source.lines_without_tests, 2);
    }

    #[test]
    fn a_missing_brace_is_told_by_line() {
        assert_eq!(Source::scan("\nfn a() {\n    {\n}\n"), Err(2));
    }
}
