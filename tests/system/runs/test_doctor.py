"""The doctor end to end: real runs of the real engine, for any findings about this machine."""

import pytest

pytestmark = pytest.mark.load


@pytest.mark.long
def test_the_doctor_examines_this_machine_and_says_what_it_found(run_cli):
    """Every finding is in the table; the exit code says whether all are fine."""
    ended = run_cli("doctor", timeout=280)
    assert ended.code in (0, 91), ended.output
    for what in (
        *("clock resolution", "timer lag", "known delays", "noise from round to round"),
        *(
            "smallest difference that ten rounds show",
            "highest rate of one process",
            "users at once",
        ),
    ):
        assert what in ended.stdout
    verdict = "This machine can measure well." if ended.code == 0 else "This machine"
    assert verdict in ended.output
    assert max(map(len, ended.stdout.splitlines())) <= 80
