"""How long PyTorch takes on one thread for what inference.rs does: python inference.py (torch from PyPI)."""

import time

import torch

SERIES, RUNS = 10_000, 9


def main():
    torch.set_num_threads(1)
    lstm, head = torch.nn.LSTM(2, 64, 2), torch.nn.Linear(64, 15)
    x = torch.randn(10, SERIES, 2)

    def run(chunk):
        start = time.process_time()
        for part in x.split(chunk, dim=1):
            head(lstm(part)[0][-1])
        return time.process_time() - start

    with torch.inference_mode():
        for chunk in (SERIES, 1_000, 256):
            print(f"{SERIES} series, {chunk} at once: {1e3 * min(run(chunk) for _ in range(RUNS)):.1f} ms")


if __name__ == "__main__":
    main()
