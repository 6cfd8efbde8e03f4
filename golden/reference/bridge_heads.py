"""The multi-head bridge: several addresses a memory, and memories between temporal blocks."""

import torch
from torch import nn
from torch.nn import functional as F

import bridge_shapes
from audio_lip_memory import RADIUS

PAPER_PARAMETERS = {
    "visual_front": 15_388_800, "audio_front": 4_102_528, "memory": 2_740_736, "tcn": 38_136_308}


class Branch(nn.Module):
    """A dilated convolution over time that keeps the length: padded twice, cut by half."""

    def __init__(self, inputs, outputs, kernel, dilation):
        super().__init__()
        padding = (kernel - 1) * dilation
        self.conv = nn.Conv1d(inputs, outputs, kernel, 1, padding, dilation)
        self.batchnorm = nn.BatchNorm1d(outputs)
        self.cut = padding // 2
        self.non_lin = nn.PReLU(outputs)

    def forward(self, x):
        y = self.batchnorm(self.conv(x))
        return self.non_lin(y[:, :, self.cut : -self.cut])


class TemporalBlock(nn.Module):
    """Two stages of kernels 3, 5 and 7 side by side, and the input through a 1×1 convolution."""

    def __init__(self, inputs, branch, dilation):
        super().__init__()
        for stage, width in enumerate((inputs, 3 * branch)):
            for k, kernel in enumerate((3, 5, 7)):
                setattr(self, f"cbcr{stage}_{k}", Branch(width, branch, kernel, dilation))
        self.dropout = nn.Dropout(0.2)
        self.downsample = nn.Conv1d(inputs, 3 * branch, 1)
        self.relu_final = nn.PReLU(3 * branch)

    def forward(self, x):
        y = x
        for stage in range(2):
            y = torch.cat([getattr(self, f"cbcr{stage}_{k}")(y) for k in range(3)], dim=1)
            y = self.dropout(y)
        return self.relu_final(y + self.downsample(x))


class ImprovedBlock(nn.Module):
    """Normalised first: BN, convolution, BN, PReLU, convolution, BN, beside the input."""

    def __init__(self, inputs, outputs, stride, project):
        super().__init__()
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs), nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs), nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut_layer = None
        if project:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return self.res_layer(x) + (x if self.shortcut_layer is None else self.shortcut_layer(x))


def plain_block(width):
    return ImprovedBlock(width, width, 1, False)


class ImprovedResNet(bridge_shapes.Stages):
    def __init__(self, stages):
        super().__init__(
            stages, lambda inputs, outputs, stride: ImprovedBlock(inputs, outputs, stride, True), plain_block)
        last = stages[-1]
        self.out_layer = nn.Sequential(
            nn.BatchNorm2d(last), nn.Dropout(0.4), nn.Flatten(),
            nn.Linear(last * 16, last), nn.LayerNorm(last))

    def forward(self, x):
        return self.out_layer(super().forward(x))


class MultiHeadMemory(nn.Module):
    """Each head has its own keys; all of them read the same values."""

    def __init__(self, dim, value_width, heads, slots, between=False, radius=RADIUS):
        super().__init__()
        self.heads, self.slots, self.radius = heads, slots, radius
        self.key = nn.Parameter(torch.empty(heads * slots, value_width // heads))
        self.value = nn.Parameter(torch.empty(slots, value_width))
        nn.init.normal_(self.key, 0, 0.5)
        nn.init.normal_(self.value, 0, 0.5)
        self.q_embd = nn.Linear(dim, value_width)
        self.v_embd = nn.Linear(value_width, value_width)
        self.linear = nn.Linear(heads * value_width, dim)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))
        self.v_up = nn.Linear(value_width, dim) if between else None

    def forward(self, rows):
        """(N, dim) to (N, dim) and the (N, heads, slots) address."""
        n = rows.shape[0]
        query = F.normalize(self.q_embd(rows).view(n, self.heads, -1), dim=2)
        key = F.normalize(self.key.view(self.heads, self.slots, -1), dim=2)
        address = F.softmax(self.radius * torch.einsum("bhd,hsd->bhs", query, key), dim=2)
        read = torch.matmul(address.view(n * self.heads, -1), self.value)
        recalled = self.norm1(self.linear(read.view(n, -1)))
        return self.norm2(rows + recalled), address

    def target(self, audio):
        """The (N, slots) address of a heard feature, and what it reads back."""
        embedded = F.normalize(self.v_embd(audio), dim=1)
        address = F.softmax(self.radius * F.linear(embedded, F.normalize(self.value, dim=1)), dim=1)
        return address, torch.matmul(address, self.value)


class TemporalWithMemories(nn.Module):
    """The temporal network with a memory after each block but the last."""

    def __init__(self, c):
        super().__init__()
        width = 3 * c.branch
        self.mb_ms_tcn = nn.Module()
        for k in range(4):
            setattr(self.mb_ms_tcn, f"layer{k + 1}",
                    TemporalBlock(c.feature if k == 0 else width, c.branch, 2**k))
            if k < 3:
                setattr(self.mb_ms_tcn, f"mem{k + 1}", MultiHeadMemory(
                    width, c.feature, c.heads, c.head_slots, between=True))
        self.tcn_output = nn.Linear(width, c.classes)

    def forward(self, x):
        y = x.transpose(1, 2)
        addresses = []
        for k in range(1, 5):
            y = getattr(self.mb_ms_tcn, f"layer{k}")(y)
            if k < 4:
                b, c, t = y.shape
                rows = y.transpose(1, 2).reshape(b * t, c)
                read, address = getattr(self.mb_ms_tcn, f"mem{k}")(rows)
                addresses.append(address)
                y = read.view(b, t, c).transpose(1, 2)
        return self.tcn_output(y.mean(2)), addresses


class Back(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.tcn = TemporalWithMemories(c)

    def forward(self, x):
        return self.tcn(x)


class MultiHeadBridge(nn.Module):
    kind = "heads"

    def __init__(self, c):
        super().__init__()
        self.configuration = c
        self.v_front = bridge_shapes.VisualFront(c.stages, ImprovedResNet)
        self.a_front = bridge_shapes.AudioFront(
            c.audio_widths, c.feature, plain_block, 0.4, (nn.BatchNorm2d, nn.LayerNorm))
        self.mem = MultiHeadMemory(c.feature, c.feature, c.heads, c.head_slots)
        self.back = Back(c)
        if c.name == "paper":
            for name, module in (("visual_front", self.v_front), ("audio_front", self.a_front),
                                 ("memory", self.mem), ("tcn", self.back)):
                assert sum(p.numel() for p in module.parameters()) == PAPER_PARAMETERS[name], name

    def answer(self, feature):
        b, t, width = feature.shape
        rows, address = self.mem(feature.reshape(b * t, width))
        logits, _ = self.back(rows.view(b, t, width))
        return logits, address

    def forward(self, video):
        return self.answer(self.v_front(video))
