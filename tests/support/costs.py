"""CPU time that no clock has measured: a test says what a call costs, and what a look does."""


class Costs:
    """A process in which a call and a look take so long, and nothing else does."""

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
        """Return that of the thread: it is the only one."""
        return self.process()
