#!/usr/bin/env python3
"""Golden file for the loss scale of float16: what torch.amp.GradScaler does over scripted sequences of steps whose
gradients are finite or not.

Run with the peers' environment (`make peers`), from the repository root:
    .peers/bin/python scripts/golden/make_scaler.py
Each case NAME holds its options (`NAME.options`: initial scale, growth factor, backoff factor, growth interval); the
steps at which a gradient is not finite (`NAME.found`); the scale after step 0 and after each step that changed it
(`NAME.steps`, `NAME.scales`); the growth tracker at the end (`NAME.tracker`); and the gradients of some steps before
and after they are unscaled (`NAME.checked`, `NAME.scaled`, `NAME.unscaled`).
"""
import pathlib
import random

import torch
from safetensors.torch import save_file

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Golden/training/scaler.safetensors"
STEPS = 10_000
tensors = {}


def case(name, is_skipped, scale=65_536.0, growth=2.0, backoff=0.5, interval=2_000):
    """Runs a scaler over STEPS steps; `is_skipped(step, scale)` says whether a gradient of the step is not finite."""
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_factor=growth, backoff_factor=backoff,
                                  growth_interval=interval)
    weight = torch.nn.Parameter(torch.zeros(8))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    generator = torch.Generator().manual_seed(3)
    found, steps, scales, checked, scaled, unscaled = [], [], [], [], [], []
    for step in range(STEPS):
        scaler.scale(torch.zeros([]))  # makes the scale, the first time
        before = torch.tensor(scaler.get_scale())
        is_found = is_skipped(step, before.item())
        gradient = torch.randn(8, generator=generator) * before.clamp(max=1e30)
        weight.grad = gradient.clone()
        if is_found:
            found.append(step)
            weight.grad[step % 8] = [float("inf"), float("-inf"), float("nan")][step % 3]
        scaler.unscale_(optimizer)
        if not is_found and (step % 500 == 0 or step < 4):
            checked.append(step)
            scaled.append(gradient)
            unscaled.append(weight.grad.clone())
        scaler.step(optimizer)
        scaler.update()
        if not scales or scaler.get_scale() != scales[-1]:
            steps.append(step)
            scales.append(scaler.get_scale())
    tensors[f"{name}.options"] = torch.tensor([scale, growth, backoff, interval], dtype=torch.float64)
    tensors[f"{name}.found"] = torch.tensor(found, dtype=torch.int32)
    tensors[f"{name}.steps"] = torch.tensor(steps, dtype=torch.int32)
    tensors[f"{name}.scales"] = torch.tensor(scales, dtype=torch.float32)
    tensors[f"{name}.checked"] = torch.tensor(checked, dtype=torch.int32)
    tensors[f"{name}.scaled"] = torch.stack(scaled)
    tensors[f"{name}.unscaled"] = torch.stack(unscaled)
    tensors[f"{name}.tracker"] = torch.tensor([scaler.state_dict()["_growth_tracker"]], dtype=torch.int32)
    print(f"{name}: {len(found)} of {STEPS} steps skipped, scale {min(scales)} to {max(scales)}")


def script(seed, share, limit=float("inf"), smallest=4.0):
    """Gradients overflow where the scale is beyond a limit, as in training, and at a share of the other steps, which is
    drawn; never below a scale at which training ends."""
    source = random.Random(seed)
    return lambda step, scale: (source.random() < share and scale >= smallest) or scale > limit


# The options that training has.
case("usual", script(1, 1 / 4000, limit=2.0 ** 16))
# Steps are skipped so often that the scale moves all the time.
case("short", script(2, 0.1, limit=2.0 ** 20), interval=4)
# Factors that are no powers of two: every product and every inverse is rounded.
case("uneven", script(4, 0.1, limit=1e6), scale=1000.0, growth=1.7, backoff=0.6, interval=3)
# A scale that would become infinite stays where it is.
case("largest", script(5, 0.001), scale=2.0 ** 120, interval=1)

OUTPUT.parent.mkdir(parents=True, exist_ok=True)
save_file(tensors, OUTPUT)
