//! What lines a configuration stands for.

use super::super::lex::LONGEST_LINE;
use super::super::source::Memory;
use super::*;

fn read(text: &str) -> (Vec<String>, Vec<Diagnostic>) {
    let options = Options {
        config_id: "node1".to_owned(),
        ..Options::default()
    };
    let reader = Memory::default().with("/etc/main", text);
    let mut expander = Expander::new("/etc/main", &options, &reader);
    let mut lines = Vec::new();
    while let Some(line) = expander.next_line() {
        lines.push(line.text);
    }
    (lines, expander.diagnostics)
}

fn lines(text: &str) -> Vec<String> {
    read(text).0
}

#[test]
fn a_definition_is_expanded_at_its_use() {
    assert_eq!(lines("$A=x\n$B=${A}1\n$A=y\nkw $B\n"), ["kw y1"]);
    assert_eq!(lines("$J=7\na 10.9.$J.1 b\n"), ["a 10.9.$J.1 b"]);
    assert_eq!(
        lines("$J=7\na 10.9.${J}.1 $J,$J) $J\n"),
        ["a 10.9.7.1 7,7) 7"]
    );
    assert_eq!(lines("$A =x\n"), ["$A =x"]);
}

#[test]
fn a_definition_may_have_several_lines() {
    assert_eq!(
        lines("$B=one \\\n  two \\\n  three\nx $B\ny"),
        ["x one", "two", "three", "y"]
    );
}

#[test]
fn a_definition_that_refers_to_itself_is_refused() {
    for text in [
        "$IF=$IF\nx $IF\ny",
        "$A=${B}\n$B=${A}\nx $A\ny",
        "$A=${A}${A}\nx ${A}\ny",
    ] {
        let (lines, diagnostics) = read(text);
        assert_eq!(lines, ["y"], "{text}");
        assert_eq!(diagnostics[0].code, Code(111), "{text}");
    }
    let (_, diagnostics) = read("$A=x \\\n$A\n$A\n");
    assert_eq!(diagnostics[0].code, Code(111));
}

#[test]
fn doubling_definitions_stop_at_a_limit() {
    let mut text = "$A0=xxxxxxxxxx\n".to_owned();
    for i in 1..40 {
        text += &format!("$A{i}=${{A{0}}}${{A{0}}}\n", i - 1);
    }
    let (lines, diagnostics) = read(&(text + "a $A39\nb"));
    assert_eq!(lines, ["b"]);
    assert_eq!(diagnostics[0].code, Code(112));
}

#[test]
fn conditions_depend_on_the_config_id() {
    assert_eq!(
        lines("@node1 a\n@node2 b\n@^node1 c\n@^node2 d\n@ e\n@^ f\n@node1x\n@node1 @node1 g"),
        ["a", "d", "f", "@node1 g"]
    );
}

#[test]
fn predefined_parameters_are_there() {
    assert_eq!(
        lines("a ${_PWD} ${_INSTANCE} x${_HASH}y${_BANG}"),
        ["a /etc node1 x#y!"]
    );
    let (random, _) = read("${_RANDOM 3 5}");
    assert!(["3", "4", "5"].contains(&random[0].as_str()));
    assert_eq!(lines("a ${_ENV NOT_SET_AT_ALL}b"), ["a b"]);
}

#[test]
fn lines_lose_carriage_returns_and_byte_order_marks() {
    let (lines, diagnostics) = read("\u{feff}a b\r\nc\r\n");
    assert_eq!(lines, ["a b", "c"]);
    assert_eq!(diagnostics[0].code, Code(102));
}

#[test]
fn a_line_with_a_nul_is_ignored() {
    let (lines, diagnostics) = read("a\0b\nc");
    assert_eq!(lines, ["c"]);
    assert_eq!(diagnostics[0].code, Code(101));
}

#[test]
fn the_rest_of_a_long_line_is_a_line() {
    let (lines, diagnostics) = read(&format!("{}tail\nnext", "x".repeat(LONGEST_LINE)));
    assert_eq!(lines, ["tail", "next"]);
    assert_eq!(diagnostics[0].code, Code(103));
}
