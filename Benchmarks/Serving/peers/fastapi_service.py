#!/usr/bin/env python3
"""A model behind HTTP as the usual tutorial does it: FastAPI, ONNX Runtime, Pillow. The other side of compare.py.

Usage: .peers/bin/python Benchmarks/Serving/peers/fastapi_service.py --model ARTIFACTS [--port 8081] [--tokens 20]
It loads the graphs and tokenizer.json of an artifact folder that `concord export` writes, and answers POST /embed,
POST /embed_text, POST /generate_caption and GET /health.

What makes it the usual service, and is meant to stay so: sessions with default options; `async` handlers that call
`session.run` themselves, which holds the event loop until the model is done; one request, one run, batch 1; Pillow for
pictures; captions by running the decoder over the whole prefix again for each token; one worker. It is not made slower
than that: a text is as long as its tokens, not padded to 77, and JSON is what FastAPI makes of a list of numbers.
"""
import argparse
import io
import json
import pathlib

import numpy
import onnxruntime
import uvicorn
from fastapi import FastAPI, File, UploadFile
from PIL import Image
from pydantic import BaseModel
from tokenizers import Tokenizer

MEAN = numpy.array([0.48145466, 0.4578275, 0.40821073], numpy.float32)
DEVIATION = numpy.array([0.26862954, 0.26130258, 0.27577711], numpy.float32)
CONTEXT = 77

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--model", type=pathlib.Path, required=True)
parser.add_argument("--port", type=int, default=8081)
parser.add_argument("--tokens", type=int, default=20, help="new tokens of a caption")
arguments = parser.parse_args()


graphs = json.loads((arguments.model / "artifact.json").read_text())["graphs"]


def session(role):
    return onnxruntime.InferenceSession(str(arguments.model / graphs[role])) if role in graphs else None


image_session, text_session, caption_session = session("image"), session("text"), session("caption_prefill")
tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
# transformers writes the padding and cutting of its last use into the file.
tokenizer.no_padding()
tokenizer.no_truncation()
START, END = tokenizer.encode("").ids[0], tokenizer.encode("").ids[-1]
size = image_session.get_inputs()[0].shape[2]
SIZE = size if isinstance(size, int) else 224

app = FastAPI()


class TextRequest(BaseModel):
    text: str


def preprocess(data: bytes) -> numpy.ndarray:
    """[1, 3, size, size]: the shorter side to `size` by Pillow's bicubic, the middle, CLIP's mean and deviation."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = image.size
    shorter = min(width, height)
    image = image.resize((int(SIZE * width / shorter), int(SIZE * height / shorter)), Image.Resampling.BICUBIC)
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    image = image.crop((left, top, left + SIZE, top + SIZE))
    pixels = (numpy.asarray(image, numpy.float32) / 255 - MEAN) / DEVIATION
    return pixels.transpose(2, 0, 1)[None]


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.post("/embed")
async def embed(file: UploadFile = File(...)):
    pixels = preprocess(await file.read())
    embeddings = image_session.run(["embeddings"], {"pixels": pixels})[0]
    return {"embedding": embeddings[0].tolist()}


@app.post("/embed_text")
async def embed_text(request: TextRequest):
    ids = tokenizer.encode(request.text).ids[:CONTEXT]
    inputs = {"ids": numpy.array([ids], numpy.int64), "lengths": numpy.array([len(ids)], numpy.int64)}
    names = {value.name for value in text_session.get_inputs()}
    embeddings = text_session.run(["embeddings"], {name: inputs[name] for name in names})[0]
    return {"embedding": embeddings[0].tolist()}


@app.post("/generate_caption")
async def generate_caption(image: UploadFile = File(...)):
    pixels = preprocess(await image.read())
    tokens = image_session.run(["tokens"], {"pixels": pixels})[0]
    ids = [START]
    for _ in range(arguments.tokens):
        inputs = {"tokens": tokens, "ids": numpy.array([ids], numpy.int64)}
        logits = caption_session.run(["logits"], inputs)[0]
        token = int(logits[0].argmax())
        if token == END:
            break
        ids.append(token)
    return {"caption": tokenizer.decode(ids).replace("</w>", " ").strip()}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="warning")
