#!/usr/bin/env bash
# Makes .peers, a Python environment with the libraries that golden files and benchmarks compare with.
# The environment appears complete or not at all, and anew when the requirements change.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/torch-wheel.sh

requirements=Benchmarks/peers-requirements.txt
cmp -s "$requirements" .peers/requirements.txt && exit 0
echo "==> Installing the peers into .peers"
rm -rf .peers
python3 -m venv .peers
with_cpu_torch .peers/bin/pip install || echo "==> No CPU build of torch found; taking the one that pip finds"
.peers/bin/pip install -r "$requirements"
cp "$requirements" .peers/requirements.txt
