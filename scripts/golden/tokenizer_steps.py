"""Documents that exercise each step of a pipeline, for make_tokenizers.py.

Their model has a token for each byte and a mark behind each piece, so the ids show what the steps make of a text.
"""

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def byte_model() -> dict:
    vocabulary = {f"<0x{byte:02X}>": byte for byte in range(256)} | {"<unk>": 256}
    return {
        "type": "BPE", "unk_token": "<unk>", "end_of_word_suffix": "|", "byte_fallback": True, "vocab": vocabulary,
        "merges": [],
    }


def added(content: str, number: int, **flags) -> dict:
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True} | flags


def step(name: str, **members) -> dict:
    return {"type": name} | members


def normalizers(*steps: dict) -> dict:
    return {"type": "Sequence", "normalizers": list(steps)}


def splits(*steps: dict) -> dict:
    return {"type": "Sequence", "pretokenizers": list(steps)}


def replace(pattern: str, content: str, kind: str = "Regex") -> dict:
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def split(pattern: str, behavior: str, invert: bool = False, kind: str = "Regex") -> dict:
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def metaspace(**members) -> dict:
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True} | members


def bert(**members) -> dict:
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
            "lowercase": True} | members


# Normalizer, pre-tokenizer, added tokens.
STEPS = {
    "plain": (None, None, []),
    "NFC": (step("NFC"), None, []),
    "NFD": (step("NFD"), None, []),
    "NFKC": (step("NFKC"), None, []),
    "NFKD": (step("NFKD"), None, []),
    "accents, words": (normalizers(step("NFD"), step("StripAccents"), step("Lowercase")), step("Whitespace"), []),
    "nmt": (
        normalizers(step("Nmt"), step("Strip", strip_left=True, strip_right=True), replace(r" {2,}", " ")),
        step("WhitespaceSplit"), []),
    "bert without cleaning": (
        bert(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False),
        step("BertPreTokenizer"), []),
    "bert with accents": (bert(strip_accents=False), step("BertPreTokenizer"), []),
    "prepended, digits": (
        step("Prepend", prepend="_"),
        splits(step("Digits", individual_digits=True)), [added("dog", 257, normalized=True, special=False)]),
    "metaspace first": (
        None, metaspace(prepend_scheme="first"),
        [added("<s>", 257), added("dog", 258, normalized=True, special=False)]),
    "metaspace first, stripped": (
        normalizers(step("Strip", strip_left=True, strip_right=False), step("Prepend", prepend="_")),
        splits(step("WhitespaceSplit"), metaspace(prepend_scheme="first")), []),
    "metaspace first, beginning replaced": (
        normalizers(replace("a", "", "String"), replace(r"\s{2,}", " ")), metaspace(prepend_scheme="first"), []),
    "metaspace never": (None, metaspace(prepend_scheme="never"), []),
    "metaspace of old files": (None, step("Metaspace", replacement="_", add_prefix_space=True), []),
    "digits": (
        None, splits(step("Digits", individual_digits=True), step("Punctuation", behavior="MergedWithPrevious")), []),
    "digits together": (
        None, splits(step("Digits", individual_digits=False), step("Punctuation", behavior="Contiguous")), []),
    "punctuation": (None, step("Punctuation", behavior="MergedWithNext"), []),
    "punctuation removed": (None, splits(step("Punctuation", behavior="Removed"), step("WhitespaceSplit")), []),
    "split at words": (None, split(GPT2, "Isolated"), []),
    "split as CLIP": (None, split(CLIP, "Removed", invert=True), []),
    "split at spaces": (None, split(r"\s+", "MergedWithPrevious"), []),
    "split at digits": (
        None, splits(split(r"\d{1,3}", "Isolated"), split("a", "MergedWithNext", kind="String")), []),
    "added tokens": (
        bert(), step("BertPreTokenizer"),
        [added("<mask>", 257, lstrip=True), added("Cat", 258, normalized=True, special=False, single_word=True),
         added("na", 259, rstrip=True, lstrip=True), added("an", 260, single_word=True), added("ana", 261),
         added("\u00c9", 262, normalized=True)]),
}


def step_document(name: str) -> dict:
    normalizer, pre_tokenizer, tokens = STEPS[name]
    return {
        "added_tokens": [added("<unk>", 256)] + tokens, "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
        "post_processor": None, "decoder": None, "model": byte_model(),
    }
