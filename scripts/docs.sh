#!/usr/bin/env bash
# Makes the reference of all public declarations, a static site in .build/docs.
set -euo pipefail
cd "$(dirname "$0")/.."

# Symbols are read from the built modules of all targets, those of the tests too.
swift build -c release --build-tests
swift package -c release dump-symbol-graph --minimum-access-level public --skip-synthesized-members | grep -v '^-- '
graphs=.build/docs-graphs
rm -rf "$graphs" .build/docs && mkdir -p "$graphs"
cp "$(swift build -c release --show-bin-path)"/../symbolgraph/Concord*.symbols.json "$graphs"
rm -f "$graphs"/*Tests.symbols.json "$graphs"/Concord{Command,TestSupport}.symbols.json
"$(dirname "$(command -v swift)")/docc" convert Sources/Concord/Concord.docc --additional-symbol-graph-dir "$graphs" --output-path .build/docs \
    --fallback-display-name Concord --fallback-bundle-identifier concord
echo "==> To read it: python3 -m http.server -d .build/docs, then http://localhost:8000/documentation/concord"
