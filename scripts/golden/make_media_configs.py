"""Writes the golden files of preprocessing configurations: what open_clip and transformers make of small pictures with
each of their configurations. Run after make_media.py, which makes the pictures, with the same Python:

    python scripts/golden/make_media_configs.py

Output: Tests/Golden/media/configs.json (the configurations as the peers write them, the SHA-256 of each normalised
float32 array, and where its pixels stand) and configs.bin (pixels before normalisation).

Pictures are RGB before anything else. The peers differ in how they get there from a transparent picture: open_clip
resizes it with its alpha, and then drops that; transformers 5 blends it with white, transformers 4 dropped the alpha.
"""

import hashlib
import json
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

# torchvision of the package index registers kernels for two ops that the CPU build of torch does not define.
_stand_ins = torch.library.Library("torchvision", "DEF")
for _schema in ("nms(Tensor dets, Tensor scores, float threshold) -> Tensor",
                "qnms(Tensor dets, Tensor scores, float threshold) -> Tensor"):
    try:
        _stand_ins.define(_schema)
    except RuntimeError:
        pass

import open_clip
import PIL
import transformers
from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict
from PIL import Image
from torchvision.transforms import Compose, Normalize
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import ChineseCLIPImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
ROOT = Path(__file__).resolve().parents[2] / "Tests/Golden/media"
SIZE = 16
# With a short edge of 16 pixels, the margins of the centre crop are 0, 1, 2, 3 and 3 pixels.
FEW = ["margin-42x40.png", "margin-44x40.png", "margin-48x40.png", "tiny-2x3.png"]
MANY = FEW + ["margin-45x40.png", "margin-40x48.png", "png-grey.png", "png-rgba.png", "small-17x23.png",
              "sliver-1x500.png"]
ODD = [0.11, 0.52, 0.93], [0.31, 0.22, 0.73]


def read(name):
    image = Image.open(ROOT / "images" / name)
    # Grey pictures stay grey: the peers convert them before or after the resize, to the same pixels.
    return image if image.mode == "L" else Image.fromarray(np.asarray(image.convert("RGB")))


class Cases:
    def __init__(self):
        self.data, self.offsets, self.cases = b"", {}, []

    def add(self, peer, name, config, images, run):
        """`run` gives the pixels `[height, width, 3]` and the normalised values `[3, height, width]` of a picture."""
        results = {}
        for image in images:
            try:
                pixels, values = run(read(image))
            except (ValueError, MemoryError) as error:  # a sliver whose short edge rounds to nothing
                print(f"{peer} {name} {image}: {error}")
                continue
            assert pixels.dtype == np.uint8 and values.dtype == np.float32, (pixels.dtype, values.dtype)
            pixels, values = (np.ascontiguousarray(array).tobytes() for array in (pixels, values))
            if pixels not in self.offsets:
                self.offsets[pixels] = len(self.data)
                self.data += pixels
            results[image] = {"offset": self.offsets[pixels], "sha256": hashlib.sha256(values).hexdigest()}
        self.cases.append({"peer": peer, "name": name, "config": config, "results": results})


def add_open_clip(cases, name, config, images):
    """`config` is the document `open_clip_config.json`; it is read as `create_model_and_transforms` does."""
    merged = merge_preprocess_dict(asdict(PreprocessCfg()), config.get("preprocess_cfg", {}))
    merged["size"] = (SIZE, SIZE)  # an image tower keeps its size so
    chain = image_transform_v2(PreprocessCfg(**merged), is_train=False).transforms
    assert isinstance(chain[-1], Normalize)
    before = Compose(chain[:-2])
    cases.add("open_clip", name, config, images,
              lambda image: (np.asarray(before(image)), Compose(chain)(image).numpy()))


def add_hugging_face(cases, name, processor, images, config=None):
    """`config` is the file's content; the one that transformers writes unless given."""
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        path = Path(folder) / "preprocessor_config.json"
        if config is None:
            config = json.loads(path.read_text())
        else:
            path.write_text(json.dumps(config))
            processor = type(processor).from_pretrained(folder)

    def run(image):
        pixels = processor(image, return_tensors="np", do_rescale=False, do_normalize=False)["pixel_values"][0]
        values = processor(image, return_tensors="np")["pixel_values"][0]
        return pixels.transpose(1, 2, 0).astype(np.uint8), values.astype(np.float32)

    cases.add("transformers", name, config, images, run)


def main():
    cases = Cases()
    model = {"embed_dim": 8, "vision_cfg": {"image_size": SIZE}}
    for mode in ("shortest", "longest", "squash"):
        for interpolation in ("bicubic", "bilinear"):
            full = asdict(PreprocessCfg(size=SIZE, resize_mode=mode, interpolation=interpolation))
            add_open_clip(cases, f"{mode}, {interpolation}", {"preprocess_cfg": full}, MANY)
    part = lambda **members: {"model_cfg": model, "preprocess_cfg": members}
    add_open_clip(cases, "no preprocess_cfg", {"model_cfg": model}, FEW)
    add_open_clip(cases, "nulls", part(mean=None, std=None, interpolation=None, fill_color=None), FEW)
    add_open_clip(cases, "random interpolation", part(interpolation="random", mean=ODD[0], std=ODD[1]), FEW)
    add_open_clip(cases, "another size", part(size=[224, 224], num_classes=0, resize_mode="squash"), FEW[:2])
    add_open_clip(cases, "grey fill", part(resize_mode="longest", fill_color=127, mean=0.5, std=0.5), FEW[:3])
    add_open_clip(cases, "coloured fill",
                  part(resize_mode="longest", interpolation="bilinear", fill_color=[250, 7, 100]), FEW[:3])

    square = {"height": SIZE, "width": SIZE}
    short = {"shortest_edge": SIZE}
    clip = lambda size=short, **options: CLIPImageProcessorPil(size=size, crop_size=square, **options)
    add_hugging_face(cases, "CLIP, bicubic", clip(), MANY)
    add_hugging_face(cases, "CLIP, bilinear", clip(resample=2), MANY)
    for resample, name in [(0, "nearest"), (1, "lanczos"), (4, "box")]:
        add_hugging_face(cases, f"CLIP, {name}", clip(resample=resample), FEW[1:3])
    add_hugging_face(cases, "CLIP, larger than the crop", clip({"shortest_edge": 21}), FEW)
    add_hugging_face(cases, "CLIP, smaller than the crop", clip({"shortest_edge": 11}), FEW)
    add_hugging_face(cases, "CLIP, both edges", clip({"height": 19, "width": 19}), FEW[:2])
    add_hugging_face(cases, "CLIP, not normalised", clip(do_normalize=False), FEW[:1])
    add_hugging_face(cases, "CLIP, other statistics", clip(image_mean=ODD[0], image_std=ODD[1]), FEW[:1])
    statistics = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
    add_hugging_face(cases, "CLIP, the oldest form", clip(), FEW, {
        "crop_size": SIZE, "do_center_crop": True, "do_normalize": True, "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor", **statistics, "resample": 3, "size": SIZE})
    add_hugging_face(cases, "CLIP, Fast, defaults", clip(), FEW, {
        "crop_size": square, "do_convert_rgb": None, "image_processor_type": "CLIPImageProcessorFast", "size": short,
        "device": None, "input_data_format": None, "data_format": "channels_first", "processor_class": "CLIPProcessor"})
    add_hugging_face(cases, "CLIP, both edges, null for the crop", clip(), FEW[:2], {
        "do_center_crop": None, "image_processor_type": "CLIPImageProcessor", "size": square})
    add_hugging_face(cases, "CLIP, lists", clip(), FEW[:2], {
        "crop_size": [SIZE, SIZE], "image_processor_type": "CLIPImageProcessor", "size": short, "image_mean": 0.4,
        "image_std": 0.2})
    add_hugging_face(cases, "Chinese CLIP", ChineseCLIPImageProcessorPil(size=short, crop_size=square), FEW[:2])
    add_hugging_face(cases, "BiT", BitImageProcessorPil(size=short, crop_size=square), FEW[:2])
    add_hugging_face(cases, "SigLIP, bicubic", SiglipImageProcessorPil(size=square), MANY)
    add_hugging_face(cases, "SigLIP, bilinear", SiglipImageProcessorPil(size=square, resample=2), FEW)
    add_hugging_face(cases, "SigLIP, first release", SiglipImageProcessorPil(), FEW, {
        "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor", "image_std": [0.5, 0.5, 0.5],
        "processor_class": "SiglipProcessor", "resample": 3, "rescale_factor": 0.00392156862745098, "size": square})
    add_hugging_face(cases, "SigLIP, a crop that is not asked for", SiglipImageProcessorPil(), FEW[:2], {
        "image_processor_type": "SiglipImageProcessorFast", "size": square, "crop_size": 12, "resample": 2})
    add_hugging_face(cases, "ViT", ViTImageProcessorPil(size=square), FEW)
    add_hugging_face(cases, "ViT, the oldest form", ViTImageProcessorPil(), FEW[:2], {
        "do_normalize": True, "do_resize": True, "feature_extractor_type": "ViTFeatureExtractor",
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "size": SIZE})
    add_hugging_face(cases, "DeiT", DeiTImageProcessorPil(size={"height": 19, "width": 19}, crop_size=square), FEW)

    (ROOT / "configs.bin").write_bytes(cases.data)
    (ROOT / "configs.json").write_text(json.dumps({
        "versions": {"open_clip": open_clip.__version__, "pillow": PIL.__version__,
                     "transformers": transformers.__version__},
        "size": SIZE, "cases": cases.cases}))
    print(len(cases.cases), "configurations,", len(cases.data), "bytes of pixels")


main()
