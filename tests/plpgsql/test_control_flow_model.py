"""Random programs of IF, loops, EXIT, CONTINUE, RETURN and blocks do what a tiny Python model of them does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

VARIABLES = ("x", "y", "z")


@dataclass
class Model:
    """Runs programs with Python's own exceptions as control flow: another way than the interpreter's, on purpose."""

    values: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VARIABLES, 0))
    said: list[str] = field(default_factory=list)


class Leave(Exception):
    def __init__(self, kind: str, label: str | None) -> None:
        self.kind, self.label = kind, label


Program = list[Any]


def operand(model: Model, text: str) -> int:
    return model.values[text] if text in model.values else int(text)


def holds(model: Model, condition: tuple[str, str, str]) -> bool:
    left, sign, right = condition
    a, b = operand(model, left), operand(model, right)
    return {"<": a < b, "=": a == b, ">=": a >= b}[sign]


def run_model(model: Model, program: Program) -> None:
    for node in program:
        match node:
            case ("assign", variable, left, right):
                model.values[variable] = (operand(model, left) + operand(model, right)) % 7
            case ("say", variable):
                model.said.append(f"{variable}={model.values[variable]}")
            case ("if", condition, then, otherwise):
                run_model(model, then if holds(model, condition) else otherwise)
            case ("for", label, first, last, step, is_reverse, body):
                numbers = range(first, last - 1, -step) if is_reverse else range(first, last + 1, step)
                loop_model(model, label, numbers, body)
            case ("turns", label, count, body):
                loop_model(model, label, range(count), body)
            case ("block", label, body):
                try:
                    run_model(model, body)
                except Leave as leave:
                    if leave.kind != "exit" or leave.label != label:
                        raise
            case ("leave", kind, label, condition):
                if condition is None or holds(model, condition):
                    raise Leave(kind, label)


def loop_model(model: Model, label: str, numbers: range, body: Program) -> None:
    for _ in numbers:
        try:
            run_model(model, body)
        except Leave as leave:
            if leave.kind == "return" or leave.label not in (None, label):
                raise
            if leave.kind == "exit":
                break


def render(program: Program, depth: int = 0) -> str:
    lines: list[str] = []
    for node in program:
        match node:
            case ("assign", variable, left, right):
                lines.append(f"{variable} := ({left} + {right}) % 7;")
            case ("say", variable):
                lines.append(f"raise info '{variable}=%', {variable};")
            case ("if", condition, then, otherwise):
                lines.append(f"if {' '.join(condition)} then {render(then, depth)} else {render(otherwise, depth)} end if;")
            case ("for", label, first, last, step, is_reverse, body):
                bounds = f"{'reverse ' if is_reverse else ''}{first}..{last} by {step}"
                lines.append(f"<<{label}>> for i in {bounds} loop {render(body, depth)} end loop {label};")
            case ("turns", label, count, body):
                counter = f"n_{label}_{depth}_{len(lines)}"
                turn = f"while {counter} < {count} loop {counter} := {counter} + 1; {render(body, depth + 1)} end loop;"
                lines.append(f"declare {counter} int := 0; begin <<{label}>> {turn} end;")
            case ("block", label, body):
                lines.append(f"<<{label}>> begin {render(body, depth)} end {label};")
            case ("leave", "return", _, condition):
                lines.append("return;" if condition is None else f"if {' '.join(condition)} then return; end if;")
            case ("leave", kind, label, condition):
                when = "" if condition is None else f" when {' '.join(condition)}"
                lines.append(f"{kind} {label or ''}{when};")
    return "\n".join(lines)


OPERANDS = st.sampled_from([*VARIABLES, "0", "1", "3"])
CONDITIONS = st.tuples(OPERANDS, st.sampled_from(["<", "=", ">="]), OPERANDS)


def programs(depth: int, loops: tuple[str, ...], blocks: tuple[str, ...]) -> st.SearchStrategy[Program]:
    """Return lists of statements inside the named loops and blocks, whose labels EXIT and CONTINUE may use."""
    leaves: list[st.SearchStrategy[Any]] = [
        st.tuples(st.just("assign"), st.sampled_from(VARIABLES), OPERANDS, OPERANDS),
        st.tuples(st.just("say"), st.sampled_from(VARIABLES)),
    ]
    when = st.one_of(st.none(), CONDITIONS)
    if loops:
        labels = st.sampled_from([None, *loops])
        leaves.append(st.tuples(st.just("leave"), st.sampled_from(["exit", "continue"]), labels, when))
    if blocks:
        leaves.append(st.tuples(st.just("leave"), st.just("exit"), st.sampled_from(blocks), when))
    leaves.append(st.tuples(st.just("leave"), st.just("return"), st.none(), CONDITIONS))
    if depth:
        label = f"l{depth}"
        inner = programs(depth - 1, (*loops, label), blocks)
        leaves += [
            st.tuples(st.just("if"), CONDITIONS, programs(depth - 1, loops, blocks), programs(depth - 1, loops, blocks)),
            st.tuples(st.just("for"), st.just(label), st.integers(0, 3), st.integers(0, 3), st.integers(1, 2), st.booleans(), inner),
            st.tuples(st.just("turns"), st.just(label), st.integers(0, 3), inner),
            st.tuples(st.just("block"), st.just(f"b{depth}"), programs(depth - 1, loops, (*blocks, f"b{depth}"))),
        ]
    return st.lists(st.one_of(leaves), max_size=4)


@settings(max_examples=120, deadline=None)
@given(program=programs(3, (), ()))
def test_programs_do_what_the_model_does(new_runner: Any, program: Program) -> None:
    model = Model()
    try:
        run_model(model, program)
    except Leave as leave:
        model.said.append(leave.kind)
    runner = new_runner()
    text = f"declare x int := 0; y int := 0; z int := 0;\nbegin\n{render(program)}\nraise info 'end';\nend;"
    runner.create(f"create procedure p(inout a int, inout b int, inout c int) as $$ {text} $$ language plpgsql")
    runner.call("call p(0, 0, 0)")
    said = [message for _, message in runner.notices]
    expected = [*model.said, "end"] if not model.said or model.said[-1] != "return" else model.said[:-1]
    runner.connection.close()
    assert said == expected
