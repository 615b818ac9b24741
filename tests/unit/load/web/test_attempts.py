"""How long a client that guesses passwords has to wait."""

import pytest

from mcp_perf.load.web.attempts import LONGEST_S, MOST_CLIENTS, Attempts


class Clock:
    """Time that passes when the test says so."""

    now = 0.0

    def __call__(self):
        """Return the time, in seconds."""
        return self.now


@pytest.fixture
def clock():
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def attempts(clock):
    """Return a new count."""
    return Attempts(clock)


def test_the_wait_doubles_from_the_third_wrong_password_on(attempts):
    """Two are free, and no wait is ever longer than a minute."""
    waits = []
    for _ in range(10):
        attempts.wrong("192.0.2.1")
        waits.append(attempts.wait_s("192.0.2.1"))
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    for _ in range(2000):
        attempts.wrong("192.0.2.1")
    assert attempts.wait_s("192.0.2.1") == LONGEST_S


def test_a_wait_is_over_when_its_time_has_passed(attempts, clock):
    """The next wrong password still makes the wait longer."""
    for _ in range(4):
        attempts.wrong("here")
    clock.now = 1.5
    assert attempts.wait_s("here") == 0.5
    clock.now = 100.0
    assert attempts.wait_s("here") == 0
    attempts.wrong("here")
    assert attempts.wait_s("here") == 4


def test_the_right_password_ends_the_row(attempts):
    """A client that knows it did not guess."""
    for _ in range(5):
        attempts.wrong("here")
    attempts.right("here")
    attempts.right("nobody")
    assert attempts.wait_s("here") == 0
    attempts.wrong("here")
    assert attempts.wait_s("here") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "192.0.2.1", False),
    ],
)
def test_a_client_is_what_can_choose_among_addresses(attempts, one, other, same):
    """With IPv6 that is a network of 64 bits; other clients never wait for each other."""
    for _ in range(3):
        attempts.wrong(one)
    assert (attempts.wait_s(other) > 0) is same


def test_no_more_clients_are_remembered_than_there_is_room_for(attempts):
    """The client that was silent for the longest time is forgotten first."""
    for _ in range(3):
        attempts.wrong("first")
        attempts.wrong("second")
    attempts.wrong("first")
    for number in range(MOST_CLIENTS - 1):
        attempts.wrong(f"10.0.{number >> 8}.{number & 255}")
    assert attempts.wait_s("second") == 0
    assert attempts.wait_s("first") == 2
