"""Noise as a camera's: it grows with the light, and demosaicing has smeared it.

Pictures are (N, 3, H, W) in [0, 1], red first, with the gamma of a screen.
"""

import torch
from torch.nn import functional as F

GAMMA = 2.2
KERNELS = ([[0.25, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 0.25]],
           [[0.0, 0.25, 0.0], [0.25, 1.0, 0.25], [0.0, 0.25, 0.0]],
           [[0.25, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 0.25]])


def mosaic(height, width, device):
    """(3, H, W): which colour each site of the sensor sees; red, green / green, blue."""
    y = torch.arange(height, device=device)[:, None] % 2
    x = torch.arange(width, device=device)[None] % 2
    return torch.stack([(y == 0) & (x == 0), y != x, (y == 1) & (x == 1)]).float()


def camera(clean, shot, read, generator):
    """Photon noise of variance `shot` · light and read noise of variance `read`, each (N,)."""
    light = clean.clamp(0, 1) ** GAMMA
    sites = mosaic(*clean.shape[2:], clean.device)
    random = torch.randn(clean.shape, generator=generator, device=clean.device)
    deviation = torch.sqrt(light * shot.view(-1, 1, 1, 1) + read.view(-1, 1, 1, 1))
    kernels = torch.tensor(KERNELS, device=clean.device)[:, None]
    smeared = F.conv2d(random * deviation * sites, kernels, padding=1, groups=3)
    return (light + smeared).clamp(0, 1) ** (1 / GAMMA)


def camera_levels(count, generator, device, low=5e-4, high=1.2e-2):
    def logarithmic(a, b):
        share = torch.rand(count, generator=generator, device=device)
        return a * (b / a) ** share

    shot = logarithmic(low, high)
    return shot, shot * logarithmic(0.01, 0.1)


def synthetic(clean, generator):
    """Gaussian, speckle and salt-and-pepper in random order, as for the first stage."""
    count, device = len(clean), clean.device

    def uniform(low, high):
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator, device=device)

    def normal():
        return torch.randn(clean.shape, generator=generator, device=device)

    noisy = clean
    for kind in torch.randperm(3, generator=generator, device=device).tolist():
        if kind == 0:
            noisy = noisy + uniform(5, 50) / 255 * normal()
        elif kind == 1:
            noisy = noisy + noisy * uniform(5, 50) / 255 * normal()
        else:
            chance = torch.rand(count, 1, *clean.shape[2:], generator=generator, device=device)
            amount, salt = uniform(0, 0.01), uniform(0.3, 0.8)
            noisy = torch.where(chance < amount * salt, 1.0, noisy)
            noisy = torch.where((chance >= amount * salt) & (chance < amount), 0.0, noisy)
    return noisy.clamp(0, 1)
