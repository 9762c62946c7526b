"""What the scripts of this folder share: their options, and the timing of one training step in PyTorch."""
import argparse
import json
import math
import resource
import statistics
import time

import torch


def options(model, image, batch, sizes=None, attention=True):
    """The parser with the options that `compare` gives to every script.

    sizes: the models that --model may name; None leaves it open.
    """
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--model", default=model, choices=sizes)
    arguments.add_argument("--image", type=int, default=image)
    arguments.add_argument("--batch", type=int, default=batch)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--steps", type=int, default=3)
    if attention:
        arguments.add_argument("--attention", default="plain", choices=["plain", "sdpa"])
    return arguments


def start(arguments):
    """The parsed options, with PyTorch told its threads and seed."""
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    return given


def report(given, parameters, step, prepare=lambda: ()):
    """Times step(*prepare()), which returns the loss, and prints the median of all but the first as one JSON object.

    parameters: tensors that count as the network's. What `prepare` does is not timed.
    """
    seconds = []
    for _ in range(given.steps + 1):
        inputs = prepare()
        begun = time.perf_counter()
        loss = step(*inputs)
        seconds.append(time.perf_counter() - begun)
    median = statistics.median(seconds[1:])
    assert math.isfinite(loss.item())
    print(json.dumps({
        "images_per_second": given.batch / median, "seconds_per_step": median,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "parameters": sum(p.numel() for p in parameters)}))
