"""What the bridges of one head and of several have in common: how frames and sound become features."""

from torch import nn

BANDS = 80


def frontend(width):
    return nn.Sequential(
        nn.Conv3d(1, width, (5, 7, 7), (1, 2, 2), (2, 3, 3), bias=False), nn.BatchNorm3d(width),
        nn.PReLU(width), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)))


def frame_by_frame(x):
    """(B, C, T, H, W) to (B·T, C, H, W)."""
    b, c, t, h, w = x.shape
    return x.transpose(1, 2).reshape(b * t, c, h, w)


class Stages(nn.Module):
    """`layer1` to `layer4`: two blocks each, of which the first halves all but the first stage.

    `enter` makes a block of inputs, outputs and stride, `stay` one of a width.
    """

    def __init__(self, widths, enter, stay):
        super().__init__()
        previous = widths[0]
        for k, width in enumerate(widths):
            setattr(self, f"layer{k + 1}", nn.Sequential(
                enter(previous, width, 1 if k == 0 else 2), stay(width)))
            previous = width

    def forward(self, x):
        for k in range(1, 5):
            x = getattr(self, f"layer{k}")(x)
        return x


class VisualFront(nn.Module):
    """(B, 1, T, 112, 112) to (B, T, feature). `resnet` makes what sees a frame, of these widths."""

    def __init__(self, widths, resnet, dropout=None):
        super().__init__()
        self.frontend = frontend(widths[0])
        self.resnet = resnet(widths)
        self.dropout = nn.Identity() if dropout is None else nn.Dropout(dropout)

    def forward(self, video):
        b, t = video.shape[0], video.shape[2]
        y = self.resnet(frame_by_frame(self.frontend(video)))
        return self.dropout(y).view(b, t, -1)


class AudioFront(nn.Module):
    """(B, 1, 80, 4·T) to (B, T, feature). `block` makes the block, `norms` what follows it and what ends all."""

    def __init__(self, widths, feature, block, dropout, norms=(None, None)):
        super().__init__()
        a, b = widths
        self.frontend = nn.Sequential(
            nn.Conv2d(1, a, 3, 2, 1), nn.BatchNorm2d(a), nn.PReLU(a),
            nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.PReLU(b))
        self.Res_block = block(b)
        self.norm = norms[0](b) if norms[0] else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.Linear = nn.Linear(b * BANDS // 4, feature)
        self.out_norm = norms[1](feature) if norms[1] else nn.Identity()

    def forward(self, audio):
        y = self.norm(self.Res_block(self.frontend(audio)))  # (B, C, 20, T)
        b, c, f, t = y.shape
        y = y.permute(0, 3, 1, 2).reshape(b, t, c * f)
        return self.out_norm(self.Linear(self.dropout(y)))
