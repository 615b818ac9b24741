"""Generators: what they draw, that draws can be repeated, and what is refused."""

import itertools
import re
from collections import Counter
from pathlib import Path

import pytest

from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values import files
from mcp_perf.scenario.values.generators import compile_generators
from mcp_perf.scenario.values.templates import LookupFailed

NOWHERE = Path("/nonexistent")


def draws(with_, count=200, *, user=1, seed=1, env=None, base=NOWHERE, start=None):
    """Draw a user's values for some journeys."""
    compiled = compile_generators(with_, seed=seed, env=env or {}, base=base)
    fill = compiled.for_user(user, itertools.count(1).__next__)
    rows = []
    for _ in range(count):
        values = dict(start or {})
        fill(values)
        rows.append(values)
    return rows


def column(name, rows):
    """Take one name of every journey."""
    return [row[name] for row in rows]


def test_one_of_draws_every_item_about_equally():
    """All items appear, none twice as often as it should."""
    counts = Counter(column("x", draws({"x": {"one_of": ["a", 2, None]}}, 3000)))
    assert set(counts) == {"a", 2, None}
    assert all(800 < count < 1200 for count in counts.values())


def test_int_draws_both_ends_and_nothing_beyond():
    """Both ends are drawn; a range of one value is that value."""
    assert set(column("x", draws({"x": {"int": {"min": -1, "max": 2}}}))) == {-1, 0, 1, 2}
    assert set(column("x", draws({"x": {"int": {"min": 5, "max": 5}}}, 3))) == {5}
    wide = column("x", draws({"x": {"int": {"min": 0, "max": 2**53 - 1}}}))
    assert all(0 <= value < 2**53 for value in wide)
    assert len(set(wide)) == 200


def test_float_draws_within_its_range():
    """Values are floats from min to max."""
    values = column("x", draws({"x": {"float": {"min": 1, "max": 1.5}}}))
    assert all(1 <= value <= 1.5 for value in values)
    assert len(set(values)) > 100


def test_uuid_draws_uuids_of_version_four():
    """The text has the form, the version and the variant of RFC 9562."""
    form = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    values = column("x", draws({"x": {"uuid": {}}}))
    assert all(form.fullmatch(value) for value in values)
    assert len(set(values)) == 200


def test_seq_is_unique_over_users_that_share_a_counter():
    """Users take numbers from one counter; start and step say which numbers those are."""
    with_ = {"id": {"seq": {"start": 100, "step": 10}}, "plain": {"seq": {}}}
    compiled = compile_generators(with_, seed=1, env={}, base=NOWHERE)
    counter = itertools.count(1).__next__
    fills = [compiled.for_user(user, counter) for user in range(3)]
    rows = []
    for fill in [*fills, *fills]:
        rows.append(values := {})
        fill(values)
    assert column("id", rows) == [100, 110, 120, 130, 140, 150]
    assert column("plain", rows) == [1, 2, 3, 4, 5, 6]


def test_the_counter_is_asked_once_per_journey():
    """Everything that reads seq in a journey sees the same number."""
    with_ = {"a": {"template": "A ${seq}"}, "b": {"seq": {}}}
    assert draws(with_, 2)[1] == {"user": 1, "seq": 2, "a": "A 2", "b": 2}


def test_templates_read_other_names_in_any_order():
    """A template is filled in after the names that it reads, wherever they are."""
    with_ = {"c": {"template": "${b}!"}, "b": {"template": "${a} by ${user}"}, "a": "tea"}
    assert draws(with_, 1, user=7)[0]["c"] == "tea by 7!"


def test_templates_read_what_the_arm_provides():
    """They may read names already in the dict; without one, the lookup fails and names it."""
    with_ = {"a": {"template": "${account}/${arm}"}}
    assert draws(with_, 1, start={"account": "AC1", "arm": "mcp"})[0]["a"] == "AC1/mcp"
    with pytest.raises(LookupFailed, match="account"):
        draws(with_, 1)


def test_constants_and_the_environment():
    """A value that is not a generator is itself; env reads from the allowed variables."""
    with_ = {
        "n": 5,
        "text": "plain",
        "map": {"in_stock": True},
        "empty": {},
        "two": {"a": 1, "b": 2},
        "list": [1, "$${x}"],
        "env": {"env": "TOKEN"},
        "mixed": "Bearer ${env:TOKEN}",
    }
    row = draws(with_, 1, env={"TOKEN": "t"})[0]
    assert (row["n"], row["text"], row["map"], row["empty"]) == (5, "plain", {"in_stock": True}, {})
    assert (row["two"], row["list"]) == ({"a": 1, "b": 2}, [1, "${x}"])
    assert (row["env"], row["mixed"]) == ("t", "Bearer t")


def test_equal_seeds_draw_equal_values_and_users_differ():
    """Draws depend on seed and user, and on nothing else."""
    with_ = {"x": {"int": {"min": 0, "max": 10**9}}, "y": {"uuid": {}}}
    assert draws(with_, seed=3, user=4) == draws(with_, seed=3, user=4)
    assert column("x", draws(with_, seed=3, user=4)) != column("x", draws(with_, seed=3, user=5))
    assert column("x", draws(with_, seed=3, user=4)) != column("x", draws(with_, seed=4, user=4))


def test_names_are_those_that_templates_read():
    """A caller can ask which names have to be there."""
    with_ = {"a": {"template": "${b} ${account.sid}"}, "b": 1}
    assert compile_generators(with_, seed=1, env={}, base=NOWHERE).names == {"b", "account"}
    assert compile_generators({}, seed=1, env={}, base=NOWHERE).names == set()


@pytest.fixture
def users(tmp_path):
    """Write a CSV file as spreadsheets do, with seven rows."""
    text = "\ufeffemail,name\n" + "".join(f'u{n}@example.org,"N, {n}"\n\n' for n in range(7))
    (tmp_path / "users.csv").write_text(text, encoding="utf-8")
    return tmp_path


def test_csv_cycles_through_its_rows(users):
    """Each row comes once before any comes again, and columns of a row stay together."""
    with_ = {
        "email": {"csv": {"file": "users.csv", "column": "email"}},
        "name": {"csv": {"file": "users.csv", "column": "name"}},
    }
    rows = draws(with_, 14, base=users)
    assert sorted(column("email", rows[:7])) == [f"u{n}@example.org" for n in range(7)]
    assert column("email", rows[:7]) == column("email", rows[7:])
    for row in rows:
        number = row["email"][1]
        assert row["name"] == f"N, {number}"


def test_csv_starts_elsewhere_for_each_user(users):
    """As many users as there are rows start at as many different rows."""
    with_ = {"x": {"csv": {"file": "users.csv", "column": "email"}}}
    starts = [draws(with_, 1, user=user, base=users)[0]["x"] for user in range(7)]
    assert len(set(starts)) == 7


def test_csv_of_one_row_repeats_it(tmp_path):
    """A file with a single row works, for any user."""
    (tmp_path / "a.csv").write_text("x\n1\n")
    with_ = {"x": {"csv": {"file": "a.csv", "column": "x"}}}
    assert column("x", draws(with_, 3, user=9, base=tmp_path)) == ["1", "1", "1"]


REFUSED = [
    # spec, words of the message, words of the hint
    ({"one-of": [1]}, "unknown generator 'one-of'", "one_of"),
    ({"itn": {"min": 1, "max": 2}}, "unknown generator 'itn'", "int"),
    ({"one_of": [1], "weight": 2}, "a generator has one key, not 'one_of' or 'weight'", "alone"),
    ({"one_of": []}, "one_of needs a list, not []", "{one_of: [a, b]}"),
    ({"one_of": "abc"}, "one_of needs a list, not 'abc'", ""),
    ({"one_of": ["${x}"]}, "${x} is used in a value that is constant", "template"),
    ({"int": 5}, "int takes options, not 5", "{int: {min: …, max: …}}"),
    ({"int": {"min": 1}}, "int needs min and max", "{int: {min: 1, max: 6}}"),
    ({"int": {"min": 1, "max": True}}, "int needs min and max", ""),
    ({"int": {"min": 1, "maximum": 2}}, "unknown option 'maximum' of int", "max"),
    ({"int": {"min": 3, "max": 2}}, "min 3 is above max 2", "exchange"),
    ({"int": {"min": 0.5, "max": 2}}, "int needs whole numbers", "float"),
    ({"int": {"min": 0, "max": 2**53}}, "too wide", "2^53"),
    ({"float": {"min": "a", "max": 2}}, "float needs min and max", ""),
    ({"uuid": {"version": 7}}, "uuid takes no options, not a mapping", "{uuid: {}}"),
    ({"uuid": None}, "uuid takes no options, not nothing", "{uuid: {}}"),
    ({"seq": {"start": "a"}}, "seq needs whole numbers, and a step that is not 0", "start: 1"),
    ({"seq": {"step": 0}}, "a step that is not 0", ""),
    ({"seq": {"step": True}}, "seq needs whole numbers, and a step that is not 0", ""),
    ({"template": 5}, "template needs a text, not 5", "Test"),
    ({"template": "${a b}"}, "is not the name of a value", ""),
    ({"csv": {"file": "users.csv"}}, "csv needs a file and a column", "column"),
    ({"csv": {"file": "users.csv", "column": 5}}, "csv needs a file and a column", ""),
    ({"csv": {"file": "users.csv", "column": "mail"}}, "has no column 'mail'", "email"),
    ({"csv": {"file": "gone.csv", "column": "a"}}, "there is no file 'gone.csv'", "path"),
    ({"csv": {"file": "/etc/passwd", "column": "a"}}, "outside the scenario's folder", "next to"),
    ({"csv": {"file": "../a.csv", "column": "a"}}, "outside the scenario's folder", ""),
    ({"csv": {"file": "C:\\a.csv", "column": "a"}}, "outside the scenario's folder", ""),
    ({"csv": {"file": "a\0.csv", "column": "a"}}, "outside the scenario's folder", ""),
    ({"env": "HOME"}, "does not list the environment variable 'HOME'", "env: [HOME]"),
    ({"env": 5}, "env needs a name, not 5", "{env: NAME}"),
    ("Test ${seq}", "${seq} is used in a value that is constant", "template"),
]


@pytest.mark.parametrize(("spec", "said", "hinted"), REFUSED)
def test_what_is_no_generator_is_refused_with_words_that_help(spec, said, hinted, users):
    """Each mistake says what is wrong and what to write."""
    with pytest.raises(InputError) as caught:
        compile_generators({"x": spec}, seed=1, env={}, base=users)
    assert said in caught.value.message
    assert hinted in caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\n\xff\n", "cannot be read"),
        (b'a\n"x"y\n', "cannot be read"),
        (b"", "has no column 'a'"),
        (b"a\n", "no rows"),
        (b"b,a\n1,2\n3\n", "a row without 'a'"),
    ],
)
def test_a_broken_csv_file_is_refused(content, said, tmp_path):
    """Whatever is wrong with a file is reported before the run."""
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=said):
        draws({"x": {"csv": {"file": "a.csv", "column": "a"}}}, base=tmp_path)


def test_a_huge_csv_file_is_refused_unread(tmp_path, monkeypatch):
    """Beyond the cap, the size alone decides."""
    monkeypatch.setattr(files, "_LARGEST_FILE", 3)
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match="larger than"):
        draws({"x": {"csv": {"file": "a.csv", "column": "a"}}}, base=tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    """A symbolic link is followed inside the folder only."""
    (tmp_path / "secret.csv").write_text("a\n1\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.csv").symlink_to(tmp_path / "secret.csv")
    (inner / "folder").symlink_to(tmp_path)
    for name in ("link.csv", "folder/secret.csv"):
        with pytest.raises(InputError, match="is a link to a file outside the scenario's folder"):
            draws({"x": {"csv": {"file": name, "column": "a"}}}, base=inner)


def test_templates_that_need_each_other_are_refused():
    """A circle is named, in the order in which it is read."""
    with_ = {"a": {"template": "${b}"}, "b": {"template": "${c}"}, "c": {"template": "${a}"}}
    with pytest.raises(InputError, match=r"need each other: .* -> .* -> .* -> ") as caught:
        draws(with_)
    assert caught.value.hint
