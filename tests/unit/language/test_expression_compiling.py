"""What the compiler cannot hold, what it knows without evaluating, and what errors carry."""

import pytest

from libs.language import ExpressionError, compile_expression

NOW = "2026-03-01T12:00:00.000Z"
SCOPE = {"input": {"name": "Ona"}}

DEEP = [
    "(" * 1999 + "1" + ")" * 1999,
    "[" * 1999 + "]" * 1999,
    "-" * 3999 + "1",
    "not " * 999 + "true",
    "+".join(["1"] * 2000),
    "input" + ".a" * 1900,
    "input" + "[0]" * 1300,
    "1" * 4001,
    "[" + ",".join(f"[x{at} for x{at} in [" for at in range(200)),
    "1 if true else " * 250 + "1",
    "{'a':" * 600 + "1" + "}" * 600,
]


@pytest.mark.parametrize("text", DEEP, ids=range(len(DEEP)))
def test_what_parser_or_compiler_cannot_hold_is_a_syntax_error(text: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text)
    assert refused.value.code == "expression-syntax"
    assert refused.value.column is not None


def test_paths_and_names_are_known_without_evaluating() -> None:
    text = "[l.price + vars.fee for l in input.lines[0].parts if has(route.ok['x y'])]"
    compiled = compile_expression(text)
    assert compiled.names == {"vars", "input", "route"}
    assert [(path.parts, path.asked) for path in compiled.paths] == [
        (("input", "lines"), False),
        (("route", "ok", "x y"), True),
        (("vars", "fee"), False),
    ]
    assert compiled.paths[0].columns == (30, 36)
    assert compiled.variables == (("l", 25),)


def test_a_secret_alone_is_known_as_one() -> None:
    assert compile_expression(" secret.api ").secret == "api"
    assert compile_expression("secret['api']").secret == "api"
    assert compile_expression("secret.api.x").secret is None
    assert compile_expression("secret.api + 'x'").secret is None


def test_the_same_text_is_compiled_once() -> None:
    assert compile_expression("input.name") is compile_expression("input.name")


def test_an_error_carries_no_frames_with_the_data() -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression("input.name + 1").evaluate(SCOPE, NOW)
    trace, files = refused.value.__traceback__, set()
    while trace is not None:
        files.add(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    assert "<expression>" not in files
    assert refused.value.__context__ is None or refused.value.__suppress_context__
