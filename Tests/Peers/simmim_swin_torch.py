"""SimMIM with a Swin encoder in PyTorch, one training step timed: the peer of `lacuna bench step`.

The network and the step are those of microsoft/SimMIM (windows, shifts, relative position tables, AdamW, clip 5), in
plain PyTorch. `--attention plain` is the reference's own form; `sdpa` uses scaled_dot_product_attention, PyTorch's
fastest. Prints one JSON object with images_per_second, seconds_per_step (median) and peak_bytes.
"""
import torch
from torch import nn
from torch.nn import functional as F

import timing

SIZES = {"tiny": (96, (2, 2, 6, 2), (3, 6, 12, 24)), "small": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
         "base": (128, (2, 2, 18, 2), (4, 8, 16, 32)), "large": (192, (2, 2, 18, 2), (6, 12, 24, 48))}


def windows(x, side):
    B, H, W, C = x.shape
    x = x.view(B, H // side, side, W // side, side, C)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, side * side, C)


def grid(x, side, H, W):
    B = len(x) // (H * W // side // side)
    x = x.view(B, H // side, W // side, side, side, -1)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(B, H, W, -1)


def relative_index(side):
    axis = torch.arange(side)
    y, x = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
    return (y[:, None] - y[None] + side - 1) * (2 * side - 1) + x[:, None] - x[None] + side - 1


def shift_mask(R, side, shift):
    label = torch.zeros(1, R, R, 1)
    parts = (slice(0, -side), slice(-side, -shift), slice(-shift, None))
    for number, (down, across) in enumerate((d, a) for d in parts for a in parts):
        label[:, down, across] = number
    label = windows(label, side).squeeze(-1)
    differ = label[:, None] != label[:, :, None]
    return torch.zeros(differ.shape).masked_fill(differ, -100.0)


class Block(nn.Module):
    def __init__(self, width, heads, R, side, shift, fused):
        super().__init__()
        if R <= side:
            side, shift = R, 0
        self.heads, self.R, self.side, self.shift, self.fused = heads, R, side, shift, fused
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.table = nn.Parameter(torch.randn((2 * side - 1) ** 2, heads) * 0.02)
        self.register_buffer("index", relative_index(side))
        self.register_buffer("mask", shift_mask(R, side, shift) if shift else None)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attention(self, x):
        B, N, C = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.table[self.index.view(-1)].view(N, N, -1).permute(2, 0, 1).contiguous().unsqueeze(0)
        if self.fused:
            if self.mask is not None:
                W = len(self.mask)
                bias = (bias + self.mask.unsqueeze(1)).repeat(B // W, 1, 1, 1)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(B, -1, -1, -1))
        else:
            logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias
            if self.mask is not None:
                W = len(self.mask)
                logits = logits.view(B // W, W, self.heads, N, N) + self.mask.unsqueeze(1).unsqueeze(0)
                logits = logits.view(-1, self.heads, N, N)
            y = logits.softmax(-1) @ v
        return self.proj(y.transpose(1, 2).reshape(B, N, C))

    def forward(self, x):
        B, N, C = x.shape
        y = self.norm1(x).view(B, self.R, self.R, C)
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = grid(self.attention(windows(y, self.side)), self.side, self.R, self.R)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y.view(B, N, C)
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Merging(nn.Module):
    def __init__(self, width, R):
        super().__init__()
        self.R, self.norm = R, nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x):
        B, N, C = x.shape
        x = x.view(B, self.R, self.R, C)
        x = torch.cat((x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]), -1)
        return self.reduction(self.norm(x.view(B, -1, 4 * C)))


class SimMIM(nn.Module):
    def __init__(self, image, patch, window, width, depths, heads, fused):
        super().__init__()
        self.patch, R = patch, image // patch
        self.embed, self.embed_norm = nn.Conv2d(3, width, patch, patch), nn.LayerNorm(width)
        self.mask_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        layers = []
        for stage, depth in enumerate(depths):
            layers += [Block(width, heads[stage], R, window, window // 2 * (index % 2), fused)
                       for index in range(depth)]
            if stage + 1 < len(depths):
                layers.append(Merging(width, R))
                width, R = 2 * width, R // 2
        self.layers = nn.Sequential(*layers)
        self.norm, self.side, self.stride = nn.LayerNorm(width), R, image // R
        self.decoder = nn.Conv2d(width, 3 * self.stride ** 2, 1)

    def forward(self, images, mask):
        x = self.embed_norm(self.embed(images).flatten(2).transpose(1, 2))
        w = mask.flatten(1).unsqueeze(-1)
        x = self.norm(self.layers(x * (1 - w) + self.mask_token * w))
        z = x.transpose(1, 2).reshape(len(x), -1, self.side, self.side)
        rebuilt = F.pixel_shuffle(self.decoder(z), self.stride)
        m = mask.repeat_interleave(self.patch, 1).repeat_interleave(self.patch, 2).unsqueeze(1)
        return (F.l1_loss(images, rebuilt, reduction="none") * m).sum() / (m.sum() + 1e-5) / 3


def main():
    arguments = timing.options("base", 192, 8, SIZES)
    arguments.add_argument("--patch", type=int, default=4)
    arguments.add_argument("--window", type=int, default=6)
    given = timing.start(arguments)
    model = SimMIM(given.image, given.patch, given.window, *SIZES[given.model], given.attention == "sdpa")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)
    images = torch.randn(given.batch, 3, given.image, given.image)
    cells = given.image // 32
    mask = (torch.rand(given.batch, cells, cells) < 0.6).float()
    mask = mask.repeat_interleave(32 // given.patch, 1).repeat_interleave(32 // given.patch, 2)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = model(images, mask)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return loss

    timing.report(given, model.parameters(), step)


if __name__ == "__main__":
    main()
