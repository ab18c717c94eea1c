"""Writes Tests/Golden/text: a small CLIP vocabulary, and what the peers make of adversarial strings.

Needs the peers (transformers 5.23, open_clip 3.3, ftfy 6.3). Everything is deterministic.
Usage: python scripts/golden/make_text.py
"""

import gzip
import html
import html.entities
import json
import os
import random
import tempfile
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import ftfy
import regex
import torch

# torchvision's wheel does not import beside a CPU build of torch unless these two operators exist.
LIBRARY = torch.library.Library("torchvision", "DEF")
LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from open_clip import tokenizer as open_clip_tokenizer
from transformers import AutoTokenizer, CLIPTokenizer

GOLDEN = Path(__file__).parents[2] / "Tests/Golden/text"
START, END = "<|startoftext|>", "<|endoftext|>"
PATTERN = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
BYTE_SYMBOLS = open_clip_tokenizer.bytes_to_unicode()
BASE = list(BYTE_SYMBOLS.values()) + [symbol + "</w>" for symbol in BYTE_SYMBOLS.values()]


def train(words: Counter, size: int) -> list[tuple[str, str]]:
    """Plain byte-pair training: the most frequent pair next, ties to the smallest ids; stops below a count of 2."""
    tokens = list(BASE)
    number = {token: index for index, token in enumerate(tokens)}
    table = []
    counts, places = Counter(), defaultdict(set)
    for word, count in words.items():
        symbols = [BYTE_SYMBOLS[byte] for byte in word.encode()]
        symbols[-1] += "</w>"
        ids = [number[symbol] for symbol in symbols]
        for pair in zip(ids, ids[1:]):
            counts[pair] += count
            places[pair].add(len(table))
        table.append((ids, count))
    merges = []
    while len(tokens) < size - 2 and counts:
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[pair] < 2:
            break
        new = len(tokens)
        tokens.append(tokens[pair[0]] + tokens[pair[1]])
        merges.append((tokens[pair[0]], tokens[pair[1]]))
        for place in places[pair]:
            ids, count = table[place]
            merged, index = [], 0
            while index < len(ids):
                if tuple(ids[index : index + 2]) == pair:
                    merged.append(new)
                    index += 2
                else:
                    merged.append(ids[index])
                    index += 1
            for old in zip(ids, ids[1:]):
                counts[old] -= count
            for found in zip(merged, merged[1:]):
                counts[found] += count
                places[found].add(place)
            table[place] = (merged, count)
        del counts[pair]
        counts = +counts
    return merges


def vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    tokens = BASE + ["".join(pair) for pair in merges] + [START, END]
    return {token: index for index, token in enumerate(tokens)}


def hugging_face(merges: list[tuple[str, str]]) -> CLIPTokenizer:
    return CLIPTokenizer(vocab=vocabulary(merges), merges=merges)


def open_clip(merges: list[tuple[str, str]]) -> open_clip_tokenizer.SimpleTokenizer:
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/merges.txt.gz"
        with gzip.open(path, "wb") as file:
            # No new line at the end: the peer would take it for one more, empty, merge.
            file.write(("#version: 0.2\n" + "\n".join(map(" ".join, merges))).encode())
        return open_clip_tokenizer.SimpleTokenizer(path)


def without_guessing(text: str) -> str:
    """open_clip's cleaning, but for ftfy's search for text decoded with the wrong character set."""
    text = html.unescape(html.unescape(ftfy.fix_text(text, fix_encoding=False)))
    return " ".join(text.split()).lower()


def strings() -> list[str]:
    """The adversarial strings. The ones that ftfy takes for wrongly decoded are marked in the golden file."""
    # One string a line, with Python's escapes.
    lines = r"""
a photo of a cat
A Photo of a CAT.
two dogs playing frisbee in the park, at sunset!
the quick brown fox jumps over the lazy dog 0123456789
a close-up of a bowl of ramen (with egg) on a wooden table; steam rising...
woman firefighter: medium skin tone
3d render, 4k, f/1.8, 50mm, ISO-100
e=mc^2 && a!=b || c<=d
C:\\Users\\name\\file.txt
https://example.org/a?b=c&d=e#f
user@example.com #hashtag @mention $9.99 50% ~tilde `tick` ^caret |pipe|
snake_case camelCase kebab-case SCREAMING_CASE
it's we're they've I'm you'll he'd can't
IT'S WE'RE THEY'VE I'M YOU'LL HE'D CAN'T
It'S We'Re They'vE i'M yoU'lL hE'D
'tis 'twas rock'n'roll o'clock 'S 'T 'RE
'''s ''t 'l 'r 'v 'll'll 'd'd 's's's
'\u017ft \u017ftreet it'\u017f don'\u017f
dogs' cats's s's 's
\u2018single\u2019 \u201cdouble\u201d it\u2019s don\u2019t \u201blow\u201f \u02bcmodifier
\u00ab guillemets \u00bb \u2039 single \u203a \u201e low \u201a
ellipsis\u2026 en\u2013dash em\u2014dash bar\u2015 minus\u2212
caf\u00e9 na\u00efve r\u00e9sum\u00e9 \u00fcber \u00f1and\u00fa \u00e5ngstr\u00f6m
cafe\u0301 nai\u0308ve re\u0301sume\u0301 u\u0308ber n\u0303andu\u0301 a\u030angstro\u0308m
CAF\u00c9 NA\u00cfVE \u00dcBER \u00d1AND\u00da \u00c5NGSTR\u00d6M
q\u0307\u0323 q\u0323\u0307 \u1e0b\u0323 \u1e0d\u0307 d\u0323\u0307
o\u0302\u0301 \u1ed1 \u00f4\u0301 a\u0306\u0323 \u1eb7
\u212b \u2126 \u212a \u00b5 \u03bc
Z\u0351\u036b\u0343a\u0323\u0348l\u034d\u030eg\u0300\u0316o\u0321\u0317 zalgo
\u0958 \u0915\u093c \u09dc \u0a33 \u0f43 \ufb1d \ufb2a
\u0344 \u0340 \u0341 \u0343 \u0374 \u037e \u0387 \u1fef
\u1100\u1161 \u1112\u1161\u11ab \uac00\u11a8 \ud55c\uae00 \u1112\u1161\u11ab\u1100\u1173\u11af \uac01
\uac00\u11bf \uac1c\u11b5 \uac38\u11ba \uac01\u11a8 \u1100\u11a8 \u1161\u11a8
\u3131\u314f\u3134 \ufee1 \ua960\ud7b0\ud7cb
\u4e00\u53ea\u732b\u5750\u5728\u57ab\u5b50\u4e0a
\u7ea2\u82f9\u679c\uff0c\u7eff\u82f9\u679c\u3002\u201c\u5f15\u53f7\u201d\uff01\uff1f
\u8fd9\u662f2\u53eadog\u548c3\u53eacat
\u6771\u4eac\u30bf\u30ef\u30fc\u3067\u3059\u3002 \u30ab\u30bf\u30ab\u30ca \u3072\u3089\u304c\u306a
\u304b\u3099 \u304c \u30cf\u309a \u30d1 \u309b \u309c
\uff76\uff9e \uff8a\uff9f \uff71\uff72\uff73 \uff70 \uff61 \uff62\uff63
\uff2c\uff2f\uff35\uff24\u3000\uff2e\uff2f\uff29\uff33\uff25\uff33 \uff11\uff12\uff13 \uff01\uff1f\uff08\uff09 \uff07\uff02
\uffe0\uffe1\uffe2\uffe3\uffe4\uffe5\uffe6 \uffe8\uffe9\uffee \uff5f\uff60 \uff9e\uff9f\uffa0\uffa1\uffdc
\uf900 \uf9fe \u2f800 \u2e80 \u2f00 \u3400 \u9fff \ufa0e \ufa10
\ud55c\uad6d\uc5b4 \uac15\uc544\uc9c0 \uace0\uc591\uc774
\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0e41\u0e21\u0e27 \u0e19\u0e49\u0e33 \u0e33
\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u094d\u0937 \u0939\u093f\u0928\u094d\u0926\u0940 \u0967\u0968\u0969
\u0627\u0644\u0633\u0644\u0627\u0645 \u0639\u0644\u064a\u0643\u0645 \u0661\u0662\u0663 \u06f4\u06f5\u06f6 \u0640\u0651
\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u05d1\u05bc\u05b8 \u05d1\u05b8\u05bc
\u200f\u05e9\u05dc\u05d5\u05dd\u200e abc \u202babc\u202c \u2066x\u2069
\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u0416\u0418\u041a \u0438\u0306 \u0439 \u0404 \u0490
\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u039a\u039f\u03a3\u039c\u0395
\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u03a3 \u03a3\u03a3 \u0391\u03a3 \u03a3\u0391
\u0391\u03a3. \u0391\u03a3\u0392 \u0391\u03a3' \u0391\u03a3'\u0392 \u0391.\u03a3 \u0391\u00ad\u03a3 \u0391\u03a3\u0301 \u0391\u03a3\u00ad\u0392 1\u03a3 1\u03a31
\u0391\u03a3\u200d \u0391\u03a3:\u0391 \u02b0\u03a3 \u24b6\u03a3 \u2170\u03a3 \ud7ff\u03a3
\u0130stanbul I\u0131i\u0130 D\u0130YARBAKIR \u0130\u0307
Stra\u00dfe STRASSE \u1e9e gro\u00df GRO\u1e9eE
\u01c4 \u01c5 \u01c6 \u01c7 \u01c8 \u01c9 \u01ca \u01cb \u01cc \u01f1 \u01f2 \u01f3
\u0132 \u0133 \u0149 \u0152 \u0153 \u00c6 \u00e6 \u01fc
of\ufb01ce \ufb02ower \ufb00 \ufb03 \ufb04 \ufb05 \ufb06 \ufb13 \ufb17
\u1f88 \u1f8f \u1fbc \u1fb3 \u1fd3 \u0390 \u1fe3 \u03b0
\u13a0 \uab70 \u13f8 \u10a0 \u2d00 \u1c90 \u10d0 \u2c2f \ua64a \u1c80 \u1c88
\u0531\u0532 \u0587 \u0565\u0582
\U00010400\U00010428 \U000104b0 \U0001e900 \U000118a0
\U0001d400\U0001d468\U0001d4d0\U0001d538 \U0001d7ce\U0001d7d8 \U0001d6a8 \U0001d6d3
\u2102 \u210d \u2115 \u2119 \u2124 \u212c \u2130 \u2131
x\u00b2 y\u00b3 z\u00b9 \u2070\u2074\u207f \u2080\u2081 H\u2082O \u00bd \u00be \u2153
\u2160\u2161\u2162\u216b\u2170 \u2460\u2461 \u2474 \u2488 \u24ea \u2776 \u3007 \u3021 \u4e00\u4e8c
\u0be7\u0be8 \u0ce7 \u0d67 \u0e51 \u0ed1 \u0f21 \u1041 \u17e1 \u1811 \u19d1 \ua8d1 \ua901
12345 1,234.56 1e10 0x1F 2nd 3rd 4th 10\u00b0C \u00a35 \u20ac10 \u00a51000 \u20b9
\u216f\u2180 \u2188 \u3280 \u32b1 \U00010107 \U0001f100 \U0001f10a
\U0001f600 \U0001f602\U0001f602\U0001f602 \u2764\ufe0f \u2764 \u263a\ufe0e
\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f9d1\U0001f3fd\u200d\U0001f680
\U0001f44d\U0001f3fb\U0001f44d\U0001f3fc\U0001f44d\U0001f3fd\U0001f44d\U0001f3fe\U0001f44d\U0001f3ff
\U0001f1ec\U0001f1e7\U0001f1eb\U0001f1f7 \U0001f1ef\U0001f1f5 \U0001f1fa
\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f \U0001f3f3\ufe0f\u200d\U0001f308
#\ufe0f\u20e3 1\ufe0f\u20e3 *\u20e3 \u00a9\ufe0f \u2122
a\U0001f600b \U0001f600a 1\U0001f6001 \U0001f600's
:) :-( ;P <3 \u00af\\_(\u30c4)_/\u00af (\u256f\u00b0\u25a1\u00b0)\u256f\ufe35 \u253b\u2501\u253b
\u2588\u2593\u2592\u2591 \u2500\u2502\u250c \u25a0\u25cf \u2190\u2191\u2192 \u2605\u2606
\u0000nul a\u0001b \u0007bell \u0008back \u001bescape \u007fdelete
a\u0009b a\u000bb a\u000cb a\u001cb a\u001db a\u001eb a\u001fb
\u001c \u001d\u001e\u001f a \u001c b
a\u0080b a\u0081b a\u0085b a\u008db a\u0092b a\u0096b a\u009fb
it\u0092s \u0093quoted\u0094 \u0096 dash \u0085 dots
a\u00a0b a\u1680b a\u2000b a\u2007b a\u200ab a\u2028b a\u2029b a\u202fb a\u205fb a\u3000b
a\u180eb a\u200bb a\u200cb a\u200db a\u2060b a\u00adb a\u034fb a\u061cb
\ufeffbom at start, bom \ufeff inside, bom at end\ufeff
\ufff9annotation\ufffa \ufffb \ufffc object \ufffd replacement \u206a \u206f
\ue000 \uf8ff \U000f0000 \U0010fffd private
\ud7ff \ufdd0 \ufdef \ufffe \uffff \U0001fffe \U0010ffff
\u001b[31mred\u001b[0m \u001b[1;32mgreen\u001b[m \u001b[ \u001b[12 \u001b[?25l \u001b[\u0661m
a\r\nb a\rb a\n\nb a\n\r\nb \r
line one\nline two\n\nline four\n
\n
&amp; &lt; &gt; &quot; &apos; &nbsp; &copy; &reg; &trade;
&amp;amp; &amp;amp;amp; &amp;lt; &amp;#39; &#38;#38;#38;lt;
caf&eacute; CAF&EACUTE; P&Eacute;REZ &NTILDE; &nTILDE; BUNDESSTRA&SZLIG;E &FILIG; &SUP3;
fish &amp chips, &ampersand &notit; &not &notin; &notinva; &para &parallel
&#65;&#x42;&#X43; &#8364; &#128512; &#x1F600; &#0; &#13; &#9; &#10; &#133; &#150; &#x80; &#x9f; &#x81;
&#xD800; &#xDFFF; &#x110000; &#99999999999; &#x10FFFF; &#xFFFE; &#xFDD0; &#1; &#31; &#127; &#11;
&#65 &#x42 &#65x &#x42g &# &#; &#x; &#xg; & &; && &a &a; &unknown; &unknownentitythatislong;
&#12ab; &#59; &#x3b; &amp;#59; a&b;c &lt;b&gt; 1 &lt; 2 &amp;&amp; 3 &gt; 2
<b>bold &amp; &lt;i&gt;</b> &eacute;
tag < then &eacute; and\nnext line &eacute;
first &eacute; line\nthen < here\nand &eacute; again
&hellip; &ldquo;hi&rdquo; it&rsquo;s &mdash; &frac12; &fflig; &fjlig; &NewLine; &Tab; &zwj; &shy; &lrm;
&amp;ldquo;twice&amp;rdquo; &amp;#8217; &#x26;#x26;eacute;
&CounterClockwiseContourIntegral; &NotEqualTilde; &acE; &bne; &nvlt; &ThickSpace; &DownBreve;
&AMP &LT &GT &QUOT &COPY; &Copy; &COPYSR; &yen &yenx &cent;ral &eacutexyz &Aacute&Eacute
&\u00e9; &a\u00e9b; &\u4e2d\u6587; &12; &a1; &sup1 &sup2; &there4; &frac34x
a&#769; e&#x301; &#x1100;&#x1161; &#8203;zero
&am\rp; &a\tmp; &lt\n; &#1\u0661;
<|startoftext|>
<|endoftext|>
<start_of_text>
<end_of_text>
a <|startoftext|> b <|endoftext|> c
a<|startoftext|>b<|endoftext|>c!!<|endoftext|>!!
<|STARTOFTEXT|> <|EndOfText|> <|ENDOFTEXT|>!!
!!<|ENDOFTEXT|>?! x<|STARTOFTEXT|>x 1<|EndOfText|>1
<START_OF_TEXT> <End_Of_Text> a<end_of_text>b !<start_of_text>! <end_of_text>!!
<\u017ftart_of_text> <\u017ftart_of_text>! <|\u017ftartoftext|> <END_OF_TEXT> <start_of_text
<|startoftext <|endoftext| |> <|startoftext|><|endoftext|> <|<|endoftext|>|> <||endoftext|>
&lt;|endoftext|&gt; &lt;end_of_text&gt; &lt;start_of_text> &amp;lt;end_of_text>
<|endo\u0301ftext|> caf<|endoftext|>e\u0301 e<|endoftext|>\u0301 <|endoftext|>\u0301
<|endoftext|>'s it<|endoftext|>'s <|endoftext|> 's \uff1cend_of_text\uff1e \uff1c|endoftext|\uff1e
</w> a</w> </w></w> w> </ /w
\u0120hello \u010aworld \u0100\u0101\u0142 \u00c4\u00a0 \u00e2\u0122\u012f
... .... ..... ?! !? --- ___ *** ### $$$ %%% ^^^ &&& ((( ))) [[[ ]]] {{{ }}}
.a. a.b .a b. a..b -a- _a_ a_b a__b *a* "a" (a) [a] {a} <a>
a'b a's a'sb a'se 'sa 'ma 'red 'very 'llama 'dark 'tall
a's's b'll've c'd've y'all'd've
1's 1'2 '1 's1 't2 're3
a  b   c    d
\ttab\t \u00a0nbsp\u00a0
x\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308
\u0301 \u0301a a\u0301\u0301 1\u0301 !\u0301 \u20dd a\u20dd
\u093f\u0915 \u0e40 \u1b44 \u0b95\u0bca \u0b95\u0bc6\u0bbe \u09c7\u09be \u09cb \u1025\u102e
\u2000\u2001 \u2002\u2003 \u2329\u232a \u1f71 \u03ac \u2adc \u0f73 \u0f71\u0f72
\U0001d15e \U0001d158\U0001d165 \U00011099\U000110ba \U0001109a
\u16a0\u16a2 \u1400 \ua000 \u1200 \u1780 \u1820 \u0f40 \u0d85
\U00010330 \U00012000 \U00013000 \U00020000 \U0002a6df \U0002f800 \U00030000
\U0001f9ff \U0001fa70 \U0001fad6 \U0001fae0 \u231a \u23f0 \u26c4
\u00c0\u00c8\u00cc\u00d2\u00d9 \u00e0\u00e8\u00ec\u00f2\u00f9 \u0100\u0112\u012a \u0102\u0114
\u01cd\u01cf \u01d5 \u0218\u021a \u015e\u0162 \u1e02 \u1ea0\u1ef8
\u0250\u0259\u0283 \u02b0\u02c8\u02d0 \u1d00\u1d2c \ua720 \u00aa\u00ba \u02c6\u02dc
pi\u00f1ata jalape\u00f1o fa\u00e7ade cr\u00e8me br\u00fbl\u00e9e d\u00e9j\u00e0 vu Bj\u00f6rk S\u00e3o Paulo
\u0141\u00f3d\u017a Krak\u00f3w \u017b\u00f3\u0142w Praha \u010desk\u00fd \u0159eka \u0171 \u0151
\u00cdslenska \u00de\u00f3rr \u00f0 Fr\u00e1 \u00d8resund \u00c5lesund
Ti\u1ebfng Vi\u1ec7t Nguy\u1ec5n ph\u1edf b\u00e1nh m\u00ec
voil\u00e0! \u00e0 la carte, o\u00f9? \u00c0 bient\u00f4t \u00e9t\u00e9
na \u00c2 b \u00c3 c \u00c4 \u00c5ngstr\u00f6m, 5 \u00c5 wide
100 \u20ac \u00a3 \u00a5 \u00a7 \u00b6 \u2020 \u2021 \u2030 \u2116 \u2117 \u2120
\u221a2 \u2248 \u2260 \u2264 \u2265 \u00d7 \u00f7 \u00b1 \u221e \u2211 \u220f \u222b \u2202
\u00a1hola! \u00bfqu\u00e9? \u00b7 \u2022 bullet \u2023 \u2043
pneumonoultramicroscopicsilicovolcanoconiosis
Donaudampfschifffahrtselektrizit\u00e4tenhauptbetriebswerkbauunterbeamtengesellschaft
supercalifragilisticexpialidocious antidisestablishmentarianism
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
ababababababababababababababab
thththththththth thethethethethe
xyzzy qwertyuiop zxcvbnm asdfghjkl
lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt
""".strip("\n").split("\n")
    plain = [line.encode("ascii").decode("unicode_escape") for line in lines]
    result = list(plain)
    result += ["", " ", "   ", "\t", "\n\n", "\u00a0", "\u3000\u2003", "\u001c", "\ufeff", "\u200b", "\u0000", "a", "!", "1"]
    result += ["caf\u00c3\u00a9", "na\u00c3\u00afve", "it\u00e2\u20ac\u2122s", "\u00e2\u0153\u201d No problems", "l\u2019humanit\u00c3\u00a9",
               "\u00f0\u0178\u02dc\u0080", "voil\u00c3 le travail", "\u00d0\u0178\u00d1\u20ac\u00d0\u00b8\u00d0\u00b2\u00d0\u00b5\u00d1\u201a"]
    # What only ftfy does to references, before, on and behind a line with "<".
    result += ["&EACUTE; &ldquo;x&rdquo;\na < b &EACUTE; &ldquo;x&rdquo;\n&EACUTE; &ldquo;x&rdquo; &filig;", "<p>\n\n&NTILDE;"]
    # Every white or invisible character between letters, each by itself.
    result += [f"a{chr(code)}B" for code in
               [*range(0x00, 0x21), *range(0x7F, 0xA1), 0xAD, 0x34F, 0x600, 0x1680, 0x180E, *range(0x2000, 0x2010),
                *range(0x2028, 0x2030), *range(0x205F, 0x2070), 0x3000, 0xFE0F, 0xFEFF, 0xFFF9, 0xFFFC, 0xFFFD, 0xE0001]]
    # Blocks of the plane, as words of sixteen characters.
    draw = random.Random(20240229)
    for start in [0xA0, 0x100, 0x180, 0x250, 0x300, 0x370, 0x400, 0x530, 0x590, 0x600, 0x900, 0xE00, 0x10A0, 0x1100,
                  0x1E00, 0x1F00, 0x2010, 0x2070, 0x20A0, 0x2100, 0x2150, 0x2190, 0x2460, 0x2C00, 0x3040, 0x30A0,
                  0x3130, 0x3200, 0x4E00, 0xA640, 0xAC00, 0xF900, 0xFB00, 0xFE30, 0xFF00, 0x10400, 0x1D400, 0x1F1E6,
                  0x1F300, 0x1F900]:
        # Not those that only a newer Unicode assigns: each side classes them by its own version.
        assigned = [chr(code) for code in range(start, start + 96) if unicodedata.category(chr(code)) != "Cn"]
        result.append("".join(draw.choice(assigned) for _ in range(16)))
    # Mixtures drawn from all of the above, with and without spaces.
    pool = [word for line in plain for word in line.split(" ") if word.strip()]
    result += ["".join(draw.choice(pool) + draw.choice(["", " ", "'", ", "]) for _ in range(draw.randrange(2, 9)))
               for _ in range(60)]
    words = "the of and a to in is you that it he was for on are as with his they I at be this have from".split()
    result.append(" ".join(draw.choice(words) for _ in range(400)))
    result.append("".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10_000)))
    result.append("ab" * 5_000)
    result.append("!" * 3_000)
    result.append("\u732b" * 700)
    return result


# Every kind of caption that the trainer should cope with; Chinese beside English.
CAPTION_PARTS = {
    "subjects": "cat dog woman man firefighter apple house car bicycle tree".split(),
    "looks": ["red", "green", "happy", "old", "medium skin tone", "blue"],
    "places": ["in the park", "on a table", "at night", "under the bridge", "by the sea"],
    "chinese": ["\u7ea2\u8272\u7684\u82f9\u679c", "\u5f00\u5fc3\u7684\u732b", "\u4e00\u53ea\u72d7\u5728\u516c\u56ed\u91cc", "\u6d77\u8fb9\u7684\u623f\u5b50", "\u591c\u665a\u7684\u6811"],
}


def captions() -> list[str]:
    draw = random.Random(7)
    result = []
    for _ in range(150):
        subject, look, place = (draw.choice(CAPTION_PARTS[key]) for key in ("subjects", "looks", "places"))
        result.append(draw.choice([f"{look} {subject} {place}", f"A {subject}: {look}", f"{subject}'s {subject}, {place}!"]))
        if draw.random() < 0.3:
            result.append(draw.choice(CAPTION_PARTS["chinese"]))
    return result


def write(path: Path, value, indent=None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=True, indent=indent, separators=None if indent else (",", ":")) + "\n")


def pieces(text: str) -> list[str]:
    cleaned = CLIPTokenizer().backend_tokenizer.normalizer.normalize_str(text)
    return PATTERN.findall(cleaned)


def write_vocabulary(cases: list[str]) -> list[tuple[str, str]]:
    from pydoc_data.topics import topics

    words = Counter(word for text in topics.values() for word in PATTERN.findall(text.lower()))
    # Scripts other than Latin get merges too.
    for case in cases[:140]:
        for word in PATTERN.findall(case.lower()):
            if not word.isascii():
                words[word] += 12
    merges = train(words, 514 + 2000)
    write(GOLDEN / "vocab.json", vocabulary(merges))
    (GOLDEN / "merges.txt").write_text("#version: 0.2\n" + "".join(" ".join(pair) + "\n" for pair in merges))
    return merges


def open_clip_row(peer: open_clip_tokenizer.SimpleTokenizer, text: str) -> dict:
    """The peer's ids; beside them those without ftfy's guessing, where they differ."""
    row = {"text": text, "openai": [peer.sot_token_id, *peer.encode(text), peer.eot_token_id]}
    if (cleaned := without_guessing(text)) != open_clip_tokenizer._clean_lower(text):
        peer.clean_fn = lambda _: cleaned
        plain = [peer.sot_token_id, *peer.encode(text), peer.eot_token_id]
        peer.clean_fn = open_clip_tokenizer._clean_lower
        if plain != row["openai"]:
            row["openaiWithoutGuessing"] = plain
    return row


def write_entities(merges: list[tuple[str, str]]) -> None:
    """Every name of HTML 5 as it stands and in capitals, and all numbers up to 260."""
    peer = open_clip(merges)
    names = sorted(html.entities.html5)
    references = [f"&{name}" for name in names] + sorted({f"&{name.upper()}" for name in names} - {f"&{n}" for n in names})
    references += [f"&#{number};" for number in range(260)] + [f"&#x{number:x}" for number in range(260)]
    write(GOLDEN / "entities.json", [
        open_clip_row(peer, " ".join(references[start : start + 25])) for start in range(0, len(references), 25)])


def write_strings(cases: list[str], merges: list[tuple[str, str]]) -> None:
    transformers_side, open_clip_side = hugging_face(merges), open_clip(merges)
    assert len(cases) >= 300 and len(set(cases)) == len(cases), (len(cases), Counter(cases).most_common(3))
    rows = []
    for case in cases:
        row = open_clip_row(open_clip_side, case) | {"huggingface": transformers_side(case).input_ids}
        if len(case) < 200:
            row["huggingfaceDecoded"] = transformers_side.decode(row["huggingface"], skip_special_tokens=True)
            row["openaiDecoded"] = open_clip_side.decode(
                [token for token in row["openai"] if token not in open_clip_side.all_special_ids]).strip()
        rows.append(row)
    guessed = sum("openaiWithoutGuessing" in row for row in rows)
    differing = sum(row["huggingface"] != row["openai"] for row in rows)
    print(f"{len(rows)} strings; the modes differ on {differing}; ftfy's guessing changes {guessed}")
    write(GOLDEN / "strings.json", rows)

    texts = [case for case in cases if len(case) < 200 and "openaiWithoutGuessing" not in rows[cases.index(case)]][:40]
    texts += [cases[-5]]
    batch = transformers_side(texts, padding=True, truncation=True, max_length=20)
    write(GOLDEN / "batch.json", {
        "texts": texts, "contextLength": 20, "huggingface": batch.input_ids,
        "lengths": [sum(mask) for mask in batch.attention_mask],
        # This peer pads to the full context.
        "openai": open_clip_side(texts, context_length=20).tolist(),
    })


def write_trained() -> None:
    lines = captions()
    folder = GOLDEN / "trained"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "captions.txt").write_text("".join(line + "\n" for line in lines))
    merges = train(Counter(piece for line in lines for piece in pieces(line)), 800)
    hugging_face(merges).save_pretrained(folder)
    # As Concord writes it: merges as strings, indented by two. The tests want these very bytes, and the ids below
    # come from what Transformers makes of this file.
    document = json.loads((folder / "tokenizer.json").read_text())
    document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    (folder / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "CLIPTokenizer", "bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END,
        "model_max_length": 77,
    }, indent=2) + "\n")
    loaded = AutoTokenizer.from_pretrained(folder)
    assert loaded.model_max_length == 77 and loaded.pad_token == END
    texts = sorted(set(lines)) + ["a truck that no caption has", "\u9ec4\u8272\u7684\u6c7d\u8f66", "Z\u00fcrich \U0001f600"]
    write(folder / "ids.json", [{"text": text, "ids": loaded(text).input_ids} for text in texts])


def main() -> None:
    cases = strings()
    merges = write_vocabulary(cases)
    write_strings(cases, merges)
    write_entities(merges)
    write_trained()


if __name__ == "__main__":
    main()
