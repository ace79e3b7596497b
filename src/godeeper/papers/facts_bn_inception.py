"""What arXiv 1502.03167 (BN-Inception) prints, as it prints it. Never computed, never corrected."""

from .facts import Fact, read_table

BN_INCEPTION_FIGURE_5 = read_table("Figure 5", """
stage   | patch/stride | output     | depth | 1x1 | 3x3 reduce | 3x3 | double 3x3 reduce | double 3x3 | pool proj
conv1   | 7x7/2        | 112x112x64 | 1     |     |            |     |                   |            |
pool1   | 3x3/2        | 56x56x64   | 0     |     |            |     |                   |            |
conv2   | 3x3/1        | 56x56x192  | 1     |     | 64         | 192 |                   |            |
pool2   | 3x3/2        | 28x28x192  | 0     |     |            |     |                   |            |
3a      |              | 28x28x256  | 3     | 64  | 64         | 64  | 64                | 96         | avg + 32
3b      |              | 28x28x320  | 3     | 64  | 64         | 96  | 64                | 96         | avg + 64
3c      | stride 2     | 28x28x576  | 3     | 0   | 128        | 160 | 64                | 96         | max + pass through
4a      |              | 14x14x576  | 3     | 224 | 64         | 96  | 96                | 128        | avg + 128
4b      |              | 14x14x576  | 3     | 192 | 96         | 128 | 96                | 128        | avg + 128
4c      |              | 14x14x576  | 3     | 160 | 128        | 160 | 128               | 160        | avg + 128
4d      |              | 14x14x576  | 3     | 96  | 128        | 192 | 160               | 192        | avg + 128
4e      | stride 2     | 14x14x1024 | 3     | 0   | 128        | 192 | 192               | 256        | max + pass through
5a      |              | 7x7x1024   | 3     | 352 | 192        | 320 | 160               | 224        | avg + 128
5b      |              | 7x7x1024   | 3     | 352 | 192        | 320 | 192               | 224        | max + 128
avgpool | 7x7/1        | 1x1x1024   | 0     |     |            |     |                   |            |
""")  # fmt: skip
BN_INCEPTION_CLAIMS = (
    Fact("Appendix", "conv1", "multiplier", "8"),  # of the separable first layer
    Fact("Appendix", "", "modules on 28x28", "3"),
    Fact("Appendix", "", "layers more than GoogLeNet", "9"),  # two 3x3 for a 5x5
    Fact("Section 4.2", "", "filters of a double 3x3 at most", "128"),
    Fact("Appendix", "", "parameters more than GoogLeNet", "25%"),
    Fact("Section 4.2", "", "parameters", "13.6M"),
    Fact("Appendix", "", "multiply-adds more than GoogLeNet", "30%"),  # "about"
    Fact("arXiv 1512.00567, Table 3", "", "multiply-adds", "2.0G"),
)
BN_INCEPTION_ERRORS = (25.2, 7.82)  # Figure 4: top-1 and top-5, one crop, one model
