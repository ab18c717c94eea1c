#!/usr/bin/env python3
"""Golden model folders: what transformers, open_clip and sentence-transformers save, tiny and with random weights.

Run with the peers' environment (`make peers`), from the repository root:
    .peers/bin/python scripts/golden/make_folders.py
Each folder under Tests/Golden/models/folders is as the peer's own saving leaves it, without a tokenizer, and has
`outputs.safetensors` besides: token ids, the lengths of their texts, and the peer's unit embeddings and logits
(pictures × texts) in float32 and float64. Pixels follow from `formula("pixels")` and are not stored. Two folders have
`gradients.safetensors`: those of the sum of the logits times `formula("coefficients")`, float64, in the peer's names.
`resizing.safetensors` holds position tables as open_clip and timm resize them.
"""
import json
import pathlib
import shutil
import tempfile

import torch
from safetensors.torch import load_file, save_file

from make_models import END, START, formula, open_clip, to_open_clip, transformers
import timm  # noqa: E402  after make_models, which makes torchvision importable
from open_clip.factory import load_checkpoint  # noqa: E402
from open_clip.push_to_hf_hub import save_for_hf  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Golden/models/folders"
WIDTH, HIDDEN, LAYERS, IMAGE, PATCH, CONTEXT, VOCABULARY = 16, 32, 2, 16, 4, 12, 100


def token_ids(pad, length=None, start=START, end=END):
    """Three texts of unequal length, padded to the longest or to `length`; and their lengths."""
    rows = [[start, 5, 17, 42, end], [start, 7, end], [start, 61, 3, 3, 88, 12, 90, 33, end]]
    longest = length or max(map(len, rows))
    return (torch.tensor([row + [pad] * (longest - len(row)) for row in rows]),
            torch.tensor([len(row) for row in rows]))


def fill(model, seed):
    """Random values for everything, wide enough that attention is far from uniform."""
    norms = {id(p): part for m in model.modules() if isinstance(m, torch.nn.LayerNorm)
             for part, p in m.named_parameters(recurse=False)}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = formula(f"{seed}/{name}", tuple(parameter.shape))
            if name == "logit_scale":
                parameter.fill_(2.3)
            elif name == "logit_bias":
                parameter.fill_(-3.25)
            elif not parameter.requires_grad:
                pass  # a fixed table of sines and cosines
            elif id(parameter) in norms:
                parameter.copy_(values * 0.25 + (norms[id(parameter)] == "weight"))
            elif name.endswith("gamma"):
                parameter.copy_(1 + values * 0.5)
            else:
                parameter.copy_(values * 0.6)
    return model.eval()


def save_outputs(folder, model, run, ids, lengths, with_gradients=False):
    """`run(model, ids, mask, pixels)` gives pictures (or none), texts and logits (or none)."""
    pixels = formula("pixels", (3, 3, IMAGE, IMAGE))
    mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
    outputs = {"ids": ids, "lengths": lengths}
    for dtype, suffix in ((torch.float32, "float32"), (torch.float64, "float64")):
        model.to(dtype)
        results = run(model, ids, mask, pixels.to(dtype))
        for key, value in zip(("image", "text", "logits"), results):
            if value is not None:
                outputs[f"{key}.{suffix}"] = value.detach().clone().contiguous()
    save_file(outputs, folder / "outputs.safetensors")
    if with_gradients:
        model.zero_grad()
        (results[2] * formula("coefficients", (3, 3)).double()).sum().backward()
        gradients = {n: p.grad.contiguous() for n, p in model.named_parameters()}
        save_file(gradients, folder / "gradients.safetensors")
    model.to(torch.float32)


def new_folder(name):
    folder = OUTPUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# transformers

def run_huggingface(model, ids, mask, pixels):
    output = model(input_ids=ids, attention_mask=mask, pixel_values=pixels)
    return output.image_embeds, output.text_embeds, output.logits_per_image


def run_siglip(model, ids, mask, pixels):
    # SigLIP's processor passes no mask: padding is read.
    output = model(input_ids=ids, pixel_values=pixels)
    return output.image_embeds, output.text_embeds, output.logits_per_image


def clip_sizes(**changes):
    return dict(hidden_size=WIDTH, intermediate_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=2) | changes


def make_huggingface():
    for name, activation, end, pad in (("huggingface-clip", "quick_gelu", 2, 0),
                                       ("huggingface-clip-gelu", "gelu", END, END)):
        folder = new_folder(name)
        model = fill(transformers.CLIPModel(transformers.CLIPConfig(
            text_config=clip_sizes(hidden_act=activation, vocab_size=VOCABULARY, max_position_embeddings=CONTEXT,
                                   num_attention_heads=4, eos_token_id=end, bos_token_id=START, pad_token_id=1),
            vision_config=clip_sizes(hidden_act=activation, image_size=IMAGE, patch_size=PATCH), projection_dim=8)),
            name)
        model.save_pretrained(folder)
        save_outputs(folder, model, run_huggingface, *token_ids(pad))


def make_siglip():
    folder = new_folder("siglip")
    model = fill(transformers.SiglipModel(transformers.SiglipConfig(
        text_config=clip_sizes(vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, num_attention_heads=4,
                               projection_size=WIDTH, pad_token_id=1, bos_token_id=START, eos_token_id=1),
        vision_config=clip_sizes(image_size=IMAGE, patch_size=PATCH))), "siglip")
    model.save_pretrained(folder)
    save_outputs(folder, model, run_siglip, *token_ids(1, CONTEXT), with_gradients=True)


def make_vision_text():
    folder = new_folder("vision-text-dual-encoder")
    configuration = transformers.VisionTextDualEncoderConfig.from_vision_text_configs(
        transformers.CLIPVisionConfig(**clip_sizes(image_size=IMAGE, patch_size=PATCH)), bert_configuration(),
        projection_dim=8)
    model = fill(transformers.VisionTextDualEncoderModel(configuration), "vision-text-dual-encoder")
    model.save_pretrained(folder)
    save_outputs(folder, model, run_huggingface, *token_ids(0))


def make_single_tower(name, model, ids=None):
    """One tower of two: `ids` for texts, none for pictures."""
    folder = new_folder(name)
    fill(model, name).save_pretrained(folder)

    def run(model, ids, mask, pixels):
        output = model(pixel_values=pixels) if "vision" in name else model(input_ids=ids)
        # With a projection the vector has a name of its own.
        vector = next(output[key] for key in ("text_embeds", "image_embeds", "pooler_output") if key in output)
        unit = torch.nn.functional.normalize(vector, dim=-1)
        return (unit, None, None) if "vision" in name else (None, unit, None)

    save_outputs(folder, model, run, *(ids or token_ids(0)))


def make_single_towers():
    sizes = clip_sizes(num_hidden_layers=1)
    text = sizes | dict(vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, num_attention_heads=4,
                        bos_token_id=START, eos_token_id=END, pad_token_id=1, projection_dim=8)
    vision = sizes | dict(image_size=IMAGE, patch_size=PATCH, projection_dim=8)
    clip_text, clip_vision = transformers.CLIPTextConfig(**text), transformers.CLIPVisionConfig(**vision)
    make_single_tower("clip-text", transformers.CLIPTextModel(clip_text))
    make_single_tower("clip-text-projection", transformers.CLIPTextModelWithProjection(clip_text))
    make_single_tower("clip-vision", transformers.CLIPVisionModel(clip_vision))
    make_single_tower("clip-vision-projection", transformers.CLIPVisionModelWithProjection(clip_vision))
    del text["projection_dim"], vision["projection_dim"]
    make_single_tower("siglip-text", transformers.SiglipTextModel(transformers.SiglipTextConfig(
        **text | dict(projection_size=24))), token_ids(1, CONTEXT))
    make_single_tower("siglip-vision", transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**vision)))


# sentence-transformers

def bert_configuration(**changes):
    return transformers.BertConfig(**clip_sizes(
        vocab_size=VOCABULARY, num_attention_heads=4, max_position_embeddings=CONTEXT, pad_token_id=0) | changes)


def make_sentence_encoder(name, model, pooling, normalizes, ids, lengths):
    folder = new_folder(name)
    fill(model, name).save_pretrained(folder)
    kinds = ["", "1_Pooling", "2_Normalize"][: 3 if normalizes else 2]
    modules = [dict(idx=i, name=str(i), path=path, type="sentence_transformers.models." + kind)
               for i, (path, kind) in enumerate(zip(kinds, ("Transformer", "Pooling", "Normalize")))]
    (folder / "modules.json").write_text(json.dumps(modules, indent=2))
    (folder / "sentence_bert_config.json").write_text(
        json.dumps(dict(max_seq_length=10, do_lower_case=False), indent=4))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(dict(
        word_embedding_dimension=WIDTH, pooling_mode_cls_token=pooling == "cls",
        pooling_mode_mean_tokens=pooling == "mean", pooling_mode_max_tokens=False,
        pooling_mode_mean_sqrt_len_tokens=False), indent=2))

    def run(model, ids, mask, pixels):
        tokens = model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[:, :, None].to(tokens.dtype)
        pooled = tokens[:, 0] if pooling == "cls" else (tokens * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return None, torch.nn.functional.normalize(pooled, dim=-1), None

    save_outputs(folder, model, run, ids, lengths)


def make_sentence_encoders():
    make_sentence_encoder(
        "bert-mean", transformers.BertModel(bert_configuration()), "mean", True, *token_ids(0))
    make_sentence_encoder(
        "bert-cls", transformers.BertModel(bert_configuration(), add_pooling_layer=False), "cls", False, *token_ids(0))
    make_sentence_encoder(
        "roberta-mean", transformers.RobertaModel(transformers.RobertaConfig(**clip_sizes(
            vocab_size=VOCABULARY, num_attention_heads=4, max_position_embeddings=CONTEXT + 2, type_vocab_size=1,
            pad_token_id=1, bos_token_id=START, eos_token_id=END))), "mean", True, *token_ids(1))


# open_clip

class NoTokenizer:
    def save_pretrained(self, folder):
        pass


def open_clip_configuration(vision=None, text=None, **changes):
    vision_cfg = dict(image_size=IMAGE, layers=LAYERS, width=WIDTH, patch_size=PATCH, head_width=8, mlp_ratio=2.0)
    text_cfg = dict(context_length=CONTEXT, vocab_size=VOCABULARY, width=WIDTH, heads=4, layers=LAYERS, mlp_ratio=2.0)
    return dict(embed_dim=8, vision_cfg=vision_cfg | (vision or {}), text_cfg=text_cfg | (text or {})) | changes


def create(name, configuration, **changes):
    """The model that open_clip's factory makes of a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / f"{name}.json").write_text(json.dumps(configuration))
        open_clip.add_model_config(folder)
        return open_clip.create_model(name, pretrained_text=False, **changes).eval()


def run_open_clip(model, ids, mask, pixels):
    image, text = model.encode_image(pixels, normalize=True), model.encode_text(ids, normalize=True)
    return image, text, model.get_logits(pixels, ids)[0] if image.ndim == 2 else None


def make_open_clip_folder(name, configuration, state=None, ids=None, with_gradients=False):
    folder = new_folder(name) if not (OUTPUT / name).is_dir() else OUTPUT / name
    model = create(name, configuration)
    if state is None:
        fill(model, name)
    else:
        model.load_state_dict(state)
    save_for_hf(model, NoTokenizer(), configuration, folder, safe_serialization=True)
    save_outputs(folder, model, run_open_clip, *(ids or token_ids(0, CONTEXT)), with_gradients=with_gradients)
    return model


@timm.models.register_model
def vit_concord_tiny(pretrained=False, **changes):
    """SigLIP's image tower in sizes that no published name stands for."""
    changes.pop("pretrained_cfg", None), changes.pop("pretrained_cfg_overlay", None), changes.pop("cache_dir", None)
    sizes = dict(img_size=IMAGE, patch_size=PATCH, embed_dim=WIDTH, depth=LAYERS, num_heads=2, mlp_ratio=2.0,
                 class_token=False, global_pool="map", act_layer="gelu_tanh")
    model = VisionTransformer(**(sizes | changes))
    model.default_cfg = {}
    return model


def to_timm(state):
    """The names of transformers' SigLIP to those of open_clip's with a timm tower."""
    result = {"logit_scale": state["logit_scale"][0], "logit_bias": state["logit_bias"][0]}
    text, vision = "text_model.", "vision_model."
    for part in ("weight", "bias"):
        for layer in range(LAYERS):
            for old, new, attention, names in (
                    (text, "text.transformer.resblocks.", "attn.in_proj_", ("ln_1", "ln_2", "c_fc", "c_proj", "attn.out_proj")),
                    (vision, "visual.trunk.blocks.", "attn.qkv.", ("norm1", "norm2", "fc1", "fc2", "attn.proj"))):
                a, b = f"{old}encoder.layers.{layer}.", f"{new}{layer}."
                result[b + attention + part] = torch.cat([state[f"{a}self_attn.{x}_proj.{part}"] for x in "qkv"])
                for x, y in (("layer_norm1", names[0]), ("layer_norm2", names[1]), ("mlp.fc1", f"mlp.{names[2]}"),
                             ("mlp.fc2", f"mlp.{names[3]}"), ("self_attn.out_proj", names[4])):
                    result[f"{b}{y}.{part}"] = state[f"{a}{x}.{part}"]
        result[f"text.ln_final.{part}"] = state[f"{text}final_layer_norm.{part}"]
        result[f"text.text_projection.{part}"] = state[f"{text}head.{part}"]
        result[f"visual.trunk.patch_embed.proj.{part}"] = state[f"{vision}embeddings.patch_embedding.{part}"]
        result[f"visual.trunk.norm.{part}"] = state[f"{vision}post_layernorm.{part}"]
        head, pool = f"{vision}head.", "visual.trunk.attn_pool."
        query, key, value = state[f"{head}attention.in_proj_{part}"].chunk(3)
        result[f"{pool}q.{part}"], result[f"{pool}kv.{part}"] = query, torch.cat([key, value])
        for x, y in (("attention.out_proj", "proj"), ("layernorm", "norm"), ("mlp.fc1", "mlp.fc1"),
                     ("mlp.fc2", "mlp.fc2")):
            result[f"{pool}{y}.{part}"] = state[f"{head}{x}.{part}"]
    result["visual.trunk.attn_pool.latent"] = state[f"{vision}head.probe"]
    result["visual.trunk.pos_embed"] = state[f"{vision}embeddings.position_embedding.weight"][None]
    result["text.token_embedding.weight"] = state[f"{text}embeddings.token_embedding.weight"]
    result["text.positional_embedding"] = state[f"{text}embeddings.position_embedding.weight"]
    return result


def agree(one, other):
    """Two peers with the same weights must give the same embeddings."""
    one, other = (load_file(OUTPUT / name / "outputs.safetensors") for name in (one, other))
    for key in ("image.float64", "text.float64", "logits.float64"):
        assert torch.allclose(one[key], other[key], rtol=0, atol=1e-6), key


def make_open_clip():
    # The same weights as transformers' folders, so that conversion can be checked byte for byte.
    state = to_open_clip(load_file(OUTPUT / "huggingface-clip-gelu/model.safetensors"))
    plain = make_open_clip_folder("open-clip", open_clip_configuration(), state)
    agree("open-clip", "huggingface-clip-gelu")
    make_open_clip_folder(
        "open-clip-quickgelu-custom-text", open_clip_configuration(quick_gelu=True, custom_text=True))
    make_open_clip_folder("open-clip-clipa", open_clip_configuration(
        vision=dict(no_ln_pre=True, pos_embed_type="sin_cos_2d", pool_type="avg", final_ln_after_pool=True),
        text=dict(no_causal_mask=True, pool_type="last")))
    make_open_clip_folder("open-clip-average", open_clip_configuration(
        vision=dict(pool_type="avg", ls_init_value=0.1),
        text=dict(pool_type="first", proj_bias=True, ls_init_value=0.1)))
    make_open_clip_folder(
        "open-clip-eos", open_clip_configuration(
            text=dict(pool_type="eos", eos_id=55), custom_text=True, init_logit_bias=-10),
        ids=token_ids(0, CONTEXT, end=55))
    make_open_clip_folder("open-clip-tokens", open_clip_configuration(vision=dict(pool_type="none")))
    siglip = to_timm(load_file(OUTPUT / "siglip/model.safetensors"))
    make_open_clip_folder("open-clip-siglip", dict(
        embed_dim=WIDTH, init_logit_bias=-10, custom_text=True,
        vision_cfg=dict(image_size=IMAGE, timm_model_name="vit_concord_tiny", timm_model_pretrained=False,
                        timm_pool="map", timm_proj="none"),
        text_cfg=open_clip_configuration()["text_cfg"] | dict(
            no_causal_mask=True, proj_bias=True, pool_type="last", norm_kwargs=dict(eps=1e-6),
            act_kwargs=dict(approximate="tanh"))), siglip, ids=token_ids(1, CONTEXT))
    agree("open-clip-siglip", "siglip")
    make_open_clip_bert()
    return plain


def make_open_clip_bert():
    # open_clip reads the tower's sizes where `hf_model_name` says; here that is a folder beside the weights.
    folder = new_folder("open-clip-bert")
    bert_configuration().save_pretrained(folder / "text-tower")
    configuration = open_clip_configuration()
    configuration["text_cfg"] = dict(
        context_length=CONTEXT, hf_model_name=str(folder / "text-tower"), hf_tokenizer_name="text-tower",
        hf_pooler_type="mean_pooler", hf_proj_type="mlp")
    make_open_clip_folder("open-clip-bert", configuration, with_gradients=True)
    path = folder / "open_clip_config.json"
    path.write_text(path.read_text().replace(str(folder) + "/", ""))


def make_resizing():
    """Position tables of `open-clip` for other pictures and contexts, and SigLIP's, which have no class token."""
    weights, results = OUTPUT / "open-clip/open_clip_model.safetensors", {}
    for size, context in ((24, 20), (12, 8)):
        model = create("open-clip", open_clip_configuration(), force_image_size=size, force_context_length=context)
        load_checkpoint(model, str(weights))
        results[f"vision.{size}"] = model.visual.positional_embedding.detach()
        results[f"text.{context}"] = model.positional_embedding.detach()
        pixels = formula("pixels", (3, 3, size, size))
        results[f"image.{size}"] = model.encode_image(pixels, normalize=True).detach()
        results[f"texts.{context}"] = model.encode_text(token_ids(0, context)[0] if context > 9 else
                                                        token_ids(0)[0][:, :context], normalize=True).detach()
    table = load_file(OUTPUT / "siglip/model.safetensors")["vision_model.embeddings.position_embedding.weight"]
    for side in (6, 3):
        results[f"siglip.{side * PATCH}"] = timm.layers.resample_abs_pos_embed(
            table[None], (side, side), num_prefix_tokens=0)[0]
    save_file({k: v.contiguous() for k, v in results.items()}, OUTPUT / "resizing.safetensors")


def main():
    torch.set_num_threads(1)
    make_huggingface()
    make_siglip()
    make_vision_text()
    make_single_towers()
    make_sentence_encoders()
    make_open_clip()
    make_resizing()


if __name__ == "__main__":
    main()
