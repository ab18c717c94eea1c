#!/usr/bin/env python3
"""Golden files for CoCa: what open_clip's model and loss compute, tiny and with random weights.

Run with the peers' environment (`make peers`), from the repository root:
    .peers/bin/python scripts/golden/make_coca.py
Each folder `coca-…` under Tests/Golden/models/folders is as open_clip saves it, without a tokenizer, and has
`outputs.safetensors` besides, for both masks of the class token (`legacy` is what open_clip 3.3 computes, `correct` what
it computes with `correct_cls_mask` set, which its configurations cannot say): unit embeddings, token logits and both
losses, in float32 and float64. `gradients-legacy.safetensors`, and in `coca` also `gradients-correct`, have those of
1.0 · contrastive + 2.0 · caption loss, float64, in the peer's names. Pixels follow from `formula("pixels")`.

`written/NAME.json` beside the folders is what Concord writes for a model; a test compares it, and this script checks that
open_clip makes the same model of it.

`losses/caption.safetensors` has cross-entropies of a language head and their gradients, by PyTorch.
"""
import json

import torch
from safetensors.torch import load_file, save_file

from make_folders import OUTPUT, NoTokenizer, create, fill, new_folder
from make_models import formula, open_clip
from open_clip.loss import CoCaLoss  # noqa: E402  after make_models, which makes torchvision importable
from open_clip.push_to_hf_hub import save_for_hf  # noqa: E402

# As small as tells one part from another, since gradients are stored whole.
WIDTH, IMAGE, PATCH, CONTEXT, VOCABULARY = 4, 4, 2, 8, 12
START, END = VOCABULARY - 2, VOCABULARY - 1
WRITTEN = OUTPUT.parent / "written"
# Unequal lengths; one text fills the context, where the legacy mask lets the class token see itself.
ROWS = [[START, 5, 9, 2, END], [START, 7, END], [START, 6, 3, 3, 8, 4, 1, END]]
IDS = torch.tensor([row + [0] * (CONTEXT - len(row)) for row in ROWS])


def configuration(vision=None, text=None, decoder=None, **changes):
    sizes = dict(context_length=CONTEXT, vocab_size=VOCABULARY, width=WIDTH, heads=2, layers=1)
    vision_cfg = dict(image_size=IMAGE, layers=1, width=6, patch_size=PATCH, head_width=3, mlp_ratio=2.0,
                      attentional_pool=True, attn_pooler_queries=3, attn_pooler_heads=2, output_tokens=True)
    return dict(
        embed_dim=WIDTH, vision_cfg=vision_cfg | (vision or {}),
        text_cfg=sizes | dict(mlp_ratio=2.0, embed_cls=True, output_tokens=True) | (text or {}),
        multimodal_cfg=sizes | (decoder or {}), custom_text=True) | changes


def run(model, pixels):
    output = model(pixels, IDS)
    contrastive, caption = CoCaLoss(caption_loss_weight=2.0, clip_loss_weight=1.0)(
        output["image_features"], output["text_features"], output["logits"], output["labels"], output["logit_scale"])
    return dict(image=output["image_features"], text=output["text_features"], logits=output["logits"],
                contrastive=contrastive, caption=caption / 2)


def gradients(model, mask, dtype):
    """Those of 1.0 · contrastive + 2.0 · caption loss; the model is left in `dtype`, with the mask."""
    model.text.correct_cls_mask = mask == "correct"
    model.to(dtype).zero_grad()
    results = run(model, formula("pixels", (3, 3, IMAGE, IMAGE)).to(dtype))
    (results["contrastive"] + 2 * results["caption"]).backward()
    return {n: p.grad.clone().contiguous() for n, p in model.named_parameters()}


def rounding(model):
    """The largest error of PyTorch's own float32 gradients, relative to the largest of each parameter."""
    worst = 0
    for mask in ("legacy", "correct"):
        single, double = (gradients(model, mask, dtype) for dtype in (torch.float32, torch.float64))
        largest = max(x.abs().max() for x in double.values())
        for name, exact in double.items():
            # Queries, keys and values are parameters of their own in Concord.
            count = exact.numel() // 3 if "in_proj" in name else exact.numel()
            for a, b in zip(single[name].reshape(-1).split(count), exact.reshape(-1).split(count)):
                own = b.abs().max()
                scale = 10 if name == "logit_scale" else own if own > 1e-12 * largest else largest / 100
                worst = max(worst, ((a - b).abs().max() / scale).item())
    model.to(torch.float32)
    return worst


def draw(name, config):
    """Random weights, the first whose gradients float32 can resolve: models this narrow often normalise rows that are all
    but constant, or attend all but uniformly, where float32 gradients are noise in any library.
    """
    for seed in range(1000):
        model = fill(create(name, config), f"{name}/{seed}")
        with torch.no_grad():
            for parameter in model.parameters():
                # `fill` is for models four times as wide.
                if parameter.ndim > 1:
                    parameter.mul_(1.75)
        if rounding(model) < 4e-6:  # of the 1e-5 that tests allow
            print(name, "seed", seed)
            return model
    raise AssertionError(f"no weights of {name} have gradients that float32 resolves")


def make_folder(name, config, masks=("legacy",)):
    """- masks: those whose gradients are stored."""
    folder = new_folder(name)
    model = draw(name, config)
    save_for_hf(model, NoTokenizer(), config, folder, safe_serialization=True)
    pixels = formula("pixels", (3, 3, IMAGE, IMAGE))
    outputs = {"ids": IDS}
    for mask in ("legacy", "correct"):
        model.text.correct_cls_mask = mask == "correct"
        for dtype, suffix in ((torch.float32, "float32"), (torch.float64, "float64")):
            results = run(model.to(dtype), pixels.to(dtype))
            for key, value in results.items():
                outputs[f"{mask}.{key}.{suffix}"] = value.detach().clone().contiguous()
        if mask in masks:
            save_file(gradients(model, mask, torch.float64), folder / f"gradients-{mask}.safetensors")
        model.to(torch.float32)
    save_file(outputs, folder / "outputs.safetensors")
    check_written(name, model, pixels)
    assert (outputs["legacy.text.float64"] - outputs["correct.text.float64"]).abs().max() > 1e-3


def check_written(name, model, pixels):
    """What Concord writes for this model, `written/NAME.json`, gives open_clip a model with the same outputs."""
    text = (WRITTEN / f"{name}.json").read_text()
    other = create(name + "-written", json.loads(text)["model_cfg"])
    other.load_state_dict(load_file(OUTPUT / name / "open_clip_model.safetensors"))
    model.text.correct_cls_mask = False
    for a, b in zip(run(model, pixels).values(), run(other, pixels).values()):
        assert torch.equal(a, b)


def make_caption_losses():
    """Rows of states against a language head: ties of labels, ignored rows, smoothing; and a batch with none to count."""
    generator = torch.Generator().manual_seed(5)
    states = torch.randn(4, 6, 5, generator=generator, dtype=torch.float64) * 1.6
    head = torch.randn(11, 5, generator=generator, dtype=torch.float64) * 0.7
    labels = torch.randint(1, 11, (4, 6), generator=generator)
    labels[0, 3:], labels[2, 1:], labels[3, 0] = 0, 0, labels[3, 1]
    tensors = dict(states=states, head=head, labels=labels)
    for ignored in (0, 3):
        for smoothing in (0.0, 0.1):
            a, b = states.clone().requires_grad_(), head.clone().requires_grad_()
            loss = torch.nn.functional.cross_entropy(
                (a @ b.T).reshape(-1, 11), labels.reshape(-1), ignore_index=ignored, label_smoothing=smoothing)
            loss.backward()
            case = f"ignore-{ignored}.smoothing-{smoothing}"
            tensors |= {f"{case}.loss": loss.detach(), f"{case}.states": a.grad, f"{case}.head": b.grad}
    save_file(tensors, OUTPUT.parents[1] / "losses/caption.safetensors")


def main():
    torch.set_num_threads(1)
    make_folder("coca", configuration(), masks=("legacy", "correct"))
    # Widths that torch keeps as one matrix; QuickGELU and layer scale throughout.
    make_folder("coca-same-width", configuration(
        vision=dict(width=WIDTH, head_width=2, ls_init_value=0.1), text=dict(ls_init_value=0.1),
        decoder=dict(ls_init_value=0.1), quick_gelu=True))
    # As in coca_base, no pooler: the patches are the decoder's tokens, of another width than the embeddings. Two layers
    # of the decoder, whose blocks take turns.
    make_folder("coca-patches", configuration(
        vision=dict(width=WIDTH, head_width=2, attentional_pool=False), decoder=dict(layers=2), embed_dim=3))
    make_caption_losses()


if __name__ == "__main__":
    main()
