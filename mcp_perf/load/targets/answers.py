"""From a scenario's answers to what the client takes."""

from collections.abc import Iterable

from mcp_perf.client.protocol.answers import Responder
from mcp_perf.scenario.checks.bursts import flat
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model import answers as dialog
from mcp_perf.scenario.model.steps import Asking, Step


def script(*written: dialog.Answers | None) -> Responder:
    """Join answers to one script; of two of a kind, the first wins."""
    one = joined(*written)
    form, words, roots = (
        (None, None, None) if one is None else (one.elicitation, one.sampling, one.roots)
    )
    return Responder(
        elicitation=None if form is None else {"action": form.action, "content": form.content},
        sampling=None if words is None else _message(words),
        roots=None if roots is None else [{"uri": uri} for uri in roots],
    )


def joined(*written: dialog.Answers | None) -> dialog.Answers | None:
    """Join answers; of two of a kind, the first wins."""
    given = [answers for answers in written if answers is not None]
    if not given:
        return None
    return dialog.Answers(
        elicitation=next((one.elicitation for one in given if one.elicitation is not None), None),
        sampling=next((one.sampling for one in given if one.sampling is not None), None),
        roots=next((one.roots for one in given if one.roots is not None), None),
    )


def script_of(arm: str, loaded: Loaded) -> Responder:
    """Return all that an arm's journeys answer: it says what its clients declare."""
    return script(*_written(arm, loaded))


def _written(arm: str, loaded: Loaded) -> Iterable[dialog.Answers | None]:
    for journey in loaded.scenario.journeys.values():
        yield journey.answers
        yield from (own_answers(step) for step in flat(journey.of(arm)))


def own_answers(step: Step) -> dialog.Answers | None:
    """Return the answers that are written for a step."""
    return step.answers if isinstance(step, Asking) else None


def own_script(step: Step, journey: dialog.Answers | None) -> Responder | None:
    """Return the answers during one step: its own, then its journey's; None where it has none."""
    written = (own_answers(step), journey)
    return None if written == (None, None) else script(*written)


def _message(words: dialog.Sampling) -> dict[str, object]:
    content = {"type": "text", "text": words.text}
    return {"role": "assistant", "content": content, "model": words.model, "stopReason": "endTurn"}
