"""The text-to-audio-embedding module (TAEM, arXiv 2306.16003) in PyTorch, as a reference design.

Phones and a speaker, whose voice is read off one picture of a face, become the features that
the audio encoder of a talking-face network would have made of that speaker's speech. Between the two graphs,
`PhoneEncoder` and `Refine`, the caller repeats each phone for as many video frames as it lasts.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Configuration:
    name: str
    vocabulary: int
    width: int
    heads: int
    hidden: int  # of the convolutions in a block
    layers: int
    encoder_positions: int
    refine_positions: int
    speaker_width: int
    feature_width: int  # of the talking-face network's audio features
    face_size: int
    face_widths: tuple[int, int, int, int]


PAPER = Configuration(
    name="paper", vocabulary=90, width=256, heads=2, hidden=1024, layers=4,
    encoder_positions=512, refine_positions=1024, speaker_width=256, feature_width=512,
    face_size=112, face_widths=(64, 128, 256, 512))
SMALL = Configuration(
    name="small", vocabulary=90, width=64, heads=2, hidden=192, layers=2,
    encoder_positions=192, refine_positions=512, speaker_width=32, feature_width=80,
    face_size=56, face_widths=(8, 16, 32, 48))
CONFIGURATIONS = {c.name: c for c in (PAPER, SMALL)}
PAPER_PARAMETERS = {"encoder": 12_031_489, "refine": 11_679_232, "speaker": 11_307_840}


def sinusoids(positions, width):
    """(1, positions, width): sines in even places, cosines in odd ones."""
    angle = torch.arange(positions)[:, None] / 10_000 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(1, positions, width)


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.w_qs, self.w_ks, self.w_vs, self.fc = (nn.Linear(width, width) for _ in range(4))
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, x, absent=None):
        batch, length, width = x.shape

        def split(projection):
            parts = projection(x).view(batch, length, self.heads, width // self.heads)
            return parts.transpose(1, 2)

        q, k, v = split(self.w_qs), split(self.w_ks), split(self.w_vs)
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.heads)
        if absent is not None:
            scores = scores.masked_fill(absent[:, None, None], -1e9)
        read = (F.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(batch, length, width)
        return self.layer_norm(self.fc(read) + x)


class Block(nn.Module):
    """Attention, then two convolutions over time; each with its input added and normalised."""

    def __init__(self, c, dropout):
        super().__init__()
        self.slf_attn = SelfAttention(c.width, c.heads)
        self.w_1 = nn.Conv1d(c.width, c.hidden, 9, padding=4)
        self.w_2 = nn.Conv1d(c.hidden, c.width, 1)
        self.layer_norm = nn.LayerNorm(c.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, absent=None):
        x = self.slf_attn(x, absent)
        if absent is not None:
            x = x.masked_fill(absent[..., None], 0)
        y = self.w_2(F.relu(self.w_1(x.transpose(1, 2)))).transpose(1, 2)
        x = self.layer_norm(self.dropout(y) + x)
        return x if absent is None else x.masked_fill(absent[..., None], 0)


class Blocks(nn.Module):
    def __init__(self, c, positions, dropout=0.1):
        super().__init__()
        self.layers = nn.ModuleList(Block(c, dropout) for _ in range(c.layers))
        self.register_buffer("position", sinusoids(positions, c.width), persistent=False)

    def forward(self, x, absent=None):
        x = x + self.position[:, : x.shape[1]]
        for layer in self.layers:
            x = layer(x, absent)
        return x


class Duration(nn.Module):
    """The logarithm of one more than the video frames that each phone lasts."""

    def __init__(self, width, dropout=0.5):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv1d(width, width, 3, padding=1) for _ in range(2))
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.linear = nn.Linear(width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        for convolution, norm in ((self.conv1, self.ln1), (self.conv2, self.ln2)):
            x = self.dropout(norm(F.relu(convolution(x.transpose(1, 2))).transpose(1, 2)))
        return self.linear(x).squeeze(2)


class PhoneEncoder(nn.Module):
    """`phone_ids` (B, L) and `spk` (B, speaker) to `hidden` (B, L, width) and `log_dur` (B, L)."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.phone_emb = nn.Embedding(c.vocabulary, c.width)
        self.encoder = Blocks(c, c.encoder_positions)
        self.spk_proj = nn.Linear(c.speaker_width, c.width)
        self.duration = Duration(c.width)

    def forward(self, phone_ids, spk, absent=None):
        hidden = self.encoder(self.phone_emb(phone_ids), absent)
        hidden = hidden + self.spk_proj(spk).unsqueeze(1)
        return hidden, self.duration(hidden)


class Refine(nn.Module):
    """`expanded` (B, T, width), each phone repeated for its frames, to `f_aud` (B, T, feature)."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.refine = Blocks(c, c.refine_positions)
        self.proj = nn.Linear(c.width, c.feature_width)

    def forward(self, expanded, absent=None):
        return self.proj(self.refine(expanded, absent))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class SpeakerEncoder(nn.Module):
    """`face_image` (B, 3, S, S), red, green, blue in [-1, 1], to `spk` of norm one: a ResNet-18."""

    def __init__(self, c: Configuration):
        super().__init__()
        w = c.face_widths
        self.conv1 = nn.Conv2d(3, w[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(w[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for k in range(4):
            block = nn.Sequential(Residual(w[max(k - 1, 0)], w[k], 1 if k == 0 else 2),
                                  Residual(w[k], w[k], 1))
            setattr(self, f"layer{k + 1}", block)
        self.fc = nn.Linear(w[3], c.speaker_width)

    def forward(self, face_image):
        x = self.maxpool(F.relu(self.bn1(self.conv1(face_image))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return F.normalize(self.fc(x.mean((2, 3))), dim=1)


def cumulative_frames(log_durations, speed=1.0):
    """Whole frames of each phone of one utterance, without drift; halves go to the even number."""
    ends = torch.round(torch.cumsum(torch.clamp(torch.exp(log_durations) - 1, min=0) * speed, 0))
    return torch.diff(ends, prepend=ends.new_zeros(1)).long()


def make(size, seed=0):
    """The three networks with seeded weights, in training mode, by part name."""
    c = CONFIGURATIONS[size]
    torch.manual_seed(seed)
    parts = {"encoder": PhoneEncoder(c), "refine": Refine(c), "speaker": SpeakerEncoder(c)}
    if size == "paper":
        for name, part in parts.items():
            assert sum(p.numel() for p in part.parameters()) == PAPER_PARAMETERS[name], name
    return parts
