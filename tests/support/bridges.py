"""An event loop for targets in process, if gevent has patched nothing."""

import asyncio
import threading


class ThreadBridge:
    """A bridge to an event loop in another thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def call(self, function, *arguments):
        """Run a coroutine function."""
        return asyncio.run_coroutine_threadsafe(function(*arguments), self.loop).result(10)

    def post(self, function, *arguments):
        """Call a function soon."""
        self.loop.call_soon_threadsafe(function, *arguments)

    def tasks(self):
        """Return how many tasks there are besides the current one."""

        async def count():
            return len(asyncio.all_tasks()) - 1

        return self.call(count)

    def stop(self):
        """End the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()
