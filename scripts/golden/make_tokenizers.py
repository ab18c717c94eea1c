"""Writes Tests/Golden/text/tokenizers: tiny tokenizers of each kind, and what the peers make of the adversarial strings.

Needs the peers (transformers 5.23, tokenizers 0.23, sentencepiece 0.2.3, open_clip 3.3). Everything is deterministic.
The strings are those of `make_text.py`, in the order of strings.json. Ids are kept as digests (the upper half of
the 64-bit FNV-1a of the ids in 32 bits each, lowest byte first), and for the first strings as they are.
Usage: python scripts/golden/make_tokenizers.py
"""

import base64
import io
import json
import shutil
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path

import ftfy
import sentencepiece
from make_text import GOLDEN as TEXT
from make_text import captions, strings
from open_clip import tokenizer as open_clip_tokenizer
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

from tokenizer_steps import STEPS, step_document

GOLDEN = TEXT / "tokenizers"
SPELLED = 40  # the strings whose ids are kept as they are
STRINGS = strings()


def write(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def digest(data: bytes) -> str:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"[:8]


def digest_of_ids(ids: list[int]) -> str:
    return digest(b"".join(number.to_bytes(4, "little") for number in ids))


def digests(tokenizer: Tokenizer) -> str:
    """A digest for each four strings together; these files would be large otherwise."""
    ids = [tokenizer.encode(text).ids for text in STRINGS]
    return "".join(digest_of_ids(sum(ids[start : start + 4], [])) for start in range(0, len(ids), 4))


def expected(encode, decode) -> dict:
    ids = [encode(text) for text in STRINGS]
    return {
        "digests": "".join(digest_of_ids(row) for row in ids),
        "ids": ids[:SPELLED],
        "decoded": "".join(digest(decode(row).encode()) for row in ids),
    }


def batch(folder: Path, length: int = 12) -> dict:
    """What transformers makes of a batch, padded to the longest of its texts, which are cut."""
    peer = AutoTokenizer.from_pretrained(folder)
    texts = ["", "a cat", *STRINGS[:6]]
    rows = peer(texts, padding=True, truncation=True, max_length=length)
    return {
        "texts": texts, "contextLength": length, "ids": rows.input_ids, "padToken": peer.pad_token_id,
        "lengths": [sum(mask) for mask in rows.attention_mask],
    }


def save(tokenizer: Tokenizer, folder: Path, settings: dict) -> None:
    write(folder / "tokenizer.json", json.loads(tokenizer.to_str()))
    write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"} | settings)
    peer = AutoTokenizer.from_pretrained(folder)
    for text in STRINGS[:200]:
        assert peer(text).input_ids == tokenizer.encode(text).ids, text
    write(folder / "expected.json", expected(lambda text: tokenizer.encode(text).ids, tokenizer.decode)
          | {"batch": batch(folder)})


def corpus(alphabet: int = 10_000) -> list[str]:
    """What vocabularies are learned from, with its most frequent characters only.

    The trainers could limit the alphabet too, but not in the same way each time.
    """
    texts = captions() + [text for text in STRINGS if len(text) < 1000]
    counts = Counter(char for text in texts for char in text)
    kept = set(sorted(counts, key=lambda char: (-counts[char], char))[:alphabet])
    return ["".join(char for char in text if char in kept) for text in texts]


# --- The kinds -------------------------------------------------------------------------------------------------------


def make_word_piece(lowercase: bool) -> None:
    folder = GOLDEN / ("wordpiece-uncased" if lowercase else "wordpiece-cased")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    splitter = pre_tokenizers.BertPreTokenizer()
    # The library's own trainer numbers the tokens in another way each time.
    pieces, letters = Counter(), Counter()
    for text in corpus(200):
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)):
            letters.update([word[0]] + ["##" + letter for letter in word[1:]])
            for start in range(len(word[:12])):
                for end in range(start + 2, len(word[:12]) + 1):
                    pieces[("##" if start else "") + word[start:end]] += end - start - 1
    vocabulary = special + [
        token for counts, size in [(letters, 300), (pieces, 320)]
        for token in sorted(counts, key=lambda token: (-counts[token], token))[:size]]
    tokenizer = Tokenizer(models.WordPiece(
        {token: number for number, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    save(tokenizer, folder, {"pad_token": "[PAD]", "do_lower_case": lowercase})
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in vocabulary))
    # The class that reads vocab.txt makes the same of it.
    with tempfile.TemporaryDirectory() as plain:
        shutil.copy(folder / "vocab.txt", plain)
        write(Path(plain) / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": lowercase})
        peer = AutoTokenizer.from_pretrained(plain)
        assert all(peer(text).input_ids == tokenizer.encode(text).ids for text in STRINGS)


def make_roberta() -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    save(tokenizer, GOLDEN / "roberta", {"pad_token": "<pad>"})


def make_gemma() -> None:
    """SigLIP 2 has Gemma's: characters, with bytes for unknown ones, and the end token only."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "\u2581")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.train_from_iterator(
        corpus(120), trainers.BpeTrainer(vocab_size=750, special_tokens=special))
    document = json.loads(tokenizer.to_str())
    # The bytes are no special tokens.
    document["added_tokens"] = document["added_tokens"][:4]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", pair="$A <eos> $B:1 <eos>:1", special_tokens=[("<eos>", 1)])
    save(tokenizer, GOLDEN / "gemma", {"pad_token": "<pad>"})


def normalization_rules() -> str:
    """A part of SentencePiece's own rules (nmt_nfkc): the whole would take a quarter of a megabyte."""
    rules = {}
    blocks = [*range(0xA0, 0x180), *range(0x1100, 0x1113), *range(0x2000, 0x2070), *range(0x2100, 0x2150),
              *range(0x3000, 0x3002), *range(0x3131, 0x3140), *range(0xFB00, 0xFB07), *range(0xFF01, 0xFFA0)]
    for code in blocks:
        if (compatible := unicodedata.normalize("NFKC", chr(code))) != chr(code):
            rules[chr(code)] = compatible.replace("\u3000", " ")
        decomposed = unicodedata.normalize("NFD", chr(code))
        if len(decomposed) == 2:
            rules[decomposed] = chr(code)
    for kana in range(0xFF66, 0xFF9E):
        for mark in "\uff9e\uff9f":
            pair = chr(kana) + mark
            if len(composed := unicodedata.normalize("NFKC", pair)) == 1:
                rules[pair] = composed
    for white in "\t\n\r\u00a0\u1680\u2028\u2029\u200b\u200e\ufeff\u2581":
        rules[white] = " "
    for control in [*range(0x01, 0x09), 0x0B, *range(0x0E, 0x20), 0x7F]:
        rules[chr(control)] = ""
    return "".join(
        " ".join(f"{ord(char):X}" for char in source) + "\t" + " ".join(f"{ord(char):X}" for char in target) + "\n"
        for source, target in rules.items())


def train_sentence_piece() -> bytes:
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        rules = folder + "/rules.tsv"
        Path(rules).write_text(normalization_rules())
        # Fewer strings than for the others: each of their characters becomes a piece.
        texts = [text.lower().replace("\n", " ") for text in captions() + STRINGS[:100]]
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=model, vocab_size=800, model_type="unigram",
            pad_id=0, eos_id=1, unk_id=2, bos_id=-1, character_coverage=0.98, hard_vocab_limit=False,
            normalization_rule_tsv=rules, num_threads=1, minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto.SerializeToString()


def make_siglip(model: bytes) -> None:
    folder = GOLDEN / "siglip"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(model)
    write(folder / "tokenizer_config.json", {"tokenizer_class": "SiglipTokenizer", "do_lower_case": True})
    peer = AutoTokenizer.from_pretrained(folder)
    document = expected(lambda text: peer(text).input_ids, lambda ids: peer.decode(ids, skip_special_tokens=True))
    document["batch"] = batch(folder)
    peer = AutoTokenizer.from_pretrained(folder, do_lower_case=False)
    document["cased"] = "".join(digest_of_ids(peer(text).input_ids) for text in STRINGS)
    write(folder / "expected.json", document)


def make_t5(model: bytes) -> None:
    """The same vocabulary as transformers 5 converts it, and with the steps of other versions and families."""
    folder = GOLDEN / "t5"
    with tempfile.TemporaryDirectory() as source:
        (Path(source) / "spiece.model").write_bytes(model)
        write(Path(source) / "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "extra_ids": 0})
        peer = AutoTokenizer.from_pretrained(source)
    save(peer.backend_tokenizer, folder, {"pad_token": "<pad>"})
    document = json.loads(peer.backend_tokenizer.to_str())
    characters = normalizers.Precompiled(base64.b64decode(document["normalizer"]["precompiled_charsmap"]))
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    variants = {
        "T5 of transformers 4": (
            normalizers.Sequence([characters, normalizers.Strip(left=False, right=True),
                                  normalizers.Replace(Regex(" {2,}"), "\u2581")]),
            pre_tokenizers.Metaspace()),
        "XLM-RoBERTa of transformers 4": (
            normalizers.Sequence([characters, spaces]),
            pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])),
        "first word only": (
            normalizers.Sequence([normalizers.Nmt(), characters, normalizers.Strip(), spaces]),
            pre_tokenizers.Metaspace(prepend_scheme="first")),
        "not split": (
            normalizers.Sequence([normalizers.Lowercase(), characters]),
            pre_tokenizers.Metaspace(prepend_scheme="never", split=False)),
    }
    rows = []
    for name, (normalizer, pre_tokenizer) in variants.items():
        tokenizer = Tokenizer.from_str(json.dumps(document))
        tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizer
        changed = json.loads(tokenizer.to_str())
        for step in changed["normalizer"]["normalizers"]:
            if step["type"] == "Precompiled":
                step["precompiled_charsmap"] = "that of the file"
        rows.append({"name": name, "normalizer": changed["normalizer"], "pre_tokenizer": changed["pre_tokenizer"],
                     "digests": digests(tokenizer)})
    write(folder / "variants.json", rows)


def make_steps() -> None:
    rows = []
    for name in STEPS:
        document = step_document(name)
        tokenizer = Tokenizer.from_str(json.dumps(document))
        del document["model"]
        rows.append({"name": name, "document": document, "digests": digests(tokenizer)})
    write(GOLDEN / "steps.json", rows)


def make_open_clip() -> None:
    """open_clip's cleaning, without ftfy's guessing of wrong encodings, and its batches."""
    guessing = ftfy.fix_text
    open_clip_tokenizer.ftfy.fix_text = lambda text: guessing(text, fix_encoding=False)
    cleanings = {}
    for name in ["whitespace", "lower", "canonicalize"]:
        clean = open_clip_tokenizer.get_clean_fn(name)
        cleanings[name] = "".join(digest(clean(text).encode()) for text in STRINGS)
    texts = ["", "A Photo_of &amp; a\u00a0CAT!", *STRINGS[:20]]
    batches = []
    for folder, clean, strips in [("t5", "canonicalize", False), ("wordpiece-uncased", "whitespace", True),
                                  ("wordpiece-cased", "lower", False)]:
        peer = open_clip_tokenizer.HFTokenizer(
            str(GOLDEN / folder), context_length=16, clean=clean, strip_sep_token=strips,
            **({"sep_token": "[SEP]"} if strips else {}))
        batches.append({"folder": folder, "clean": clean, "stripsSeparator": strips, "ids": peer(texts).tolist()})
    open_clip_tokenizer.ftfy.fix_text = guessing
    write(GOLDEN / "open-clip.json", {"cleanings": cleanings, "texts": texts, "contextLength": 16, "batches": batches})


def main() -> None:
    for lowercase in [True, False]:
        make_word_piece(lowercase)
    make_roberta()
    make_gemma()
    model = train_sentence_piece()
    make_siglip(model)
    make_t5(model)
    make_steps()
    make_open_clip()
    for path in sorted(GOLDEN.rglob("*")):
        if path.is_file():
            print(f"{path.stat().st_size:7} {path.relative_to(GOLDEN)}")


if __name__ == "__main__":
    main()
