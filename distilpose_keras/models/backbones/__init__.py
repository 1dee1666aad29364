"""Backbones: from normalised images to feature maps.

Each is a frozen set of sizes that builds its part of a graph when it is called.
"""

from distilpose_keras.models.backbones.cspnext import CSPNeXt
from distilpose_keras.models.backbones.hourglass import Hourglass
from distilpose_keras.models.backbones.hrnet import HRNet
from distilpose_keras.models.backbones.hrnet_c import HRNetC
from distilpose_keras.models.backbones.lite import Lite
from distilpose_keras.models.backbones.lite_hrnet import LiteHRNet
from distilpose_keras.models.backbones.mobilenet import MobileNetV2
from distilpose_keras.models.backbones.movenet import MoveNetFPN
from distilpose_keras.models.backbones.pixels import Pixels
from distilpose_keras.models.backbones.resnet import ResNet
from distilpose_keras.models.backbones.stemnet import StemNet
from distilpose_keras.models.backbones.vit import ViT

# By their names in files.
BACKBONES = {
    "stemnet": StemNet,
    "hrnet": HRNet,
    "hrnet_c": HRNetC,
    "resnet": ResNet,
    "cspnext": CSPNeXt,
    "vit": ViT,
    "hourglass": Hourglass,
    "lite": Lite,
    "lite_hrnet": LiteHRNet,
    "mobilenetv2": MobileNetV2,
    "movenet_fpn": MoveNetFPN,
    "pixels": Pixels,
}
