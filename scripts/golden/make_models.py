#!/usr/bin/env python3
"""Golden files for CLIP: what Hugging Face's and open_clip's models compute on tiny, formula-made weights.

Run with the peers' environment (`make peers`), from the repository root:
    .peers/bin/python scripts/golden/make_models.py
Weights and pixels follow from `formula` below, which the tests repeat, so no weights are stored. Stored per case:
embeddings, logits and loss in float32 and float64, every gradient in float64 (float32 for the third case), and all
parameters after three AdamW steps with decay groups and the clamp on the logit scale.
"""
import json
import math
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file

# torchvision's CPU-incompatible build misses two operators at import; open_clip needs the import, not them.
library = torch.library.Library("torchvision", "DEF")
for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
               "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
    library.define(schema)
import open_clip  # noqa: E402
import transformers  # noqa: E402

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Golden/models"
WIDTH, HIDDEN, HEADS, LAYERS, IMAGE, PATCH, CONTEXT, VOCABULARY, PROJECTION = 32, 16, 4, 2, 16, 4, 12, 100, 16
START, END = 98, 99
MASK = (1 << 64) - 1


def formula(name: str, shape) -> torch.Tensor:
    """Uniform numbers in [-1, 1) from SplitMix64 over (FNV-1a of the name) + index."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) & MASK
    count = math.prod(shape)
    with np.errstate(over="ignore"):
        z = np.uint64(state) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    unit = (z >> np.uint64(40)).astype(np.float64) / float(1 << 23) - 1
    return torch.from_numpy(unit.astype(np.float32)).reshape(shape)


def weight(name: str, shape) -> torch.Tensor:
    if name == "logit_scale":
        return torch.tensor(math.log(1 / 0.07), dtype=torch.float32)
    values = formula(name, shape)
    if "norm" in name or "layrnorm" in name:
        return values * 0.125 + (1 if name.endswith("weight") else 0)
    return values * 0.125


# Captions of unequal length; end token, then the peer's padding.
def token_ids(pad: int) -> torch.Tensor:
    rows = [[START, 5, 17, 42, END], [START, 7, END], [START, 61, 3, 3, 88, 12, 90, 33, END]]
    longest = max(map(len, rows))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows])


def huggingface(activation: str, end_token: int):
    shared = dict(hidden_size=WIDTH, intermediate_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                  hidden_act=activation)
    configuration = transformers.CLIPConfig(
        text_config=dict(shared, vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, eos_token_id=end_token,
                         bos_token_id=START, pad_token_id=1),
        vision_config=dict(shared, image_size=IMAGE, patch_size=PATCH), projection_dim=PROJECTION)
    return transformers.CLIPModel(configuration), configuration


def to_open_clip(state):
    """Hugging Face's names to open_clip's: q, k and v stacked, projections transposed."""
    result = {}
    for side, prefix in (("vision", "visual."), ("text", "")):
        model = f"{side}_model."
        for layer in range(LAYERS):
            old, new = f"{model}encoder.layers.{layer}.", f"{prefix}transformer.resblocks.{layer}."
            for part in ("weight", "bias"):
                result[f"{new}attn.in_proj_{part}"] = torch.cat(
                    [state[f"{old}self_attn.{x}_proj.{part}"] for x in "qkv"])
                for a, b in (("self_attn.out_proj", "attn.out_proj"), ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"),
                             ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj")):
                    result[f"{new}{b}.{part}"] = state[f"{old}{a}.{part}"]
    for part in ("weight", "bias"):
        result[f"visual.ln_pre.{part}"] = state[f"vision_model.pre_layrnorm.{part}"]
        result[f"visual.ln_post.{part}"] = state[f"vision_model.post_layernorm.{part}"]
        result[f"ln_final.{part}"] = state[f"text_model.final_layer_norm.{part}"]
    result["visual.conv1.weight"] = state["vision_model.embeddings.patch_embedding.weight"]
    result["visual.class_embedding"] = state["vision_model.embeddings.class_embedding"]
    result["visual.positional_embedding"] = state["vision_model.embeddings.position_embedding.weight"]
    result["visual.proj"] = state["visual_projection.weight"].T
    result["text_projection"] = state["text_projection.weight"].T
    result["token_embedding.weight"] = state["text_model.embeddings.token_embedding.weight"]
    result["positional_embedding"] = state["text_model.embeddings.position_embedding.weight"]
    result["logit_scale"] = state["logit_scale"]
    return result


def from_open_clip(tensors, names):
    """The inverse of `to_open_clip`, for gradients and trained parameters."""
    result = {}
    for name in names:
        if "self_attn" in name and "out_proj" not in name:
            side, rest = name.split("_model.encoder.layers.")
            layer, _, projection, part = rest.split(".")
            prefix = "visual." if side == "vision" else ""
            stacked = tensors[f"{prefix}transformer.resblocks.{layer}.attn.in_proj_{part}"]
            result[name] = stacked.chunk(3)["qkv".index(projection[0])]
        else:
            target, transposed = open_clip_name(name)
            result[name] = tensors[target].T if transposed else tensors[target]
    return result


def open_clip_name(name):
    """The open_clip name of one tensor that is not stacked, and whether it is transposed."""
    whole = {
        "logit_scale": ("logit_scale", False), "visual_projection.weight": ("visual.proj", True),
        "text_projection.weight": ("text_projection", True),
        "vision_model.embeddings.patch_embedding.weight": ("visual.conv1.weight", False),
        "vision_model.embeddings.class_embedding": ("visual.class_embedding", False),
        "vision_model.embeddings.position_embedding.weight": ("visual.positional_embedding", False),
        "text_model.embeddings.token_embedding.weight": ("token_embedding.weight", False),
        "text_model.embeddings.position_embedding.weight": ("positional_embedding", False)}
    if name in whole:
        return whole[name]
    for a, b in (("vision_model.encoder.layers.", "visual.transformer.resblocks."),
                 ("text_model.encoder.layers.", "transformer.resblocks."), ("self_attn.out_proj", "attn.out_proj"),
                 ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
                 ("vision_model.pre_layrnorm", "visual.ln_pre"), ("vision_model.post_layernorm", "visual.ln_post"),
                 ("text_model.final_layer_norm", "ln_final")):
        name = name.replace(a, b)
    return name, False


def run_huggingface(model, ids, pixels):
    output = model(input_ids=ids, pixel_values=pixels, return_loss=True)
    return output.image_embeds, output.text_embeds, output.logits_per_image, output.loss


def run_open_clip(model, ids, pixels):
    image, text, scale = model(pixels, ids)
    loss = open_clip.ClipLoss()(image, text, scale)
    return image, text, scale * image @ text.T, loss


def make_case(name, model, run, names, back, ids, gradient_dtype, configuration):
    case = OUTPUT / name
    case.mkdir(parents=True, exist_ok=True)
    pixels = formula("pixels", (3, 3, IMAGE, IMAGE))
    outputs = {}
    for dtype, suffix in ((torch.float32, "float32"), (torch.float64, "float64")):
        model.to(dtype)
        model.zero_grad()
        image, text, logits, loss = run(model, ids, pixels.to(dtype))
        for key, value in (("image", image), ("text", text), ("logits", logits), ("loss", loss)):
            outputs[f"{key}.{suffix}"] = value.detach().clone().contiguous()
    outputs["ids"] = ids
    save_file(outputs, case / "outputs.safetensors")
    loss.backward()
    gradients = back({n: p.grad for n, p in model.named_parameters()}, names)
    save_file({n: gradients[n].to(gradient_dtype).contiguous() for n in names}, case / "gradients.safetensors")
    (case / "config.json").write_text(json.dumps(configuration, indent=1) + "\n")
    if gradient_dtype != torch.float64:
        return
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.2}, {"params": rest, "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.98), eps=1e-6)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = run(model, ids, pixels.to(torch.float64))[3]
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        losses.append(loss.detach())
    trained = back({n: p.detach() for n, p in model.named_parameters()}, names)
    stored = {n: trained[n].to(torch.float32).contiguous() for n in names}
    stored["losses"] = torch.stack(losses)
    save_file(stored, case / "three-steps.safetensors")


def main():
    torch.set_num_threads(1)
    identity = lambda tensors, names: tensors
    for name, activation, end, pad, dtype in (
            ("huggingface-quickgelu-argmax", "quick_gelu", 2, 0, torch.float64),
            ("huggingface-gelu-first-end", "gelu", END, END, torch.float32)):
        model, configuration = huggingface(activation, end)
        names = [n for n, _ in model.named_parameters()]
        model.load_state_dict({n: weight(n, p.shape) for n, p in model.named_parameters()}, strict=False)
        make_case(name, model, run_huggingface, names, identity, token_ids(pad), dtype, configuration.to_dict())
    reference, configuration = huggingface("gelu", 2)
    names = [n for n, _ in reference.named_parameters()]
    state = {n: weight(n, p.shape) for n, p in reference.named_parameters()}
    model = open_clip.CLIP(
        embed_dim=PROJECTION,
        vision_cfg=dict(image_size=IMAGE, patch_size=PATCH, width=WIDTH, layers=LAYERS, head_width=WIDTH // HEADS,
                        mlp_ratio=HIDDEN / WIDTH),
        text_cfg=dict(context_length=CONTEXT, vocab_size=VOCABULARY, width=WIDTH, heads=HEADS, layers=LAYERS,
                      mlp_ratio=HIDDEN / WIDTH))
    missing, unexpected = model.load_state_dict(to_open_clip(state), strict=False)
    assert not unexpected and not missing, (missing, unexpected)
    full = torch.zeros(3, CONTEXT, dtype=torch.long)
    ids = token_ids(0)
    full[:, : ids.shape[1]] = ids
    make_case("open-clip-gelu", model, run_open_clip, names, from_open_clip, full, torch.float64,
              configuration.to_dict())


if __name__ == "__main__":
    main()
