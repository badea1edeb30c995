"""Prints circles of files: sets of modules of one crate that import each other. Arguments: source folders of crates.

A name that a module re-exports (`pub use child::Name`) counts as imported from where it is defined.
Test modules do not count.
"""

import pathlib
import re
import sys


def without_tests(text):
    module = r"#\[cfg\(test\)\]\n(?:#\[[^\n]*\n)*(?:pub(?:\([a-z]+\))? )?mod \w+ \{.*?^\}\n"
    return re.sub(module, "", text, flags=re.S | re.M)


def leaves(tree):
    """The paths of a use tree such as `a::{b, c::d}`."""
    tree = tree.strip()
    match = re.match(r"^(.*?)\{(.*)\}$", tree, flags=re.S)
    if not match:
        return [re.sub(r"\s+as\s+\w+$", "", tree)]
    head, body = match.groups()
    parts, depth, start = [], 0, 0
    for index, character in enumerate(body):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(body[start:index])
            start = index + 1
    parts.append(body[start:])
    return [head + leaf for part in parts if part.strip() for leaf in leaves(part)]


def read(source):
    """Module path -> (imports, re-exports) of the files of a crate."""
    modules = {}
    for file in sorted(source.rglob("*.rs")):
        parts = file.relative_to(source).with_suffix("").parts
        path = () if parts in (("lib",), ("main",)) else parts[:-1] if parts[-1] == "mod" else parts
        text = re.sub(r"//[^\n]*", "", without_tests(file.read_text(encoding="utf-8")))
        uses = [leaf for use in re.findall(r"\buse\s+([^;]+);", text) for leaf in leaves(use)]
        inline = re.findall(r"(?<![\w:])((?:crate|super)(?:::\w+)+)", re.sub(r"\buse\s+[^;]+;", "", text))
        public = [leaf for use in re.findall(r"\bpub(?:\([a-z]+\))?\s+use\s+([^;]+);", text) for leaf in leaves(use)]
        modules[path] = (uses + inline, public)
    return modules


def absolute(path, name):
    """A use path as parts from the root of the crate; None for other crates."""
    parts = [part for part in name.split("::") if part]
    if parts[0] == "crate":
        return tuple(parts[1:])
    if parts[0] == "self":
        return path + tuple(parts[1:])
    here = path
    while parts and parts[0] == "super":
        here, parts = here[:-1], parts[1:]
        if parts and parts[0] != "super":
            return here + tuple(parts)
    return None


def resolve(modules, target, depth=0):
    """The module that a path leads to, through re-exports."""
    for length in range(len(target), -1, -1):
        module = target[:length]
        if module not in modules:
            continue
        rest = target[length:]
        if rest and depth < 8:
            for public in modules[module][1]:
                parts = tuple(part for part in public.split("::") if part not in ("self", ""))
                if parts and parts[-1] == rest[0]:
                    full = absolute(module, public) if public.startswith(("crate", "super")) else module + parts
                    if full != target:
                        return resolve(modules, full, depth + 1)
        return module
    return None


def circles(source):
    modules = read(source)
    edges = {path: set() for path in modules}
    for path, (uses, public) in modules.items():
        for name in uses:
            target = absolute(path, name)
            if target is None and name.split("::")[0] and path + (name.split("::")[0],) in modules:
                # A module and its own children.
                target = path + tuple(name.split("::"))
            found = resolve(modules, target) if target is not None else None
            if found is not None and found != path and name not in public:
                edges[path].add(found)
    # Strongly connected components (Tarjan).
    index, low, stack, on, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on.add(node)
        for other in sorted(edges[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = []
            while True:
                other = stack.pop()
                on.discard(other)
                component.append(other)
                if other == node:
                    break
            if len(component) > 1:
                found.append(sorted("::".join(part) or "lib" for part in component))

    for node in sorted(modules):
        if node not in index:
            visit(node)
    return found


sys.setrecursionlimit(10000)
for argument in sys.argv[1:]:
    for circle in circles(pathlib.Path(argument)):
        print(f"{argument}: {', '.join(circle)}")
