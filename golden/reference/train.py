"""Trains the small audio-lip-memory network on drawn speaking faces, with one thread.

    python golden/reference/train.py --output FOLDER [--steps N] [--continue] [--forget P]

writes FOLDER/checkpoint.pt for export.py and make_goldens.py, and appends what it
measures to FOLDER/train-log.txt. Losses are the published ones without the critics:
10 · L1 of the image from the audio address and of that from the lip address, 0.2 · (store
+ align). The L1 counts the mouth more. Speech is that of `weights.TRAINING_SPEECH`.

Left alone, the network finds that fusion passes it the audio feature anyway and lets the
memory be. So it is trained twice: first without more ado, then `--continue`d with a fresh
memory while a share `--forget` of the examples is fused with no audio feature at all, and
only what the memory recalls can tell them what to draw.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import audio_lip_memory
import drawn_faces
import mel
import mouths
import weights

BATCH = 16
RATE = 1.5e-3
MOUTH_EMPHASIS = 6.0
FRAME_COLUMNS = 3.2
NEIGHBOURS = (-2, -1, 0, 1, 2)
DROPOUT = 0.1  # the published half drowns a feature of 80


class Speech:
    """Windows of the training speech at any column, with those of the frames around."""

    def __init__(self, names):
        self.mels = []
        for name in names:
            samples = mel.read_speech(weights.MEDIA / "speech" / f"{name}.wav")
            self.mels.append(torch.from_numpy(mel.mel_spectrogram(samples)))
        self.lengths = torch.tensor([float(m.shape[1]) for m in self.mels])

    def windows(self, count, generator):
        """(count, 5, 1, 80, 16); the middle one is the frame's own."""
        chosen = torch.multinomial(self.lengths, count, replacement=True, generator=generator)
        loudness = 0.5 * torch.randn(count, generator=generator)
        silent = torch.rand(count, generator=generator) < 0.04
        result = []
        for k in range(count):
            spectrogram = self.mels[int(chosen[k])]
            last = spectrogram.shape[1] - mel.COLUMNS
            start = int(torch.randint(last + 1, (1,), generator=generator))
            starts = [min(max(start + int(n * FRAME_COLUMNS), 0), last) for n in NEIGHBOURS]
            windows = torch.stack([spectrogram[None, :, s : s + mel.COLUMNS] for s in starts])
            windows = (windows + loudness[k]).clamp(mel.SILENCE, -mel.SILENCE)
            if silent[k]:
                noise = 0.3 * torch.rand(windows.shape, generator=generator)
                windows = mel.SILENCE + noise * torch.rand(1, generator=generator)
            result.append(windows)
        return torch.stack(result)


def lower_half(frames):
    masked = frames.clone()
    masked[..., : frames.shape[-2] // 2, :] = 0
    return masked


def network_faces(target, reference):
    masked = target.clone()
    masked[:, :, target.shape[-2] // 2 :] = 0
    return torch.cat([masked, reference], dim=1)


def batch(speech, textures, size, generator):
    windows = speech.windows(BATCH, generator)
    shapes = drawn_faces.mouth_shape(windows)
    look = drawn_faces.random_look(BATCH, generator)
    still = drawn_faces.random_look(BATCH, generator, still=True)
    pick = torch.rand(BATCH, generator=generator) < 0.3
    look = mouths.chosen(pick, still, look)
    moments = [mouths.render(look, shapes[:, k], textures, size)
               for k in range(len(NEIGHBOURS))]
    target = moments[len(NEIGHBOURS) // 2]
    nudged = mouths.nudged(look, generator)
    same = torch.rand(BATCH, generator=generator) < 0.6
    elsewhere = mouths.chosen(same, look, nudged)
    natural = torch.rand(BATCH, generator=generator) < 0.6
    others = shapes[torch.randperm(BATCH, generator=generator), 0]
    reference = mouths.render(elsewhere, others, textures, size, natural)
    return {
        "audio": windows[:, len(NEIGHBOURS) // 2],
        "faces": network_faces(target, reference).to(memory_format=torch.channels_last),
        "lips": lower_half(torch.stack(moments, dim=2)),
        "target": target,
        "weight": 1 + MOUTH_EMPHASIS * mouths.mouth_weight(look, size),
    }


def refresh(memory):
    """Empties the slots and their embeddings; fusion keeps what it does with the feature."""
    width = memory.key.shape[1]
    fresh = type(memory)(width)
    state = fresh.state_dict()
    state["fusion.weight"][:, :width] = memory.fusion.weight.detach()[:, :width]
    state["fusion.bias"] = memory.fusion.bias.detach()
    memory.load_state_dict(state)


def losses(network, b, remembered):
    """`remembered` is 0 for an example that is fused without its audio feature, else 1."""
    memory = network.mem
    feature = network.audio_encoder(b["audio"]).flatten(1)
    address = memory.address(memory.q_embd(feature), memory.key)
    kept = feature * remembered
    fused = memory.recall(kept, address)[:, :, None, None]
    skips = network.encode_faces(b["faces"])
    from_audio = network.decode(fused, skips)

    embedded = memory.v_embd(network.lip_encoder(b["lips"]).flatten(1))
    lip_address = memory.address(embedded, memory.value)
    recalled = torch.matmul(lip_address, memory.value)
    taught = memory.recall(kept, lip_address)[:, :, None, None]
    from_lips = network.decode(taught, skips)

    def image_loss(frames):
        return ((frames - b["target"]).abs() * b["weight"]).sum() / b["weight"].sum() / 3

    return {
        "audio": image_loss(from_audio),
        "lips": image_loss(from_lips),
        "store": F.mse_loss(recalled, embedded.detach()),
        "align": F.kl_div(torch.log(address + 1e-13), lip_address.detach(),
                          reduction="batchmean"),
    }


@torch.no_grad()
def held_out(network, textures, size):
    """L1 in [-1, 1] over the mouth of the photographed face, per held-out recording.

    Each beside that of the best mouth that never moves: the per-pixel median of the
    recording's own frames. Then how well the darkness of the mouth follows, how much the
    mouth changes if the address stands still at its mean, and how many slots come first.
    """
    network.eval()
    generator = torch.Generator().manual_seed(0)
    rows = []
    for name in weights.HELD_OUT_SPEECH:
        windows = torch.from_numpy(weights.speech_windows(name))
        count = len(windows)
        shapes = drawn_faces.mouth_shape(windows)
        look = drawn_faces.random_look(count, generator, still=True)
        target = mouths.render(look, shapes, textures, size)
        reference = mouths.render(
            look, shapes, textures, size, torch.ones(count, dtype=torch.bool))
        faces = network_faces(target, reference)
        frames, address = network(windows, faces)
        mouth = (mouths.mouth_weight(look, size) > 0.5).float()

        def error(image):
            return float(((image - target).abs() * mouth).sum() / (3 * mouth.sum()))

        def darkness(image):
            return -(image * mouth).sum((1, 2, 3))

        still = target.median(dim=0, keepdim=True).values
        frozen = address.mean(dim=0, keepdim=True).expand_as(address)
        feature = network.audio_encoder(windows).flatten(1)
        forgetful = network.decode(network.mem.recall(feature, frozen)[:, :, None, None],
                                   network.encode_faces(faces))
        memory_share = float(((forgetful - frames).abs() * mouth).sum() / (3 * mouth.sum()))
        agreement = torch.corrcoef(torch.stack([darkness(frames), darkness(target)]))[0, 1]
        rows.append((name, error(frames), error(still), float(agreement), memory_share,
                     len(set(address.argmax(dim=1).tolist()))))
    network.train()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--continue", action="store_true", dest="continued",
                        help="from FOLDER/checkpoint.pt, with a fresh memory")
    parser.add_argument("--forget", type=float, default=0.0, metavar="P")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    log = (arguments.output / "train-log.txt").open("a")

    def say(line):
        print(line, flush=True)
        print(line, file=log, flush=True)

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    network = audio_lip_memory.make("small").train()
    if arguments.continued:
        network.load_state_dict(
            torch.load(arguments.output / "checkpoint.pt", weights_only=True))
        refresh(network.mem)
    network.mem.dropout.p = DROPOUT
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.to(memory_format=torch.channels_last)  # a quarter faster on a processor
    size = network.configuration.image_size
    speech = Speech(weights.TRAINING_SPEECH)
    textures = drawn_faces.Faces().textures
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE, betas=(0.5, 0.999))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=arguments.steps, pct_start=0.05, cycle_momentum=False)
    say(f"{arguments.steps} steps of {BATCH}, Adam, one cycle to {RATE}, forgetting {arguments.forget}, "
        f"{sum(p.numel() for p in network.parameters())} parameters")
    started, sums = time.monotonic(), {}
    for step in range(1, arguments.steps + 1):
        remembered = torch.ones(BATCH, 1)
        if arguments.forget:
            chance = torch.rand(BATCH, 1, generator=generator)
            remembered = (chance >= arguments.forget).float()
        parts = losses(network, batch(speech, textures, size, generator), remembered)
        total = 10 * (parts["audio"] + parts["lips"]) + 0.2 * (parts["store"] + parts["align"])
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        schedule.step()
        for key, value in parts.items():
            sums[key] = sums.get(key, 0) + float(value.detach())
        every = 50
        if step % every == 0:
            means = "  ".join(f"{k} {v / every:.4f}" for k, v in sums.items())
            say(f"step {step:5}  {means}")
            sums = {}
        if step % 400 == 0 or step == arguments.steps:
            for name, error, still, agreement, memory_share, slots in held_out(network, textures, size):
                say(f"  held out {name}: mouth L1 {error:.4f}, still mouth {still:.4f}, "
                    f"darkness correlation {agreement:.3f}, by the address {memory_share:.4f}, "
                    f"first slots {slots}")
            torch.save(network.state_dict(), arguments.output / "checkpoint.pt")
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
