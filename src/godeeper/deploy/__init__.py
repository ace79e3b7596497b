"""Networks in use: images in, labels and probabilities out."""
