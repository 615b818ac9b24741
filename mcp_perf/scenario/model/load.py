"""How much load, for how long: the `load` of a scenario.

A load is closed (a number of users, each waiting for its answers before it goes on) or open (a
number of journeys begin per second, whatever the target does). Its shape says how the level changes
from round to round.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, InstanceOf, model_validator

from mcp_perf.scenario.model import fields, syntax
from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values import units

Shape = Literal["constant", "smoke", "ramp", "step", "spike", "soak", "doubling", "breakpoint"]
ThinkTime = Annotated[
    InstanceOf[syntax.Think],
    BeforeValidator(syntax.think),
    fields.either(fields.DURATION, fields.all_keys(min=fields.DURATION, max=fields.DURATION)),
]
AbortRule = Annotated[
    InstanceOf[syntax.Abort] | None,
    BeforeValidator(syntax.abort),
    fields.either(
        {"enum": ["off", False]},
        fields.all_keys(**{"failures": fields.PERCENT, "for": fields.DURATION}),
    ),
]
Users = Annotated[fields.Whole, Field(ge=1, le=100_000)]

BREAKPOINT: Final = "breakpoint"
DOUBLING: Final = "doubling"
VARYING: Final = ("ramp", "step", "spike", DOUBLING)
"""Shapes whose level changes from round to round."""
SHAPE_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "smoke": {"rounds": 6, "round": "1s", "warmup": "0s"},
    "soak": {"rounds": 120, "round": "30s"},
    "doubling": {"users": 256, "rounds": 9, "warmup": "5s"},
    "breakpoint": {"rate": "10k/s", "round": "3s", "rounds": 60},
}
"""What a named shape means unless the file says otherwise."""
_OF_REPLAY: Final = {"rounds": 1, "warmup": "0s"}
_NOT_IN_REPLAY: Final = (
    *("users", "rate", "stages", "shape", "round", "arrivals", "calibrate", "journeys", "think"),
)
_FEWEST_IN_FLIGHT: Final = 10
_MOST_IN_FLIGHT: Final = 200


class Stage(fields.Part):
    """A stretch of time at one level, or on the way to another."""

    users: Users | None = None
    """A closed load: users at work at its beginning."""
    rate: fields.PerSecond | None = None
    """An open load: journeys per second at its beginning."""
    to: float | None = None
    """The level at its end, like `users` or `rate`; the level between moves evenly."""
    for_: fields.PositiveSeconds = Field(alias="for")
    """How long it lasts, for each arm."""

    @model_validator(mode="before")
    @classmethod
    def _read_to(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("to") is None:
            return given
        to = given["to"]
        if "rate" in given:
            return {**given, "to": units.per_second(to)}
        if not isinstance(to, int) or isinstance(to, bool) or not 1 <= to <= 100_000:
            raise InputError(f"to: {to} is not a number of users", "write a whole number like 50")
        return given

    def check(self) -> None:
        if (self.users is None) == (self.rate is None):
            what = "neither users nor a rate" if self.users is None else "users and rate"
            raise InputError(f"the stage has {what}", "write one: users: 20, or rate: 100/s")

    @property
    def start(self) -> float:
        """The level at its beginning: users, or journeys per second."""
        return self.rate if self.users is None else float(self.users)  # type: ignore[return-value]

    @property
    def end(self) -> float:
        return self.start if self.to is None else self.to


class Load(fields.Part):
    """How much load, for how long; every arm gets the same."""

    shape: Shape = "constant"
    """How the level changes from round to round."""
    users: Users | None = None
    """At work at any moment; the most of them if the level changes. 1 by default."""
    rate: fields.PerSecond | None = None
    """Journeys that begin per second: an open load."""
    arrivals: Literal["constant", "poisson"] = "constant"
    """Open load: evenly spaced, or at random as independent users come."""
    calibrate: fields.Fraction | None = None
    """Closed load: at most `users`, and few enough that each target's processes together need no
    more than this share of one processor. The warm-up, with a quarter of them, finds the number."""
    journeys: Annotated[fields.Whole, Field(ge=1)] | None = None
    """Closed load: the most in a round, of all users together; the last one ends the round."""
    max_in_flight: Users | None = None
    """Open load: the most journeys at once; an arrival beyond them is dropped, and counted."""
    replay: str | None = None
    """A recording: journeys begin as its sessions did, in rounds that are as long as it is."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)] | None = None
    """The levels, written out; instead of `shape`, `users`, `rate` and `rounds`."""
    rounds: Annotated[fields.Whole, Field(ge=1, le=10_000)] = 10
    """The measured rounds of each arm."""
    round: fields.PositiveSeconds = 5.0
    """The length of a round, in which one arm runs alone."""
    warmup: fields.Seconds = 3.0
    """How long each arm warms up."""
    spawn_rate: fields.Positive | None = None
    """How many users start per second."""
    think: ThinkTime = syntax.Think(0, 0)
    """Closed load: the pause between two journeys, or `{min: TIME, max: TIME}`."""
    abort: AbortRule = syntax.Abort(0.95, 10.0)
    """When a run ends early: this share of an arm's calls failed for this long; `off` is never."""
    respect_retry_after: fields.Flag = True
    """Closed load: whether users wait as long as a failed call's Retry-After says, up to the end of
    the round."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if isinstance(given.get("shape"), str):
            return {**SHAPE_DEFAULTS.get(given["shape"], {}), **given}
        return given if given.get("replay") is None else {**_OF_REPLAY, **given}

    def check(self) -> None:
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        _check_replay(given)
        if self.stages is not None:
            _check_stages(self.stages, given)
        elif self.shape == BREAKPOINT and "users" in given:
            hint = "remove users; max_in_flight bounds the journeys at once"
            raise InputError("a load that searches for a rate cannot have users", hint)
        elif {"rate", "users"} <= given:
            hint = "keep one: users, or rate with max_in_flight as its bound"
            raise InputError("the load has both users and a rate", hint)
        if self.open and self.shape == DOUBLING:
            hint = "write users: 256 for the highest number of users"
            raise InputError("a load whose users double cannot have a rate", hint)
        if not self.open and (useless := sorted(given & {"arrivals", "max_in_flight"})):
            hint = "write rate: 100/s instead of users"
            raise InputError(f"{useless[0]} needs a load with a rate", hint)
        if self.open and self.journeys is not None:
            hint = "write users: 20 instead of rate, or remove journeys"
            raise InputError("journeys (the number in a round) needs users, not a rate", hint)
        if self.open and "respect_retry_after" in given:
            hint = "remove respect_retry_after, or rate (journeys with a rate begin on schedule)"
            raise InputError("respect_retry_after needs a load with users, not a rate", hint)
        if self.open and "think" in given:
            hint = "write users: 20 instead of rate, or remove think"
            raise InputError("think needs a load with users, not a rate", hint)
        if self.calibrate is not None and (self.open or self.users_vary or not self.warmup):
            what = "one number of users in the warm-up, so the load cannot change"
            hint = "write users: 20 and a warmup, without rate, stages or a shape that changes"
            raise InputError(f"calibrate looks for {what}", hint)

    @property
    def open(self) -> bool:
        """Whether journeys begin by the clock, not when a user is free."""
        clocked = self.rate is not None or self.replay is not None
        return clocked or bool(self.stages and self.stages[0].rate is not None)

    @property
    def users_vary(self) -> bool:
        return not self.open and (self.stages is not None or self.shape in VARYING)

    @property
    def peak(self) -> float:
        """The highest level: users, or journeys per second."""
        if self.stages is not None:
            return max(max(stage.start, stage.end) for stage in self.stages)
        return float(self.users or 1) if self.rate is None else self.rate

    @property
    def most_users(self) -> int:
        """How many users are needed at once.

        In an open load `max_in_flight`, or as many as arrive in a second, from 10 to 200.
        """
        if not self.open:
            return round(self.peak)
        if self.max_in_flight is not None:
            return self.max_in_flight
        return min(max(round(self.peak), _FEWEST_IN_FLIGHT), _MOST_IN_FLIGHT)

    @property
    def round_count(self) -> int:
        """Rounds of each arm; stages are cut into rounds."""
        if self.shape == DOUBLING:
            return min(self.rounds, math.ceil(math.log2(self.peak)) + 1)
        if self.stages is None:
            return self.rounds
        return max(1, round(sum(stage.for_ for stage in self.stages) / self.round_s))

    @property
    def round_s(self) -> float:
        """The length of a round: no longer than the shortest stage."""
        if self.stages is None:
            return self.round
        return min(self.round, *(stage.for_ for stage in self.stages))


def _check_replay(given: set[str]) -> None:
    said = [name for name in _NOT_IN_REPLAY if name in given and "replay" in given]
    if said:
        raise InputError(f"the load has both {said[0]} and replay", f"remove {said[0]}, or replay")


def _check_stages(stages: tuple[Stage, ...], given: set[str]) -> None:
    if said := [name for name in ("shape", "users", "rate", "rounds") if name in given]:
        raise InputError(f"the load has both {said[0]} and stages", f"remove {said[0]}")
    if len({stage.users is None for stage in stages}) > 1:
        hint = "write users for all stages, or rate for all"
        raise InputError("some stages have users, others a rate", hint)
