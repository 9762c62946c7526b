"""SparK in PyTorch, one training step timed: the peer of `lacuna bench step`.

The network and the step are those of keyu-tian/SparK: ordinary convolutions times the mask, norms over the rows of the
visible positions, densify, the light decoder, LAMB. `--finetune` times the classification step of the ResNet instead:
no mask, binary cross entropy, LAMB that adapts every tensor, an average of all weights and running statistics.
Tensors are channels-last, PyTorch's fastest order. Masks of a step are made once for each size of map, not by each layer.
Prints one JSON object with images_per_second, seconds_per_step (median) and peak_bytes.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

import timing

CELL = 32


class Active:
    """The visible cells of a batch, (B, 1, f, f), at every side of a map."""

    def __init__(self, cells):
        self.cells, self.masks, self.places = cells, {}, {}

    def mask(self, side):
        if side not in self.masks:
            times = side // self.cells.shape[2]
            self.masks[side] = self.cells.repeat_interleave(times, 2).repeat_interleave(times, 3)
        return self.masks[side]

    def rows(self, side):
        if side not in self.places:
            self.places[side] = self.mask(side).squeeze(1).nonzero(as_tuple=True)
        return self.places[side]


def masked(x, active):
    return x if active is None else x.mul_(active.mask(x.shape[-1]))


def on_rows(norm, x, active):
    """The norm over the active positions of (B, H, W, C), 0 elsewhere."""
    rows = active.rows(x.shape[1])
    y = torch.zeros_like(x)
    y[rows] = norm(x[rows])
    return y


class BatchNorm(nn.BatchNorm2d):
    def _check_input_dim(self, x):
        pass

    def forward(self, x, active=None):
        if active is None:
            return super().forward(x)
        return on_rows(super().forward, x.permute(0, 2, 3, 1), active).permute(0, 3, 1, 2)


class LayerNorm(nn.LayerNorm):
    """Over the channels of (B, C, H, W)."""

    def __init__(self, width):
        super().__init__(width, eps=1e-6)

    def forward(self, x, active=None):
        x = x.permute(0, 2, 3, 1)
        x = super().forward(x) if active is None else on_rows(super().forward, x, active)
        return x.permute(0, 3, 1, 2)


class DropPath(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if self.rate == 0:
            return x
        keep = (torch.rand(len(x), 1, 1, 1) >= self.rate).float() / (1 - self.rate)
        return x * keep


def rates(last, count):
    return [last * i / (count - 1) for i in range(count)]


class Bottleneck(nn.Module):
    def __init__(self, inputs, planes, stride, rate):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, planes, 1, bias=False), BatchNorm(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False), BatchNorm(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, 4 * planes, 1, bias=False), BatchNorm(4 * planes)
        self.downsample = nn.ModuleList(
            [nn.Conv2d(inputs, 4 * planes, 1, stride, bias=False), BatchNorm(4 * planes)]
            if stride > 1 or inputs != 4 * planes else [])
        self.drop_path = DropPath(rate)

    def forward(self, x, active):
        y = F.relu_(self.bn1(masked(self.conv1(x), active), active))
        y = F.relu_(self.bn2(masked(self.conv2(y), active), active))
        y = self.drop_path(self.bn3(masked(self.conv3(y), active), active))
        if len(self.downsample):
            x = self.downsample[1](masked(self.downsample[0](x), active), active)
        y += x
        return F.relu_(y)


class ResNet50(nn.Module):
    widths, norm, rate = [256, 512, 1024, 2048], BatchNorm, 0.05

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), BatchNorm(64)
        self.pool = nn.MaxPool2d(3, 2, 1)
        depths = [3, 4, 6, 3]
        drop, inputs = iter(rates(self.rate, sum(depths))), 64
        self.stages = nn.ModuleList()
        for stage, depth in enumerate(depths):
            blocks = nn.ModuleList()
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(Bottleneck(inputs, 64 << stage, stride, next(drop)))
                inputs = 256 << stage
            self.stages.append(blocks)

    def forward(self, x, active=None):
        x = F.relu_(self.bn1(masked(self.conv1(x), active), active))
        x = masked(self.pool(x), active)
        maps = []
        for blocks in self.stages:
            for block in blocks:
                x = block(x, active)
            maps.append(x)
        return maps


class ConvNeXtBlock(nn.Module):
    def __init__(self, width, rate):
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = LayerNorm(width)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 1e-6))
        self.drop_path = DropPath(rate)

    def forward(self, x, active):
        y = self.norm(masked(self.dwconv(x), active), active).permute(0, 2, 3, 1)
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))
        return x + self.drop_path(masked(y.permute(0, 3, 1, 2), active))


class ConvNeXtSmall(nn.Module):
    widths, norm, rate = [96, 192, 384, 768], LayerNorm, 0.2

    def __init__(self):
        super().__init__()
        depths, widths = [3, 3, 27, 3], self.widths
        drop = iter(rates(self.rate, sum(depths)))
        self.downsamples = nn.ModuleList([nn.ModuleList([nn.Conv2d(3, widths[0], 4, 4), LayerNorm(widths[0])])])
        for narrow, wide in zip(widths, widths[1:]):
            self.downsamples.append(nn.ModuleList([LayerNorm(narrow), nn.Conv2d(narrow, wide, 2, 2)]))
        self.stages = nn.ModuleList(
            nn.ModuleList(ConvNeXtBlock(width, next(drop)) for _ in range(depth)) for depth, width in zip(depths, widths))

    def forward(self, x, active=None):
        maps = []
        for stage, (parts, blocks) in enumerate(zip(self.downsamples, self.stages)):
            if stage == 0:
                x = parts[1](masked(parts[0](x), active), active)
            else:
                x = masked(parts[1](parts[0](x, active)), active)
            for block in blocks:
                x = block(x, active)
            maps.append(x)
        return maps


class DecoderBlock(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.up_sample = nn.ConvTranspose2d(inputs, inputs, 4, 2, 1)
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, padding=1, bias=False), BatchNorm(inputs), nn.ReLU6(inplace=True),
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), BatchNorm(outputs))

    def forward(self, x):
        return self.conv(self.up_sample(x))


def patches(x):
    """(B, C, H, W) to (B, cells, 32·32·C)."""
    B, C, H, W = x.shape
    x = x.reshape(B, C, H // CELL, CELL, W // CELL, CELL)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(B, -1, CELL * CELL * C)


class SparK(nn.Module):
    def __init__(self, encoder, width):
        super().__init__()
        self.encoder = encoder
        widths = encoder.widths[::-1]
        self.norms = nn.ModuleList(encoder.norm(inputs) for inputs in widths)
        self.mask_tokens = nn.ParameterList(
            nn.init.trunc_normal_(torch.empty(1, inputs, 1, 1), std=0.02, a=-0.02, b=0.02) for inputs in widths)
        self.projs = nn.ModuleList()
        for scale, inputs in enumerate(widths):
            kernel = 1 if scale == 0 else 3
            same = scale == 0 and inputs == width
            self.projs.append(
                nn.Identity() if same else nn.Conv2d(inputs, width >> scale, kernel, padding=kernel // 2))
        channels = [width >> step for step in range(CELL.bit_length())]
        self.blocks = nn.ModuleList(DecoderBlock(a, b) for a, b in zip(channels, channels[1:]))
        self.proj = nn.Conv2d(channels[-1], 3, 1)

    def forward(self, images, cells):
        active = Active(cells)
        maps = self.encoder(images * active.mask(images.shape[-1]), active)[::-1]
        x = 0
        for scale, block in enumerate(self.blocks):
            if scale < len(maps):
                y = self.norms[scale](maps[scale], active)
                shown = active.mask(y.shape[-1]).bool()
                y = torch.where(shown, y, self.mask_tokens[scale].expand_as(y))
                x = x + self.projs[scale](y)
            x = block(x)
        predicted, target = patches(self.proj(x)), patches(images)
        mean, var = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
        target = (target - mean) / (var + 1e-6).sqrt()
        loss = ((predicted - target) ** 2).mean(2)
        hidden = 1 - cells.flatten(1)
        return (loss * hidden).sum() / (hidden.sum() + 1e-8)


class Classifier(nn.Module):
    def __init__(self, encoder, classes):
        super().__init__()
        self.encoder, self.fc = encoder, nn.Linear(encoder.widths[-1], classes)

    def forward(self, images, targets):
        return F.binary_cross_entropy_with_logits(self.fc(self.encoder(images)[-1].mean((2, 3))), targets)


class LAMB:
    """The update of the reference, in place."""

    def __init__(self, model, rate, decay, betas, limit, corrects, adapts):
        self.entries = []
        for name, p in model.named_parameters():
            decays = p.ndim > 1 and "token" not in name
            self.entries.append((p, torch.zeros_like(p), torch.zeros_like(p), decay if decays else 0.0))
        self.rate, self.betas, self.limit, self.corrects, self.adapts = rate, betas, limit, corrects, adapts
        self.steps = 0

    @torch.no_grad()
    def step(self):
        norm = torch.stack([p.grad.norm() for p, *_ in self.entries]).norm()
        scale = 1 / max(1.0, norm.item() / self.limit)
        self.steps += 1
        first, second = self.betas
        correction = 1 - first ** self.steps if self.corrects else 1
        root = math.sqrt(1 - second ** self.steps) if self.corrects else 1
        for p, m, v, decay in self.entries:
            g = p.grad
            if scale < 1:
                g.mul_(scale)
            m.mul_(first).add_(g, alpha=1 - first)
            v.mul_(second).addcmul_(g, g, value=1 - second)
            update = (m / correction).div_(v.sqrt().div_(root).add_(1e-6))
            if decay:
                update.add_(p, alpha=decay)
            if decay or self.adapts:
                weight, length = p.norm().item(), update.norm().item()
                if weight > 0 and length > 0:
                    update.mul_(weight / length)
            p.add_(update, alpha=-self.rate)


def main():
    arguments = timing.options("resnet50", 224, 8, ["resnet50", "convnext_small"], attention=False)
    arguments.add_argument("--decoder", type=int, default=256)
    arguments.add_argument("--mask", type=float, default=0.6)
    arguments.add_argument("--finetune", action="store_true")
    arguments.add_argument("--classes", type=int, default=10, help="as many as lacuna bench step makes")
    given = timing.start(arguments)
    if given.finetune and given.model != "resnet50":
        arguments.error("--finetune times resnet50")
    encoder = ResNet50() if given.model == "resnet50" else ConvNeXtSmall()
    if given.finetune:
        model = Classifier(encoder, given.classes)
    else:
        model = SparK(encoder, given.decoder)
    model = model.to(memory_format=torch.channels_last).train()
    average = []
    if given.finetune:
        rule = LAMB(model, 2e-3, 0.02, (0.9, 0.999), 1e7, corrects=False, adapts=True)
        state = [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
        average = [(tensor.clone(), tensor) for tensor in state]
    else:
        second = 0.95 if given.model == "resnet50" else 0.999
        rule = LAMB(model, 2e-4, 0.04, (0.9, second), 5, corrects=True, adapts=False)
    images = torch.randn(given.batch, 3, given.image, given.image).contiguous(memory_format=torch.channels_last)
    side = given.image // CELL
    shown = round(side * side * (1 - given.mask))

    def prepare():
        if given.finetune:
            return (torch.rand(given.batch, given.classes).softmax(1),)
        order = torch.rand(given.batch, side * side).argsort(1)
        visible = torch.zeros(given.batch, side * side).scatter_(1, order[:, :shown], 1.0)
        return (visible.view(given.batch, 1, side, side),)

    def step(other):
        for p in model.parameters():
            p.grad = None
        loss = model(images, other)
        loss.backward()
        rule.step()
        for blended, current in average:
            blended.lerp_(current, 1e-4)
        return loss

    timing.report(given, model.parameters(), step, prepare)


if __name__ == "__main__":
    main()
