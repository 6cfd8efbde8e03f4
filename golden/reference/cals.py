"""Context-aware lip-sync (CALS, arXiv 2305.19556) in PyTorch, as a reference design.

`AudioToLip` turns the mel windows of W neighbouring video frames into a lip motion unit for each, knowing all
the others; `LipToFace` draws the masked half of a face from a unit. The face networks are those of the
audio-lip-memory system, without its memory.
"""

from dataclasses import dataclass

import torch
from torch import nn

import audio_lip_memory as base
import taem


@dataclass(frozen=True)
class Configuration:
    name: str
    base: base.Configuration
    layers: int
    heads: int
    hidden: int
    windows: int  # W, odd; the network takes any number up to its positions

    @property
    def width(self):
        return self.base.feature_width


POSITIONS = 64
PAPER = Configuration("paper", base.PAPER, layers=6, heads=8, hidden=2048, windows=27)
SMALL = Configuration("small", base.SMALL, layers=2, heads=4, hidden=160, windows=13)
CONFIGURATIONS = {c.name: c for c in (PAPER, SMALL)}
PAPER_PARAMETERS = {"audio_to_lip": 21_991_168, "lip_to_face": 38_990_387}


class Context(nn.Module):
    """`features` (B, W, width) to `lip_units` (B, W, width)."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.mask_token = nn.Parameter(torch.zeros(c.width))
        self.register_buffer("pos", taem.sinusoids(POSITIONS, c.width)[0])
        layer = nn.TransformerEncoderLayer(
            c.width, c.heads, c.hidden, activation="gelu", batch_first=True, norm_first=True)
        self.context_encoder = nn.TransformerEncoder(
            layer, c.layers, nn.LayerNorm(c.width), enable_nested_tensor=False)
        self.head = nn.Linear(c.width, c.width)

    def forward(self, features, masked=None):
        if masked is not None:
            features = torch.where(masked[..., None], self.mask_token, features)
        return self.head(self.context_encoder(features + self.pos[: features.shape[1]]))


class AudioToLip(Context):
    """`mel` (B, W, 1, 80, 16) to `lip_units` (B, W, width)."""

    def __init__(self, c: Configuration):
        super().__init__(c)
        self.phone_encoder = base.audio_encoder(c.base)

    def phones(self, windows):
        """(N, 1, 80, 16) to (N, width): what is worth keeping from one frame to the next."""
        return self.phone_encoder(windows).flatten(1)

    def forward(self, mel, masked=None):
        features = self.phones(mel.flatten(0, 1))
        return super().forward(features.reshape(mel.shape[0], mel.shape[1], -1), masked)


class LipToFace(nn.Module):
    """`unit` (N, width) and `face` (N, 6, S, S) to `frame` (N, 3, S, S)."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.face_encoder_blocks = base.face_encoder_blocks(c.base)
        self.face_decoder_blocks = base.face_decoder_blocks(c.base)
        self.output_block = base.output_block(c.base)

    def forward(self, unit, face):
        skips = []
        for block in self.face_encoder_blocks:
            face = block(face)
            skips.append(face)
        return self.decode(unit, skips)

    def decode(self, unit, skips):
        x = unit[:, :, None, None]
        for block, skip in zip(self.face_decoder_blocks, reversed(skips)):
            x = torch.cat([block(x), skip], dim=1)
        return self.output_block(x)


class ContextAwareLipSync(nn.Module):
    """Both modules in one graph: the middle unit of `mel` (B, W, 1, 80, 16) drawn on `face`."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.configuration = c
        self.audio_to_lip = AudioToLip(c)
        self.lip_to_face = LipToFace(c)

    def forward(self, mel, face):
        units = self.audio_to_lip(mel)
        return self.lip_to_face(units[:, mel.shape[1] // 2], face)


def make(size, seed=0):
    torch.backends.mha.set_fastpath_enabled(False)  # which no exporter of scripts can express
    torch.manual_seed(seed)
    network = ContextAwareLipSync(CONFIGURATIONS[size])
    if size == "paper":
        for name, count in PAPER_PARAMETERS.items():
            assert sum(p.numel() for p in getattr(network, name).parameters()) == count, name
    return network
