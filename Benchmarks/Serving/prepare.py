#!/usr/bin/env python3
"""Makes what the service is measured with: a CLIP and a CoCa of ViT-B/32 size with random weights, exported by Concord.

Usage: .peers/bin/python Benchmarks/Serving/prepare.py [--folder .build/serving] [--data data/emoji]
Writes FOLDER/artifacts/clip, clip-int8, coca and coca-int8 (2.5 GB with the models they come from); a folder that is
there already stays. int8 is calibrated with pictures and captions of `--data`. Random weights are as fast as trained
ones, and what they say is compared side with side; what int8 costs in quality is measured on trained models.
"""
import argparse
import pathlib
import subprocess
import sys

import services

sys.path.insert(0, str(services.ROOT / "Benchmarks/Checkpoints"))
import peers  # noqa: E402

CONCORD = services.ROOT / ".build/release/concord"
SEED = 1


def make_clip(folder):
    import transformers
    model = transformers.CLIPModel(transformers.CLIPConfig())
    peers.spread(model, SEED)
    model.save_pretrained(folder)
    peers.clip_tokenizer().save_pretrained(folder)
    transformers.CLIPImageProcessorPil().save_pretrained(folder)


def make_coca(folder):
    folder.mkdir(parents=True, exist_ok=True)
    # In a process of its own, since it stands in for torchvision, too.
    script = services.ROOT / "Benchmarks/CoCa/open_clip_coca.py"
    subprocess.run([sys.executable, script, "prepare", "--folder", folder, "--batch", "1", "--steps", "1"],
                   check=True, stdout=sys.stderr)
    (folder / "data.safetensors").unlink()
    peers.clip_tokenizer().save_pretrained(folder)


def prepare(folder, data):
    """Makes what is missing; returns {name: artifact folder}."""
    stand_in = peers.stand_in_for_torchvision()  # noqa: F841
    result = {}
    for name, make in (("clip", make_clip), ("coca", make_coca)):
        model = folder / "models" / name
        if not (model / "done").exists():
            print(f"making a random {name} in {model}", file=sys.stderr)
            make(model)
            (model / "done").touch()
        for suffix, options in (("", []), ("-int8", ["--quantize", "int8", "--data", data])):
            artifacts = result[name + suffix] = folder / "artifacts" / (name + suffix)
            if not (artifacts / "artifact.json").exists():
                artifacts.parent.mkdir(parents=True, exist_ok=True)
                command = [CONCORD, "export", "--model", model, "--output", artifacts, *options]
                subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=pathlib.Path, default=services.ROOT / ".build/serving")
    parser.add_argument("--data", type=pathlib.Path, default=services.ROOT / "data/emoji")
    arguments = parser.parse_args()
    for name, path in prepare(arguments.folder.resolve(), arguments.data.resolve()).items():
        print(f"{name:10} {path}")


if __name__ == "__main__":
    main()
