"""A rival: the client of the official Python SDK, which calls the same tool in one session.

Usage: sdk_client.py URL SECONDS; prints calls and CPU seconds as JSON.
"""

import asyncio
import json
import sys
import time

from mcp import Client

AT_ONCE = 16


async def main(url: str, seconds: float) -> None:
    """Call from sixteen tasks for the given time."""
    calls = 0
    async with Client(url) as client:
        await client.call_tool("echo", {"message": "hello"})
        cpu_s, end = time.process_time(), time.perf_counter() + seconds

        async def call() -> None:
            nonlocal calls
            while time.perf_counter() < end:
                result = await client.call_tool("echo", {"message": "hello"})
                assert not result.is_error
                calls += 1

        await asyncio.gather(*(call() for _ in range(AT_ONCE)))
        print(json.dumps({"calls": calls, "cpu_s": time.process_time() - cpu_s}))


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
