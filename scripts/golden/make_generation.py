"""Writes Tests/Golden/text/generation.json: what transformers' `generate` finds with a model that is a formula.

Needs the peers (transformers 5.23). Everything is deterministic. Diverse groups are not here: that version has none.
Usage: python scripts/golden/make_generation.py
"""

import itertools
import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch

# torchvision's wheel does not import beside a CPU build of torch unless these two operators exist.
LIBRARY = torch.library.Library("torchvision", "DEF")
LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

GOLDEN = Path(__file__).parents[2] / "Tests/Golden/text/generation.json"
VOCABULARY, START, END = 13, 11, 12
PROMPTS = [[START, key] for key in (3, 1, 4, 9)]
MASK = (1 << 64) - 1


def logits(tokens: list[int]) -> list[float]:
    """Numbers in [-3, 3): the FNV-1a hash of the tokens, then SplitMix64 of it plus the index."""
    state = 0xCBF29CE484222325
    for token in tokens:
        state = ((state ^ token) * 0x100000001B3) & MASK
    row = []
    for index in range(VOCABULARY):
        z = (state + (index + 1) * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        row.append(3 * ((z >> 40) / (1 << 23) - 1))
    return row


class FormulaModel(PreTrainedModel, GenerationMixin):
    config_class = PretrainedConfig

    def __init__(self):
        super().__init__(PretrainedConfig(vocab_size=VOCABULARY))
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.generation_config = GenerationConfig()

    def prepare_inputs_for_generation(self, input_ids, **_):
        return {"input_ids": input_ids}

    def forward(self, input_ids, **_):
        rows = torch.tensor([logits(row) for row in input_ids.tolist()])
        return CausalLMOutput(logits=rows.unsqueeze(1))


def found(model, **options) -> list:
    """For each prompt the results, each the new tokens and, after a beam search, the score."""
    stops, allowed = options.pop("stops"), options.pop("allowed")
    output = model.generate(
        torch.tensor(PROMPTS), do_sample=False, use_cache=False, eos_token_id=stops, pad_token_id=stops[0],
        return_dict_in_generate=True, output_scores=True,
        prefix_allowed_tokens_fn=(lambda *_: sorted({*allowed, *stops})) if allowed else None, **options)
    results = []
    for row in output.sequences.tolist():
        new = row[len(PROMPTS[0]):]
        end = next((place for place, token in enumerate(new) if token in stops), len(new) - 1)
        results.append(new[: end + 1])
    if options["num_beams"] == 1:
        return [[[tokens, None]] for tokens in results]
    scored = [[tokens, round(score, 6)] for tokens, score in zip(results, output.sequences_scores.tolist())]
    count = options["num_return_sequences"]
    return [scored[start : start + count] for start in range(0, len(scored), count)]


def main():
    model = FormulaModel().eval()
    cases = []

    def add(width, length_penalty=1.0, shortest=0, longest=10, stops=(END,), allowed=None, penalty=1.0):
        with torch.no_grad():
            results = found(
                model, num_beams=width, num_return_sequences=min(width, 3), length_penalty=length_penalty,
                min_new_tokens=shortest, max_new_tokens=longest, repetition_penalty=penalty, stops=list(stops),
                allowed=allowed)
        cases.append({
            "width": width, "length_penalty": length_penalty, "min": shortest, "max": longest, "stops": list(stops),
            "allowed": allowed, "repetition_penalty": penalty, "results": results})

    for width, length_penalty in itertools.product((2, 3, 6), (1.0, 0.0, 2.5, -1.0)):
        add(width, length_penalty)
    add(6, shortest=6)
    add(4, 0.5, stops=(END, 5, 0))
    add(3, longest=1)
    add(5, 1.0, 3, 8, allowed=[1, 4, 7, 8])
    for penalty in (1.0, 1.7, 0.6):
        add(1, penalty=penalty, shortest=3)
    GOLDEN.write_text(json.dumps({"prompts": PROMPTS, "cases": cases}, separators=(",", ":")) + "\n")
    print(GOLDEN, GOLDEN.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
