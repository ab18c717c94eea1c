#!/usr/bin/env python3
"""Golden scores of captions: BLEU, CIDEr-D and ROUGE-L of pycocoevalcap on texts that are tokens already.

Run with the peers' environment (`make peers`), from the repository root:
    .peers/bin/python scripts/golden/make_captions.py
None of the three needs Java. Every text is lower-case words with single spaces between them, so that splitting at
spaces gives the tokens. `sets` holds several sets of pictures, because CIDEr and the corpus's BLEU are those of a set:
all pictures, a few of them in another order, and one picture alone.
"""
import json
import pathlib

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Golden/captions/scores.json"

# id, candidate, references.
PICTURES = [
    ("equal", "a brown dog runs across the wet grass", ["a brown dog runs across the wet grass"]),
    ("equal to one of three", "two cats sleep on a red sofa",
     ["a pair of cats on a couch", "two cats sleep on a red sofa", "cats sleeping"]),
    ("empty", "", ["a train waits at the station", "a long train", "the train at a station in the evening light"]),
    ("one word", "bicycle", ["a bicycle leans on a wall", "bicycle", "an old bicycle in front of a brick wall"]),
    ("three words equal", "a green apple", ["a green apple", "an apple on a table"]),
    ("repeated word", "the the the the the the the", ["the cat is on the mat", "there is a cat on the mat"]),
    ("repeated phrase", "a man and a man and a man and a man", ["a man and a woman walk", "a man holds a man by the hand"]),
    ("nothing in common", "purple elephants never dance", ["three boats near a pier", "boats on calm water at dawn"]),
    ("words in another order", "mat the on sits cat a", ["a cat sits on the mat"]),
    ("too short", "a plate", ["a plate of rice with vegetables and a fork on a wooden table beside a glass of water",
                              "a plate of rice and vegetables on a table"]),
    # Length 6, between references of 4 and 8 words.
    ("two lengths equally close", "a child flies a red kite", ["child with a kite",
                                                              "a child on the beach flies a kite"]),
    ("too long", "a bus drives down a street next to a tall building with a lot of windows and a lot of people on it",
     ["a bus on a street", "bus in the city", "a city bus drives past buildings", "a red bus", "people wait for a bus"]),
    ("five references", "a woman holds an umbrella in the rain",
     ["a woman holding an umbrella in the rain", "a lady with an umbrella", "a woman holds a black umbrella",
      "someone walks in the rain with an umbrella", "a woman in the rain"]),
    ("the same reference twice", "a bowl of soup", ["a bowl of hot soup", "a bowl of hot soup"]),
    ("empty reference", "a snowy mountain under a blue sky", ["", "a mountain covered with snow under a clear blue sky"]),
    ("words that no reference has", "a zebra and a quokka graze", ["a zebra grazes in a field"]),
]
SETS = {
    "all": [name for name, _, _ in PICTURES],
    "few, in another order": ["five references", "repeated word", "equal", "too short"],
    "one": ["too long"],
    "empty": ["empty"],
}


def main():
    pictures = {name: (candidate, references) for name, candidate, references in PICTURES}
    sets = {}
    for set_name, names in SETS.items():
        candidates = {name: [pictures[name][0]] for name in names}
        references = {name: pictures[name][1] for name in names}
        bleu, bleus = Bleu(4).compute_score(references, candidates, verbose=0)
        cider, ciders = Cider().compute_score(references, candidates)
        rouge, rouges = Rouge().compute_score(references, candidates)
        sets[set_name] = {
            "ids": names,
            "bleu": bleu, "cider": float(cider), "rouge_l": float(rouge),
            "each": [{"bleu": [scores[row] for scores in bleus], "cider": float(ciders[row]),
                      "rouge_l": float(rouges[row])} for row in range(len(names))],
        }
    document = {
        "pictures": {name: {"candidate": candidate, "references": references}
                     for name, candidate, references in PICTURES},
        "sets": sets,
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
