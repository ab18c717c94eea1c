"""transformers_features.py NAME SECONDS PASSES: what `audio-benchmark speed` does, with transformers' feature extractor, on
one thread."""

import logging
import sys
import time
import warnings

import numpy as np
import torch
from transformers import ASTFeatureExtractor, ClapFeatureExtractor, WhisperFeatureExtractor

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
torch.set_num_threads(1)
EXTRACTORS = {
    "clap": lambda: ClapFeatureExtractor(frequency_min=50, truncation="rand_trunc"),
    "clap-fused": lambda: ClapFeatureExtractor(frequency_min=50, truncation="fusion"),
    "whisper": WhisperFeatureExtractor,
    "whisper-128": lambda: WhisperFeatureExtractor(feature_size=128),
    "ast": ASTFeatureExtractor,
}

extractor = EXTRACTORS[sys.argv[1]]()
rate = extractor.sampling_rate
samples = np.random.default_rng(1).uniform(-0.5, 0.5, int(float(sys.argv[2]) * rate)).astype(np.float32)
for number in range(int(sys.argv[3]) + 1):
    start = time.perf_counter()
    extractor(samples, sampling_rate=rate, return_tensors="np")
    if number > 0:
        print(time.perf_counter() - start)
