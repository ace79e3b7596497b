"""Objects in images: R-CNN as the GoogLeNet paper did it, Faster R-CNN on any network, and how both are scored."""
