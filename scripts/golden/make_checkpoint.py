#!/usr/bin/env python3
"""Makes Tests/Golden/checkpoint: files of the safetensors library, and what transformers, open_clip and timm make of
configurations: resolved ones, and the names and shapes of the parameters of full-size models.

Run with the peers' environment (`make peers`), from anywhere; it writes beside the tests.
"""
import json
import math
import re
import shutil
import tempfile
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

import open_clip  # noqa: E402
import timm  # noqa: E402
import transformers  # noqa: E402
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
    other = [
        {"model_type": "siglip"},
        {"model_type": "siglip", "text_config": {"hidden_size": 64, "num_attention_heads": 4, "projection_size": 96},
         "vision_config": {"hidden_size": 96, "num_attention_heads": 6, "image_size": [256, 256], "hidden_act": "gelu"}},
        {"model_type": "vision-text-dual-encoder", "projection_dim": 64,
         "vision_config": {"model_type": "clip_vision_model", "patch_size": 16},
         "text_config": {"model_type": "xlm-roberta", "vocab_size": 250002, "max_position_embeddings": 514}},
        {"model_type": "bert"}, {"model_type": "roberta"}, {"model_type": "xlm-roberta"},
        {"model_type": "bert", "hidden_act": "gelu_new", "hidden_size": 384, "num_hidden_layers": 6,
         "intermediate_size": 1536, "position_embedding_type": "absolute", "gradient_checkpointing": False},
    ]
    cases = []
    for config in given + other:
        kind = transformers.models.auto.configuration_auto.CONFIG_MAPPING[config.get("model_type", "clip")]
        resolved = json.loads(kind.from_dict(json.loads(json.dumps(config))).to_json_string(use_diff=False))
        # What generation and hub uploads know is no matter of the model.
        cases.append({"given": config, "resolved": resolved})
    write_json("configurations.json", cases)


PUBLISHED = {"roberta-base": (transformers.RobertaConfig, 50265, {}),
             "xlm-roberta-large": (transformers.XLMRobertaConfig, 250002, {
                 "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16})}


def parameters(model):
    """Names with `*` for a layer's number, how many layers there are, and the shape."""
    result = {}
    for name, value in model.state_dict().items():
        pattern = re.sub(r"\b(resblocks|cross_attn|blocks|layers|layer)\.\d+\.", r"\1.*.", name)
        count, shape = result.get(pattern, (0, list(value.shape)))
        assert shape == list(value.shape), name
        result[pattern] = (count + 1, shape)
    return {name: [count, *shape] for name, (count, shape) in result.items()}


def open_clip_model(configuration, folder):
    """The model of a configuration, without memory for its weights."""
    configuration = json.loads(json.dumps(configuration))
    text = configuration["text_cfg"]
    if name := text.get("hf_model_name"):
        kind, vocabulary, sizes = PUBLISHED[name]
        kind(vocab_size=vocabulary, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5,
             **sizes).save_pretrained(folder / name)
        text |= {"hf_model_name": str(folder / name), "hf_model_pretrained": False}
    custom = configuration.pop("custom_text", False) or "hf_model_name" in text
    with torch.device("meta"):
        if "multimodal_cfg" in configuration:
            return open_clip.coca_model.CoCa(**configuration)
        return (open_clip.model.CustomTextCLIP if custom else open_clip.model.CLIP)(**configuration)


def open_clip_parameters():
    """One of open_clip's own configurations of each kind."""
    kinds = ["ViT-B-32", "ViT-B-32-quickgelu", "ViT-L-14", "ViT-H-14-CLIPA-336", "roberta-ViT-B-32",
             "xlm-roberta-large-ViT-H-14", "ViT-B-16-SigLIP", "ViT-SO400M-14-SigLIP-384", "ViT-gopt-16-SigLIP2-256",
             "coca_ViT-B-32", "coca_ViT-L-14", "coca_base"]
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for name in kinds:
            configuration = open_clip.get_model_config(name)
            model = open_clip_model(configuration, Path(folder))
            cases.append({"name": name, "given": configuration, "parameters": parameters(model)})
    return cases


def huggingface_parameters():
    clip_large = {"vision_config": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
                                    "num_attention_heads": 16, "patch_size": 14, "image_size": 336},
                  "text_config": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
                  "projection_dim": 768}
    sizes = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}
    siglip = {"model_type": "siglip", "text_config": sizes, "vision_config": sizes | {"image_size": 384,
                                                                                      "patch_size": 14}}
    pair = {"model_type": "vision-text-dual-encoder", "vision_config": {"model_type": "clip_vision_model"},
            "text_config": {"model_type": "bert"}}
    cases = []
    for name, kind, given in (
            ("CLIP B/32", CLIPModel, {}), ("CLIP L/14, 336 pixels", CLIPModel, clip_large),
            ("SigLIP B/16", transformers.SiglipModel, {"model_type": "siglip"}),
            ("SigLIP SO400M", transformers.SiglipModel, siglip),
            ("CLIP and BERT", transformers.VisionTextDualEncoderModel, pair),
            ("BERT", transformers.BertModel, {"model_type": "bert"}),
            ("RoBERTa", transformers.RobertaModel, {"model_type": "roberta"})):
        with torch.device("meta"):
            model = kind(kind.config_class.from_dict(json.loads(json.dumps(given))))
        cases.append({"name": name, "given": given, "parameters": parameters(model)})
    return cases


def timm_towers():
    """The sizes behind the names of timm's SigLIP towers."""
    towers = {}
    for name in timm.list_models("vit_*_siglip_*"):
        if "_gap_" in name:
            continue
        with torch.device("meta"):
            model = timm.create_model(name, num_classes=0)
        block, patches = model.blocks[0], model.patch_embed
        assert (block.norm1.eps, len(patches.img_size)) == (1e-6, 2)
        activation = {"GELU": "gelu", "GELUTanh": "gelu_pytorch_tanh"}[type(block.mlp.act).__name__]
        assert type(model.attn_pool.mlp.act) is type(block.mlp.act)
        towers[name] = [model.embed_dim, block.mlp.fc1.out_features, len(model.blocks), block.attn.num_heads,
                        patches.img_size[0], patches.patch_size[0], activation]
    return towers


def write_lines(name, values):
    """A JSON list with a line for each element, which takes less room than many lines."""
    lines = ",\n".join(json.dumps(value, separators=(",", ":")) for value in values)
    (FOLDER / name).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    all_types()
    tiny_clip()
    configurations()
    write_lines("open-clip-parameters.json", open_clip_parameters())
    write_lines("huggingface-parameters.json", huggingface_parameters())
    write_lines("timm-towers.json", [[name, *sizes] for name, sizes in sorted(timm_towers().items())])


if __name__ == "__main__":
    main()
