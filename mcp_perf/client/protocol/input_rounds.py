"""Results that ask for input (2026-07-28), without I/O: what to send in the next round.

After the specification 2026-07-28, "Multi round-trip requests": the request is repeated under a new
id with the answers and the state that the server handed out, until a result is complete.
"""

from dataclasses import dataclass
from typing import Any, Final

from mcp_perf.client.protocol.answers import NoAnswer, Responder

MOST_ROUNDS: Final = 10
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 0.25


@dataclass(eq=False, slots=True)
class Rounds:
    """The rounds of one call."""

    answers: Responder
    count: int = 0
    _pause_s: float = _FIRST_PAUSE_S

    def following(self, result: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """Return what the next request has beside its own params, and how long to wait before it.

        There is a wait, in seconds, only where the server asks for nothing but patience: it
        doubles up to 250 ms. Raises NoAnswer, also when the server does not come to an end.
        """
        self.count += 1
        if self.count > MOST_ROUNDS:
            raise NoAnswer(f"the server still asks for input after {MOST_ROUNDS} rounds")
        added: dict[str, Any] = {}
        if "requestState" in result:
            added["requestState"] = result["requestState"]
        asked = result.get("inputRequests")
        if asked:
            added["inputResponses"] = self._responses(asked)
            return added, 0.0
        if not added:
            raise NoAnswer("the server asks for input, but neither says for what nor gives a state")
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return added, pause_s

    def _responses(self, asked: Any) -> dict[str, Any]:
        if not isinstance(asked, dict):
            raise NoAnswer("the server's inputRequests are no mapping")
        responses = {}
        for key, request in asked.items():
            method = request.get("method") if isinstance(request, dict) else None
            if not isinstance(method, str):
                raise NoAnswer(f"the server's input request {key!r} has no method")
            params = request.get("params")
            responses[key] = self.answers.to(method, params if isinstance(params, dict) else {})
        return responses
