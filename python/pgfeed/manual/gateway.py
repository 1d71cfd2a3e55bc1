"""The gateway's own paths, read from its configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass

LOCATION = re.compile(
    r"^ *location (?:(?P<kind>=|~) )?(?P<pattern>\"[^\"]+\"|\S+) \{\n(?P<body>.*?)^ {8}\}$",
    re.MULTILINE | re.DOTALL,
)
METHODS = re.compile(r'\$request_method !~ "\^\(([A-Z|]+)\)\$"')
ONE_METHOD = re.compile(r"\$request_method = ([A-Z]+)\) \{\s+return (\d+);")
TARGET = re.compile(r"proxy_pass http://postgrest/([\w/]+)")
REWRITE = re.compile(r"rewrite \^ /([\w/]+)\?? break;")
GROUP = re.compile(r"\(\?:([^()]*)\)(\?)?")
NAMED = re.compile(r"\(\?<(\w+)>((?:[^()]|\([^()]*\))*)\)")


@dataclass(frozen=True)
class Route:
    """A path under /api/ that is answered by a call or view of PostgREST."""

    path: str
    methods: tuple[str, ...]
    target: str


def spellings(pattern: str) -> list[str]:
    """The paths that a location's expression matches, ids as {path_id}."""
    pattern = NAMED.sub(r"{\1}", pattern.strip('"').removeprefix("^").removesuffix("$"))
    made = [pattern]
    while any(GROUP.search(path) for path in made):
        longer = []
        for path in made:
            group = GROUP.search(path)
            if group is None:
                longer.append(path)
                continue
            choices = group[1].split("|") + ([""] if group[2] else [])
            longer += [path[: group.start()] + choice + path[group.end() :] for choice in choices]
        made = longer
    return sorted(set(made), key=lambda path: (not path.startswith("/api/v1/feed"), path))


def routes(configuration: str) -> list[Route]:
    """Every path of the gateway under /api/ that leads to PostgREST, in the file's order."""
    named = {
        match["pattern"]: match["body"]
        for match in LOCATION.finditer(configuration)
        if match["pattern"].startswith("@")
    }
    pages = dict(re.findall(r"error_page (\d+) = (@\w+);", configuration))
    found = []
    for match in LOCATION.finditer(configuration):
        body, pattern = match["body"], match["pattern"]
        target = TARGET.search(body)
        if target is None or pattern.startswith("@"):
            continue
        methods = METHODS.search(body)
        offered = methods[1].split("|") if methods else []
        answers = [(offered, target[1], body)]
        for method, code in ONE_METHOD.findall(body):
            other = named[pages[code]]
            answers.append(([method], REWRITE.search(other)[1], other))
        for path in spellings(pattern) if match["kind"] == "~" else [pattern]:
            if not path.startswith("/api/"):
                continue
            for some, leads_to, where in answers:
                shown = tuple(name for name in some if name not in ("HEAD", "OPTIONS"))
                named_id = re.search(r"(\w+)\W+\$path_id", where)
                name = named_id[1] if named_id else "path_id"
                found.append(Route(path.replace("{path_id}", f"{{{name}}}"), shown, leads_to))
    return found
