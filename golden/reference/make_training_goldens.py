"""Writes golden/gradients/training.npz: a small network of two layers that PyTorch's optimisers fine-tune.

    python golden/reference/make_training_goldens.py
"""

import pathlib

import numpy as np
import torch

FILE = pathlib.Path(__file__).resolve().parents[1] / "gradients" / "training.npz"
STEPS = 20
OPTIMISERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam-decay": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "sgd-momentum": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, dampening=0.1, weight_decay=0.05),
    "sgd-nesterov": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True),
}


def main():
    torch.set_num_threads(1)
    random = np.random.default_rng(7)
    arrays = {
        "x": random.standard_normal((16, 6)), "target": random.standard_normal((16, 3)),
        "w1": 0.4 * random.standard_normal((8, 6)), "b1": 0.1 * random.standard_normal(8),
        "w2": 0.4 * random.standard_normal((3, 8)), "b2": 0.1 * random.standard_normal(3),
    }
    arrays = {key: value.astype(np.float32) for key, value in arrays.items()}
    names = ["w1", "b1", "w2", "b2"]
    out = dict(arrays)
    for key, make in OPTIMISERS.items():
        parameters = [torch.tensor(arrays[name], requires_grad=True) for name in names]
        x, target = torch.tensor(arrays["x"]), torch.tensor(arrays["target"])
        optimiser = make(parameters)
        losses = []
        for _ in range(STEPS):
            w1, b1, w2, b2 = parameters
            y = torch.relu(x @ w1.T + b1) @ w2.T + b2
            loss = ((y - target) ** 2).sum() / target.numel()
            losses.append(loss.item())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        out[f"{key}.loss"] = np.array(losses, np.float32)
        for name, value in zip(names, parameters):
            out[f"{key}.{name}"] = value.detach().numpy()
    np.savez(FILE, **out)


if __name__ == "__main__":
    main()
