#!/usr/bin/env python3
"""Checks what README.md, README.zh-CN.md, CONTRIBUTING.md and docs say against the repository; `make lint` calls it.

- The two READMEs have the same code, numbers, commands and links, and at most 250 lines.
- Links lead to files and headings that exist.
- Every `concord` command, option, `make` target, recipe key and path of the repository exists.
- Every name in an article's *API* list is a public declaration.
- The drawing of the rooms in CONTRIBUTING.md has an arrow, or a way of arrows, for every import.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
README, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
PAGES = [README, CHINESE, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.M | re.S)
faults = []


def prose(text):
    """A page without its fenced blocks, except that a drawing's labels are read, too."""
    return FENCE.sub(lambda block: block[2] if block[1] == "mermaid" else "", text)


def spans(text):
    return re.findall(r"`([^`\n]+)`", prose(text))


def same(what, english, chinese):
    for name, only in ((README.name, english - chinese), (CHINESE.name, chinese - english)):
        faults.extend(f"{name}: the other README lacks the {what} {part.split(chr(10))[0].strip()[:80]}" for part in sorted(only))


def check_readmes():
    english, chinese = README.read_text(encoding="utf-8"), CHINESE.read_text(encoding="utf-8")
    blocks = [{block[1] for block in FENCE.findall(text) if block[0] != "mermaid"} for text in (english, chinese)]
    same("code", *blocks)
    same("number", *({number for number in re.findall(r"\d[\d,.]*\d|\d", prose(text))} for text in (english, chinese)))
    same("command", *({span for span in spans(text) if " " in span or "--" in span} for text in (english, chinese)))
    same("link", *(set(re.findall(r"\]\(([^)]+)\)", prose(text))) for text in (english, chinese)))
    for page, text in ((README, english), (CHINESE, chinese)):
        if text.count("\n") > 250:
            faults.append(f"{page.name} has {text.count(chr(10))} lines, more than 250")


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def check_links(page, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if re.match(r"\w+:", target):
            continue
        name, _, section = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            faults.append(f"{page.name}: {target} does not exist")
        elif section:
            headings = re.findall(r"^#+ (.+)$", FENCE.sub("", file.read_text(encoding="utf-8")), re.M)
            if section not in map(anchor, headings):
                faults.append(f"{page.name}: {target} leads to no heading")


def kebab(name):
    return re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name).lower()


def command_options():
    """The options of each command, those of its groups included, as ArgumentParser reads them from the sources."""
    options, groups, names = {}, {}, {}
    for file in ROOT.glob("Sources/**/*.swift"):
        text = file.read_text(encoding="utf-8")
        if "import ArgumentParser" not in text:
            continue
        kind = None
        for match in re.finditer(
                r"\bstruct (?P<kind>\w+)|commandName: \"(?P<name>[\w-]+)\""
                r"|@OptionGroup(?:\([^)]*\))? var \w+: (?P<group>\w+)"
                r"|@(?:Option|Flag)(?P<arguments>.*?)\n? *var (?P<variable>\w+)", text, re.S):
            if match["kind"]:
                kind = match["kind"]
            elif match["name"]:
                names[match["name"]] = kind
            elif match["group"]:
                groups.setdefault(kind, set()).add(match["group"])
            else:
                long = re.search(r'customLong\("([\w-]+)"\)', match["arguments"])
                options.setdefault(kind, set()).add(long[1] if long else kebab(match["variable"]))

    def collected(kind):
        return options.get(kind, set()).union(*(collected(group) for group in groups.get(kind, ())))

    found = {name: collected(kind) | {"help", "version"} for name, kind in names.items()}
    found["dataset"] |= options["Emoji"]
    found["concord-server"] = found["serve"]
    return found


def check_commands(page, text, commands):
    lines = [line for block in FENCE.findall(text) if not block[0] for line in block[1].replace("\\\n", " ").splitlines()]
    for line in lines + spans(text):
        for call in re.split(r"\s(?:#|\||&&)\s", line):
            match = re.match(r"(?:\S*/)?(concord-server|concord)\s+(.*)", call.strip())
            if not match:
                continue
            program, rest = match.groups()
            name = program if program == "concord-server" else rest.split()[0]
            if name in ("--help", "--version") or name.startswith("`"):
                continue
            if name not in commands:
                faults.append(f"{page.name}: there is no command `concord {name}`")
                continue
            for option in re.findall(r"(?<!\S)\[?\(?--([a-z][\w-]*)", rest):
                if option not in commands[name]:
                    faults.append(f"{page.name}: `{call.strip()[:60]}`: there is no option --{option}")


def check_names(page, text, targets, keys, public):
    words = spans(text) + [line for block in FENCE.findall(text) if not block[0] for line in block[1].splitlines()]
    for word in words:
        make = re.match(r"make ([a-z-]+)", word.strip())
        if make and make[1] not in targets:
            faults.append(f"{page.name}: there is no `make {make[1]}`")
        for path in re.findall(r"(?<![\w./-])(?:recipes|scripts|Benchmarks|deploy|Examples|Tests|Sources/[A-Z])/?[\w./+-]*\w(?![\w<*])", word):
            if not (ROOT / path).exists():
                faults.append(f"{page.name}: {path} does not exist")
    for span in spans(text):
        if re.fullmatch(r"(?:data|tokenizer|model|loss|train|evaluate)(?:\.[a-z_0-9]+)+", span):
            if not any(key == span or key.startswith(span + ".") for key in keys):
                faults.append(f"{page.name}: no recipe has the key {span}")
    _, _, api = text.partition("\n## API\n")
    for name in re.findall(r"^- `([^`]+)`", api, re.M):
        if name.partition("(")[0].split(".")[-1] not in public:
            faults.append(f"{page.name}: no public declaration is called {name}")


def check_rooms():
    """Every module is drawn, what it imports can be reached from it, and no arrow leads back."""
    [drawing] = [block[1] for block in FENCE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")) if block[0] == "mermaid"]
    arrows = {}
    for start, end in re.findall(r"^ *(\w+)(?:\[[^\]]*\])? --> (\w+)", drawing, re.M):
        arrows.setdefault(start, set()).add(end)
    drawn = set(arrows).union(*arrows.values())

    def reached(room):
        found, waiting = set(), list(arrows.get(room, ()))
        while waiting:
            below = waiting.pop()
            if below not in found:
                found.add(below)
                waiting += arrows.get(below, ())
        return found

    for folder in sorted(ROOT.glob("Sources/**/Concord*/")):
        room = folder.name
        if room not in drawn:
            faults.append(f"CONTRIBUTING.md: {room} is not drawn")
            continue
        imports = {name for file in folder.glob("**/*.swift")
                   for name in re.findall(r"^(?:@_exported )?import (Concord\w*)", file.read_text(encoding="utf-8"), re.M)}
        if room in reached(room):
            faults.append(f"CONTRIBUTING.md: arrows lead from {room} back to it")
        for name in sorted(imports - reached(room) - {room}):
            faults.append(f"CONTRIBUTING.md: {room} imports {name}, and no arrow leads there")
    for room in sorted(drawn):
        if not any(ROOT.glob(f"Sources/**/{room}/")):
            faults.append(f"CONTRIBUTING.md: there is no room {room}")


def main():
    commands = command_options()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    source = "\n".join(file.read_text(encoding="utf-8") for file in ROOT.glob("Sources/**/*.swift"))
    keys = set(re.findall(r'"((?:data|tokenizer|model|loss|train|evaluate)(?:\.[a-z_0-9]+)+)', source))
    public = set(re.findall(r"\bpublic [\w ()]*?(?:struct|class|enum|protocol|actor|func|var|let|typealias) (\w+)", source))
    check_readmes()
    check_rooms()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        check_links(page, text)
        check_commands(page, text, commands)
        check_names(page, text, targets, keys, public)
    if faults:
        sys.exit("\n".join(faults))


main()
