//! Markdown, as far as `docs/` uses it, in the language of manual pages.

/// One page of the manual from pieces of Markdown. Headings of the second level become sections, those below subsections.
pub fn body(markdown: &str) -> String {
    let mut text = String::new();
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("<!--") || line.starts_with("![") || line.starts_with("# ") {
            continue;
        }
        if line.starts_with("```") {
            text.push_str(".PP\n.RS 4\n.nf\n");
            for code in lines.by_ref().take_while(|code| !code.starts_with("```")) {
                text.push_str(&format!("{}\n", literal(code)));
            }
            text.push_str(".fi\n.RE\n");
        } else if let Some(heading) = line.strip_prefix("## ") {
            // The name of a section of a file is written as it is.
            let heading = plain(heading);
            let shown = if heading.starts_with('[') { heading } else { heading.to_uppercase() };
            text.push_str(&format!(".SH {}\n", quoted(&shown)));
        } else if line.starts_with("###") {
            text.push_str(&format!(".SS {}\n", quoted(&plain(line.trim_start_matches(['#', ' '])))));
        } else if line.starts_with('|') {
            let mut rows = vec![cells(line)];
            while let Some(row) = lines.next_if(|next| next.starts_with('|')) {
                rows.push(cells(row));
            }
            text.push_str(&table(&rows));
        } else if let Some(item) = line.strip_prefix("* ") {
            let mut item = item.to_owned();
            while let Some(more) = lines.next_if(|next| next.starts_with("  ") && !next.trim().is_empty()) {
                item.push(' ');
                item.push_str(more.trim());
            }
            text.push_str(&format!(".IP \\(bu 2\n{}\n", inline(&item)));
        } else if !line.trim().is_empty() {
            let mut paragraph = line.trim().to_owned();
            let ends = ["|", "* ", "#", "```", "<!--", "!["];
            let goes_on = |next: &str| !next.trim().is_empty() && !ends.iter().any(|begin| next.starts_with(begin));
            while let Some(more) = lines.next_if(|next| goes_on(next)) {
                paragraph.push(' ');
                paragraph.push_str(more.trim());
            }
            text.push_str(&format!(".PP\n{}\n", inline(&paragraph)));
        }
    }
    text
}

/// The cells of a row of a table.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
    row.split('|').map(|cell| cell.trim().replace('\u{1}', "|").replace("&lt;", "<")).collect()
}

/// A table as a list: the first cell, and below it the others with the words of their columns.
fn table(rows: &[Vec<String>]) -> String {
    let Some((head, rows)) = rows.split_first() else { return String::new() };
    let mut text = String::new();
    for row in rows.iter().skip(1) {
        let Some((first, rest)) = row.split_first() else { continue };
        let named = |(at, cell): (usize, &String)| match head.get(at + 1).filter(|_| rest.len() > 1) {
            Some(column) if !column.is_empty() => format!("{}: {}", inline(column), inline(cell)),
            _ => inline(cell),
        };
        let rest: Vec<String> = rest.iter().enumerate().filter(|(_, cell)| !cell.is_empty()).map(named).collect();
        text.push_str(&format!(".TP\n{}\n{}\n", inline(first), rest.join("; ")));
    }
    text
}

/// Text that is shown as it stands.
pub fn literal(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}

/// An argument of a macro.
fn quoted(text: &str) -> String {
    format!("\"{}\"", literal(text).replace('"', "\\(dq"))
}

/// Text without marks.
fn plain(text: &str) -> String {
    without_links(text).replace(['`', '*'], "")
}

/// Only the texts of links: where they lead is no page of the manual.
fn without_links(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        shown.push_str(before);
        match after.split_once("](").and_then(|(name, target)| Some((name, target.split_once(')')?.1))) {
            Some((name, behind)) if !name.contains('[') => {
                shown.push_str(name);
                rest = behind;
            }
            _ => {
                shown.push('[');
                rest = after;
            }
        }
    }
    shown + rest
}

/// A line of text: code and what is strong in bold, what is emphasized in italics.
pub fn inline(text: &str) -> String {
    let mut line = String::new();
    for (at, piece) in without_links(text).split('`').enumerate() {
        if at % 2 == 1 {
            line.push_str(&format!("\\fB{}\\fR", literal(piece)));
            continue;
        }
        for (at, piece) in piece.split("**").enumerate() {
            if at % 2 == 1 {
                line.push_str(&format!("\\fB{}\\fR", literal(piece)));
                continue;
            }
            // A single star is one.
            let mark = if piece.matches('*').count() % 2 == 0 { '*' } else { '\0' };
            for (at, piece) in piece.split(mark).enumerate() {
                let piece = piece.replace('\\', "\\e").replace('-', "\\-");
                line.push_str(&if at % 2 == 1 { format!("\\fI{piece}\\fR") } else { piece });
            }
        }
    }
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[test]
fn marks_become_fonts_and_nothing_is_taken_for_a_request() {
    assert_eq!(inline("a `b-c` [d](e.md#f) *g* **h**"), "a \\fBb\\-c\\fR d \\fIg\\fR \\fBh\\fR");
    assert_eq!(inline("GROUP:*, `x`"), "GROUP:*, \\fBx\\fR");
    assert_eq!(inline("[program:x] and \\"), "[program:x] and \\e");
    assert_eq!(literal(".hidden"), "\\&.hidden");
    let page =
        "# T\n\n## `A`\n\none\ntwo\n\n* x\n  y\n\n| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n\n```sh\n.cd\n```\n";
    let wanted = ".SH \"A\"\n.PP\none two\n.IP \\(bu 2\nx y\n.TP\n1\nb: 2; c: 3\n.PP\n.RS 4\n.nf\n\\&.cd\n.fi\n.RE\n";
    assert_eq!(body(page), wanted);
}
