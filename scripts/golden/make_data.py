#!/usr/bin/env python3
"""Makes Tests/Golden/data/delimited.json: odd tables and the rows that Python's csv module reads from them.

Needs nothing but Python 3.11 or newer. Run from the root of the checkout:
    python3 scripts/golden/make_data.py
"""
import csv
import io
import json
import random

HAND_WRITTEN = [
    'image,caption\na.png,"one, two"\n',
    'image,caption\r\na.png,"first\r\nsecond"\r\n',
    'a,b\rc,d\r',
    'a,"say ""hi"""\n',
    '"",""\n""\n,\n',
    '\n\n\na,b\n\n\nc\n\n',
    'a,b',
    'a,',
    'a,"b',
    '"ab"cd,"e"f"g"\n',
    'a"b,c""d, "e"\n',
    '"\n\n\n",x\ny\n',
    ' a , b \n',
    '"a\tb"\t"c\n"\td\n',
    'é,猫,👩🏽‍🚒\n',
    'a,b\x00c\n',
]


def rows(text, delimiter):
    """The rows without blank lines; None where a quote never closes, which Concord treats in its own way."""
    try:
        list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None
    # Strict reading may stop at another fault before the quote that never closes: ask again with one more quote.
    plain = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    closed = list(csv.reader(io.StringIO(text + '"\n', newline=""), delimiter=delimiter))
    if closed == plain:
        return None
    return [row for row in plain if row]


def main():
    generator = random.Random(20240501)
    texts = list(HAND_WRITTEN)
    for _ in range(600):
        length = generator.randint(1, 24)
        texts.append("".join(generator.choice(['a', 'é', '猫', ' ', ',', ',', '\t', '"', '"', '\n', '\r', '\r\n'])
                             for _ in range(length)))
    cases = []
    for text in texts:
        for delimiter in [",", "\t"]:
            expected = rows(text, delimiter)
            if expected is not None:
                cases.append({"text": text, "delimiter": delimiter, "rows": expected})
    with open("Tests/Golden/data/delimited.json", "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
