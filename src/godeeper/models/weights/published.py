"""Every published set of weights that these networks can load: where it is, what it expects, what it reaches.

Plain data; `read.py` loads them. Errors are those that the publisher states for one centre crop, on ImageNet's 50,000
validation images.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...preprocess import Preprocess
from .layouts import LAYOUTS

BACKGROUND = {1001: 1, 1008: 1}  # classes of a file -> where ImageNet's 1000 begin in it
HALF = (0.5, 0.5, 0.5)  # as mean and as deviation: RGB in -1..1, as TensorFlow's networks were trained
FACE = (127.5 / 255,) * 3
CAFFE_MEAN = (128 / 255, 117 / 255, 104 / 255)  # of RGB; without division by 255, so the deviation is 1 / 255

TORCHVISION_224 = Preprocess.of(224)
# torchvision's GoogLeNet and Inception-v3 normalise ImageNet's way and then undo it within the network (`transform_input`):
# what the first layer sees is RGB in -1..1.
TORCHVISION_GOOGLENET = Preprocess.of(224, HALF, HALF)
TORCHVISION_INCEPTION = Preprocess.of(299, HALF, HALF, crop_fraction=299 / 342)
TIMM = Preprocess.of(
    299, HALF, HALF, crop_fraction=299 / 341, interpolation="bicubic"
)  # crop fraction 0.875, the resized side rounded down
TIMM_GLUON = Preprocess.of(299, crop_fraction=299 / 341, interpolation="bicubic")
TIMM_RESNET = Preprocess.of(299, HALF, HALF, crop_fraction=0.8975, interpolation="bicubic")
CADENE = Preprocess.of(299, HALF, HALF, crop_fraction=299 / 341)
CADENE_CAFFE = Preprocess.of(224, CAFFE_MEAN, (1 / 255,) * 3)
FID = Preprocess.of(299, HALF, HALF, mode="squash", antialias=False)
KERAS = Preprocess.of(299, HALF, HALF, mode="squash", antialias=False)
FACENET = Preprocess.of(160, FACE, (128 / 255,) * 3, crop_fraction=1.0)  # of a face already cut out


@dataclass(frozen=True)
class Published:
    """One set of weights.

    `url` ends in the file; of a Hugging Face repository it is the repository's page, and the file `model.safetensors`.
    `classes` counts the file's own, 0 where it has no classifier; the network keeps 1000 (from `BACKGROUND` on) if they are
    ImageNet's. Accuracies in percent, None where the publisher states none for ImageNet. `heads`: the file has auxiliary heads;
    `remark`: what one should know of them.
    """

    name: str
    layout: str  # of layouts.py
    url: str
    preprocess: Preprocess
    top1_accuracy: float | None
    top5_accuracy: float | None
    source: str  # of the accuracies
    licence: str
    classes: int = 1000
    heads: bool = False
    remark: str = ""

    @property
    def architecture(self) -> str:
        """The model that they fit."""
        return LAYOUTS[self.layout].architecture

    @property
    def repository(self) -> str | None:
        """Of Hugging Face, "owner/name"; None for a file elsewhere."""
        return self.url.removeprefix(HUGGING_FACE) if self.url.startswith(HUGGING_FACE) else None

    @property
    def file(self) -> str:
        """The file's name."""
        return "model.safetensors" if self.repository else self.url.rpartition("/")[2]


HUGGING_FACE = "https://huggingface.co/"
PYTORCH = "https://download.pytorch.org/models/"
LIP6 = "http://data.lip6.fr/cadene/pretrainedmodels/"
KERAS_APPLICATIONS = "https://storage.googleapis.com/tensorflow/keras-applications/"
PYTORCH_FID_RELEASES = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
TORCH_FIDELITY_RELEASES = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
FACENET_RELEASES = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"
BSD, APACHE, MIT = "BSD-3-Clause", "Apache-2.0", "MIT"
TV, TIMM_RESULTS, CADENE_RESULTS, FACENET_README = (
    "torchvision's weights page", "timm's results-imagenet.csv", "Cadene's README", "facenet-pytorch's README",
)  # fmt: skip

PUBLISHED = {
    weights.name: weights
    for weights in (
        Published("torchvision/googlenet", "torchvision googlenet", PYTORCH + "googlenet-1378be20.pth",
                  TORCHVISION_GOOGLENET, 69.778, 89.530, TV, BSD, heads=True,
                  remark="its auxiliary heads were never trained, torchvision says"),
        Published("torchvision/inception_v3", "torchvision inception_v3", PYTORCH + "inception_v3_google-0cc3c7bd.pth",
                  TORCHVISION_INCEPTION, 77.294, 93.450, TV, BSD, heads=True),
        Published("torchvision/alexnet", "torchvision alexnet", PYTORCH + "alexnet-owt-7be5be79.pth",
                  TORCHVISION_224, 56.522, 79.066, TV, BSD),
        Published("torchvision/vgg16", "torchvision vgg16", PYTORCH + "vgg16-397923af.pth",
                  TORCHVISION_224, 71.592, 90.382, TV, BSD),
        Published("torchvision/vgg19", "torchvision vgg19", PYTORCH + "vgg19-dcbb9e9d.pth",
                  TORCHVISION_224, 72.376, 90.876, TV, BSD),
        *(
            Published(
                f"timm/{name}", layout, f"{HUGGING_FACE}timm/{name}", preprocess, top1, top5, TIMM_RESULTS, APACHE,
                heads=name == "inception_v3.tv_in1k",  # torchvision's file
            )
            for name, layout, preprocess, top1, top5 in (
                ("inception_v3.tv_in1k", "torchvision inception_v3", TIMM, 77.47, 93.47),
                ("inception_v3.tf_in1k", "torchvision inception_v3", TIMM, 77.87, 93.64),
                ("inception_v3.tf_adv_in1k", "torchvision inception_v3", TIMM, 77.60, 93.73),
                ("inception_v3.gluon_in1k", "torchvision inception_v3", TIMM_GLUON, 78.81, 94.37),
                ("inception_v4.tf_in1k", "timm inception_v4", TIMM, 80.14, 94.98),
                ("inception_resnet_v2.tf_in1k", "timm inception_resnet_v2", TIMM_RESNET, 80.43, 95.31),
                ("inception_resnet_v2.tf_ens_adv_in1k", "timm inception_resnet_v2", TIMM_RESNET, 80.00, 94.94),
            )
        ),
        Published("cadene/inceptionv4", "timm inception_v4", LIP6 + "inceptionv4-8e4777a0.pth",
                  CADENE, 80.062, 94.926, CADENE_RESULTS, BSD, classes=1001),
        Published("cadene/inceptionresnetv2", "Cadene inceptionresnetv2", LIP6 + "inceptionresnetv2-520b38e4.pth",
                  CADENE, 80.170, 95.234, CADENE_RESULTS, BSD, classes=1001),
        Published("cadene/bninception", "Cadene bninception", LIP6 + "bn_inception-52deb4733.pth",
                  CADENE_CAFFE, 73.524, 91.562, CADENE_RESULTS, BSD),
        Published("facenet/vggface2", "facenet InceptionResnetV1", FACENET_RELEASES + "20180402-114759-vggface2.pt",
                  FACENET, None, None, FACENET_README, MIT, classes=8631),
        Published("facenet/casia-webface", "facenet InceptionResnetV1", FACENET_RELEASES + "20180408-102900-casia-webface.pt",
                  FACENET, None, None, FACENET_README, MIT, classes=10575),
        *(
            Published(f"keras/{model}{notop}", f"Keras {model}",
                      f"{KERAS_APPLICATIONS}{model}/{model}_weights_tf_dim_ordering_tf_kernels{notop}.h5",
                      KERAS, None if notop else top1, None if notop else top5, "Keras' applications page", APACHE,
                      classes=0 if notop else 1000)
            for model, top1, top5 in (("inception_v3", 77.9, 93.7), ("inception_resnet_v2", 80.3, 95.3))
            for notop in ("", "_notop")
        ),
        *(  # one file, put up twice; of its 1008 classes nobody states an accuracy
            Published(f"{library}/{name}", "FID inception_v3", f"{releases}{name}-6726825d.pth",
                      FID, None, None, f"{library}'s README", APACHE, classes=1008)
            for library, name, releases in (
                ("pytorch-fid", "pt_inception-2015-12-05", PYTORCH_FID_RELEASES),
                ("torch-fidelity", "weights-inception-2015-12-05", TORCH_FIDELITY_RELEASES),
            )
        ),
    )
}  # fmt: skip

# Networks that are not read here, though their files have the names and shapes of a layout: its name and their number of classes
# -> what they are. None has auxiliary heads.
_CAFFE_VGG = "Caffe's VGG, converted, which is fed blue, green, red in 0..255"
LOOKALIKES = {
    ("torchvision vgg16", 1000): _CAFFE_VGG,
    ("torchvision vgg19", 1000): _CAFFE_VGG,
}
