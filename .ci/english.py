"""Find wording that a native engineer would not write, in code, pages and templates."""

import ast
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

LEFT_OUT = (
    *("tests/goldens/", "reports/examples/"),  # they have recorded texts
    *("tests/unit/test_english.py", "tests/unit/test_words.py", "CHANGELOG.md", ".ci/"),
)
KINDS = {".py", ".md", ".toml", ".yaml", ".yml", ".html", ".j2", ".example", ""}
PATTERNS = {
    r"\b(?:tells?|told) of\b|\b(?:be|is|are|was|were|been|being) told\b": "says, reports, gets",
    r"\b[Tt]hose (?:of|which)\b": "repeat the noun",
    r"\b(?:its|their|our|your|his|her|my|one's) own$|\bof (?:its|their|our|your) own\b": "own NOUN",
    r"\bof ours\b|\bof (?:mcp-perf)'s own\b": "our NOUN, in mcp-perf",
    r"\bby (?:itself|themselves|oneself)\b": "alone, automatically, or nothing",
    r"\bbeside\b": "next to, besides",
    r"(?<!here )\b(?:is|are) no\b(?! longer| more| less| such)": "is not a",
    r"\b(?:knows?|speaks?|names?|holds?|brings?|opens?|asks?) no\b": "does not know",
    r"\b(?:has|have|had) no such\b": "does not have",
    r"(?:^|[.;] )Else [a-z]|, else (?:a|an|in|the)\b": "Otherwise",
    r", as (?:it|they|there|this|only|nothing|everybody|everyone|none|no|each|its)\b": "because",
    r"\bfor which (?!reason)|\bof which\b|\bthat which\b|\bby whatever\b|\bwhose is\b": "split it",
    r"\bwhere (?:it|they|that|there|nothing) (?:has|can|may|might|did|does|do)\b": "if",
    r"(?:^|[.;] )So (?:many|much)\b|\bby so much\b|\bso (?:many|much) (?:times|of)\b": "how many",
    r"\bwhat (?:of|in|on|from|by) (?:it|the|an?|its) [^.,;]{1,40} (?:is|are|was|were)\b": "invert",
    r"\b(?:can|cannot|may|must|has to|have to) stand (?:here|in|at|for|under)\b": "be used",
    r"\bcom(?:e|es|ing) to (?:its|their|an) end\b|\bcame to (?:its|their|an) end\b": "end, finish",
    r"\bin earnest\b|\bwill not do\b|\bprogrammes?\b|\bso that there is no\b": "plain words",
    r"\bhas nothing to\b|\btells? (?:more|less|nothing|as much)\b|\bhardly tell\b": "shows",
    r"[:;] (?:is|has|holds|sets|needs|takes) (?:no|not|an?|the)\b": "name the subject",
}
FIND = [(re.compile(pattern), instead) for pattern, instead in PATTERNS.items()]


def texts(path: Path) -> Iterator[str]:
    """Yield what people read in a file: strings and comments of Python, all of any other."""
    source = path.read_text("utf-8")
    if path.suffix != ".py":
        yield source
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.string.lstrip("# ")


def found(path: Path) -> list[str]:
    """Return every hit of a file, with what to write instead."""
    lines = [" ".join(text.split()) for text in texts(path)]
    hits = [(hit, say) for line in lines for find, say in FIND for hit in find.finditer(line)]
    return [f"{path}: {hit.group()!r}: {say}" for hit, say in hits]


def main() -> None:
    """Look at every file of the repository."""
    names = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout
    paths = [Path(name) for name in names.splitlines() if not name.startswith(LEFT_OUT)]
    hits = [hit for one in paths if one.suffix in KINDS and one.is_file() for hit in found(one)]
    if hits:
        sys.exit("\n".join(hits))


if __name__ == "__main__":
    main()
