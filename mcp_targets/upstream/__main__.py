"""Run the upstream simulator: `python -m mcp_targets.upstream --provider twilio`."""

from collections.abc import Mapping

from mcp_targets.serving import entry
from mcp_targets.serving.service_time import argument
from mcp_targets.upstream.provider import load
from mcp_targets.upstream.simulator import Simulator
from mcp_targets.upstream.tally import Together
from mcp_targets.upstream.timetable import outages


def main() -> None:
    """Read the switches and serve, each provider on its own port."""
    parser = entry.arguments("upstream", "Play third-party providers, each on its own port.")
    parser.add_argument(
        "--provider",
        action="append",
        required=True,
        help="a shipped provider, or the path of a provider file; may be repeated",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="the seed of times and identifiers (default: 0)"
    )
    parser.add_argument(
        "--rtt",
        type=argument,
        help='the round trip to every provider that has one, such as "10ms" (default: its file\'s)',
    )
    parser.add_argument(
        "--outage",
        help='make a provider fail for a while, such as "hubspot:20s:10s", or a share of its '
        'requests, such as "hubspot:0s:60s:5%%"; separate several with commas',
    )
    options = parser.parse_args()
    together = Together()
    try:
        providers = [load(name, options.rtt) for name in options.provider]
        failing = outages(options.outage) if options.outage else []
        servers = {
            one.provider: Simulator(
                one,
                options.seed,
                together,
                tuple(window for name, window in failing if name == one.provider),
            ).server
            for one in providers
        }
    except ValueError as error:
        parser.error(str(error))
    entry.serve(options, servers, _lines)


def _lines(ports: Mapping[str, int]) -> list[str]:
    addresses = [f"  {name}  http://{entry.HOST}:{port}" for name, port in ports.items()]
    return ["the upstream simulator is ready:", *addresses]


if __name__ == "__main__":
    main()
