"""Masked token modelling of SeiT++ in PyTorch, one training step timed: the peer of `lacuna bench step`.

The network and the step are those of naver-ai/seit as published: a grid of 32 x 32 ids, embedded by the codebook, a
random part resized to 28 x 28 and turned into ids again, ViT over 2 x 2 tokens that sees 60 % of the patches and the mask
tokens among them, a decoder of four blocks with dropout, cross entropy over the masked patches, AdamW.
`--attention plain` is the reference's own form; `sdpa` uses scaled_dot_product_attention, PyTorch's fastest.
Prints one JSON object with images_per_second, seconds_per_step (median) and peak_bytes.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

import timing

SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16),
         "micro": (192, 6, 3)}
CODES, WIDTH = 391, 32


class Block(nn.Module):
    def __init__(self, width, heads, fused, dropout=0.0):
        super().__init__()
        self.heads, self.fused, self.rate = heads, fused, dropout
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def attention(self, x):
        B, N, C = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.rate if self.training else 0.0)
        else:
            y = self.drop((q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)) @ v
        return self.drop(self.proj(y.transpose(1, 2).reshape(B, N, C)))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.drop(self.fc2(self.drop(F.gelu(self.fc1(self.norm2(x))))))


class MaskedTokens(nn.Module):
    def __init__(self, side, width, depth, heads, fused):
        super().__init__()
        self.side, L = side, (side // 2) ** 2
        self.words = nn.Embedding(CODES, WIDTH)
        self.words_norm, self.words_drop = nn.LayerNorm(WIDTH, eps=1e-6), nn.Dropout(0.1)
        self.embed = nn.Conv2d(WIDTH, width, 2, 2)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_buffer("positions", torch.randn(1, L + 1, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads, fused) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_embed = nn.Linear(width, 512)
        # Stored and read by nothing, as in the reference.
        self.register_buffer("decoder_waves", torch.randn(1, L + 1, 512) * 0.02)
        self.decoder_positions = nn.Parameter(torch.zeros(1, L + 1, 512))
        self.decoder_blocks = nn.ModuleList(Block(512, 16, fused, 0.1) for _ in range(4))
        self.decoder_norm = nn.LayerNorm(512, eps=1e-6)
        self.head, self.head_norm = nn.Linear(512, 4 * WIDTH), nn.LayerNorm(WIDTH)
        self.bias = nn.Parameter(torch.zeros(1, 1, CODES))

    def forward(self, ids, masked, dropped):
        B, side = len(ids), self.side
        x = self.words_drop(self.words_norm(self.words(ids))).permute(0, 3, 1, 2)
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.where(masked[..., None], self.mask_token.expand_as(x), x) + self.positions[:, 1:]
        x = x[~dropped].reshape(B, -1, x.shape[-1])
        x = torch.cat(((self.cls_token + self.positions[:, :1]).expand(B, -1, -1), x), 1)
        for block in self.blocks:
            x = block(x)
        x = self.decoder_embed(self.norm(x))
        whole = x[:, :1].repeat(1, masked.shape[1] + 1, 1)
        seen = masked[~dropped].reshape(B, -1)
        whole[:, 1:][~masked] = x[:, 1:][~seen]
        whole = whole + self.decoder_positions
        for block in self.decoder_blocks:
            whole = block(whole)
        y = self.head(self.decoder_norm(whole))[:, 1:]
        y = y.reshape(B, side // 2, side // 2, 2, 2, WIDTH).permute(0, 1, 3, 2, 4, 5).reshape(B, side * side, WIDTH)
        logits = self.head_norm(F.gelu(y)) @ self.words.weight.detach().t() + self.bias
        losses = F.cross_entropy(logits.transpose(1, 2), ids.reshape(B, -1), reduction="none")
        losses = losses.reshape(B, side // 2, 2, side // 2, 2).mean((2, 4)).reshape(B, -1)
        return (losses * masked).sum() / masked.sum()


def crop(maps, side):
    """A random part of each map, resized to side x side."""
    parts = []
    n = maps.shape[-1]
    for one in maps:
        h, w = (int(n * math.sqrt(torch.empty(1).uniform_(0.3, 1).item())) for _ in range(2))
        top, left = torch.randint(n - h + 1, (1,)).item(), torch.randint(n - w + 1, (1,)).item()
        part = one[None, :, top:top + h, left:left + w]
        parts.append(F.interpolate(part, (side, side), mode="bicubic", align_corners=False))
    return torch.cat(parts)


def main():
    # --image: side of the model's grid; stored grids are 8/7 of it.
    arguments = timing.options("base", 28, 8, SIZES)
    arguments.add_argument("--patch", type=int, default=2, choices=[2])
    given = timing.start(arguments)
    width, depth, heads = SIZES[given.model]
    side, L = given.image, (given.image // 2) ** 2
    model = MaskedTokens(side, width, depth, heads, given.attention == "sdpa")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.05)
    codebook = F.normalize(torch.randn(CODES, WIDTH), dim=-1)
    stored = torch.randint(CODES, (given.batch, side * 8 // 7, side * 8 // 7))

    def step():
        with torch.no_grad():
            maps = crop(codebook[stored].permute(0, 3, 1, 2), side).permute(0, 2, 3, 1)
            ids = (F.normalize(maps, dim=-1) @ codebook.t()).argmax(-1)
            order = torch.rand(given.batch, L).argsort(1).argsort(1)
            masked, dropped = order < math.ceil(0.6 * L), order < math.ceil(0.4 * L)
        optimizer.zero_grad(set_to_none=True)
        loss = model(ids, masked, dropped)
        loss.backward()
        optimizer.step()
        return loss

    # The fixed tables of positions belong to the reference's parameters.
    timing.report(given, [*model.parameters(), *model.buffers()], step)


if __name__ == "__main__":
    main()
