"""A plain locustfile: `locust -f examples/locustfile.py --host http://127.0.0.1:8000/mcp`."""

from locust import between, tag, task

from mcp_perf import McpUser


class Shopper(McpUser):
    """Looks around more often than it buys."""

    host = "http://127.0.0.1:8000/mcp"
    wait_time = between(0.1, 0.3)

    @tag("look")
    @task(3)
    def search(self) -> None:
        """Search; an answer without an article is a failure."""
        with self.client.call_tool("search", {"text": "tea"}, catch_response=True) as response:
            if response.ok and not response.structured["result"]:
                response.failure("nothing found")

    @tag("buy")
    @task
    def order(self) -> None:
        """Order."""
        self.client.call_tool("order", {"article": "cup", "number": 2})
