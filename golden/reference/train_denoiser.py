"""Trains the denoiser on photographs: a first stage with synthetic noise, then meta-transfer.

    python golden/reference/train_denoiser.py --size small --photographs PHOTOGRAPHS.npz
        --output FOLDER [--seconds 400]

writes FOLDER/denoiser-SIZE.pt and .log. The first stage alternates the network's own step
with a step of the mask through a virtual update of the network. The second one takes a step
of both heads on the masked auxiliary loss of each picture, and learns from what comes after
it. That inner step has the size of what test-time adaptation does in all: each tensor's
gradient is divided by its root mean square, as Adam's first steps are.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch.func import functional_call
from torch.nn import functional as F

import camera_noise
import denoiser

CROP = 64  # the published crops of 128 ask for more time
INNER_STEP = 1.5e-3
ADAPTATION_RATES = (1e-5, 1e-4, 3e-4, 6e-4)
ADAPTATION_STEPS = 5
HEADS = ("primary_head", "auxiliary_head")


class Photographs:
    def __init__(self, path, device):
        with np.load(path) as archive:
            every = {k: torch.from_numpy(archive[k]).permute(2, 0, 1).float().to(device) / 255
                     for k in archive.files}
        self.held_out = {k[9:]: v for k, v in every.items() if k.startswith("held_out_")}
        self.training = [v for k, v in every.items() if not k.startswith("held_out_")]
        smaller = [F.interpolate(v[None], scale_factor=0.5, mode="area")[0] for v in self.training
                   if min(v.shape[1:]) >= 2 * CROP]
        self.training += smaller
        self.device = device

    def crops(self, count, size, random):
        result = []
        for _ in range(count):
            photograph = self.training[random.integers(len(self.training))]
            top = random.integers(photograph.shape[1] - size + 1)
            left = random.integers(photograph.shape[2] - size + 1)
            crop = photograph[:, top : top + size, left : left + size]
            crop = torch.rot90(crop, int(random.integers(4)), (1, 2))
            if random.random() < 0.5:
                crop = crop.flip(2)
            gain = torch.tensor(random.uniform(0.7, 1.15, (3, 1, 1)), device=self.device, dtype=torch.float32)
            result.append((crop * gain).clamp(0, 1))
        return torch.stack(result)


def auxiliary(noisy, again, mask):
    return ((noisy - again).abs() * mask).mean()


def edges(x):
    return (x[..., :, 1:] - x[..., :, :-1]).abs().mean(1), (x[..., 1:, :] - x[..., :-1, :]).abs().mean(1)


def first_stage_step(restoration, mask, noisy, clean, optimisers, teach_mask):
    estimate, again = restoration(noisy)
    loss = (estimate - clean).abs().mean()
    extra = auxiliary(noisy, again, mask(noisy).detach())
    optimisers[0].zero_grad(set_to_none=True)
    (loss + extra).backward()
    torch.nn.utils.clip_grad_norm_(restoration.parameters(), 1.0)
    optimisers[0].step()
    if teach_mask:
        rate = optimisers[0].param_groups[0]["lr"]
        parameters = dict(restoration.named_parameters())
        weights = mask(noisy)
        estimate, again = restoration(noisy)
        virtual_loss = (estimate - clean).abs().mean() + auxiliary(noisy, again, weights)
        gradients = torch.autograd.grad(virtual_loss, list(parameters.values()), create_graph=True)
        moved = {n: p - rate * g for (n, p), g in zip(parameters.items(), gradients)}
        after, _ = functional_call(restoration, moved, (noisy,))
        like = sum((a - b).abs().mean() for a, b in zip(edges(weights), edges(noisy)))
        optimisers[1].zero_grad(set_to_none=True)
        ((after - clean).abs().mean() + 0.01 * like).backward(inputs=list(mask.parameters()))
        optimisers[1].step()
    return float(loss.detach()), float(extra.detach())


def second_stage_step(restoration, mask, noisy, clean, optimisers, hard):
    """Each picture adapts the heads by itself; the loss is of what they say afterwards."""
    named = [(n, p) for n, p in restoration.named_parameters() if n.startswith(HEADS)]
    features = restoration.body(noisy)
    weights = mask(noisy)
    if hard:
        weights = (weights > 0.5).float() + weights - weights.detach()
    total, before_total = 0, 0
    for k in range(len(noisy)):
        x, f, w = noisy[k : k + 1], features[k : k + 1], weights[k : k + 1]
        before, again = restoration.heads(f, x)
        loss = 10 * auxiliary(x, again, w)
        gradients = torch.autograd.grad(loss, [p for _, p in named], create_graph=True)
        moved = {n: p - INNER_STEP * g / (g.square().mean().sqrt() + 1e-8)
                 for (n, p), g in zip(named, gradients)}
        after, _ = functional_call(Heads(restoration), {f"network.{n}": p for n, p in moved.items()}, (f, x))
        total = total + (after - clean[k : k + 1]).abs().mean()
        before_total = before_total + (before.detach() - clean[k : k + 1]).abs().mean()
    for optimiser in optimisers:
        optimiser.zero_grad(set_to_none=True)
    (10 * total).backward()
    for module, optimiser in zip((restoration, mask), optimisers):
        torch.nn.utils.clip_grad_norm_(module.parameters(), 5.0)
        optimiser.step()
    return float(total.detach()) / len(noisy), float(before_total) / len(noisy)


class Heads(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, features, noisy):
        return self.network.heads(features, noisy)


def adapted(restoration, mask, noisy, rate, everything=False, hard=True):
    """Test-time adaptation as published: the answer of the last forward, after four updates."""
    copy = denoiser.RestorationNet(restoration.configuration).to(noisy.device)
    copy.load_state_dict(restoration.state_dict())
    frozen = not everything
    trained = []
    for name, parameter in copy.named_parameters():
        parameter.requires_grad_(not frozen)
        if not frozen:
            trained.append(parameter)
        if frozen and "head" in name:
            frozen = False  # the first tensor of the heads stays, too
    optimiser = torch.optim.Adam(trained, lr=rate)
    weights = mask(noisy).detach()
    if hard:
        weights = (weights > 0.5).float()
    for _ in range(ADAPTATION_STEPS):
        estimate, again = copy(noisy)
        loss = auxiliary(noisy, again, weights)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return estimate.detach().clamp(0, 1)


def psnr(a, b):
    return float(-10 * torch.log10((a - b).square().mean()))


def ssim(a, b):
    """Of luma-free RGB, with the Gaussian of 11 points and deviation 1.5, range 1."""
    at = torch.arange(11, device=a.device) - 5.0
    g = torch.exp(-(at**2) / 4.5)
    g = g / g.sum()
    window = (g[:, None] * g).expand(3, 1, 11, 11)

    def blur(x):
        return F.conv2d(x, window, groups=3)

    ma, mb = blur(a), blur(b)
    va, vb, vab = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    return float((((2 * ma * mb + c1) * (2 * vab + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean())


def measure(restoration, mask, photographs, adaptation=False):
    """Held-out photographs at three levels of noise, and what adaptation adds to each."""
    lines, sums = [], {}
    for name, clean in photographs.held_out.items():
        for level, shot in (("low", 1e-3), ("middle", 4e-3), ("high", 1.2e-2)):
            generator = torch.Generator(clean.device).manual_seed(5)
            levels = (torch.tensor([shot], device=clean.device), torch.tensor([shot * 0.03], device=clean.device))
            target = clean[None]
            noisy = camera_noise.camera(target, *levels, generator)
            with torch.no_grad():
                estimate = restoration(noisy)[0].clamp(0, 1)
                share = float((mask(noisy) > 0.5).float().mean())
            row = {"noisy": psnr(noisy, target), "clean": psnr(estimate, target)}
            if adaptation:
                for rate in ADAPTATION_RATES:
                    row[f"heads {rate:g}"] = psnr(adapted(restoration, mask, noisy, rate), target)
                    row[f"all {rate:g}"] = psnr(
                        adapted(restoration, mask, noisy, rate, True, False), target)
            for key, value in row.items():
                sums.setdefault(key, []).append(value)
            numbers = "  ".join(f"{k} {v:.3f}" for k, v in row.items())
            lines.append(f"{name} {level}: {numbers} dB  SSIM {ssim(noisy, target):.4f} to "
                         f"{ssim(estimate, target):.4f}  mask {share:.3f}")
    lines.append("mean: " + "  ".join(f"{k} {np.mean(v):.3f}" for k, v in sums.items()) + " dB")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=denoiser.CONFIGURATIONS, required=True)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=400)
    parser.add_argument("--steps", type=int, help="so many in all, whatever the time")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--meta-batch", type=int, default=4)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    label = f"denoiser-{arguments.size}"
    log = (arguments.output / f"{label}.log").open("w")

    def say(line):
        print(f"{label}: {line}", flush=True)
        print(line, file=log, flush=True)

    torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = False
    started = time.monotonic()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    photographs = Photographs(arguments.photographs, device)
    random = np.random.default_rng(1)
    generator = torch.Generator(device).manual_seed(1)
    restoration, mask = (m.to(device) for m in denoiser.make(arguments.size, seed=1))
    optimisers = [torch.optim.Adam(m.parameters(), lr=1e-3) for m in (restoration, mask)]
    say(f"{sum(p.numel() for p in restoration.parameters())} + {sum(p.numel() for p in mask.parameters())} "
        f"parameters on {device}, {len(photographs.training)} photographs")
    step, sums, count, stage, measured = 0, [0.0, 0.0], 0, 1, time.monotonic()
    while True:
        share = (time.monotonic() - started) / arguments.seconds
        if arguments.steps:
            share = step / arguments.steps
        if share >= 1:
            break
        if stage == 1 and share >= 0.75:
            stage = 2
            say(f"second stage after {step} steps")
            for line in measure(restoration, mask, photographs):
                say("  " + line)
        peak, low, high = (2e-3, 0.0, 0.75) if stage == 1 else (3e-4, 0.75, 1.0)
        within = (share - low) / (high - low)
        rate = peak * (0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * within))) * min(1, step / 100 + 0.01)
        for optimiser in optimisers:
            optimiser.param_groups[0]["lr"] = rate
        size = arguments.batch if stage == 1 else arguments.meta_batch
        clean = photographs.crops(size, CROP, random)
        if stage == 1 and step % 3 != 2:
            noisy = camera_noise.synthetic(clean, generator)
        else:
            noisy = camera_noise.camera(clean, *camera_noise.camera_levels(size, generator, device), generator)
        if stage == 1:
            values = first_stage_step(restoration, mask, noisy, clean, optimisers, step % 8 == 0)
        else:
            values = second_stage_step(restoration, mask, noisy, clean, optimisers, step % 2 == 0)
        step, count = step + 1, count + 1
        sums = [a + b for a, b in zip(sums, values)]
        if step % 100 == 0:
            names = ("L1", "auxiliary") if stage == 1 else ("after", "before")
            say(f"step {step:5} {time.monotonic() - started:4.0f} s  "
                + "  ".join(f"{n} {v / count:.5f}" for n, v in zip(names, sums)))
            sums, count = [0.0, 0.0], 0
            if time.monotonic() - measured > 240:
                say("  " + measure(restoration, mask, photographs)[-1])
                measured = time.monotonic()
                save(restoration, mask, arguments, label)
    say(f"{step} steps in {time.monotonic() - started:.0f} s")
    save(restoration, mask, arguments, label)
    for line in measure(restoration, mask, photographs, adaptation=not arguments.steps or arguments.steps > 20):
        say(line)


def save(restoration, mask, arguments, label):
    torch.save({k: {n: v.detach().cpu().contiguous() for n, v in m.state_dict().items()}
                for k, m in (("restoration_net_state_dict", restoration), ("mask_net_state_dict", mask))},
               arguments.output / f"{label}.pt")


if __name__ == "__main__":
    main()
