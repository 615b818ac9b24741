"""The virtual user, as Locust sees it."""

from typing import Any

from locust import User, task

from locustfiles._steps import Interrupted


class ScenarioUser(User):
    """One user of the chosen scenario, at work on the arm whose turn it is."""

    def on_start(self) -> None:
        """Open a session with every arm."""
        self.bench: Any = self.environment.mcp_perf.bench
        self.member = self.bench.enlist()
        self.member.open()

    def on_stop(self) -> None:
        """Close the sessions."""
        self.bench.dismiss(self.member)

    @task
    def perform(self) -> None:
        """Take part in one turn."""
        try:
            self.bench.perform(self.member)
        except Interrupted:
            return  # the turn ended between two calls
