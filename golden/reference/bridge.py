"""The associative bridge (arXiv 2204.01265) and its multi-head follow-up in PyTorch.

Silent lips look up what speech they go with: a visual feature addresses slots of
remembered audio features, and what it recalls joins it on the way to a word, or to a
mel spectrogram. Layer names are those of the published checkpoints, as far as one is
published; the network that speaks has none and follows the description of its paper.

Every network here takes `video` (B, 1, T, 112, 112) and `audio` (B, 1, 80, 4·T).
"""

from dataclasses import dataclass

import torch
from torch import nn

import audio_lip_memory
import bridge_heads
import bridge_shapes
from bridge_shapes import BANDS

IMAGE_SIZE = 112
COLUMNS_PER_FRAME = 4


@dataclass(frozen=True)
class Configuration:
    """The widths of the networks; their topology is fixed."""

    name: str
    stages: tuple[int, int, int, int]
    audio_widths: tuple[int, int]
    slots: dict[str, int]
    recurrent: int
    branch: int  # channels of one of three branches of the temporal network
    heads: int
    head_slots: int
    postnet: int
    classes: int

    @property
    def feature(self) -> int:
        return self.stages[-1]


PAPER = Configuration(
    "paper", (64, 128, 256, 512), (128, 256), {"gru": 88, "tcn": 168, "speech": 150}, 512, 256, 8, 112, 512,
    500)
SMALL = Configuration(
    "small", (8, 16, 32, 64), (16, 32), {"gru": 44, "tcn": 44, "speech": 64}, 64, 16, 4, 28, 64, 24)
TINY = Configuration("tiny", (4, 4, 8, 8), (4, 4), {"gru": 6, "tcn": 6, "speech": 6}, 6, 4, 2, 7, 8, 5)
CONFIGURATIONS = {c.name: c for c in (PAPER, SMALL, TINY)}
PAPER_PARAMETERS = {
    "visual_front": 11_186_688, "audio_front": 4_100_224, "memory": 1_140_224, "gru": 8_389_108,
    "tcn": 25_187_828, "speech": 12_552_752}


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside the input; each is normalised, and activated last."""

    def __init__(self, inputs, outputs, stride=1, activation=nn.PReLU):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = activation(outputs) if activation is nn.PReLU else activation()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = activation(outputs) if activation is nn.PReLU else activation()
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(bridge_shapes.Stages):
    def __init__(self, stages):
        super().__init__(stages, BasicBlock, lambda width: BasicBlock(width, width))
        self.avgpool = nn.AvgPool2d(3)  # of a 4×4 map: the last row and column go unread

    def forward(self, x):
        return self.avgpool(super().forward(x)).flatten(1)


def sound_block(width):
    return nn.Sequential(BasicBlock(width, width, activation=nn.ReLU))


class Memory(audio_lip_memory.Memory):
    """The audio-lip memory's slots, addressed by what is seen and taught by what is heard."""

    def source(self, visual):
        return self.address(self.q_embd(visual), self.key)

    def target(self, audio):
        return self.address(self.v_embd(audio), self.value)

    def fuse(self, visual, audio):
        return self.fusion(self.dropout(torch.cat([visual, audio], dim=1)))


class Recurrent(nn.Module):
    """(B, T, feature) to (B, classes): two bidirectional layers, the mean over time, a word."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.gru = nn.GRU(
            c.feature, c.recurrent, 2, bidirectional=True, batch_first=True, dropout=0.3)
        self.fc = nn.Linear(2 * c.recurrent, c.classes)

    def forward(self, x):
        self.gru.flatten_parameters()
        return self.fc(self.gru(x)[0].mean(1))


class Temporal(nn.Module):
    """(B, T, feature) to (B, classes): four blocks of three kernel widths, the mean, a word."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.tcn = nn.Module()
        self.tcn.mb_ms_tcn = nn.Module()
        self.tcn.mb_ms_tcn.network = nn.Sequential(
            *(bridge_heads.TemporalBlock(c.feature if k == 0 else 3 * c.branch, c.branch, 2**k)
              for k in range(4)))
        self.tcn.tcn_output = nn.Linear(3 * c.branch, c.classes)

    def forward(self, x):
        y = self.tcn.mb_ms_tcn.network(x.transpose(1, 2))
        return self.tcn.tcn_output(y.mean(2))


class SpeechHead(nn.Module):
    """(B, T, feature) to two mel spectrograms (B, 80, 4·T), the second one refined."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.gru = nn.GRU(
            c.feature, c.recurrent, 2, bidirectional=True, batch_first=True, dropout=0.3)
        self.linear = nn.Linear(2 * c.recurrent, BANDS * COLUMNS_PER_FRAME)
        widths = (BANDS, *(c.postnet,) * 4, BANDS)
        layers = []
        for k in range(5):
            layers += [nn.Conv1d(widths[k], widths[k + 1], 5, 1, 2), nn.BatchNorm1d(widths[k + 1])]
            layers += [nn.Tanh()] if k < 4 else []
        self.postnet = nn.Sequential(*layers)

    def forward(self, x):
        self.gru.flatten_parameters()
        y = self.linear(self.gru(x)[0])  # (B, T, 4·80): four columns of eighty bands
        b, t = y.shape[0], y.shape[1]
        coarse = y.reshape(b, t * COLUMNS_PER_FRAME, BANDS).transpose(1, 2)
        return coarse, coarse + self.postnet(coarse)


BACKS = {"gru": Recurrent, "tcn": Temporal, "speech": SpeechHead}


class Bridge(nn.Module):
    """Lips to a word (`back` "gru" or "tcn") or to speech ("speech") by way of the memory."""

    def __init__(self, c: Configuration, back: str):
        super().__init__()
        self.configuration, self.kind = c, back
        self.v_front = bridge_shapes.VisualFront(c.stages, ResNet, 0.3)
        self.a_front = bridge_shapes.AudioFront(c.audio_widths, c.feature, sound_block, 0.3)
        self.mem = Memory(c.feature, c.slots[back])
        self.back = BACKS[back](c)

    def associate(self, feature):
        """(B, T, feature) to what is recalled beside it, fused, and the (B·T, slots) address."""
        b, t, width = feature.shape
        rows = feature.reshape(b * t, width)
        address = self.mem.source(rows)
        fused = self.mem.fuse(rows, torch.matmul(address, self.mem.value))
        return fused.view(b, t, -1), address

    def answer(self, feature):
        fused, address = self.associate(feature)
        answer = self.back(fused)
        return (answer[1] if self.kind == "speech" else answer), address

    def forward(self, video):
        return self.answer(self.v_front(video))


class Stage(nn.Module):
    """A network from its features on: `forward` is one of its methods."""

    def __init__(self, network, forward):
        super().__init__()
        self.network, self.call = network, forward

    def forward(self, feature):
        return self.call(feature)


class AudioVisual(nn.Module):
    """The same network with the real sound in place of the recalled one."""

    def __init__(self, network: Bridge):
        super().__init__()
        self.network = network

    def forward(self, video, audio):
        visual, heard = self.network.v_front(video), self.network.a_front(audio)
        b, t, width = visual.shape
        fused = self.network.mem.fuse(visual.reshape(b * t, width), heard.reshape(b * t, width))
        return self.network.back(fused.view(b, t, -1))


class Target(nn.Module):
    """What the sound itself addresses: the other end of the bridge."""

    def __init__(self, network: Bridge):
        super().__init__()
        self.network = network

    def forward(self, audio):
        heard = self.network.a_front(audio)
        return self.network.mem.target(heard.reshape(-1, heard.shape[2]))


def count(module):
    return sum(p.numel() for p in module.parameters())


def make(size, kind, seed=0):
    """A network with seeded weights, in training mode; `kind`: gru, tcn, heads or speech."""
    torch.manual_seed(seed)
    c = CONFIGURATIONS[size]
    if kind == "heads":
        return bridge_heads.MultiHeadBridge(c)
    network = Bridge(c, kind)
    if size == "paper":
        assert count(network.v_front) == PAPER_PARAMETERS["visual_front"]
        assert count(network.a_front) == PAPER_PARAMETERS["audio_front"]
        assert count(network.back) == PAPER_PARAMETERS[kind]
        if kind == "gru":
            assert count(network.mem) == PAPER_PARAMETERS["memory"]
    return network
