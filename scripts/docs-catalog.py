#!/usr/bin/env python3
"""Makes the DocC catalog of the reference from docs/: `scripts/docs-catalog.py CATALOG SYMBOL_GRAPHS`.

The articles are plain Markdown, so that a code host renders them. DocC wants three things more:

- `docs/README.md` is the page of the module `Concord`, and its lists of articles are *Topics*.
- A link to an article is `doc:name`; a link to any other file of the repository stays as its text.
- Code in backticks that names a public declaration links to it. Under *API* every item has to name one.
"""
import json
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
ARTICLES = {page.stem: page for page in DOCS.glob("*.md") if page.stem != "README"}


def declarations(graphs):
    """Paths such as `Tensor` or `CLIPTokenizer.Mode`, with and without arguments, and the links that lead there."""
    links = {}
    for graph in sorted(graphs.glob("*.symbols.json")):
        if "@" in graph.name:  # extensions of another module's types
            continue
        content = json.loads(graph.read_text(encoding="utf-8"))
        module = content["module"]["name"]
        for symbol in content["symbols"]:
            path = symbol["pathComponents"]
            link = module + "/" + "/".join(path)
            full = ".".join(path)
            for name in {full, full.partition("(")[0]}:
                links.setdefault(name, set()).add(link)
    return {name: found.pop() for name, found in links.items() if len(found) == 1}


def catalog_page(text, links, name):
    """A page in DocC's Markdown."""
    missing = []

    def code(match):
        link = links.get(match[1])
        # A word in lower case is a key or an option more often than a function.
        return f"``{link}``" if link and (match[1][0].isupper() or "(" in match[1]) else match[0]

    def listed(match):
        link = links.get(match[1])
        if not link:
            missing.append(match[1])
        return f"- ``{link}``" if link else match[0]

    def article(match):
        label, target = match[1], match[2].partition("#")[0]
        if re.match(r"\w+:", target):
            return match[0]
        stem = pathlib.PurePath(target).stem
        if "/" in target or (stem not in ARTICLES and stem != "README"):
            return label
        return f"[{label}](doc:{'Concord' if stem == 'README' else stem})"

    text, _, api = text.partition("\n## API\n")
    parts = re.split(r"(^```.*?^```$|^ +```.*?^ +```$)", text, flags=re.M | re.S)
    for index in range(0, len(parts), 2):
        part = re.sub(r"!\[([^\]]*)\]\(images/([^)]+)\)", r"![\1](\2)", parts[index])
        part = re.sub(r"(?<!`)`([A-Za-z][\w.]*(?:\([\w:]*\))?)`(?!`)", code, part)
        parts[index] = re.sub(r"(?<!!)\[([^\]]*)\]\(([^)]+)\)", article, part)
    text = "".join(part for part in parts if not part.startswith("```mermaid"))
    if api:
        api = re.sub(r"^- `([^`]+)`$", listed, api, flags=re.M)
        if not api.lstrip().startswith("###"):
            api = "\n### In code\n" + api
        text += "\n## Topics\n" + api
    if name == "README":
        text = text.replace("# Concord\n", "# ``Concord``\n", 1)
        overview, _, topics = text.partition("\n## Articles\n")
        topics = re.sub(r"^- \[[^\]]*\]\((doc:[\w-]+)\).*$", r"- <\1>", topics, flags=re.M)
        text = overview + "\n## Topics\n" + topics
    return text, missing


def main():
    catalog, graphs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    shutil.rmtree(catalog, ignore_errors=True)
    shutil.copytree(DOCS / "images", catalog / "Resources")
    links, faults = declarations(graphs), []
    for page in sorted(DOCS.glob("*.md")):
        text, missing = catalog_page(page.read_text(encoding="utf-8"), links, page.stem)
        faults += [f"{page.relative_to(ROOT)}: no single public declaration is called {name}" for name in missing]
        name = "Concord" if page.stem == "README" else page.stem
        (catalog / f"{name}.md").write_text(text, encoding="utf-8")
    if faults:
        sys.exit("\n".join(faults))


main()
