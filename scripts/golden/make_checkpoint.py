#!/usr/bin/env python3
"""Makes Tests/Golden/checkpoint: files of the safetensors library and of transformers' CLIP.

Needs torch, transformers and safetensors. Run it from anywhere; it writes beside the tests.
"""
import json
import math
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

# Some torchvision wheels do not import against a CPU build of torch without these two operators; nothing calls them.
stand_in = torch.library.Library("torchvision", "FRAGMENT")
for operator in ["nms(Tensor a, Tensor b, float c) -> Tensor", "qnms(Tensor a, Tensor b, float c) -> Tensor"]:
    try:
        stand_in.define(operator)
    except RuntimeError:
        pass

from transformers import CLIPConfig, CLIPModel  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "Tests/Golden/checkpoint"


def write_json(name, value):
    (FOLDER / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def all_types():
    """One tensor of each type, and the shapes and names that go wrong first."""
    tensors = {
        "weight": torch.linspace(-2, 2, 6, dtype=torch.float32).reshape(2, 3),
        "half": torch.tensor([1.5, -0.1, 65504, 6e-8, math.inf, 0], dtype=torch.float16),
        "brain": torch.tensor([3.140625, -1e30, 1e-40], dtype=torch.bfloat16),
        "double": torch.tensor([math.pi, -1e300], dtype=torch.float64),
        "long": torch.tensor([[-1], [2**53]], dtype=torch.int64),
        "integer": torch.tensor([-(2**31), 7], dtype=torch.int32),
        "byte": torch.tensor([0, 255, 3], dtype=torch.uint8),
        "flag": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.6592),
        "empty": torch.zeros(0, 4),
        "a": torch.ones(1, 1, 2),
        "名前.\u00e9\"\\\n": torch.zeros(1),
    }
    save_file(tensors, FOLDER / "all-types.safetensors", metadata={"format": "pt"})
    write_json("all-types.json", {
        name: {
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            "values": [str(value) for value in tensor.double().flatten().tolist()],
        } for name, tensor in tensors.items()
    })
    save_file({"only": torch.zeros(3)}, FOLDER / "no-metadata.safetensors")


def tiny_clip():
    """A model folder of transformers in two shards."""
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={"vocab_size": 20, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1,
                     "num_attention_heads": 2, "max_position_embeddings": 6, "bos_token_id": 18,
                     "eos_token_id": 19, "pad_token_id": 19, "hidden_act": "gelu"},
        vision_config={"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 1,
                       "num_attention_heads": 3, "image_size": 8, "patch_size": 4},
        projection_dim=4)
    folder = FOLDER / "tiny-clip"
    shutil.rmtree(folder, ignore_errors=True)
    model = CLIPModel(config)
    model.save_pretrained(folder, max_shard_size="8KB")
    for path in folder.iterdir():
        if path.name != "config.json" and "safetensors" not in path.name:
            path.unlink()
    write_json("tiny-clip-keys.json", {
        name: {"shape": list(value.shape), "sum": float(value.double().sum())}
        for name, value in model.state_dict().items()
    })


def configurations():
    """What transformers makes of configurations: each as given and as resolved."""
    openai = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "hidden_size": 512}
    given = [
        {},
        {"model_type": "clip", "projection_dim": 64, "logit_scale_init_value": 2},
        {"text_config": {"hidden_size": 64, "num_attention_heads": 4, "unknown": [1]}, "other": {"x": None}},
        # The first published checkpoints: both spellings, the older one wins with its defaults.
        {"text_config": {"hidden_size": 64, "num_hidden_layers": 3}, "text_config_dict": openai,
         "vision_config": {"patch_size": 16}, "vision_config_dict": {"image_size": 256}},
        {"text_config_dict": None, "text_config": openai,
         "vision_config": {"hidden_act": "gelu", "layer_norm_eps": 1e-6, "patch_size": 14, "hidden_size": 1280,
                           "num_attention_heads": 16, "num_hidden_layers": 32, "intermediate_size": 5120}},
    ]
    cases = []
    for config in given:
        resolved = json.loads(CLIPConfig.from_dict(json.loads(json.dumps(config))).to_json_string(use_diff=False))
        cases.append({"given": config, "resolved": resolved})
    write_json("configurations.json", cases)


FOLDER.mkdir(parents=True, exist_ok=True)
all_types()
tiny_clip()
configurations()
