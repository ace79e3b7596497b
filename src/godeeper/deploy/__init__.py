"""Networks in use: pictures in, labels and probabilities out."""
