"""How long PyTorch takes on one thread for what inference.rs does, beside it in the same run.

    python inference.py PROGRAM

PROGRAM is the example `inference`. `make referees ONLY=forecaster` builds it, installs PyTorch and calls this. Both print
the best of several runs in CPU seconds of one thread; they take turns, so that a busy machine is busy for both.
"""

import re
import subprocess
import sys
import time

import torch

SERIES, RUNS, TURNS = 10_000, 9, 3
CHUNKS = (SERIES, 1_000, 256)


def gantry(program):
    said = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return float(re.fullmatch(rf"{SERIES} series: ([0-9.]+) ms\n", said)[1])


def pytorch(lstm, head, x, chunk):
    start = time.process_time()
    for part in x.split(chunk, dim=1):
        head(lstm(part)[0][-1])
    return 1e3 * (time.process_time() - start)


def main():
    torch.set_num_threads(1)
    lstm, head = torch.nn.LSTM(2, 64, 2), torch.nn.Linear(64, 15)
    x = torch.randn(10, SERIES, 2)
    ours, theirs = [], {chunk: [] for chunk in CHUNKS}
    with torch.inference_mode():
        for _ in range(TURNS):
            ours.append(gantry(sys.argv[1]))
            for chunk in CHUNKS:
                theirs[chunk].append(min(pytorch(lstm, head, x, chunk) for _ in range(RUNS)))
    print(f"{SERIES} series, ms: gantry {min(ours):.1f}")
    for chunk in CHUNKS:
        print(f"PyTorch {torch.__version__}, {chunk} at once: {min(theirs[chunk]):.1f}, ratio {min(ours) / min(theirs[chunk]):.2f}")


if __name__ == "__main__":
    main()
