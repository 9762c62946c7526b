"""SimMIM with a ViT encoder in PyTorch, one training step timed: the peer of `lacuna bench step`.

The network and the step are those of microsoft/SimMIM (shared relative position bias, layer scale, AdamW, clip 5).
`--attention plain` is the reference's own form; `sdpa` uses scaled_dot_product_attention, PyTorch's fastest.
Prints one JSON object with images_per_second, seconds_per_step (median) and peak_bytes.
"""
import torch
from torch import nn
from torch.nn import functional as F

import timing

SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16),
         "micro": (192, 6, 3)}


def relative_index(grid):
    axis = torch.arange(grid)
    y, x = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
    span = 2 * grid - 1
    index = torch.full((grid * grid + 1,) * 2, span * span, dtype=torch.long)
    index[1:, 1:] = (y[:, None] - y[None] + grid - 1) * span + x[:, None] - x[None] + grid - 1
    index[:, 0] = span * span + 1
    index[0, 0] = span * span + 2
    return index


class Block(nn.Module):
    def __init__(self, width, heads, fused):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma_1 = nn.Parameter(0.1 * torch.ones(width))
        self.gamma_2 = nn.Parameter(0.1 * torch.ones(width))

    def attention(self, x, bias):
        B, N, C = x.shape
        qkv_bias = torch.cat((self.q_bias, torch.zeros_like(self.v_bias), self.v_bias))
        qkv = F.linear(x, self.qkv.weight, qkv_bias).reshape(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None].expand(B, -1, -1, -1))
        else:
            y = ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias[None]).softmax(-1) @ v
        return self.proj(y.transpose(1, 2).reshape(B, N, C))

    def forward(self, x, bias):
        x = x + self.gamma_1 * self.attention(self.norm1(x), bias)
        return x + self.gamma_2 * self.fc2(F.gelu(self.fc1(self.norm2(x))))


class SimMIM(nn.Module):
    def __init__(self, size, patch, width, depth, heads, fused):
        super().__init__()
        self.patch, self.grid = patch, size // patch
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.mask_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.table = nn.Parameter(torch.zeros((2 * self.grid - 1) ** 2 + 3, heads))
        self.register_buffer("index", relative_index(self.grid))
        self.blocks = nn.ModuleList(Block(width, heads, fused) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder = nn.Conv2d(width, 3 * patch * patch, 1)

    def forward(self, images, mask):
        x = self.embed(images).flatten(2).transpose(1, 2)
        w = mask.flatten(1).unsqueeze(-1)
        x = x * (1 - w) + self.mask_token * w
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), 1)
        N = x.shape[1]
        bias = self.table[self.index.view(-1)].view(N, N, -1).permute(2, 0, 1).contiguous()
        for block in self.blocks:
            x = block(x, bias)
        z = self.norm(x)[:, 1:].transpose(1, 2).reshape(len(x), -1, self.grid, self.grid)
        rebuilt = F.pixel_shuffle(self.decoder(z), self.patch)
        m = mask.repeat_interleave(self.patch, 1).repeat_interleave(self.patch, 2).unsqueeze(1)
        return (F.l1_loss(images, rebuilt, reduction="none") * m).sum() / (m.sum() + 1e-5) / 3


def main():
    arguments = timing.options("small", 224, 16)
    arguments.add_argument("--patch", type=int, default=16)
    given = timing.start(arguments)
    width, depth, heads = SIZES.get(given.model) or map(int, given.model.split("/"))
    model = SimMIM(given.image, given.patch, width, depth, heads, given.attention == "sdpa")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)
    images = torch.randn(given.batch, 3, given.image, given.image)
    grid = given.image // given.patch
    mask = (torch.rand(given.batch, grid, grid) < 0.6).float()

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
