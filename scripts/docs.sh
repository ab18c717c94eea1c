#!/usr/bin/env bash
# Makes the reference of all public declarations, a static site in .build/docs.
set -euo pipefail
cd "$(dirname "$0")/.."

# Symbols are read from the built modules of all targets, those of the tests too.
swift build -c release --build-tests
symbols=$(swift build -c release --show-bin-path)/../symbolgraph
rm -rf "$symbols"
# It ends with an error for modules of C, which it reads with the options of C++; those have no pages. Ours are looked for
# below.
swift package -c release dump-symbol-graph --minimum-access-level public --skip-synthesized-members >.build/symbols.log 2>&1 || true
for module in Sources/Concord*/; do
    module=$(basename "$module")
    [ -s "$symbols/$module.symbols.json" ] || { cat .build/symbols.log >&2; echo "docs: no symbols of $module" >&2; exit 1; }
done
graphs=.build/docs-graphs
rm -rf "$graphs" .build/docs && mkdir -p "$graphs"
cp "$symbols"/Concord*.symbols.json "$graphs"
rm -f "$graphs"/*Tests.symbols.json "$graphs"/Concord{Command,ServerCommand,TestSupport}.symbols.json
catalog=.build/docs-catalog/Concord.docc
python3 scripts/docs-catalog.py "$catalog" "$graphs"
"$(dirname "$(command -v swift)")/docc" convert "$catalog" --additional-symbol-graph-dir "$graphs" --output-path .build/docs \
    --fallback-display-name Concord --fallback-bundle-identifier concord
echo "==> To read it: python3 -m http.server -d .build/docs, then http://localhost:8000/documentation/concord"
