"""The audio-lip-memory talking face (SyncTalkFace, arXiv 2211.00924) in PyTorch.

A window of speech looks up what lips did with it: an audio feature addresses 96 slots
of remembered lip features, and the read-out together with the feature itself tells a
U-shaped decoder what to draw in the masked lower half of a face.

Layer names are those of the published checkpoints, so a state dict of theirs would
load. `AudioLipMemory` is all a converted model needs; `lip_encoder` and `mem.v_embd`
are for training only, and an export leaves them out because nothing reads them.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

SLOTS = 96
RADIUS = 16.0  # scales the cosine before the softmax


@dataclass(frozen=True)
class Configuration:
    """The widths of the network; its topology is fixed."""

    name: str
    image_size: int  # faces are square; five halvings must leave `image_size / 32` ≥ 2
    face_widths: tuple[int, ...]  # seven, of the face encoder's blocks
    audio_widths: tuple[int, ...]  # five
    lip_widths: tuple[int, ...]  # five
    decoder_widths: tuple[int, ...]  # seven, of the decoder's blocks
    output_width: int

    @property
    def feature_width(self) -> int:
        return self.audio_widths[-1]

    @property
    def deep_size(self) -> int:
        return self.image_size // 32


PAPER = Configuration(
    name="paper",
    image_size=128,
    face_widths=(16, 32, 64, 128, 256, 512, 512),
    audio_widths=(32, 64, 128, 256, 512),
    lip_widths=(64, 64, 128, 256, 512),
    decoder_widths=(512, 512, 512, 384, 256, 128, 64),
    output_width=32,
)
SMALL = Configuration(
    name="small",
    image_size=64,
    face_widths=(8, 16, 24, 32, 48, 56, 80),
    audio_widths=(8, 16, 24, 48, 80),
    lip_widths=(8, 16, 24, 48, 80),
    decoder_widths=(80, 56, 56, 48, 32, 24, 16),
    output_width=16,
)
CONFIGURATIONS = {c.name: c for c in (PAPER, SMALL)}
PAPER_INFERENCE_PARAMETERS = 42_688_819


class ConvolutionBlock(nn.Module):
    """Convolution, batch normalisation, the input again if `residual`, ReLU."""

    def __init__(self, inputs, outputs, kernel, stride=1, padding=0, residual=False):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.BatchNorm2d(outputs))
        self.residual = residual

    def forward(self, x):
        y = self.conv_block(x)
        return F.relu(y + x if self.residual else y)


class UpsamplingBlock(nn.Module):
    """Transposed convolution, batch normalisation, ReLU."""

    def __init__(self, inputs, outputs, kernel, stride=1, padding=0, output_padding=0):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, output_padding),
            nn.BatchNorm2d(outputs))

    def forward(self, x):
        return F.relu(self.conv_block(x))


def residuals(width, count):
    return [ConvolutionBlock(width, width, 3, 1, 1, residual=True) for _ in range(count)]


def halving(inputs, outputs):
    return ConvolutionBlock(inputs, outputs, 3, 2, 1)


def audio_encoder(c: Configuration) -> nn.Sequential:
    """(N, 1, 80, 16) to (N, feature, 1, 1)."""
    a, b, d, e, f = c.audio_widths
    return nn.Sequential(
        ConvolutionBlock(1, a, 3, 1, 1), *residuals(a, 2),
        ConvolutionBlock(a, b, 3, (3, 1), 1), *residuals(b, 2),
        ConvolutionBlock(b, d, 3, 3, 1), *residuals(d, 2),
        ConvolutionBlock(d, e, 3, (3, 2), 1), *residuals(e, 1),
        ConvolutionBlock(e, f, 3), ConvolutionBlock(f, f, 1))


def face_encoder_blocks(c: Configuration) -> nn.ModuleList:
    """(N, 6, S, S) to seven maps, each half the last; every one is a skip connection."""
    w = c.face_widths
    return nn.ModuleList([
        nn.Sequential(ConvolutionBlock(6, w[0], 7, 1, 3)),
        nn.Sequential(halving(w[0], w[1]), *residuals(w[1], 2)),
        nn.Sequential(halving(w[1], w[2]), *residuals(w[2], 3)),
        nn.Sequential(halving(w[2], w[3]), *residuals(w[3], 2)),
        nn.Sequential(halving(w[3], w[4]), *residuals(w[4], 2)),
        nn.Sequential(halving(w[4], w[5]), *residuals(w[5], 1)),
        nn.Sequential(ConvolutionBlock(w[5], w[6], c.deep_size), ConvolutionBlock(w[6], w[6], 1)),
    ])


class Squeeze(nn.Module):
    """Drops the time axis that the first convolution has shrunk to one."""

    def forward(self, x):
        return x.squeeze(2)


def lip_encoder(c: Configuration) -> nn.Sequential:
    """(N, 3, 5, S, S), five frames with the upper half zeroed, to (N, feature, 1, 1)."""
    a, b, d, e, f = c.lip_widths
    return nn.Sequential(
        nn.Conv3d(3, a, (5, 7, 7), 2, (0, 3, 3)), Squeeze(),
        halving(a, b), *residuals(b, 3),
        halving(b, d), *residuals(d, 2),
        halving(d, e), *residuals(e, 2),
        halving(e, f), *residuals(f, 1),
        ConvolutionBlock(f, f, c.deep_size), ConvolutionBlock(f, f, 1))


def face_decoder_blocks(c: Configuration) -> nn.ModuleList:
    """The skips of `face_encoder_blocks`, deepest first, are concatenated after each block."""
    d, skips = c.decoder_widths, c.face_widths[::-1]

    def doubling(block, residual_count):
        outputs = d[block]
        return nn.Sequential(
            UpsamplingBlock(d[block - 1] + skips[block - 1], outputs, 3, 2, 1, 1),
            *residuals(outputs, residual_count))

    return nn.ModuleList([
        nn.Sequential(ConvolutionBlock(c.feature_width, d[0], 1)),
        nn.Sequential(UpsamplingBlock(d[0] + skips[0], d[1], c.deep_size), *residuals(d[1], 1)),
        *(doubling(block, 2) for block in range(2, 7)),
    ])


def output_block(c: Configuration) -> nn.Sequential:
    return nn.Sequential(
        ConvolutionBlock(c.decoder_widths[-1] + c.face_widths[0], c.output_width, 3, 1, 1),
        nn.Conv2d(c.output_width, 3, 1),
        nn.Tanh())


class Memory(nn.Module):
    """Slots addressed by the cosine between an embedded query and each slot's key."""

    def __init__(self, width, slots=SLOTS, radius=RADIUS):
        super().__init__()
        self.key = nn.Parameter(torch.empty(slots, width))
        self.value = nn.Parameter(torch.empty(slots, width))
        nn.init.normal_(self.key, 0, 0.5)
        nn.init.normal_(self.value, 0, 0.5)
        self.q_embd = nn.Linear(width, width)
        self.v_embd = nn.Linear(width, width)
        self.fusion = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(0.5)
        self.radius = radius

    def address(self, query, slots):
        cosine = F.linear(F.normalize(query, dim=1), F.normalize(slots, dim=1))
        return F.softmax(self.radius * cosine, dim=1)

    def recall(self, feature, address):
        """The fused feature: what was heard beside what the addressed slots remember."""
        recalled = torch.matmul(address, self.value)
        return self.fusion(self.dropout(torch.cat([feature, recalled], dim=1)))

    def forward(self, audio):
        """(N, feature, 1, 1) to the fused feature of that shape, and the (N, slots) address."""
        feature = audio.squeeze(3).squeeze(2)
        address = self.address(self.q_embd(feature), self.key)
        return self.recall(feature, address).unsqueeze(2).unsqueeze(3), address


class AudioLipMemory(nn.Module):
    def __init__(self, configuration: Configuration):
        super().__init__()
        self.configuration = configuration
        self.face_encoder_blocks = face_encoder_blocks(configuration)
        self.audio_encoder = audio_encoder(configuration)
        self.lip_encoder = lip_encoder(configuration)
        self.mem = Memory(configuration.feature_width)
        self.face_decoder_blocks = face_decoder_blocks(configuration)
        self.output_block = output_block(configuration)

    def encode_faces(self, faces):
        skips = []
        for block in self.face_encoder_blocks:
            faces = block(faces)
            skips.append(faces)
        return skips

    def decode(self, fused, skips):
        x = fused
        for block, skip in zip(self.face_decoder_blocks, reversed(skips)):
            x = torch.cat([block(x), skip], dim=1)
        return self.output_block(x)

    def forward(self, audio, faces):
        """`audio` (N, 1, 80, 16) and `faces` (N, 6, S, S) to `frames` (N, 3, S, S) and `address`."""
        fused, address = self.mem(self.audio_encoder(audio))
        return self.decode(fused, self.encode_faces(faces)), address


def inference_parameter_count(network: AudioLipMemory) -> int:
    """Parameters without those that only training reads."""
    training = ("lip_encoder.", "mem.v_embd.")
    return sum(p.numel() for n, p in network.named_parameters() if not n.startswith(training))


def make(size: Literal["paper", "small"], seed: int = 0) -> AudioLipMemory:
    """A network with seeded weights, in training mode."""
    torch.manual_seed(seed)
    network = AudioLipMemory(CONFIGURATIONS[size])
    if size == "paper":
        assert inference_parameter_count(network) == PAPER_INFERENCE_PARAMETERS
    return network
