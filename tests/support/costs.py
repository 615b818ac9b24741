"""Simulated CPU time: a test sets what a call costs, and what a look at a reply costs."""


class Costs:
    """A process in which only calls and looks take time."""

    def __init__(self, *, look_us, call_us):
        self.look_us, self.call_us = look_us, call_us
        self.calls = 0
        self.looked_us = 0.0

    def call(self):
        """Make a call."""
        self.calls += 1

    def look(self):
        """Look at a reply."""
        self.looked_us += self.look_us

    def process(self):
        """Return the CPU time of the process in ns."""
        return int(1000 * (self.calls * self.call_us + self.looked_us))

    def thread(self):
        """Return the CPU time of the thread, which is the only one."""
        return self.process()
