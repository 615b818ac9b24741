"""Questions to the user up to 2025-11-25: requests of the server, on the stream of the call."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

from mcp_targets.echo import rpc

Answered = Callable[[dict[str, Any]], dict[str, Any]]
"""From the client's answer to the result of the tool."""


class Questions:
    """Those that wait for an answer."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._open: dict[tuple[bytes, int], asyncio.Future[dict[str, Any]]] = {}

    async def ask(
        self, session: bytes, request_id: rpc.Id, params: dict[str, Any], answered: Answered
    ) -> AsyncIterator[bytes]:
        """Ask, wait, and answer the call."""
        number = next(self._numbers)
        waiting = asyncio.get_running_loop().create_future()
        self._open[session, number] = waiting
        question = {"jsonrpc": "2.0", "id": number, "method": "elicitation/create"}
        try:
            yield rpc.event(rpc.encode({**question, "params": params}))
            answer = await waiting
        finally:
            del self._open[session, number]
        yield rpc.event(rpc.result(request_id, answered(answer)))

    def answer(self, session: bytes, message: dict[str, Any]) -> None:
        """Take an answer; one that nobody waits for is passed over, and an error is none."""
        number, result = message.get("id"), message.get("result")
        waiting = self._open.get((session, number)) if isinstance(number, int) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(result if isinstance(result, dict) else {"action": "cancel"})
