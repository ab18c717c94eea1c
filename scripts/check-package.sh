#!/usr/bin/env bash
# Does what README.md tells people to do who want Concord in a package of theirs: makes a package outside, which depends on
# a version of this repository's HEAD by git URL, with the lines of the README; builds it without libtorch and looks for
# the advice; builds and runs it with libtorch in the shared place; moves it, and runs it again. Takes as long as a build.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n==> %s\n' "$*"; }
fail() { printf 'check-package: %s\n' "$*" >&2; exit 1; }
[ -d .deps/libtorch ] || fail "run \`make setup\` first"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=${XDG_CACHE_HOME:-$HOME/.cache}/org.swift.swiftpm
unset LIBTORCH ONNXRUNTIME
git clone --quiet . "$work/concord"
git -C "$work/concord" tag 1.0.0
mkdir -p "$work/app/Sources" "$work/home"

# The README's first two Swift snippets: the manifest's, with a version instead of a branch, and the program's.
python3 - README.md "$work" <<'PYTHON'
import pathlib, re, sys
readme, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
manifest, program = re.findall(r"^```swift\n(.*?)^```$", readme.read_text(), re.M | re.S)[:2]
manifest, found = re.subn(r'url: "[^"]*", branch: "[^"]*"', f'url: "file://{work}/concord", from: "1.0.0"', manifest)
assert found == 1, "the README's manifest names no url and branch"
(work / "app/Package.swift").write_text(manifest)
(work / "app/Sources/main.swift").write_text(program)
PYTHON
cd "$work/app"

build() { swift build -c release --cache-path "$cache" "$@"; }

say "Without libtorch"
if HOME=$work/home build --target CTorch >"$work/log" 2>&1; then fail "it was built without libtorch"; fi
grep -m 1 'Concord needs libtorch.*setup.sh --shared' "$work/log" || { tail -n 30 "$work/log"; fail "nothing says that libtorch is missing"; }

say "With libtorch in the shared place"
mkdir -p "$work/home/.local/share"
ln -s "$OLDPWD/.deps" "$work/home/.local/share/concord"
# What scripts/setup.sh --shared does, too: Swift's package manager does not notice that libtorch has come.
rm -rf "$work/home/.cache" && rm -f "$cache"/manifests/manifest.db*
HOME=$work/home build
HOME=$work/home .build/release/App

say "After a move"
mv "$work/app" "$work/moved"
HOME=$work/home "$work/moved/.build/release/App"
say "The package of the README builds and runs"
