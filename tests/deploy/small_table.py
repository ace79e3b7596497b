"""A table of two modules, for what takes long with more."""

STAGES = ("conv1", "pool1", "conv2", "pool2", "3a", "pool3", "5b")  # of googlenet_bn
