"""Wrong scenario files: each message has the line, what is wrong and what to write."""

import pytest

STEPS = "journeys:\n  first:\n    rest: [{get: /a}]\n    mcp:\n"

# What is appended to the valid file of 9 lines, so it starts in line 10. If it starts with a key of
# that file, it replaces everything from that key on.
APPENDED = [
    # text, line, words of the message, words of the hint
    ("titel: x", 10, "unknown key 'titel'", "did you mean 'title'"),
    ("load: {usres: 5}", 10, "load: unknown key 'usres'", "did you mean 'users'"),
    ("load: {users: 0}", 10, "load.users: 0 is out of range", "at least 1"),
    ("load: {users: 100001}", 10, "100001 is out of range", "at most 100000"),
    ("load: {users: many}", 10, "'many' is not a whole number", "20"),
    ("load: {users: 2.5}", 10, "2.5 is not a whole number", "20"),
    ("load: {users: true}", 10, "true is not a whole number", "20"),
    ("load:\n  users: 5\n  round: 5", 12, "load.round: 5 has no unit", "5s"),
    ("load: {round: fast}", 10, "'fast' is not a duration", "500ms, 5s, 2m or 1h"),
    ("load: {round: 0s}", 10, "'0s' is not above zero", "above zero"),
    ("load: {round: 2000h}", 10, "'2000h' is too long", "1000h"),
    ("load: {think: {min: 1s}}", 10, "think needs min and max", "{min: 1s, max: 3s}"),
    ("load: {think: {min: 2s, max: 1s}}", 10, "min 2s is above max 1s", "exchange"),
    ("load: {spawn_rate: 0}", 10, "0 is out of range", "more than 0"),
    ("load: 5", 10, "load: 5 is not a mapping", "KEY: VALUE"),
    ("limits: {generator_cpu: 0.9}", 10, "0.9 has no percent sign", "90%"),
    ("limits: {late_starts: 120%}", 10, "'120%' is out of range", "100%"),
    ("limits: {late_starts: some}", 10, "'some' is not a percentage", "90%"),
    ("seed: -1", 10, "seed: -1 is out of range", "at least 0"),
    ("tags: [a]", 10, "unknown key 'tags'", "vars"),
    ("gates: mcp.p95 < 5ms", 10, "is not a list", "dash"),
    ("gates: [5]", 10, "5 is not a gate", "mcp.p95 < 200ms"),
    ("gates:\n  - mcp.p95 < 5ms\n  - mcp.p59 < 5ms", 12, "unknown metric 'p59'", "p99"),
    ("gates: [mcp.p95 < 5]", 10, "no unit in 'mcp.p95 < 5'", "mcp.p95 < 200ms"),
    ("gates: [mpc.p95 < 5ms]", 10, "unknown arm, 'mpc'", "did you mean 'mcp'"),
    ("gates: [mcp.capacity >= 5/s]", 10, "needs a load that searches", "shape: breakpoint"),
    ("gates: ['mcp.tool[b].p95 < 5ms']", 10, "unknown tool, 'b'", "write a"),
    ("gates: ['rest.tool[a].p95 < 5ms']", 10, "unknown tool, 'a'", "rest.step[JOURNEY.LABEL]"),
    ("gates: ['mcp.tool[a].p95 < 2x rest']", 10, "unknown tool, 'a'", "rest.step[JOURNEY.LABEL]"),
    ("gates: ['mcp.step[first.a].p95 < 5ms']", 10, "unknown step", "first.tools/call a"),
    (
        "gates: ['mcp.step[frst.tools/call a].p95 < 5ms']",
        10,
        "unknown step",
        "first.tools/call a",
    ),
    (
        "gates: ['mcp.journey[fist].calls > 5']",
        10,
        "unknown journey, 'fist'",
        "did you mean 'first'",
    ),
    ("gates: [mcp.p95 - rst.p95 < 5ms]", 10, "unknown arm, 'rst'", "did you mean 'rest'"),
    ("gates: [mcp.p95 < 2x res]", 10, "unknown arm, 'res'", "did you mean 'rest'"),
    ("env: [HOME_]", 10, "environment variable 'HOME_' is not set", "export HOME_="),
    ("env: [A B]", 10, "'A B' is not a name", "letters"),
    ("vars: {seq: 1}", 10, "'seq' is a built-in name", "another name"),
    ("vars: {a-b: 1}", 10, "'a-b' is not a name for a value", "area_code"),
    ("vars: {a: '${b}'}", 10, "${b} cannot be used here", "in a step"),
    ("vars: {a: '${env:TOKEN}'}", 10, "does not list the environment variable 'TOKEN'", "[TOKEN]"),
    # plain words that readers of YAML disagree about
    ("vars: {a: no}", 10, "'no' is a boolean to some YAML readers", 'write false, or "no"'),
    ("vars: {a: On}", 10, "'On' is a boolean", "write true"),
    ("vars: {a: 1:30}", 10, "'1:30' is a number in base 60", "90s"),
    ("vars: {a: 010}", 10, "'010' has a leading zero", '"010" in quotes'),
    ("vars: {a: +14165550100}", 10, "would lose its plus sign", '"+14165550100" in quotes'),
    ("vars: {a: 0x1f}", 10, "'0x1f' is not a decimal number", "decimal"),
    ("vars: {a: 1_000}", 10, "has underscores", "quotes"),
    ("vars: {a: .inf}", 10, "sent as JSON", "quotes"),
    ("vars: {a: .NaN}", 10, "sent as JSON", "quotes"),
    ("vars: {a: 12e5}", 10, "to some YAML readers", "in full"),
    ("vars: {a: .5}", 10, "lacks a digit before or after the dot", "both sides"),
    ("vars: {a: 1234567890123456789012}", 10, "more digits than a number can keep", "quotes"),
    # what YAML can do and a scenario may not
    ("title: again", 10, "the key 'title' is here twice, first in line 2", "rename"),
    ("vars: &x {a: 1}", 10, "the anchor &x is not allowed", "remove"),
    ("vars: {a: &x 1, b: *x}", 10, "the alias *x is not allowed", "write it out"),
    ("vars: {<<: {a: 1}}", 10, "the merge key << is not allowed", "write the keys out"),
    ("vars: {a: !!int 5}", 10, "the tag 'tag:yaml.org,2002:int' is not allowed", "remove"),
    ("vars: {a: !!python/object:os.system x}", 10, "is not allowed", "remove"),
    ("vars: {a: ! x}", 10, "the tag '!' is not allowed", "remove"),
    ("---\nname: b", 10, "a second document starts here", "keep one"),
    ("vars: {? [a] : 1}", 10, "a key that is not a single word", "KEY: VALUE"),
    ("vars: {a: ${x}}", 10, "this is not YAML", "quote ${…}"),
    ("vars:\n\ta: 1", 11, "this is not YAML", "not tabs"),
    ("vars: 'a", 10, "this is not YAML", "close the quotes"),
    ("vars: a: b", 10, "this is not YAML", "quote a text that"),
    ("vars: [a]]", 10, "this is not YAML", "brackets"),
    ("vars: {a: \x07}", 10, "control character '\\x07'", "remove it"),
    ("vars: {a: \0}", 10, "control character '\\x00'", "remove it"),
    # arms
    ("arms: {}", 3, "arms: {} is empty", "at least one"),
    ("arms: [a]", 3, "arms: a list is not a mapping", "KEY: VALUE"),
    ("arms:\n  mcp: {}", 4, "the arm has no target", "http: URL, mcp: URL or python"),
    ("arms:\n  mcp: {http: http://a, mcp: http://a}", 4, "the arm has two targets", "one of"),
    (
        "arms:\n  mcp: {mcp: localhost:8000}",
        4,
        "'localhost:8000' is not an address",
        "http://localhost:8000",
    ),
    ("arms:\n  mcp: {mcp: 'http://a b'}", 4, "is not an address", "http://HOST"),
    ("arms:\n  mcp: {mcp: 'http://a:99999/'}", 4, "is not an address", "http://HOST"),
    ("arms:\n  mcp: {mcp: 'http://h/ł'}", 4, "a letter that", "percent-encode it"),
    ("arms:\n  mcp: {mcp: 'http://'}", 4, "is not an address", "http://HOST"),
    ("arms:\n  mcp: {mcp: 5}", 4, "5 is not an address", "system:NAME/FACE"),
    ("arms:\n  mcp: {mcp: system:echo}", 4, "is not an address", "system:NAME/FACE"),
    ("arms:\n  mcp: {mcp: {sse: a}}", 4, "'a' is not an address", "http://"),
    (
        "arms:\n  mcp: {mcp: {sse: system:a/b}}",
        4,
        "bundled systems do not have HTTP+SSE",
        "system:NAME",
    ),
    ("arms:\n  mcp: {mcp: {ws: http://a}}", 4, "a target by ws is not known", "stdio: [COMMAND"),
    ("arms:\n  mcp: {mcp: {}}", 4, "a target by {} is not known", "sse: URL"),
    ("arms:\n  mcp: {mcp: {sse: http://a, stdio: [a]}}", 4, "by sse or stdio", "sse: URL"),
    ("arms:\n  mcp: {mcp: {stdio: npx server}}", 4, "'npx server' is not a command", "a list"),
    ("arms:\n  mcp: {mcp: {stdio: []}}", 4, "[] is not a command", "write a list"),
    ("arms:\n  mcp: {mcp: {stdio: ['']}}", 4, "the command is empty", "a list"),
    ("arms:\n  mcp: {mcp: {stdio: [a, 5]}}", 4, "5 is not a word of a command", "list of texts"),
    (
        "arms:\n  mcp: {mcp: {stdio: [a, '${env:K}']}}",
        4,
        "a command cannot contain",
        "env of the arm",
    ),
    ("arms:\n  mcp: {mcp: {python: 'a b'}}", 4, "is not a Python object", "MODULE:OBJECT"),
    ("arms:\n  a: {python: 'a:b:c'}", 4, "is not a Python object", "MODULE:OBJECT"),
    (
        "arms:\n  a: {python: a, protocol: auto}",
        4,
        "protocol can only be used on an mcp arm",
        "remove",
    ),
    ("arms:\n  a: {python: a, headers: {A: b}}", 4, "over HTTP", "remove"),
    (
        "arms:\n  a: {mcp: http://a, tls: {key: k.pem}}",
        4,
        "tls has a key but no certificate",
        "cert",
    ),
    ("arms:\n  a: {mcp: http://a, tls: {cert: c.pem}}", 4, "no file 'c.pem'", "scenario's folder"),
    ("arms:\n  a: {mcp: http://a, tls: {cert: /c.pem}}", 4, "outside the scenario's", "next to"),
    ("arms:\n  a: {mcp: http://a, proxy: b:3128}", 4, "'b:3128' is not an address", "http://b"),
    ("arms:\n  a: {mcp: http://a, proxy: https://b}", 4, "is not an address", "http://HOST:PORT"),
    ("arms:\n  a: {mcp: http://a, proxy: 'http://u:p@b'}", 4, "user and password", "Proxy-Auth"),
    ("arms:\n  a: {python: a, host: b}", 4, "host can only be used over HTTP", "remove"),
    ("arms:\n  a: {mcp: http://a, headers: {Host: b c}}", 4, "'b c' is not a host", "internal"),
    ("arms:\n  a: {mcp: {stdio: [a]}, tls: {verify: false}}", 4, "over HTTP", "remove tls"),
    ("arms:\n  a: {mcp: http://a, env: {A: b}}", 4, "for a stdio server", "remove env"),
    ("arms:\n  a: {mcp: http://a, cwd: b}", 4, "for a stdio server", "remove cwd"),
    ("arms:\n  a: {mcp: {sse: http://a, cwd: b}}", 4, "by sse or cwd", "write {sse: URL}"),
    ("arms:\n  a: {mcp: http://a, process: user}", 4, "for a stdio server", "remove process"),
    ("arms:\n  a: {mcp: {stdio: [a]}, env: {A-B: b}}", 4, "'A-B' is not a variable", "API_KEY"),
    (
        "arms:\n  a: {mcp: {stdio: [a]}, env: {A: '${x}'}}",
        4,
        "${x} cannot be used here",
        "in a step",
    ),
    (
        "arms:\n  a: {mcp: {stdio: [a]}, process: each}",
        4,
        "'each' is not allowed",
        "user or shared",
    ),
    ("arms:\n  a: {mcp: {sse: http://a}, protocol: 2026-07-28}", 4, "no HTTP+SSE", "auto"),
    ("arms:\n  mcp: {mcp: 'http://${env:H}'}", 4, "an address cannot contain", "--target"),
    ("arms:\n  mcp: {mcp: 'http://me:pw@a'}", 4, "a user and password", "headers"),
    (
        "arms:\n  a: {mcp: {stdio: [a]}, no_delete: true}",
        4,
        "no_delete can only be used over streamable HTTP",
        "remove",
    ),
    (
        "arms:\n  a: {http: http://a, stream: true}",
        4,
        "stream can only be used over streamable HTTP",
        "remove",
    ),
    (
        "arms:\n  a: {mcp: {stdio: [a]}, stream: true}",
        4,
        "stream can only be used over streamable HTTP",
        "remove",
    ),
    (
        "arms:\n  a: {mcp: http://a, protocol: 2026-07-28, stream: true}",
        4,
        "2026-07-28 has no sessions",
        "protocol: 2025-11-25",
    ),
    (
        "arms:\n  a: {http: http://a, protocol: auto}",
        4,
        "protocol can only be used on an mcp arm",
        "remove",
    ),
    (
        "arms:\n  a: {mcp: http://a, protocol: 2024-01-01}",
        4,
        "'2024-01-01' is not allowed",
        "2025-11",
    ),
    ("arms:\n  a: {mcp: http://a, timeout: 10}", 4, "10 has no unit", "10s"),
    ("arms:\n  a: {mcp: http://a, tls: {verify: 1}}", 4, "1 is not true or false", "true or false"),
    ("arms:\n  a: {mcp: http://a, tls: {verify: false, ca: a}}", 4, "ca has no", "keep one"),
    ("arms:\n  a: {mcp: http://a, tls: {ca: /etc/ca}}", 4, "outside the scenario's", "next to"),
    ("arms:\n  a: {mcp: http://a, tls: {ca: gone.pem}}", 4, "there is no file 'gone.pem'", "path"),
    ("arms:\n  a: {mcp: http://a, headers: {A: 1}}", 4, "1 is not a text", "quotes"),
    ("arms:\n  a: {mcp: http://a, headers: {A B: x}}", 4, "'A B' is not a header's name", "X-"),
    ('arms:\n  a: {mcp: http://a, headers: {A: "x\\r\\nB: y"}}', 4, "line end", "one line"),
    ("arms:\n  a: {mcp: http://a, headers: {A: '${b}'}}", 4, "${b} cannot be used here", "step"),
    ("arms:\n  steps: {mcp: http://a}", 4, "'steps' is a key of journeys", "another name"),
    ("arms:\n  a.b: {mcp: http://a}", 4, "'a.b' is not a name", "letters"),
    # journeys
    ("journeys: {}", 6, "journeys: {} is empty", "at least one"),
    ("journeys: {a: 5}", 6, "5 is not a mapping", "KEY: VALUE"),
    ("journeys:\n  a: {rest: [{get: /}]}", 7, "journey a: no steps for mcp", "add mcp:"),
    ("journeys:\n  a: {tags: [x]}", 7, "journey a: no steps for rest and mcp", "or steps:"),
    ("journeys:\n  a: {rset: [], mcp: []}", 7, "'rset' is neither an arm nor a key", "'rest'"),
    (
        "journeys:\n  a:\n    rest: [{get: /}]\n    mcp: [{call: a}]\n    steps: []",
        10,
        ": no arm uses steps, because each has its own list",
        "remove",
    ),
    ("journeys:\n  a:\n    rest: []\n    mcp: [{call: a}]", 8, "[] is empty", "at least one"),
    ("journeys:\n  a:\n    steps: [{call: a}]", 8, "call is for mcp arms", "get, post"),
    ("journeys:\n  a:\n    steps: [{get: /}]", 8, "get is for http arms, and 'mcp'", "call: TOOL"),
    (STEPS + "      - {call: a}\n    weight: 0", 11, "weight: 0 is out of range", "more than 0"),
    (STEPS + "      - {call: a}\n    tags: x", 11, "'x' is not a list", "[a, b]"),
    (STEPS + "      - {call: a}\n    with: {user: 1}", 11, "'user' is a built-in name", "another"),
    (STEPS + "      - {call: a}\n    with: {x: {onof: [1]}}", 11, "unknown generator", "one_of"),
    (
        STEPS + "      - {call: a}\n    with: {x: {template: '${y}'}}",
        11,
        "${y} has no value here",
        "x",
    ),
    (
        STEPS + "      - {call: a}\n    with: {x: {template: '${x}'}}",
        11,
        "need each other",
        "remove one",
    ),
    # steps
    ("journeys:\n  a:\n    rest: 5\n    mcp: [{call: a}]", 8, "5 is not a list", "dash"),
    (STEPS + "      - call", 10, "'call' is not a mapping", "KEY: VALUE"),
    (STEPS + "      - {}", 10, "the step has no action", "exactly one of call"),
    (STEPS + "      - {name: x}", 10, "the step has no action", "exactly one of call"),
    (STEPS + "      - {call: a, wait: 1s}", 10, "the step has call and wait", "exactly one"),
    (STEPS + "      - {cal: a}", 10, "unknown key 'cal'", "did you mean 'call'"),
    (STEPS + "      - {call: ''}", 10, "'' is not a tool's name", "tools/list"),
    (
        STEPS + "      - {call: 'a${x}'}",
        10,
        "tool's name cannot contain",
        "one step for each",
    ),
    (STEPS + "      - {call: a, arguments: [x]}", 10, "a list is not a mapping", "KEY: VALUE"),
    (STEPS + "      - {call: a, query: {x: 1}}", 10, "query is for HTTP steps", "remove query"),
    (
        STEPS + "      - {call: a, json: 1}",
        10,
        "json is for post, put, patch and delete",
        "remove json",
    ),
    (STEPS + "      - {wait: 1s, save: {x: y}}", 10, "save is for calls", "remove save"),
    (STEPS + "      - {wait: 1}", 10, "1 has no unit", "1s"),
    (STEPS + "      - {call: a, name: ''}", 10, "'' is empty", "at least one"),
    (STEPS + "      - {call: a, on_error: go}", 10, "'go' is not allowed", "stop or continue"),
    (
        STEPS + "      - {call: a, expect: {status: 200}}",
        10,
        "status can only be used on HTTP steps",
        "class",
    ),
    (STEPS + "      - {call: a, expect: {class: good}}", 10, "'good' is not allowed", "tool_error"),
    (STEPS + "      - {call: a, expect: {class: []}}", 10, "empty list expects", "remove the key"),
    (STEPS + "      - {call: a, expect: {equal: {}}}", 10, "unknown key 'equal'", "'equals'"),
    (STEPS + "      - {call: a, expect: {equals: {'a[': 1}}}", 10, "is not JMESPath", "items[0]"),
    (STEPS + "      - {call: a, expect: {contain: {}}}", 10, "unknown key 'contain'", "'contains'"),
    (STEPS + "      - {call: a, expect: {matches: {a: '('}}}", 10, "is not a", "Rust"),
    (
        STEPS + "      - {call: a, expect: {matches: {a: '(x)\\1'}}}",
        10,
        "is not a",
        "Rust",
    ),
    (
        STEPS + "      - {call: a, expect: {matches: {a: 'x${seq}'}}}",
        10,
        "cannot contain",
        "contains",
    ),
    (STEPS + "      - {call: a, expect: {less: {a: x}}}", 10, "'x' is not a number", "${count}"),
    (
        STEPS + "      - {call: a, expect: {length: {a: true}}}",
        10,
        "true is not a number",
        "saved value",
    ),
    (STEPS + "      - {call: a, expect: {exists: 'a['}}", 10, "is not JMESPath", "items[0]"),
    (STEPS + "      - {call: a, expect: {holds: 'len(a)'}}", 10, "no function 'len'", "'length'"),
    (
        STEPS + "      - {call: a, expect: {text: {}}}",
        10,
        "text does not say what to expect",
        "contains: TEXT",
    ),
    (STEPS + "      - {call: a, expect: {text: {has: x}}}", 10, "unknown key 'has'", "matches"),
    (
        STEPS + "      - {call: a, expect: {text: '${nope}'}}",
        10,
        "${nope} has no value here",
        "seq",
    ),
    (STEPS + "      - {call: a, save: {x: '$.a'}}", 10, "is not JMESPath", "no leading $"),
    (STEPS + "      - {call: a, save: {x: 'a.lenght(b)'}}", 10, "no function 'lenght'", "length"),
    (STEPS + "      - {call: a, save: {x: ''}}", 10, "'' is not JMESPath", "items[0]"),
    (STEPS + f"      - {{call: a, save: {{x: {'a' * 2000}}}}}", 10, "longer than 1 KiB", "shorter"),
    (STEPS + f"      - {{call: a, save: {{x: '{'(' * 1000}'}}}}", 10, "nested too deep", "simpler"),
    (STEPS + "      - {call: a, save: {x: 5}}", 10, "5 is not a text", "quotes"),
    (STEPS + "      - {call: a, save: {arm: x}}", 10, "'arm' is a built-in name", "another"),
    (
        STEPS + "      - {call: a, arguments: {x: '${y}'}}",
        10,
        "${y} has no value here",
        "write arm",
    ),
    (STEPS + "      - {call: a, arguments: {'${y}': 1}}", 10, "contains ${…}", "values only"),
    (
        STEPS + "      - {call: a, arguments: {x: '${y'}}",
        10,
        "has ${ without a closing }",
        "add a }",
    ),
    (
        STEPS
        + "      - {call: a, arguments: {x: '${y}'}}\n"
        + "      - {call: a, arguments: {x: '${z}'}, save: {y: b}}\n",
        10,
        "${y} has no value here",
        "a later step saves it: use it after that",
    ),
    (
        STEPS + "      - call: a\n        expect:\n          equals:\n            b: ${yy}",
        13,
        "${yy} has no value here",
        "write arm",
    ),
]
HTTP = [
    ("{get: a}", "'a' does not start with /", "write /a"),
    ("{get: 'http://a/b'}", "does not start with /", "the host"),
    ("{get: '/a b'}", "which a path cannot contain", "%20"),
    ("{get: /a#b}", "which a path cannot contain", "%23"),
    (
        "{get: /a, form: {a: 1}}",
        "form is for post, put, patch and delete steps, not for get",
        "write query",
    ),
    (
        "{get: /a, json: 1}",
        "json is for post, put, patch and delete steps, not for get",
        "write query",
    ),
    ("{post: /a, json: 1, form: {}}", "the step has both form and json", "keep one"),
    ("{post: /a, json: }", "json is empty", "remove it"),
    ("{post: /a, form: }", "form is empty", "remove it"),
    ("{post: /a, form: {x: {y: 1}}}", "x cannot be a mapping here", "a list of these"),
    ("{get: /a, query: {x: [[1]]}}", "x cannot be a list here", "a text"),
    ("{get: /a, query: {x: null}}", "x cannot be nothing here", "a text"),
    ("{get: /a, arguments: {x: 1}}", "is for call, prompt and run steps", "remove arguments"),
    (
        "{get: /a, expect: {class: ok}}",
        "class can only be used on call and run, not on HTTP steps",
        "status: 409",
    ),
    ("{get: /a, expect: {text: ok}}", "text can only be used on MCP steps", "equals: {PATH: TEXT}"),
    ("{get: /a, expect: {status: 99}}", "99 is not an HTTP status", "100 to 599"),
    ("{get: /a, expect: {status: ok}}", "'ok' is not a whole number", "20"),
    ("{get: /a, timeout: [1]}", "a list is not a duration", "500ms"),
    ("{get: '/${env:X}'}", "environment variable 'X'", "env: [X]"),
    ('{get: /a, headers: {A: "x\\ny"}}', "line end", "one line"),
]


def cut(valid: str, text: str) -> str:
    """Replace what the text replaces, or append it."""
    key = text.partition(":")[0]
    at = valid.find(f"\n{key}:")
    if key in ("arms", "journeys"):
        kept = valid[: at + 1] + text + "\n"
        return kept if key == "journeys" else kept + "journeys: {j: {steps: [{wait: 1s}]}}\n"
    return valid + text + "\n"


def one(problems, line, said, hinted):
    """Find the problem at a line with all the words."""
    found = [p for p in problems if p.line == line and said in p.message and hinted in p.hint]
    assert found, "\n".join(map(str, problems))
    assert str(found[0]).startswith(f"demo.yaml:{line}: ")
    assert "\n" not in str(found[0])


@pytest.mark.parametrize(("text", "line", "said", "hinted"), APPENDED)
def test_a_mistake_is_told_with_its_line_and_what_to_write(text, line, said, hinted, valid, refuse):
    """Each kind of mistake has a message that quotes it, a hint, and the right line."""
    problems = refuse(cut(valid, text))
    one(problems, line, said, hinted)
    assert all(problem.hint for problem in problems)


@pytest.mark.parametrize(("step", "said", "hinted"), HTTP)
def test_a_mistake_in_an_http_step_is_told(step, said, hinted, valid, refuse):
    """The same holds for the steps of an http arm."""
    journeys = f"journeys:\n  first:\n    mcp: [{{call: a}}]\n    rest:\n      - {step}\n"
    problems = refuse(cut(valid, journeys))
    one(problems, 10, said, hinted)
    assert len(problems) == 1, problems


@pytest.mark.parametrize("key", ["name", "arms", "journeys"])
def test_a_missing_key_is_told_with_an_example(key, valid, refuse):
    """What every scenario needs is asked for by name."""
    lines, dropping = [], False
    for line in valid.splitlines():
        dropping = line.startswith(f"{key}:") or (dropping and line.startswith(" "))
        lines += [] if dropping else [line]
    problems = refuse("\n".join(lines))
    assert f"{key} is missing" in [problem.message for problem in problems]
    assert any(f"write {key}:" in problem.hint for problem in problems)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("just a text", "'just a text' is not a mapping"),
        ("- a\n- b", "a list is not a mapping"),
        ("%YAML 1.1\n---\nname: x", "a % directive is not allowed"),
        ("*x", "the alias *x is not allowed"),
        ("name: 'two\n\n  lines'", "is not a scenario name"),
    ],
)
def test_a_file_that_is_no_scenario_at_all(text, said, refuse):
    """Whatever the file is, the answer is a problem and never a traceback."""
    assert any(said in problem.message for problem in refuse(text))


def test_all_problems_come_at_once_in_the_order_of_their_lines(refuse):
    """One report has YAML pitfalls, values, gates, lookups and names of arms."""
    problems = refuse(
        """\
        name: Bad
        title: no
        arms:
          mcp: {mcp: http://127.0.0.1:1/mcp}
        journeys:
          a:
            weight: -1
            mpc: []
            mcp:
              - {call: t, arguments: {x: "${nothing}"}, timeout: 5, save: {y: "a["}}
        load: {users: lots}
        gates: [mcp.p59 < 1ms, cmp.p95 < 1ms]
        """
    )
    assert [problem.line for problem in problems] == [1, 2, 7, 8, 10, 10, 10, 11, 12, 12]


def test_a_broken_step_still_tells_what_it_saves(valid, refuse):
    """After a mistake in one step, the next still knows the names that the step saves."""
    steps = (
        "      - {call: a, timeout: 5, save: {x: b}}\n      - {call: a, arguments: {x: '${x}'}}\n"
    )
    assert len(refuse(cut(valid, STEPS + steps))) == 1


def test_what_follows_from_a_refused_value_is_not_told(valid, refuse):
    """A word that was refused is not blamed for its type as well."""
    assert len(refuse(valid + "load: {users: yes}")) == 1
    assert len(refuse(valid + "vars: &x {a: 1}\nload: *x")) == 2


@pytest.mark.parametrize(
    "step",
    [
        "{get: '/${gone}'}",
        "{post: '/${gone}'}",
        "{put: '/${gone}'}",
        "{patch: '/${gone}'}",
        "{delete: '/${gone}'}",
        "{get: /, query: {a: '${gone}'}}",
        "{get: /, headers: {A: '${gone}'}}",
        "{post: /, form: {a: ['${gone}']}}",
        "{post: /, json: {a: {b: '${gone}'}}}",
        "{get: /, expect: {equals: {a: '${gone}'}}}",
    ],
)
def test_unknown_names_are_found_wherever_a_lookup_can_stand(step, valid, refuse):
    """No part of a step is left to fail during the run."""
    problems = refuse(valid.replace("{get: /a}", step))
    assert [(p.line, p.message) for p in problems] == [(8, "${gone} has no value here")]


def test_a_key_may_be_any_word(valid, accept):
    """Only values have types: `on`, `no` and `010` are fine as keys."""
    text = cut(valid, STEPS + "      - {call: a, arguments: {on: 1, no: 2, 010: 3}}")
    step = accept(text).scenario.journeys["first"].of("mcp")[0]
    assert step.arguments == {"on": 1, "no": 2, "010": 3}


def test_a_common_list_is_told_once(refuse):
    """A mistake in steps that several arms use is one problem."""
    arms = "arms:\n  a: {mcp: http://a}\n  b: {mcp: http://b}\n"
    journeys = "journeys:\n  j:\n    steps: [{call: x, timeout: 5, save: {y: 'a['}}]\n"
    problems = refuse(f"name: x\ntitle: x\n{arms}{journeys}")
    assert [problem.line for problem in problems] == [8, 8]


def test_a_line_end_from_the_environment_is_refused_and_not_shown(refuse):
    """A variable cannot smuggle in a second header, and it stays secret."""
    environ = {"TOKEN": "hidden\r\nX: y"}
    arms = "arms:\n  rest: {http: http://a, headers: {A: '${env:TOKEN}'}}\n"
    journeys = "journeys:\n  j: {rest: [{get: /, headers: {B: 'x ${env:TOKEN}'}}]}\n"
    problems = refuse(f"name: x\ntitle: x\nenv: [TOKEN]\n{arms}{journeys}", environ=environ)
    assert [problem.line for problem in problems] == [5, 7]
    assert all("line end" in problem.message for problem in problems)
    assert "hidden" not in "".join(map(str, problems))


def test_literal_secrets_in_headers_are_not_shown(refuse):
    """A message about a header names it and does not quote it."""
    arms = 'arms:\n  rest: {http: http://a, headers: {A: "hidden\\n"}}\n'
    problems = refuse(f"name: x\ntitle: x\n{arms}journeys: {{j: {{steps: [{{wait: 1s}}]}}}}\n")
    assert "the header A" in problems[0].message
    assert "hidden" not in str(problems[0])


def test_a_file_full_of_mistakes_is_cut_short(valid, refuse):
    """After fifty problems one line says that there are more."""
    many = "".join(f"k{n}: 1\n" for n in range(500))
    problems = refuse(valid + many)
    assert len(problems) == 51
    assert problems[-1].message == "there are more problems"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"arms: {{{', '.join(f'a{n}: {{mcp: http://a}}' for n in range(17))}}}", "17 arms"),
        (f"journeys: {{{', '.join(f'j{n}: {{}}' for n in range(101))}}}", "101 journeys"),
        (f"gates: [{', '.join(['mcp.p95 < 1ms'] * 101)}]", "101 gates"),
        (STEPS + "      - {call: a}\n" * 1000, "1001 steps"),
        (
            STEPS + f"      - {{call: a, save: {{{', '.join(f's{n}: a' for n in range(1001))}}}}}",
            "1001 saves and expectations",
        ),
        (f"vars: {{a: '{'${x}' * 2001}'}}", "2001 values ${…}"),
    ],
)
def test_too_much_of_anything_is_refused(text, said, valid, refuse):
    """Caps keep a scenario small enough for a person to read."""
    problems = refuse(cut(valid, text))
    assert [problem.message for problem in problems] == [said]
    assert problems[0].hint.startswith("write at most")
