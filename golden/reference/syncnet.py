"""The lip-sync critic (SyncNet for colour, as Wav2Lip and SyncTalkFace train with) in PyTorch.

Two towers end in features of norm one; their cosine says how well 200 ms of speech and five frames
of the lower half of a face go together.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from audio_lip_memory import ConvolutionBlock, halving, residuals


@dataclass(frozen=True)
class Configuration:
    name: str
    image_size: int
    audio_widths: tuple[int, ...]
    face_widths: tuple[int, ...]
    deep_size: int  # of the last map: its kernel
    deep_residuals: int

    @property
    def feature_width(self):
        return self.audio_widths[-1]


AUDIO, FACE = (32, 64, 128, 256, 512), (32, 64, 128, 256, 512, 512)
PAPER_96 = Configuration("paper-96", 96, AUDIO, FACE, 3, 0)
PAPER_128 = Configuration("paper-128", 128, AUDIO, FACE, 4, 2)
SMALL = Configuration("small", 64, (8, 16, 24, 48, 80), (16, 24, 32, 48, 64, 80), 2, 0)
CONFIGURATIONS = {c.name: c for c in (PAPER_96, PAPER_128, SMALL)}
PAPER_PARAMETERS = {"paper-96": 16_435_072, "paper-128": 22_991_744}
FRAMES = 5


class SyncNet(nn.Module):
    """`audio` (N, 1, 80, 16) and `face` (N, 15, S/2, S) in [0, 1] to two features of norm one."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.configuration = c
        a, b, d, e, f = c.audio_widths
        self.audio_encoder = nn.Sequential(
            ConvolutionBlock(1, a, 3, 1, 1), *residuals(a, 2),
            ConvolutionBlock(a, b, 3, (3, 1), 1), *residuals(b, 2),
            ConvolutionBlock(b, d, 3, 3, 1), *residuals(d, 2),
            ConvolutionBlock(d, e, 3, (3, 2), 1), *residuals(e, 2),
            ConvolutionBlock(e, f, 3), ConvolutionBlock(f, f, 1))
        w = c.face_widths
        self.face_encoder = nn.Sequential(
            ConvolutionBlock(3 * FRAMES, w[0], 7, 1, 3),
            ConvolutionBlock(w[0], w[1], 5, (1, 2), 1), *residuals(w[1], 2),
            halving(w[1], w[2]), *residuals(w[2], 3),
            halving(w[2], w[3]), *residuals(w[3], 2),
            halving(w[3], w[4]), *residuals(w[4], 2),
            halving(w[4], w[5]), *residuals(w[5], c.deep_residuals),
            ConvolutionBlock(w[5], w[5], c.deep_size), ConvolutionBlock(w[5], w[5], 1))

    def forward(self, audio, face):
        heard = self.audio_encoder(audio).flatten(1)
        seen = self.face_encoder(face).flatten(1)
        return F.normalize(heard, dim=1), F.normalize(seen, dim=1)


def face_input(frames):
    """Five frames (N, 5, 3, S, S) in [-1, 1] to the stacked lower halves in [0, 1]."""
    lower = frames[..., frames.shape[-2] // 2 :, :]
    return ((lower + 1) / 2).flatten(1, 2)


def make(size, seed=0):
    torch.manual_seed(seed)
    network = SyncNet(CONFIGURATIONS[size])
    if size in PAPER_PARAMETERS:
        assert sum(p.numel() for p in network.parameters()) == PAPER_PARAMETERS[size]
    return network
