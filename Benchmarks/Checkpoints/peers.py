#!/usr/bin/env python3
"""What the peers make of full-size checkpoints: makes folders with random weights, and embeds with them.

    peers.py make FOLDER                      four model folders below FOLDER, three families and open_clip's own form
    peers.py embed LIBRARY MODEL INPUTS OUT   embeddings of INPUTS (JSON: texts, images) to OUT (.npz)
LIBRARY is transformers or open_clip. Heavy imports come last on purpose: `embed` is also what is timed from a cold
process, so nothing is imported that the library does not need.
"""
import json
import pathlib
import sys

TEXTS = ["a photo of a cat", "two dogs on a red sofa, seen from above", "1", "snow ❄ and 雪"]


def stand_in_for_torchvision():
    """torchvision's wheel does not register its operators beside the CPU build of torch; open_clip and transformers import it."""
    import torch
    library = torch.library.Library("torchvision", "DEF")
    for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                   "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
        library.define(schema)
    return library


def clip_tokenizer():
    """OpenAI's vocabulary, which open_clip's package carries, as a tokenizer of transformers."""
    import open_clip
    import transformers
    from tokenizers import AddedToken  # noqa: F401
    simple = open_clip.tokenizer.SimpleTokenizer()
    vocabulary = dict(simple.encoder)
    vocabulary["<|startoftext|>"] = vocabulary.pop("<start_of_text>")
    vocabulary["<|endoftext|>"] = vocabulary.pop("<end_of_text>")
    merges = [pair for pair, _ in sorted(simple.bpe_ranks.items(), key=lambda item: item[1])]
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def spread(model, seed):
    """Random weights that make attention and norms matter, unlike the even ones of a fresh model."""
    import torch
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in ("logit_scale", "logit_bias"):
                continue
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim < 2:
                is_norm_weight = "norm" in name.lower() or "ln_" in name or "layrnorm" in name
                parameter.copy_(noise * 0.1 + (1 if is_norm_weight and name.endswith("weight") else 0))
            else:
                parameter.copy_(noise * (1.5 / parameter[0].numel() ** 0.5))


def make(folder):
    library = stand_in_for_torchvision()  # noqa: F841
    import open_clip
    import safetensors.torch
    import torch
    import transformers

    folder = pathlib.Path(folder)
    mean, deviation = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    tokenizer = clip_tokenizer()

    def is_made(path):
        return (path / "done").exists()

    path = folder / "clip-vit-base-patch32"
    if not is_made(path):
        model = transformers.CLIPModel(transformers.CLIPConfig())
        spread(model, 1)
        model.save_pretrained(path)
        tokenizer.save_pretrained(path)
        transformers.CLIPImageProcessorPil().save_pretrained(path)
        (path / "done").touch()

    path = folder / "open-clip-vit-b-32"
    if not is_made(path):
        path.mkdir(parents=True, exist_ok=True)
        model = open_clip.create_model("ViT-B-32")
        spread(model, 2)
        safetensors.torch.save_file(model.state_dict(), path / "open_clip_model.safetensors")
        configuration = {"model_cfg": open_clip.get_model_config("ViT-B-32"),
                         "preprocess_cfg": {"mean": mean, "std": deviation}}
        (path / "open_clip_config.json").write_text(json.dumps(configuration, indent=2))
        tokenizer.save_pretrained(path)
        (path / "done").touch()

    path = folder / "siglip-base-patch16-224"
    if not is_made(path):
        configuration = transformers.SiglipConfig(text_config=dict(vocab_size=32000))
        model = transformers.SiglipModel(configuration)
        spread(model, 3)
        with torch.no_grad():
            model.logit_scale.fill_(2.3)
            model.logit_bias.fill_(-10)
        model.save_pretrained(path)
        transformers.SiglipImageProcessorPil(
            size={"height": 224, "width": 224}, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(path)
        sentence_piece(folder / "captions.txt", path / "spiece.model")
        transformers.SiglipTokenizer(str(path / "spiece.model"), model_max_length=64).save_pretrained(path)
        (path / "done").touch()

    path = folder / "bert-6-layers"
    if not is_made(path):
        path.mkdir(parents=True, exist_ok=True)
        word_pieces(folder / "captions.txt").save_pretrained(path)
        model = transformers.BertModel(transformers.BertConfig(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536))
        spread(model, 4)
        model.save_pretrained(path)
        (path / "modules.json").write_text(json.dumps([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]))
        (path / "sentence_bert_config.json").write_text('{"max_seq_length": 256, "do_lower_case": false}')
        (path / "1_Pooling").mkdir(exist_ok=True)
        (path / "1_Pooling/config.json").write_text(json.dumps({
            "word_embedding_dimension": 384, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False}))
        (path / "done").touch()


def sentence_piece(corpus, path):
    import sentencepiece
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(path).removesuffix(".model"), vocab_size=4000, model_type="unigram",
        unk_id=2, bos_id=-1, eos_id=1, pad_id=0, minloglevel=2)
    path.with_suffix(".vocab").unlink()


def word_pieces(corpus):
    import tokenizers
    import transformers
    trained = tokenizers.BertWordPieceTokenizer()
    trained.train([str(corpus)], vocab_size=8000, show_progress=False)
    return transformers.BertTokenizer(vocab=trained.get_vocab(), model_max_length=512)


def embed_transformers(path, inputs):
    library = stand_in_for_torchvision()  # noqa: F841
    import torch
    import transformers
    from PIL import Image
    torch.set_num_threads(2)
    kind = json.load(open(path + "/config.json"))["model_type"]
    with torch.inference_mode():
        if kind == "bert":
            model = transformers.AutoModel.from_pretrained(path).eval()
            tokenizer = transformers.AutoTokenizer.from_pretrained(path)
            batch = tokenizer(inputs["texts"], padding=True, truncation=True, max_length=256, return_tensors="pt")
            states = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
            texts = (states * mask).sum(1) / mask.sum(1)
            return {"texts": torch.nn.functional.normalize(texts, dim=-1)}
        model = transformers.AutoModel.from_pretrained(path).eval()
        results = {}
        if inputs.get("images"):
            cls = transformers.SiglipImageProcessorPil if kind == "siglip" else transformers.CLIPImageProcessorPil
            pixels = cls.from_pretrained(path)([Image.open(name) for name in inputs["images"]], return_tensors="pt")
            images = model.get_image_features(**pixels).pooler_output
            results["images"] = images / images.norm(dim=-1, keepdim=True)
        if inputs.get("texts"):
            tokenizer = transformers.AutoTokenizer.from_pretrained(path)
            padding = "max_length" if kind == "siglip" else True
            ids = tokenizer(inputs["texts"], padding=padding, truncation=True, return_tensors="pt")["input_ids"]
            texts = model.get_text_features(input_ids=ids).pooler_output
            results["texts"] = texts / texts.norm(dim=-1, keepdim=True)
        if len(results) == 2:
            logits = results["images"] @ results["texts"].T * model.logit_scale.exp()
            results["logits"] = logits + model.logit_bias if hasattr(model, "logit_bias") else logits
        return results


def embed_open_clip(path, inputs):
    library = stand_in_for_torchvision()  # noqa: F841
    import open_clip
    import torch
    from PIL import Image
    torch.set_num_threads(2)
    model, _, preprocess = open_clip.create_model_and_transforms("local-dir:" + path)
    model.eval()
    results = {}
    with torch.inference_mode():
        if inputs.get("images"):
            pixels = torch.stack([preprocess(Image.open(name)) for name in inputs["images"]])
            results["images"] = model.encode_image(pixels, normalize=True)
        if inputs.get("texts"):
            if pathlib.Path(path, "spiece.model").exists():
                import transformers
                tokenizer = transformers.SiglipTokenizer(path + "/spiece.model", model_max_length=64)
                ids = tokenizer(inputs["texts"], padding="max_length", return_tensors="pt")["input_ids"]
            else:
                ids = open_clip.get_tokenizer("ViT-B-32")(inputs["texts"])
            results["texts"] = model.encode_text(ids, normalize=True)
        if len(results) == 2:
            results["logits"] = model.logit_scale.exp() * results["images"] @ results["texts"].T
            if model.logit_bias is not None:
                results["logits"] += model.logit_bias
    return results


def main():
    if sys.argv[1] == "make":
        return make(sys.argv[2])
    library, path, inputs, output = sys.argv[2:6]
    run = embed_transformers if library == "transformers" else embed_open_clip
    results = run(path, json.load(open(inputs)))
    import numpy
    numpy.savez(output, **{name: value.numpy() for name, value in results.items()})


if __name__ == "__main__":
    main()
