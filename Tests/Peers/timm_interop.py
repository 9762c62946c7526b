"""Weights to and from the real timm and microsoft/SimMIM. Run by Tests/Peers/interop."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import types
import warnings
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4
RECIPE = """
schema: 2
kind: {kind}
about: a model to exchange
reference: none
seed: 3
data:
  train: {{kind: procedural, count: 100, size: 32, first: 0, seed: 0}}
images:
  size: {size}
  normalize: {{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}
objective: {objective}
model: {model}
batch: {{global: 10}}
optimizer: {{kind: adamw, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.05}}
schedule: {{kind: constant, updates: 2, base_lr: 1e-3}}
log: {{every_updates: 1}}
checkpoint: {{every_updates: 2, keep_last: 1}}
loader: {{threads: 1, prefetch_batches: 3}}
"""
SIMMIM = "{kind: simmim, mask_ratio: 0.6, mask_patch_size: 32}"
CLASSIFIER = "{kind: classification, label_smoothing: 0.1}"


def vit(absolute=False, relative=False, shared=False, **more):
    keys = dict(kind="vit", preset="tiny", patch_size=16, drop_path_rate=0, use_abs_pos_emb=absolute,
                use_rel_pos_bias=relative, use_shared_rel_pos_bias=shared, **more)
    return json.dumps(keys)


BEIT = vit(relative=True, init_values=0.1, global_pool="avg")
PLAIN = dict(absolute=True, key_bias=True)


def swin(**more):
    return json.dumps(dict(kind="swin", embed_dim=48, depths=[2, 2, 4], num_heads=[2, 4, 8], patch_size=4, window_size=6,
                           drop_path_rate=0, use_abs_pos_emb=False, **more))


def picture(side):
    """The picture of `lacuna checkpoint export`: (1, 3, side, side), normalised."""
    c, y, x = torch.meshgrid(torch.arange(3), torch.arange(side), torch.arange(side), indexing="ij")
    return (((37 * c + 17 * y + 29 * x + x * y) % 256 - 128) / 64).unsqueeze(0)


FORMULA = "((37*c + 17*y + 29*x + x*y) % 256 - 128) / 64"


def randomise(model, seed):
    """Weights far from their start, so that every tensor counts: a bias or scale that is lost shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.named_parameters():
            noise = torch.randn(value.shape, generator=generator)
            if value.dim() == 1:
                value.add_(0.2 * noise)
            elif "table" in name or "embed" in name and "proj" not in name or "token" in name:
                value.copy_(0.5 * noise)
            else:
                value.copy_(noise / value[0].numel() ** 0.5)
    return model.eval()


class Exchange:
    def __init__(self, lacuna, folder):
        self.lacuna, self.folder, self.failures, self.number = lacuna, folder, 0, 0

    def place(self, name):
        self.number += 1
        folder = self.folder / f"{self.number:02d}-{name}"
        folder.mkdir()
        return folder

    def run(self, *words):
        done = subprocess.run([self.lacuna, *map(str, words)], cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"lacuna {' '.join(map(str, words))}: code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def recipe(self, folder, model, size, kind="finetune"):
        objective = CLASSIFIER if kind == "finetune" else SIMMIM
        path = folder / "recipe.yaml"
        path.write_text(RECIPE.format(kind=kind, size=size, objective=objective, model=model))
        return path

    def check(self, what, ours, theirs):
        difference = (torch.tensor(ours) - theirs.flatten()).abs().max().item()
        scale = theirs.abs().max().item()
        holds = difference <= TOLERANCE * max(1, scale)
        self.failures += not holds
        print(f"{'ok  ' if holds else 'FAIL'} {what}: {theirs.numel()} values, largest {scale:.3f}, "
              f"differ by {difference:.1e}", flush=True)

    def receive(self, name, model, recipe_model, size, kind="finetune", prepare=lambda tensors: tensors):
        """Their weights here: the program itself compares what it gives with the numbers in the file."""
        from safetensors.torch import save_file
        folder = self.place(name)
        with torch.no_grad():
            values = self.output(model, size).flatten().tolist()
        is_classifier = kind == "finetune"
        parity = dict(output="logits" if is_classifier else "features", formula=FORMULA, side=size, values=values)
        tensors = prepare({key: value.contiguous() for key, value in model.state_dict().items()})
        save_file(tensors, folder / "model.safetensors", metadata=dict(format="pt", parity=json.dumps(parity)))
        said = self.run("checkpoint", "import", folder / "model.safetensors", "--recipe",
                        self.recipe(folder, recipe_model, size, kind), "--output", folder / "run")
        line = next(line for line in said.splitlines() if "parity" in line)
        if "differ by" not in line:
            self.failures += 1
            print(f"FAIL {name} loaded here: {line}")
        else:
            # The program ends with 65 where they differ by more than 1e-4 of the largest.
            print(f"ok   {name} loaded here: {line.split('parity')[1].strip()}", flush=True)
        return folder

    @staticmethod
    def output(model, size):
        if getattr(model, "mask_token", None) is not None:
            cells = size // (model.patch_size[0] if isinstance(model.patch_size, tuple) else model.patch_size)
            return model(picture(size), torch.zeros(1, cells, cells)).mean((2, 3))
        return model(picture(size))

    def export(self, folder, library):
        out = folder / library
        self.run("checkpoint", "export", folder / "run", "--for", library, "--output", out / "model.safetensors")
        return out

    def stored(self, out):
        from safetensors import safe_open
        with safe_open(out / "model.safetensors", "pt") as file:
            return json.loads(file.metadata()["parity"])

    def send_timm(self, folder, what):
        """Our weights in timm: built from config.json alone and loaded strictly."""
        import timm
        out = self.export(folder, "timm")
        model = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
        from safetensors.torch import load_file
        model.load_state_dict(load_file(out / "model.safetensors"), strict=True)
        parity = self.stored(out)
        with torch.no_grad():
            self.check(f"{what} in timm, {type(model).__module__.split('.')[-1]}.{type(model).__name__}",
                       parity["values"], model(picture(parity["side"])))
        return model

    def send_simmim(self, folder, what, classes):
        from functools import partial
        from safetensors.torch import load_file
        from models import simmim, swin_transformer, vision_transformer
        out = self.export(folder, "simmim")
        config = json.loads((out / "config.json").read_text())
        name, arguments = config["architecture"], config["model_args"]
        module = next(m for m in (simmim, swin_transformer, vision_transformer) if hasattr(m, name))
        if "Vision" in name:
            arguments["norm_layer"] = partial(torch.nn.LayerNorm, eps=1e-6)
        model = getattr(module, name)(**arguments)
        whole = model if classes else simmim.SimMIM(model, config["encoder_stride"])
        whole.load_state_dict(load_file(out / "model.safetensors"), strict=True)
        model.eval()
        parity = self.stored(out)
        with torch.no_grad():
            self.check(f"{what} in SimMIM, {name}", parity["values"], self.output(model, parity["side"]))


def timm_cases(exchange):
    import timm
    small = dict(img_size=224)
    pairs = [
        ("vit_small_patch16_224", vit(**PLAIN).replace("tiny", "small"), {}),
        ("vit_tiny_patch16_224, average pooling, layer scale", vit(**PLAIN, init_values=0.1, global_pool="avg"),
         dict(global_pool="avg", init_values=0.1)),
        ("beit_base_patch16_224, narrow", BEIT, dict(embed_dim=192, num_heads=3)),
        ("beit_base_patch16_224, shared table, positions, class token",
         vit(absolute=True, shared=True), dict(
             embed_dim=192, num_heads=3, use_abs_pos_emb=True, use_rel_pos_bias=False, use_shared_rel_pos_bias=True,
             init_values=0, global_pool="token")),
    ]
    pairs = [(title, model, {**small, **arguments}) for title, model, arguments in pairs] + [
        ("swin_tiny_patch4_window7_224",
         '{kind: swin, preset: tiny, patch_size: 4, window_size: 7, drop_path_rate: 0, use_abs_pos_emb: false}', small),
        ("swin_tiny_patch4_window7_224, three stages, the last of one window", swin(), dict(
            img_size=96, window_size=6, embed_dim=48, depths=(2, 2, 4), num_heads=(2, 4, 8))),
    ]
    for seed, (title, model, arguments) in enumerate(pairs):
        name = title.split(",")[0]
        theirs = randomise(timm.create_model(name, **arguments), seed)
        folder = exchange.receive(title, theirs, model, arguments["img_size"])
        exchange.send_timm(folder, title)
    # Trained for two steps here.
    for title, model in [("a ViT fine-tuned here", BEIT),
                         ("a plain ViT fine-tuned here", vit(**PLAIN, global_pool="avg")),
                         ("a Swin fine-tuned here", swin())]:
        folder = exchange.place(title)
        exchange.run("finetune", exchange.recipe(folder, model, 96), "--run", folder / "run")
        exchange.send_timm(folder, title)
    for title, model in [("pretraining encoder, shared table", vit(shared=True, init_values=0.1)),
                         ("pretraining encoder, plain", vit(**PLAIN)),
                         ("pretraining encoder, Swin", swin())]:
        folder = exchange.place(title)
        exchange.run("pretrain", exchange.recipe(folder, model, 96, "pretrain"), "--run", folder / "run")
        exchange.send_timm(folder, title)


def simmim_cases(exchange):
    from functools import partial
    from models import simmim, swin_transformer, vision_transformer
    norm = partial(torch.nn.LayerNorm, eps=1e-6)
    shape = dict(img_size=96, patch_size=16, embed_dim=192, depth=3, num_heads=3, qkv_bias=True, init_values=0.1,
                 use_abs_pos_emb=False, norm_layer=norm)
    short = {"preset": None, "embed_dim": 192, "depth": 3, "num_heads": 3}
    def ours(text):
        return json.dumps({key: value for key, value in {**json.loads(text), **short}.items() if value is not None})

    theirs = vision_transformer.VisionTransformer(
        num_classes=7, use_rel_pos_bias=True, use_mean_pooling=True, **shape)
    folder = exchange.receive("SimMIM's ViT, fine-tuned", randomise(theirs, 11), ours(BEIT), 96)
    exchange.send_simmim(folder, "SimMIM's ViT, fine-tuned", classes=7)
    encoder = simmim.VisionTransformerForSimMIM(
        num_classes=0, use_shared_rel_pos_bias=True, use_mean_pooling=False, **shape)
    whole = randomise(simmim.SimMIM(encoder, 16), 12)
    folder = exchange.receive(
        "SimMIM's ViT, pretraining", encoder, ours(vit(shared=True, init_values=0.1)), 96, "pretrain",
        prepare=lambda _: {key: value.contiguous() for key, value in whole.state_dict().items()})
    exchange.send_simmim(folder, "SimMIM's ViT, pretraining", classes=0)
    shape = dict(img_size=96, patch_size=4, embed_dim=48, depths=[2, 2, 4], num_heads=[2, 4, 8], window_size=6)
    theirs = randomise(swin_transformer.SwinTransformer(num_classes=7, ape=True, **shape), 13)
    positions = swin().replace("false", "true")
    folder = exchange.receive("SimMIM's Swin, fine-tuned", theirs, positions, 96)
    exchange.send_simmim(folder, "SimMIM's Swin, fine-tuned", classes=7)
    encoder = simmim.SwinTransformerForSimMIM(num_classes=0, **shape)
    whole = randomise(simmim.SimMIM(encoder, 16), 14)
    folder = exchange.receive(
        "SimMIM's Swin, pretraining", encoder, swin(), 96, "pretrain",
        prepare=lambda _: {key: value.contiguous() for key, value in whole.state_dict().items()})
    exchange.send_simmim(folder, "SimMIM's Swin, pretraining", classes=0)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lacuna", default=str(ROOT / ".build/release/lacuna"))
    arguments.add_argument("--simmim", help="a clone of github.com/microsoft/SimMIM; without it that part is left out")
    given = arguments.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    import timm
    print(f"timm {timm.__version__}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        exchange = Exchange(given.lacuna, Path(folder))
        timm_cases(exchange)
        if given.simmim:
            # Its modules import timm's layers from where they were in 2021.
            sys.modules.setdefault("timm.models.layers", types.ModuleType("timm.models.layers")).__dict__.update(
                {name: getattr(timm.layers, name) for name in ("DropPath", "to_2tuple", "trunc_normal_")})
            sys.path.insert(0, given.simmim)
            simmim_cases(exchange)
        print("all agree" if exchange.failures == 0 else f"{exchange.failures} do not agree")
    return exchange.failures != 0


if __name__ == "__main__":
    sys.exit(main())
