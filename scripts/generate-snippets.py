#!/usr/bin/env python3
"""Writes Tests/ConcordTests/Generated/Snippets.swift: every Swift snippet of README.md and of the articles in docs, so that
building the tests compiles them. With --check it only says whether the file is what it would write.

A snippet sees the names of the snippets before it on its page. Names that come from nowhere are declared in a comment
in front of it, which no page shows:

    <!-- given: model: DualEncoder, images: Tensor -->

and a snippet that is no program, such as a part of a Package.swift, has `<!-- not compiled: why -->` there.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "Tests/ConcordTests/Generated/Snippets.swift"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HEAD = """\
// Written by scripts/generate-snippets.py from README.md and the articles in docs: change those, and run it again.
// swift-format-ignore-file
{imports}

/// Stands for what a snippet takes for granted; nothing here is ever run.
private func given<Value>() -> Value {{ preconditionFailure("snippets are compiled only") }}
"""


def snippets(page):
    """The snippets of a page: the comment in front, and the lines without the fence's indentation."""
    lines = page.read_text(encoding="utf-8").splitlines()
    comment, start = "", None
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if start is not None:
            if text == "```":
                indent = len(lines[start - 1]) - len(lines[start - 1].lstrip())
                yield comment, [inner[indent:] for inner in lines[start:number - 1]]
                comment, start = "", None
        elif text == "```swift":
            start = number
        elif text:
            found = re.fullmatch(r"<!-- ((?:given|not compiled): .*) -->", text)
            comment = found.group(1) if found else ""
    if start is not None:
        sys.exit(f"{page}:{start}: the snippet does not end")


def declared(lines):
    """Names that a snippet declares at its top level."""
    for line in lines:
        found = re.match(r"(?:let|var) (?:\(([^)]*)\)|(\w+))", line)
        if found:
            names = found.group(1).split(",") if found.group(1) else [found.group(2)]
            yield from (name.strip() for name in names if name.strip() != "_")


def declarations(comment):
    """`model: DualEncoder, images: Tensor` as constants; commas inside brackets belong to a type."""
    for part in re.split(r",\s*(?![^\[(<]*[\])>])", comment):
        name, _, kind = part.partition(":")
        yield f"let {name.strip()}: {kind.strip()} = given()"


def function(page, imports):
    lines, depth = [], 1
    for count, (comment, body) in enumerate(snippets(page), 1):
        if comment.startswith("not compiled"):
            continue
        imports.update(line for line in body if line.startswith("import "))
        body = [line for line in body if not line.startswith("import ")]
        while body and not body[0]:
            body.pop(0)
        inner = [f"// snippet {count}"]
        if comment:
            inner += declarations(comment.removeprefix("given:").strip())
            inner += ["do {"] + ["    " + line if line else "" for line in body]
            inner += [f"    _ = {name}" for name in declared(body)]
        else:
            inner += body + [f"_ = {name}" for name in declared(body)]
        lines += ["    " * depth + "do {"]
        depth += 1
        lines += ["    " * depth + line if line else "" for line in inner]
        depth += 1 if comment else 0
    if not lines:
        return ""
    while depth > 1:
        depth -= 1
        lines.append("    " * depth + "}")
    path = page.relative_to(ROOT)
    first, *rest = re.split(r"\W", str(path.with_suffix("")).lower())
    name = first + "".join(word.capitalize() for word in rest)
    return f"\n// {path}\nprivate func {name}() async throws {{\n" + "\n".join(lines) + "\n}\n"


def main():
    imports = {"import Concord"}
    functions = [function(page, imports) for page in PAGES]
    text = HEAD.format(imports="\n".join(sorted(imports))) + "".join(functions)
    if "--check" in sys.argv[1:]:
        if not OUTPUT.exists() or OUTPUT.read_text(encoding="utf-8") != text:
            sys.exit(f"{OUTPUT.relative_to(ROOT)} is not what the pages say; run scripts/generate-snippets.py")
        return
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(text, encoding="utf-8")


main()
