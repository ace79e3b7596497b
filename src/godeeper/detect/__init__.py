"""Objects in images: R-CNN as the 2014 paper did it, Faster R-CNN on any network, and how both are scored."""
