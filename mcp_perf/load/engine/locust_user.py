"""The virtual user, as Locust sees it."""

import logging
from typing import Any

from locust import User, task
from locust.exception import StopUser

from mcp_perf.load.steps.step import Interrupted
from mcp_perf.load.targets.roster import NoneLeft

logger = logging.getLogger("mcp-perf")


class ScenarioUser(User):
    """One user of the chosen scenario, at work on the arm whose turn it is."""

    def on_start(self) -> None:
        """Open a session with every arm."""
        self.bench: Any = self.environment.mcp_perf.bench
        self.member: Any = None
        try:
            self.member = self.bench.enlist()
        except NoneLeft as error:
            logger.error("%s", error)
            return
        self.member.open()

    def on_stop(self) -> None:
        """Close the sessions."""
        if self.member is not None:
            self.bench.dismiss(self.member)

    @task
    def perform(self) -> None:
        """Take part in one turn."""
        if self.member is None:
            raise StopUser
        try:
            self.bench.perform(self.member)
        except Interrupted:
            return  # the turn ended between two calls
