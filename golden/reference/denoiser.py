"""The denoiser with test-time adaptation (arXiv 2207.02066) in PyTorch.

`RestorationNet` estimates a clean picture and, from that, the noisy one it was given;
`MaskNet` says where the second estimate should count. There are no biases and no
normalisation. Layer names are those of the published code.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Configuration:
    name: str
    base: int
    step: int  # width that each halving adds

    @property
    def widths(self):
        return tuple(self.base + k * self.step for k in range(3))


PAPER, SMALL = Configuration("paper", 32, 16), Configuration("small", 8, 4)
CONFIGURATIONS = {c.name: c for c in (PAPER, SMALL)}
PAPER_PARAMETERS = {"restoration": 603_360, "mask": 56_449}


def convolution(inputs, outputs, kernel=3):
    return nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=False)


class Block(nn.Module):
    """Two convolutions beside the input; nothing after the sum."""

    def __init__(self, width, activation=None):
        super().__init__()
        self.model = nn.Sequential(
            convolution(width, width), activation or nn.ReLU(), convolution(width, width))

    def forward(self, x):
        return x + self.model(x)


def blocks(width):
    return nn.Sequential(Block(width), Block(width))


class Down(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = convolution(inputs, outputs, 1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False))


class Up(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = convolution(inputs, outputs, 1)

    def forward(self, x, skip):
        x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
        return self.conv(x) + skip


class Encoder(nn.Module):
    def __init__(self, widths):
        super().__init__()
        a, b, c = widths
        self.encoder_l1, self.encoder_l2, self.encoder_l3 = blocks(a), blocks(b), blocks(c)
        self.down12, self.down23 = Down(a, b), Down(b, c)

    def forward(self, x):
        first = self.encoder_l1(x)
        second = self.encoder_l2(self.down12(first))
        return first, second, self.encoder_l3(self.down23(second))


class Decoder(nn.Module):
    def __init__(self, widths):
        super().__init__()
        a, b, c = widths
        self.decoder_l3, self.decoder_l2, self.decoder_l1 = blocks(c), blocks(b), blocks(a)
        self.up32, self.up21 = Up(c, b), Up(b, a)

    def forward(self, maps):
        first, second, third = maps
        y = self.decoder_l2(self.up32(self.decoder_l3(third), second))
        return self.decoder_l1(self.up21(y, first))


class RestorationNet(nn.Module):
    def __init__(self, c: Configuration):
        super().__init__()
        self.configuration = c
        self.shallow_fe = nn.Sequential(convolution(3, c.base))
        self.encoder = Encoder(c.widths)
        self.decoder = Decoder(c.widths)
        self.primary_head = nn.Sequential(
            Block(c.base), Block(c.base), convolution(c.base, 3))
        self.auxiliary_head = nn.Sequential(
            convolution(6, c.base), Block(c.base), convolution(c.base, 3))

    def body(self, noisy):
        return self.decoder(self.encoder(self.shallow_fe(noisy)))

    def heads(self, features, noisy):
        residual = self.primary_head(features)
        clean = noisy + residual
        return clean, self.auxiliary_head(torch.cat([clean, residual], dim=1))

    def forward(self, noisy):
        return self.heads(self.body(noisy), noisy)


class MaskNet(nn.Module):
    def __init__(self, c: Configuration):
        super().__init__()
        self.configuration = c
        slope = nn.PReLU()  # one number for the three blocks
        self.mask_net = nn.Sequential(
            convolution(3, c.base), *(Block(c.base, slope) for _ in range(3)),
            convolution(c.base, 1), nn.Sigmoid())

    def forward(self, noisy):
        return self.mask_net(noisy)


class Body(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, noisy):
        return self.network.body(noisy)


class PrimaryHead(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, features, noisy):
        residual = self.network.primary_head(features)
        return noisy + residual, residual


class AuxiliaryHead(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, clean, residual):
        return self.network.auxiliary_head(torch.cat([clean, residual], dim=1))


def make(size, seed=0):
    """Both networks with seeded weights."""
    torch.manual_seed(seed)
    c = CONFIGURATIONS[size]
    restoration, mask = RestorationNet(c), MaskNet(c)
    if size == "paper":
        assert sum(p.numel() for p in restoration.parameters()) == PAPER_PARAMETERS["restoration"]
        assert sum(p.numel() for p in mask.parameters()) == PAPER_PARAMETERS["mask"]
        assert len(list(restoration.parameters())) == 38
    return restoration, mask
