"""The errors that the papers print of one model on one crop, by our names of the networks."""

from .facts_bn_inception import BN_INCEPTION_ERRORS
from .facts_googlenet import GOOGLENET_TABLE_3
from .facts_inception_v3 import INCEPTION_V3_ERRORS
from .facts_inception_v4 import RESNET_V1, RESNET_V2, TABLE_2, V4

# Top-1 error if printed, top-5 error, both in percent, and where. The released Inception-ResNet-v2 is not the printed one.
PRINTED_ERRORS: dict[str, tuple[float | None, float, str]] = {
    "googlenet": (None, GOOGLENET_TABLE_3[0].top5_error, "arXiv 1409.4842, Table 3"),
    "bn_inception": (*BN_INCEPTION_ERRORS, "arXiv 1502.03167, Figure 4"),
    "inception_v3": (*INCEPTION_V3_ERRORS, "arXiv 1512.00567, Table 3"),
    "inception_v4": (*TABLE_2[V4], "arXiv 1602.07261, Table 2"),
    "inception_v4_printed": (*TABLE_2[V4], "arXiv 1602.07261, Table 2"),
    "inception_resnet_v1": (*TABLE_2[RESNET_V1], "arXiv 1602.07261, Table 2"),
    "inception_resnet_v2_printed": (*TABLE_2[RESNET_V2], "arXiv 1602.07261, Table 2"),
}
