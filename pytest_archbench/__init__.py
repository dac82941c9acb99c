"""A pytest plugin that counts, measures and judges image-classification networks."""
