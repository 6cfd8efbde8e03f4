"""Wav2Lip in PyTorch: the talking face that the others descend from, at 96 pixels.

Blocks as in the audio-lip-memory network, without the memory; colours are in [0, 1].
"""

import dataclasses

import torch
from torch import nn

import audio_lip_memory as base

PAPER = dataclasses.replace(base.PAPER, image_size=96)
SMALL = dataclasses.replace(base.SMALL, image_size=64)
CONFIGURATIONS = {c.name: c for c in (PAPER, SMALL)}
PAPER_PARAMETERS = 36_298_035


class Wav2Lip(nn.Module):
    """`audio` (N, 1, 80, 16) and `faces` (N, 6, S, S) in [0, 1] to `frames` (N, 3, S, S)."""

    def __init__(self, c: base.Configuration):
        super().__init__()
        self.configuration = c
        self.face_encoder_blocks = base.face_encoder_blocks(c)
        self.audio_encoder = base.audio_encoder(c)
        self.face_decoder_blocks = base.face_decoder_blocks(c)
        self.output_block = nn.Sequential(*list(base.output_block(c))[:2], nn.Sigmoid())

    def from_latent(self, latent, faces):
        """`latent` (N, feature) in place of what the audio encoder makes."""
        skips = []
        for block in self.face_encoder_blocks:
            faces = block(faces)
            skips.append(faces)
        x = latent[:, :, None, None]
        for block, skip in zip(self.face_decoder_blocks, reversed(skips)):
            x = torch.cat([block(x), skip], dim=1)
        return self.output_block(x)

    def forward(self, audio, faces):
        return self.from_latent(self.audio_encoder(audio).flatten(1), faces)


def make(size, seed=0):
    torch.manual_seed(seed)
    network = Wav2Lip(CONFIGURATIONS[size])
    if size == "paper":
        assert sum(p.numel() for p in network.parameters()) == PAPER_PARAMETERS
    return network
