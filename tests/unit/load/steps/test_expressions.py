"""JMESPath in a file: what it finds, and that no line can use up the memory."""

import time

import jmespath
import pytest

from mcp_perf.load.steps.expressions import MOST_VALUES, TooMuch, getter

ROWS = {"rows": [{"id": number, "tags": ["a", "b"], "name": f"n{number}"} for number in range(50)]}
DOUBLED = "[@,@]" + " | [@,@]" * 40
"""A value of 2^41 parts, which takes 41 lists: the parts are the same."""


@pytest.mark.parametrize(
    "expression",
    [
        "rows[?id > `40`].name | [0]",
        "rows[?tags == ['a', 'b']].id",
        "rows[*].tags[]",
        "rows[1:3].{id: id, first: tags[0]}",
        "sort_by(rows, &name)[-1].id",
        "join(', ', rows[*].name)",
        "max_by(rows, &id).name",
        "to_string(rows[0])",
        "map(&id, rows)",
        "length(rows)",
        "contains(rows[0].tags, 'b') && !missing || type(rows)",
        "merge(rows[0], {more: `1`}) | keys(@)",
        "rows[0].tags[:1]",
        "nothing[]",
        "name[1:]",
    ],
)
def test_what_is_found_is_what_jmespath_finds(expression):
    """The bound does not change searches that stay below it."""
    assert getter(expression)(ROWS) == jmespath.search(expression, ROWS)


@pytest.mark.parametrize(
    "expression",
    [
        DOUBLED,
        f"to_string({DOUBLED})",
        f"{DOUBLED} == ({DOUBLED})",
        f"contains({DOUBLED}, ({DOUBLED}))",
        "[@,@][]" + " | [@,@][]" * 40,
        "[@,@][] | [@,@][]" + " | join('xx', [to_string(@), to_string(@)]) | [@,@]" * 30,
        "join(to_string(["
        + ",".join("@" * 300)
        + "]), rows[*].name)"
        + " | [@,@] | join('', @)" * 20,
        "map(&to_string(rows), rows)" + "[]" + " | [@,@][] | reverse(@)" * 20,
    ],
)
def test_an_explosive_expression_ends_before_it_is_worked_out(expression):
    """In less than the time of a journey, and with a message that says what to do."""
    began_s = time.process_time()
    with pytest.raises(TooMuch, match=f"more than {MOST_VALUES} values: write a shorter path"):
        getter(expression)(ROWS)
    assert time.process_time() - began_s < 20
