#!/usr/bin/env python3
"""Full-size models of sounds in Concord and in transformers: equal embeddings of sound files, and time of a sound.

Usage: .peers/bin/python Benchmarks/Checkpoints/sounds.py [--folder .build/checkpoints] [--rounds 3] [--only parity|speed]
Makes the model folders first (1.8 GB, random weights in the published sizes of CLAP, Whisper tiny and AST). Fails when an
embedding differs by more than 2e-6, or a tensor by a bit after conversion. Sounds are at most 10 seconds long: of longer
ones transformers takes a part at random.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import wave

import numpy

from peers import stand_in_for_torchvision

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCORD = ROOT / os.environ.get("CONCORD", ".build/release/concord")
MODELS = ("clap-htsat-unfused", "clap-htsat-fused", "whisper-tiny", "ast")
# Without 1 and 3, which are special tokens.
WORDS = ["5 42 4207", "900", "20 22 24 25 26 27 28", "77 40000 6"]


def make(folder):
    """Model folders of the published sizes with random weights, and a tokenizer whose words are numbers."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    torch.manual_seed(1)
    vocabulary = {str(index): index for index in range(50265)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="3", max_input_chars_per_word=100))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="0 $A 2", special_tokens=[("0", 0), ("2", 2)])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="1", unk_token="3")
    for name in MODELS:
        if (folder / name / "preprocessor_config.json").exists():
            continue
        print("making", name, flush=True)
        if name.startswith("clap"):
            fused = name.endswith("-fused")
            model = transformers.ClapModel(transformers.ClapConfig(audio_config=dict(enable_fusion=fused)))
            extractor = transformers.ClapFeatureExtractor(
                truncation="fusion" if fused else "rand_trunc", frequency_min=50)
            tokenizer.save_pretrained(folder / name)
        elif name == "ast":
            model = transformers.ASTModel(transformers.ASTConfig())
            extractor = transformers.ASTFeatureExtractor()
        else:
            model = transformers.WhisperModel(transformers.WhisperConfig())
            extractor = transformers.WhisperFeatureExtractor()
        with torch.no_grad():
            for parameter in model.parameters():
                # Norms and statistics that start as ones and zeros would hide what is done with them.
                if parameter.ndim == 1:
                    parameter.add_(torch.randn_like(parameter) * 0.05)
            for key, buffer in model.named_buffers():
                if key.endswith("running_mean"):
                    buffer.copy_(torch.randn_like(buffer) - 40)
                if key.endswith("running_var"):
                    buffer.copy_(torch.rand_like(buffer) * 200 + 300)
        model.save_pretrained(folder / name)
        extractor.save_pretrained(folder / name)


def sounds(folder, rate, count=4):
    """Chirps with noise and silence, of four durations in turn, as WAV files of 16 bits."""
    generator, paths = numpy.random.default_rng(2), []
    for index in range(count):
        seconds = (0.4, 2.7, 6.1, 10.0)[index % 4]
        t = numpy.arange(int(seconds * rate)) / rate
        samples = 0.4 * numpy.sin(2 * numpy.pi * (200 + 150 * index + 300 * t) * t)
        samples += 0.02 * generator.standard_normal(len(t))
        samples[len(t) // 3:len(t) // 2] = 0
        paths.append(str(folder / f"{rate}-{index}.wav"))
        with wave.open(paths[-1], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes((samples * 32767).astype("<i2").tobytes())
    return paths


def samples(path):
    with wave.open(path) as file:
        return numpy.frombuffer(file.readframes(file.getnframes()), "<i2").astype(numpy.float32) / 32768


class Peer:
    """A folder's model in transformers."""

    def __init__(self, folder, name):
        import torch
        import transformers
        torch.set_num_threads(2)
        self.torch, self.name = torch, name
        self.extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
        self.model = transformers.AutoModel.from_pretrained(folder).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder) if name.startswith("clap") else None

    def features(self, paths):
        rate = self.extractor.sampling_rate
        clips = [samples(path) for path in paths]
        found = self.extractor(clips, sampling_rate=rate, return_tensors="pt")
        return found, [len(clip) for clip in clips]

    def vectors(self, found, counts):
        torch = self.torch
        with torch.no_grad():
            if self.name.startswith("clap"):
                # Where no sound is longer, transformers says that one is, at random.
                longer = torch.zeros(len(counts), 1, dtype=torch.bool)
                result = self.model.get_audio_features(found["input_features"].float(), is_longer=longer).pooler_output
            elif self.name == "ast":
                result = self.model(found["input_values"]).pooler_output
            else:
                tokens = self.model.encoder(found["input_features"]).last_hidden_state
                frames = torch.tensor([-(-count // self.extractor.hop_length) for count in counts])
                mask = (torch.arange(tokens.shape[1]) * 2 < frames[:, None]).float()[..., None]
                result = (tokens * mask).sum(1) / mask.sum(1)
            return torch.nn.functional.normalize(result, dim=-1).numpy()

    def texts(self):
        with self.torch.no_grad():
            ids = self.tokenizer(WORDS, padding=True, return_tensors="pt")
            return self.model.get_text_features(
                ids["input_ids"], attention_mask=ids["attention_mask"]).pooler_output.numpy()


def run(*command):
    environment = dict(os.environ, OMP_NUM_THREADS="2", HF_HUB_OFFLINE="1")
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{result.stderr[-3000:]}")
    return result.stdout


def parity(models, temporary):
    print("largest differences from transformers, 4 sounds of 0.4 to 10 s, and 4 texts:")
    for name in MODELS:
        peer = Peer(models / name, name)
        paths = sounds(temporary, peer.extractor.sampling_rate)
        differences = {}
        for kind, given, expected in (("audio", paths, lambda: peer.vectors(*peer.features(paths))),
                                      ("text", WORDS, lambda: peer.texts())):
            if kind == "text" and peer.tokenizer is None:
                continue
            run(CONCORD, "embed", "--model", models / name, f"--{kind}", *given, "--output", temporary / "own.npy")
            differences[kind] = float(abs(numpy.load(temporary / "own.npy") - expected()).max())
        line = "  ".join(f"{kind} {value:.1e}" for kind, value in differences.items())
        if max(differences.values()) > 2e-6:
            sys.exit(f"{name}: {line}: more than 2e-06")
        if name.startswith("clap"):
            run(CONCORD, "convert", "--model", models / name, "--to", "huggingface", "--output", temporary / name)
            before, after = ((folder / name / "model.safetensors").read_bytes() for folder in (models, temporary))
            if before != after:
                sys.exit(f"{name}: conversion changed the weights")
            line += "  converted: same bits"
        print(f"  {name:<20} {line}", flush=True)


def speed(models, rounds, temporary):
    """Time of a sound: Concord's is the difference between embedding 36 and 4 of them, so that starting and loading cancel
    out."""
    print(f"\nembedding sound files of 0.4 to 10 s, median of {rounds}, 2 threads, batches of 8, milliseconds a sound:")
    for name in MODELS:
        peer = Peer(models / name, name)
        paths = sounds(temporary, peer.extractor.sampling_rate, 36)
        own, theirs, features = [], [], []
        for _ in range(rounds):
            start, in_features = time.perf_counter(), 0
            for first in range(4, 36, 8):
                begin = time.perf_counter()
                found, counts = peer.features(paths[first:first + 8])
                in_features += time.perf_counter() - begin
                peer.vectors(found, counts)
            theirs.append((time.perf_counter() - start) / 32 * 1000)
            features.append(in_features / 32 * 1000)
            seconds = []
            for count in (4, 36):
                start = time.perf_counter()
                run(CONCORD, "embed", "--model", models / name, "--audio", *paths[:count], "--output",
                    temporary / "own.npy", "--force")
                seconds.append(time.perf_counter() - start)
            own.append((seconds[1] - seconds[0]) / 32 * 1000)
        ours, peers = statistics.median(own), statistics.median(theirs)
        print(f"  {name:<20} transformers {peers:>7.1f}, of it {statistics.median(features):.1f} for features  Concord "
              f"{ours:>7.1f}  {peers / ours:.2f}×", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / ".build/checkpoints")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("parity", "speed"))
    arguments = parser.parse_args()
    models = arguments.folder.resolve()
    models.mkdir(parents=True, exist_ok=True)
    library = stand_in_for_torchvision()
    make(models)
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.only != "speed":
            parity(models, pathlib.Path(temporary))
        if arguments.only != "parity":
            speed(models, arguments.rounds, pathlib.Path(temporary))
