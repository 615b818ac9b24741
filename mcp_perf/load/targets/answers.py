"""Turns the answers of a scenario into the form that the client takes."""

from typing import Any

from mcp_perf.client.protocol.answers import SILENT, Responder
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model import answers as dialog
from mcp_perf.scenario.model.steps import Asking, Step, flat


def script(*written: dialog.Answers | None) -> Responder:
    """Join answers into one script. If two are of the same kind, the first wins."""
    one = joined(*written)
    if one is None:
        return SILENT
    form, words, roots = one.elicitation, one.sampling, one.roots
    return Responder(
        elicitation=None if form is None else {"action": form.action, "content": form.content},
        sampling=None if words is None else _message(words),
        roots=None if roots is None else [{"uri": uri} for uri in roots],
    )


def joined(*written: dialog.Answers | None) -> dialog.Answers | None:
    """Join answers. If two are of the same kind, the first wins."""
    found: dict[str, Any] = {}
    for answers in filter(None, reversed(written)):
        found |= {kind: answer for kind, answer in answers if answer is not None}
    return dialog.Answers.model_construct(**found) if found else None


def script_of(arm: str, loaded: Loaded) -> Responder:
    """Return all answers of an arm's journeys, by which its clients declare capabilities."""
    written: list[dialog.Answers | None] = []
    for journey in loaded.scenario.journeys.values():
        written += [journey.answers, *map(own_answers, flat(journey.of(arm)))]
    return script(*written)


def own_answers(step: Step) -> dialog.Answers | None:
    """Return the answers that the file has for a step."""
    return step.answers if isinstance(step, Asking) else None


def own_script(step: Step, journey: dialog.Answers | None) -> Responder | None:
    """Return the answers during one step: its own, then its journey's; None if there are none."""
    written = (own_answers(step), journey)
    return None if written == (None, None) else script(*written)


def _message(words: dialog.Sampling) -> dict[str, object]:
    content = {"type": "text", "text": words.text}
    return {"role": "assistant", "content": content, "model": words.model, "stopReason": "endTurn"}
