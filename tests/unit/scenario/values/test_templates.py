"""Lookups: what is inserted, what keeps its type, what is refused."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values.templates import (
    MOST_CHARACTERS,
    LookupFailed,
    TooLong,
    compile_template,
)

VALUES = {
    "n": 5,
    "text": "tea",
    "yes": True,
    "none": None,
    "half": 0.5,
    "tags": ["a", "ü"],
    "reply": {"items": [{"id": 7, "a-b": "x"}], "name": "r"},
}

RENDERED = [
    ("${n}", 5),
    ("${yes}", True),
    ("${none}", None),
    ("${tags}", ["a", "ü"]),
    ("${reply.items[0].id}", 7),
    ("${reply.items[0].a-b}", "x"),
    ("n=${n}", "n=5"),
    ("${n}${n}", "55"),
    ("${text} ${yes} ${none} ${half}", "tea true null 0.5"),
    ("tags: ${tags}", 'tags: ["a","ü"]'),
    ("$${n}", "${n}"),
    ("$${${n}}", "${5}"),
    ("$$${n}", "$${n}"),
    ("${n} costs $5 {not} 100%", "5 costs $5 {not} 100%"),
    ("no lookup: $n {n} $", "no lookup: $n {n} $"),
    ({"a": "${n}", "b": [1, "${text}", {"c": "x${n}"}]}, {"a": 5, "b": [1, "tea", {"c": "x5"}]}),
    (("${n}", 2), [5, 2]),
    (3.5, 3.5),
    (None, None),
]


@pytest.mark.parametrize(("tree", "wanted"), RENDERED)
def test_lookups_are_filled_in(tree, wanted):
    """A text that is one lookup keeps the value's type; in a longer text it is written as JSON."""
    result = compile_template(tree).render(VALUES)
    assert result == wanted
    assert type(result) is type(wanted)


def test_a_template_knows_its_names_and_whether_it_is_constant():
    """The roots of all lookups are its names; without any it is constant."""
    template = compile_template({"a": "${n} ${reply.items[0].id}", "b": ["${n}"]})
    assert template.names == {"n", "reply"}
    assert not template.constant
    assert compile_template({"a": ["$${n}", 1]}).constant


def test_environment_variables_are_inserted_when_compiled():
    """`${env:NAME}` needs no value later, and its content is never read as a lookup."""
    template = compile_template({"h": "Bearer ${env:TOKEN}"}, env={"TOKEN": "${n}%s"})
    assert template.constant
    assert template.render({}) == {"h": "Bearer ${n}%s"}


def test_every_rendering_makes_new_containers():
    """Changing what was rendered changes neither the template nor the next rendering."""
    for tree in ({"a": [1, {"b": 2}], "c": "${n}"}, [[1], {"x": []}]):
        template = compile_template(tree)
        first = template.render(VALUES)
        inner = first["a"] if isinstance(first, dict) else first[0]
        inner.append("changed")
        assert template.render(VALUES) == compile_template(tree).render(VALUES)
        assert template.render(VALUES) != first


def test_the_order_of_keys_is_kept():
    """A rendered mapping has its keys in the order of the file."""
    tree = {"z": "${n}", "a": 1, "m": "${text}"}
    assert list(compile_template(tree).render(VALUES)) == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("tree", "missing"),
    [
        ("${gone}", "gone"),
        ("x ${n} ${gone}", "gone"),
        ({"a": "${n}", "b": ["${gone.x}"]}, "gone.x"),
        ("${reply.items[3].id}", "reply.items[3].id"),
        ("${reply.nothing}", "reply.nothing"),
        ("${n.x}", "n.x"),
        ("${none[0]}", "none[0]"),
    ],
)
def test_a_lookup_without_a_value_says_which(tree, missing):
    """An unknown name, and a path that leads nowhere, raise LookupFailed with what was written."""
    with pytest.raises(LookupFailed) as caught:
        compile_template(tree).render(VALUES)
    assert caught.value.name == missing
    assert str(caught.value) == f"${{{missing}}} has no value"


@pytest.mark.parametrize(
    ("tree", "said", "hinted"),
    [
        ("${}", "'${}' is not the name of a value", "${name}"),
        ("${a b}", "'${a b}' is not the name of a value", "${name}"),
        ("${1a}", "is not the name of a value", "$${ is a literal"),
        ("${a.}", "is not the name of a value", ""),
        ("${a[x]}", "is not the name of a value", ""),
        ("${a | upper}", "is not the name of a value", ""),
        ("${__import__('os')}", "is not the name of a value", ""),
        ("secret ${a", "'${a' has ${ without a closing }", "add a }"),
        ("${a{b}", "has ${ without a closing }", "add a }"),
        ("${env:HOME}", "does not list the environment variable 'HOME'", "env: [HOME]"),
        ("${env:TOKEM}", "environment variable 'TOKEM'", "did you mean 'TOKEN'"),
        ({"${a}": 1}, "the key '${a}' contains ${…}", "values only"),
        ([{"a": {"x$${": 1}}], "contains ${…}", "values only"),
    ],
)
def test_what_is_no_lookup_is_refused_when_compiled(tree, said, hinted):
    """The tricks of template engines, and slips, are refused with what to write."""
    with pytest.raises(InputError) as caught:
        compile_template(tree, env={"TOKEN": "x"})
    assert said in caught.value.message
    assert hinted in caught.value.hint
    assert "secret" not in caught.value.message


def test_without_variables_nothing_of_the_environment_is_suggested():
    """The hint names the variable to list, and no other."""
    with pytest.raises(InputError, match="does not list") as caught:
        compile_template("${env:X}")
    assert caught.value.hint == "add env: [X] to the scenario"


_LITERAL = st.text(st.characters(codec="utf-8"), max_size=12).filter(lambda t: "${" not in t)
_NAMES = st.text(string.ascii_letters + "_", min_size=1, max_size=6)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _LITERAL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_LITERAL, inner, max_size=3),
    max_leaves=8,
)


@given(_JSON)
def test_a_tree_without_lookups_comes_back_as_it_is(tree):
    """Only lookups are changed."""
    template = compile_template(tree)
    assert template.constant
    assert template.render({}) == tree


@given(_JSON)
def test_escaped_lookups_come_back_as_text(tree):
    """Whatever the text, `$${` before it yields `${`."""
    text = str(tree).replace("${", "")
    head = text.rstrip("$")
    assert compile_template(f"{head}$${{x}}").render({}) == f"{head}${{x}}"


@given(st.dictionaries(_NAMES, _JSON, min_size=1, max_size=4), st.data())
def test_any_value_survives_a_lookup(values, data):
    """A value looked up whole stays that very value, and texts are inserted as they are."""
    name = data.draw(st.sampled_from(sorted(values)))
    assert compile_template({"k": f"${{{name}}}"}).render(values)["k"] is values[name]
    if isinstance(values[name], str):
        assert compile_template(f"<${{{name}}}>").render(values) == f"<{values[name]}>"


def test_templates_that_use_each_other_make_no_text_without_end():
    """Each is ten times the one before: the text is refused at its bound, not after it is made."""
    values = {"a": "x" * (MOST_CHARACTERS // 10)}
    template = compile_template("${a}" * 10)
    values["a"] = template.render(values)
    with pytest.raises(TooLong, match="a text of more than 4194304 characters"):
        template.render(values)
