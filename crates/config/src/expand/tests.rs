use super::*;

fn names() -> ExpansionNames<'static> {
    ExpansionNames::new().text("here", "/x").number("n", 3).text("one", "a")
}

fn show(text: &str) -> String {
    match Formatter::new(text, &names()).run() {
        Ok(expanded) => expanded,
        Err(Failure::Calculation(reason) | Failure::Bad(reason)) => format!("! {reason}"),
        Err(Failure::Unknown(name)) => format!("? {name}"),
    }
}

#[test]
fn wide_fields_are_refused() {
    assert_eq!(show("%(n)4096d").len(), 4096);
    for text in ["%(n)4097d", "%(here)4097s", "%(n).4097d", "%(n).4097f"] {
        assert!(show(text).starts_with("! "), "{text}: {}", show(text));
    }
}

/// Each row was obtained from Python 3.11 with the same names.
#[test]
fn conversions_are_those_of_python() {
    for (text, expected) in [
        ("100%% %(here)s/a", "100% /x/a"),
        ("%5%", "! unsupported format character '%' (0x25) at index 2"),
        ("%(here)%", "! unsupported format character '%' (0x25) at index 7"),
        ("%l%", "! unsupported format character '%' (0x25) at index 2"),
        ("%s", "{'here': '/x', 'n': 3, 'one': 'a'}"),
        ("%s %s", "! not enough arguments for format string"),
        ("%(here)s %s", "! not enough arguments for format string"),
        ("%*d", "! * wants int"),
        ("%(here)*d", "! * wants int"),
        ("%(n)*d", "! not enough arguments for format string"),
        ("%(n)c", "\u{3}"),
        ("%(here)c", "! %c requires int or char"),
        ("%(one)c", "a"),
        ("%(here)x", "! %x format: an integer is required, not str"),
        ("%(here)d", "! %d format: a real number is required, not str"),
        ("%(here)u", "! %u format: a real number is required, not str"),
        ("%(here)e", "! must be real number, not str"),
        ("%d", "! %d format: a real number is required, not dict"),
        ("%e", "! must be real number, not dict"),
        ("%c", "! %c requires int or char"),
        ("%99999999999999999999d", "! width too big"),
        ("%(n).99999999999999999999d", "! precision too big"),
        ("%(n) d|%(n)+5d|%(n)-5d|%(n)05d|%(n)#x|%(n)#o|%(n)#X", " 3|   +3|3    |00003|0x3|0o3|0X3"),
        (
            "%(n)e|%(n)g|%(n).0f|%(n)#.0f|%(n)G|%(n)#g|%(n)010.2f|%(n)-10.2f|",
            "3.000000e+00|3|3|3.|3|3.00000|0000003.00|3.00      |",
        ),
        (
            "%(here)r|%(here).1s|%(here)5s|%(here)-5s|%(here)05s|%(n)5c|%(n)05s|%(n)r",
            "'/x'|/|   /x|/x   |   /x|    \u{3}|    3|3",
        ),
        ("%(n)hd", "3"),
        ("%(n)hhd", "! unsupported format character 'h' (0x68) at index 5"),
        ("%(n)é", "! unsupported format character '?' (0xe9) at index 4"),
        ("%(a(b)c)s", "? a(b)c"),
        ("%()s", "? "),
        ("%(n)", "! incomplete format"),
        ("%(n)5.", "! incomplete format"),
        ("%", "! incomplete format"),
        ("%%%", "! incomplete format"),
        ("%(n", "! incomplete format key"),
        ("%(n).d", "3"),
        ("%(n)05.3d|%(n)#010x|%(n)+#010x|%(n)-#010x|%(n)#.5x", "00003|0x00000003|+0x0000003|0x3       |0x00003"),
        ("%(n)#.3o|%(n)010.5d", "0o003|0000000003"),
    ] {
        assert_eq!(show(text), expected, "{text}");
    }
}

/// Each row was obtained from Python 3.11.
#[test]
fn real_numbers_are_those_of_python() {
    for (number, format, expected) in [
        (0, "%(n)g|%(n)e", "0|0.000000e+00"),
        (-1234567, "%(n)g|%(n).3e|%(n)f|%(n)015d", "-1.23457e+06|-1.235e+06|-1234567.000000|-00000001234567"),
        (100000, "%(n)g|%(n).2g|%(n)#.2g", "100000|1e+05|1.0e+05"),
        (999999, "%(n).3g|%(n)g", "1e+06|999999"),
    ] {
        let names = ExpansionNames::new().number("n", number);
        assert_eq!(expand(format, &names, "l").unwrap(), expected);
    }
}

#[test]
fn an_inner_name_hides_an_outer_one_and_all_are_listed() {
    let outer = ExpansionNames::new().text("b", "1").variables(&[("X".into(), "2".into())]);
    let inner = ExpansionNames::over(&outer).text("b", "3").number("a", 4);
    assert_eq!(expand("%(b)s%(ENV_X)s%(a)d", &inner, "l").unwrap(), "324");
    assert_eq!(
        expand("%(no\n)s", &inner, "s.o").unwrap_err().to_string(),
        "Format string '%(no\\n)s' for 's.o' contains names ('no\\n') which cannot be expanded. \
         Available names: ENV_X, a, b"
    );
}

#[test]
fn names_that_nobody_knows_may_be_arithmetic_or_have_a_default() {
    let variables = [("PORT", "8000"), ("EMPTY", ""), ("NAME", "x"), ("ODD-1", "odd")];
    let names = names().variables(&variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for (text, expected) in [
        ("%(n + 8000)d", "8003"),
        ("%(n*10)05d|%(n - 5)s", "00030|-2"),
        ("%(ENV_PORT + n)d", "8003"),
        ("%((ENV_MISSING:-9000) + n)d", "9003"),
        ("%(ENV_PORT:-1)s|%(ENV_MISSING:-1)s|%(ENV_EMPTY:-1)s|%(ENV_MISSING:-)s", "8000|1|1|"),
        ("%(ENV_PORT:-1)d|%(ENV_MISSING:-02)s|%(ENV_MISSING:-/a b:-c)s", "8000|02|/a b:-c"),
        ("%(ENV_ODD-1)s", "odd"),
    ] {
        assert_eq!(expand(text, &names, "l").as_deref(), Ok(expected), "{text}");
    }
    let refused = |text: &str| {
        let complaint = expand(text, &names, "l").unwrap_err();
        format!("{complaint}; {}", complaint.advice().unwrap_or_default())
    };
    assert!(
        refused("%(ENV_NAME + 1)d").contains("is badly formatted: ENV_NAME is no whole number"),
        "{}",
        refused("%(ENV_NAME + 1)d")
    );
    assert!(refused("%(n / 0)d").contains("division by zero"));
    let names = ExpansionNames::new();
    let complaint = expand("%(1 / 0)d", &names, "a.b").expect_err("no value");
    assert_eq!(complaint.advice(), Some("correct the calculation behind %"));
    assert!(
        refused("%(ENV_PROT + 1)d").contains("contains names ('ENV_PROT') which")
            && refused("%(ENV_PROT + 1)d").ends_with("did you mean ENV_PORT?")
    );
    assert!(refused("%(here:-x)s").contains("contains names ('here:-x') which"));
}

#[test]
fn parentheses_within_each_other_end_somewhere() {
    for (before, inner) in [("(", "1:-1"), ("(", ":-"), ("(x:-", "1"), ("1+(", "ENV_MISSING:-2"), ("-(", ":-1")] {
        let text = format!("%({}{inner}{}+1)d", before.repeat(200_000), ")".repeat(200_000));
        let refused = expand(&text, &names(), "command").unwrap_err().without_value();
        assert!(refused.contains("cannot be expanded"), "{before}{inner}: {}", &refused[..80]);
    }
    assert_eq!(show("%(((ENV_MISSING:-2) + 1) * 2)d"), "6");
}

#[test]
fn what_an_expression_uses_is_known() {
    for (text, shows, numbered) in [
        ("%(n)s", false, false),
        ("%(8000 + ENV_X)d", true, false),
        ("%(ENV_X:-1)s", true, false),
        ("%(n)s ENV_", false, false),
        ("a%(process_num + 1)02d", false, true),
        ("%%(process_num + 1)02d", false, false),
        ("%(process_number)d", false, false),
    ] {
        assert_eq!((may_show_environment(text), uses_name(text, "process_num")), (shows, numbered), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_expanded_or_refused(text in "[%()a-z0-9.*#+ -]{0,24}|.{0,40}") {
        let _ = expand(&text, &names(), "l");
    }

    #[test]
    fn doubled_percent_signs_protect_any_text(text in ".{0,40}") {
        let escaped = text.replace('%', "%%");
        proptest::prop_assert_eq!(expand(&escaped, &names(), "l").unwrap(), text);
    }
}
