"""Images -> tensors: decoding, sources, crop geometry, augmentation, loading. Knows nothing of models."""
