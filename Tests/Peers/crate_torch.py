"""CRATE-MAE in PyTorch, one training step timed: the peer of `lacuna bench step`.

The network and the step are those of Ma-Lab-Berkeley/CRATE in the loop of facebookresearch/mae: ISTA with its three
products, one projection as query, key and value, AdamW in two groups, no clipping.
`--attention plain` is the reference's own form; `sdpa` uses scaled_dot_product_attention, PyTorch's fastest.
Prints one JSON object with images_per_second, seconds_per_step (median) and peak_bytes.
"""
import torch
from torch import nn
from torch.nn import functional as F

import timing

SIZES = {"micro": (96, 6, 4), "tiny": (384, 12, 6), "small": (576, 12, 12), "base": (768, 12, 12),
         "large": (1024, 24, 16)}


class Attention(nn.Module):
    def __init__(self, width, heads, fused):
        super().__init__()
        self.heads, self.fused, self.scale = heads, fused, (width // heads) ** -0.5
        self.qkv = nn.Linear(width, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x):
        B, N, C = x.shape
        w = self.qkv(x).view(B, N, self.heads, -1).transpose(1, 2)
        if self.fused:
            y = F.scaled_dot_product_attention(w, w, w)
        else:
            y = ((w @ w.transpose(-1, -2)) * self.scale).softmax(-1) @ w
        return self.to_out(y.transpose(1, 2).reshape(B, N, C))


class ISTA(nn.Module):
    def __init__(self, width, step=0.1, lambd=0.5):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width))
        nn.init.kaiming_uniform_(self.weight)
        self.step, self.lambd = step, lambd

    def forward(self, x):
        x1 = F.linear(x, self.weight)
        grad_1 = F.linear(x1, self.weight.t())
        grad_2 = F.linear(x, self.weight.t())
        return F.relu(x + self.step * (grad_2 - grad_1) - self.step * self.lambd)


class EncoderLayer(nn.Module):
    def __init__(self, width, heads, fused):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads, fused)
        self.norm2, self.ista = nn.LayerNorm(width), ISTA(width)

    def forward(self, x):
        return self.ista(self.norm2(x + self.attention(self.norm1(x))))


class DecoderLayer(nn.Module):
    def __init__(self, width, heads, fused):
        super().__init__()
        self.norm1, self.linear = nn.LayerNorm(width), nn.Linear(width, width, bias=False)
        self.norm2, self.attention = nn.LayerNorm(width), Attention(width, heads, fused)

    def forward(self, x):
        y = self.linear(self.norm1(x))
        return y - self.attention(self.norm2(y))


class CRATEMAE(nn.Module):
    def __init__(self, size, patch, width, depth, heads, fused):
        super().__init__()
        self.patch, count = patch, (size // patch) ** 2
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.mask_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, count + 1, width), requires_grad=False)
        self.blocks = nn.Sequential(*(EncoderLayer(width, heads, fused) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_blocks = nn.Sequential(*(DecoderLayer(width, heads, fused) for _ in range(depth)))
        self.decoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_pred = nn.Linear(width, 3 * patch * patch)
        # The reference has these and reads them nowhere.
        self.decoder_embed = nn.Linear(width, width)
        self.pos_embed = nn.Parameter(torch.zeros(1, count + 1, width), requires_grad=False)

    def forward(self, images, noise, ratio=0.75):
        x = self.embed(images).flatten(2).transpose(1, 2)
        B, N, C = x.shape
        kept = int(N * (1 - ratio))
        shuffle = noise.argsort(1)
        restore = shuffle.argsort(1)
        shown = torch.gather(x, 1, shuffle[:, :kept, None].expand(-1, -1, C))
        x = torch.cat((shown, self.mask_token.expand(B, N - kept, -1)), 1)
        x = torch.gather(x, 1, restore[:, :, None].expand(-1, -1, C))
        x = torch.cat((self.cls_token.expand(B, -1, -1), x), 1) + self.positions
        latent = self.norm(self.blocks(x))
        pred = self.decoder_pred(self.decoder_norm(self.decoder_blocks(latent)))[:, 1:]
        p, g = self.patch, images.shape[2] // self.patch
        target = images.reshape(B, 3, g, p, g, p).permute(0, 2, 4, 3, 5, 1).reshape(B, N, -1)
        mask = (restore >= kept).float()
        return (((pred - target) ** 2).mean(-1) * mask).sum() / mask.sum()


def main():
    arguments = timing.options("small", 224, 16, SIZES)
    arguments.add_argument("--patch", type=int, default=16)
    given = timing.start(arguments)
    width, depth, heads = SIZES[given.model]
    model = CRATEMAE(given.image, given.patch, width, depth, heads, given.attention == "sdpa")
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
         {"params": [p for p in trained if p.ndim > 1], "weight_decay": 0.05}], lr=1e-4, betas=(0.9, 0.95))
    images = torch.randn(given.batch, 3, given.image, given.image)

    def step(noise):
        optimizer.zero_grad(set_to_none=True)
        loss = model(images, noise)
        loss.backward()
        optimizer.step()
        return loss

    timing.report(given, model.parameters(), step, lambda: (torch.rand(given.batch, (given.image // given.patch) ** 2),))


if __name__ == "__main__":
    main()
